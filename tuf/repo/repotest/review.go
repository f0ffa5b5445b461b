package repotest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Read is a review to state. The zero value is a complete one, of the whole source, with all criteria.
type Read struct {
	Base     *Made                    // nil: the whole source
	Changes  string                   // names the change list, whose sha256 is that of this text; default "changes"
	Unread   []string                 // items not read; any order. Of the ten items a change has here
	Criteria []string                 // default: those this project knows
	Verdict  string                   // default pass, or partial when something is unread
	Notes    string                   // default "none" for a verdict that needs them
	At       time.Time                // default: the world's time
	Edit     func(text string) string // changes the statement before it is signed
}

// Review returns member i's bundle saying that they read the change that leads to a release. It prints
// the format on its own, as Statement does.
func (w *World) Review(i int, m Made, r Read) []byte {
	w.T.Helper()
	slices.Sort(r.Unread)
	if r.Verdict == "" {
		r.Verdict = map[bool]string{true: "pass", false: "partial"}[len(r.Unread) == 0]
	}
	if r.Notes == "" && (r.Verdict == "fail" || r.Verdict == "inconclusive") {
		r.Notes = "none"
	}
	if r.Changes == "" {
		r.Changes = "changes"
	}
	if r.Criteria == nil {
		r.Criteria = []string{"crypto-checked", "dependencies-read", "generated-checked", "no-new-powers", "notes-match", "read-every-change"}
	}
	if r.At.IsZero() {
		r.At = w.Now
	}
	base := `{"version":"","release":{},"tree":""}`
	if r.Base != nil {
		base = fmt.Sprintf(`{"version":%q,"release":{"sha256":"%x"},"tree":%q}`, r.Base.Version, sha256.Sum256(r.Base.Manifest), Tree)
	}
	at := r.At.UTC().Truncate(time.Second).Format(time.RFC3339)
	payload := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"release.json","digest":{"sha256":"%x"}}],`+
		`"predicateType":"https://github.com/countersign-project/countersign/review/v1","predicate":{"event":%q,"base":%s,`+
		`"head":{"commit":%q,"tree":%q},"changes":{"sha256":"%x","files":9,"modules":1,"lines":100},`+
		`"coverage":{"unread":%s,"generated":[],"mechanical":[]},"criteria":%s,"verdict":%q,"notes":%q,"minutesSpent":60,`+
		`"tools":"none","independence":"none","startedOn":%q,"finishedOn":%q}}`,
		sha256.Sum256(m.Manifest), m.Event, base, Commit, Tree, sha256.Sum256([]byte(r.Changes)), w.list(r.Unread), w.list(r.Criteria), r.Verdict, r.Notes, at, at)
	if r.Edit != nil {
		payload = r.Edit(payload)
	}
	return w.Bundle(w.People[i].Statement, []byte(payload))
}

// Withdrawal returns member i's bundle that withdraws a release, or reinstates it ("withdrawn",
// "reinstated").
func (w *World) Withdrawal(i int, m Made, state, reason string, at time.Time) []byte {
	w.T.Helper()
	payload := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"release.json","digest":{"sha256":"%x"}}],`+
		`"predicateType":"https://github.com/countersign-project/countersign/withdrawal/v1","predicate":{"channel":%q,"version":%q,`+
		`"state":%q,"reason":%q,"at":%q}}`, sha256.Sum256(m.Manifest), m.Channel, m.Version, state, reason, at.UTC().Truncate(time.Second).Format(time.RFC3339))
	return w.Bundle(w.People[i].Statement, []byte(payload))
}

func (w *World) list(s []string) string {
	w.T.Helper()
	b, err := json.Marshal(append([]string{}, s...))
	w.check(err)
	return string(b)
}
