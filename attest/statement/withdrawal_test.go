package statement_test

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/statement"
)

func withdrawal() statement.Withdrawal {
	return statement.Withdrawal{Release: sha256.Sum256([]byte("release.json")), Channel: "stable", Version: "1.4.0-rc.1", State: statement.StateWithdrawn,
		Reason: "the ratchet keeps old keys <on disk>", At: started}
}

func TestPrintedFormOfWithdrawals(t *testing.T) {
	const want = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"release.json","digest":{"sha256":"RELEASE"}}],` +
		`"predicateType":"https://github.com/countersign-project/countersign/withdrawal/v1","predicate":{"channel":"stable","version":"1.4.0-rc.1",` +
		`"state":"withdrawn","reason":"the ratchet keeps old keys <on disk>","at":"2026-11-21T12:00:00Z"}}`
	w := withdrawal()
	if got := string(encode(t, w)); got != strings.Replace(want, "RELEASE", hexOf(w.Release), 1) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFieldsOfWithdrawalsAreChecked(t *testing.T) {
	for want, change := range map[string]func(*statement.Withdrawal){
		"release has no sha256":                           func(w *statement.Withdrawal) { w.Release = [32]byte{} },
		`channel "", want small letters`:                  func(w *statement.Withdrawal) { w.Channel = "" },
		`channel "a/b", want small letters`:               func(w *statement.Withdrawal) { w.Channel = "a/b" },
		`version "1.4", want three numbers such as 1.4.0`: func(w *statement.Withdrawal) { w.Version = "1.4" },
		`version "1.4.0+x", want three numbers`:           func(w *statement.Withdrawal) { w.Version = "1.4.0+x" },
		`version "1.4.0-` + strings.Repeat("a", 200):      func(w *statement.Withdrawal) { w.Version = "1.4.0-" + strings.Repeat("a", 200) },
		`state "", want withdrawn or reinstated`:          func(w *statement.Withdrawal) { w.State = "" },
		"no reason given":                                 func(w *statement.Withdrawal) { w.Reason = "" },
		`reason "a\rb" has characters that do not print`:  func(w *statement.Withdrawal) { w.Reason = "a\rb" },
		"reason has 4097 bytes, at most 4096":             func(w *statement.Withdrawal) { w.Reason = strings.Repeat("x", 4097) },
		"time is missing":                                 func(w *statement.Withdrawal) { w.At = time.Time{} },
		"time out of range":                               func(w *statement.Withdrawal) { w.At = time.Unix(-1, 0) },
	} {
		w := withdrawal()
		change(&w)
		if b, err := w.Encode(); err == nil || !strings.HasPrefix(err.Error(), "statement: "+want) {
			t.Errorf("%s, %v, want %q", b, err, want)
		}
	}
}

func TestHostileWithdrawals(t *testing.T) {
	hostile(t, string(encode(t, withdrawal())), [][4]string{
		{"two subjects", `"subject":[`, `"subject":[{"name":"release.json","digest":{"sha256":"` + strings.Repeat("0", 64) + `"}},`, "statement: 2 subjects, want one, release.json"},
		{"second digest", `"digest":{`, `"digest":{"sha1":"00",`, otherPrint},
		{"state twice", `"state":`, `"state":"reinstated","state":`, otherPrint},
		{"other time zone", `12:00:00Z`, `13:00:00+01:00`, otherPrint},
		{"time before all", `2026-11-21T12:00:00Z`, `0001-01-01T00:00:00Z`, "statement: time is missing"},
		{"no time", `2026-11-21T12:00:00Z`, ``, `statement: time "", want RFC 3339`},
		{"unknown field", `"state":`, `"until":"2027","state":`, `statement: json: unknown field "until"`},
		{"as a review", statement.PredicateWithdrawal, statement.PredicateReview, "statement: json: unknown field"},
	})
}
