package statement_test

import (
	"crypto"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// review is a good statement of a partial review.
func review() statement.Review {
	return statement.Review{
		Release: sha256.Sum256([]byte("release.json")), Event: strings.Repeat("e", 64),
		Base:       statement.ReviewBase{Version: "1.3.2", Release: sha256.Sum256([]byte("before")), Tree: strings.Repeat("b", 40)},
		HeadCommit: strings.Repeat("c", 40), HeadTree: strings.Repeat("d", 40),
		Changes: sha256.Sum256([]byte("changes")), Files: 9, Modules: 2, Lines: 321,
		Unread: []string{"cmd/x/main.go", "module golang.org/x/mod"}, Generated: []string{"go.sum"}, Mechanical: []string{`"a\nb"`, "tuf/x.go"},
		Criteria: []string{"no-new-powers", "read-every-change"}, Verdict: statement.VerdictPartial, Notes: "cmd/x is <not> mine & others know it better",
		MinutesSpent: 95, Tools: "git, an editor", Independence: "none", Started: started, Finished: started.Add(2 * time.Hour),
	}
}

// wholeReview is a good statement of a complete review without a base.
func wholeReview() statement.Review {
	r := review()
	r.Base, r.Unread, r.Generated, r.Mechanical, r.Notes, r.Verdict = statement.ReviewBase{}, nil, nil, nil, "", statement.VerdictPass
	return r
}

func TestPrintedFormOfReviews(t *testing.T) {
	const want = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"release.json","digest":{"sha256":"RELEASE"}}],` +
		`"predicateType":"https://github.com/countersign-project/countersign/review/v1","predicate":{"event":"EVENT",` +
		`"base":{"version":"1.3.2","release":{"sha256":"BEFORE"},"tree":"BASETREE"},"head":{"commit":"COMMIT","tree":"TREE"},` +
		`"changes":{"sha256":"CHANGES","files":9,"modules":2,"lines":321},` +
		`"coverage":{"unread":["cmd/x/main.go","module golang.org/x/mod"],"generated":["go.sum"],"mechanical":["\"a\\nb\"","tuf/x.go"]},` +
		`"criteria":["no-new-powers","read-every-change"],"verdict":"partial","notes":"cmd/x is <not> mine & others know it better",` +
		`"minutesSpent":95,"tools":"git, an editor","independence":"none","startedOn":"2026-11-21T12:00:00Z","finishedOn":"2026-11-21T14:00:00Z"}}`
	r := review()
	fill := strings.NewReplacer("RELEASE", hexOf(r.Release), "EVENT", r.Event, "BEFORE", hexOf(r.Base.Release), "BASETREE", r.Base.Tree,
		"COMMIT", r.HeadCommit, "TREE", r.HeadTree, "CHANGES", hexOf(r.Changes))
	if got := string(encode(t, r)); got != fill.Replace(want) {
		t.Errorf("got\n%s\nwant\n%s", got, fill.Replace(want))
	}
	whole := string(encode(t, wholeReview()))
	for _, part := range []string{`"base":{"version":"","release":{},"tree":""}`, `"coverage":{"unread":[],"generated":[],"mechanical":[]}`, `"verdict":"pass","notes":""`} {
		if !strings.Contains(whole, part) {
			t.Errorf("%s is not in %s", part, whole)
		}
	}
}

func TestFieldsOfReviewsAreChecked(t *testing.T) {
	for want, change := range map[string]func(*statement.Review){
		"release has no sha256":                                     func(r *statement.Review) { r.Release = [32]byte{} },
		`event "x", want 64 hex digits`:                             func(r *statement.Review) { r.Event = "x" },
		`head commit "HEAD", want a git object id`:                  func(r *statement.Review) { r.HeadCommit = "HEAD" },
		`head tree "", want a git object id`:                        func(r *statement.Review) { r.HeadTree = "" },
		`base version "", want three numbers such as 1.4.0`:         func(r *statement.Review) { r.Base.Version = "" },
		`base version "v1.3.2", want three`:                         func(r *statement.Review) { r.Base.Version = "v1.3.2" },
		`base version "1.3.02", want three`:                         func(r *statement.Review) { r.Base.Version = "1.3.02" },
		"base release has no sha256":                                func(r *statement.Review) { r.Base.Release = [32]byte{} },
		"base is the release itself":                                func(r *statement.Review) { r.Base.Release = r.Release },
		`base tree "", want a git object id`:                        func(r *statement.Review) { r.Base.Tree = "" },
		"changes have no sha256":                                    func(r *statement.Review) { r.Changes = [32]byte{} },
		"files -1, want 0 to 100000":                                func(r *statement.Review) { r.Files = -1 },
		"modules 100001, want 0 to 100000":                          func(r *statement.Review) { r.Modules = 100_001 },
		"lines -1, want 0 to 1099511627776":                         func(r *statement.Review) { r.Lines = -1 },
		"minutes spent 100001, want 0 to 100000":                    func(r *statement.Review) { r.MinutesSpent = 100_001 },
		"5001 unread items, at most 5000":                           func(r *statement.Review) { r.Unread = slices.Repeat([]string{"a"}, 5001) },
		"unread item without a name":                                func(r *statement.Review) { r.Unread[0] = "" },
		`unread item "a\nb" has characters that do not print`:       func(r *statement.Review) { r.Unread[0] = "a\nb" },
		`generated item "a\u202eb" has characters that do not`:      func(r *statement.Review) { r.Generated[0] = "a\u202eb" },
		"mechanical item has 1001 bytes, at most 1000":              func(r *statement.Review) { r.Mechanical[0] = strings.Repeat("x", 1001) },
		`unread item "a" after "a", want them sorted, each once`:    func(r *statement.Review) { r.Unread = []string{"a", "a"} },
		`unread item "a" after "b", want them sorted, each once`:    func(r *statement.Review) { r.Unread = []string{"b", "a"} },
		`item "go.sum" is both unread and generated`:                func(r *statement.Review) { r.Unread = []string{"go.sum"} },
		`item "tuf/x.go" is both generated and mechanical`:          func(r *statement.Review) { r.Generated = []string{"tuf/x.go"} },
		"5 items in the coverage, the change has 4":                 func(r *statement.Review) { r.Files = 2 },
		`criterion "No-Powers", want small letters`:                 func(r *statement.Review) { r.Criteria[0] = "No-Powers" },
		`criterion "a-", want small letters`:                        func(r *statement.Review) { r.Criteria[0] = "a-" },
		`criterion "a" after "b", want them sorted, each once`:      func(r *statement.Review) { r.Criteria = []string{"b", "a"} },
		"51 criteria, at most 50":                                   func(r *statement.Review) { r.Criteria = slices.Repeat([]string{"a"}, 51) },
		"verdict partial without a criterion":                       func(r *statement.Review) { r.Criteria = nil },
		"verdict partial after 0 minutes":                           func(r *statement.Review) { r.MinutesSpent = 0 },
		"verdict partial with nothing unread, want pass":            func(r *statement.Review) { r.Unread = nil },
		"verdict pass with 2 unread items, want partial":            func(r *statement.Review) { r.Verdict = statement.VerdictPass },
		`verdict "good", want pass, partial, fail or inconclusive`:  func(r *statement.Review) { r.Verdict = "good" },
		"verdict fail without notes that say why":                   func(r *statement.Review) { r.Verdict, r.Notes = statement.VerdictFail, "" },
		"verdict inconclusive without notes that say why":           func(r *statement.Review) { r.Verdict, r.Notes = statement.VerdictInconclusive, "" },
		`notes "\x1b[2J" has characters that do not print`:          func(r *statement.Review) { r.Notes = "\x1b[2J" },
		"notes has 4097 bytes, at most 4096":                        func(r *statement.Review) { r.Notes = strings.Repeat("n", 4097) },
		`tools: nothing said; if there is nothing to say, say "no`:  func(r *statement.Review) { r.Tools = "" },
		"independence: nothing said":                                func(r *statement.Review) { r.Independence = "" },
		"independence is not UTF-8":                                 func(r *statement.Review) { r.Independence = "\xff" },
		"started or finished is missing":                            func(r *statement.Review) { r.Finished = time.Time{} },
		"finished 2026-11-21T11:59:59Z, before it started 2026-11-": func(r *statement.Review) { r.Finished = started.Add(-time.Second) },
	} {
		r := review()
		change(&r)
		if b, err := r.Encode(); err == nil || !strings.HasPrefix(err.Error(), "statement: "+want) {
			t.Errorf("%s, %v, want %q", b, err, want)
		}
	}
}

// A fail or an inconclusive word needs a reason and nothing else: it may be said after a minute's look.
func TestNegativeReviewsAreEasy(t *testing.T) {
	for _, verdict := range []string{statement.VerdictFail, statement.VerdictInconclusive} {
		r := review()
		r.Verdict, r.Criteria, r.MinutesSpent, r.Notes = verdict, nil, 0, "cmd/x opens a socket that the notes do not tell"
		got, err := statement.Parse(encode(t, r))
		if err != nil || !reflect.DeepEqual(got, &r) {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// A statement that would be larger than anyone reads is refused when it is made, not when it arrives.
func TestReviewsHaveASize(t *testing.T) {
	r := review()
	r.Unread = nil
	for i := range 4000 {
		r.Unread = append(r.Unread, fmt.Sprintf("%080d", i))
	}
	r.Files = 5000
	if _, err := r.Encode(); err == nil || !strings.HasSuffix(err.Error(), "at most 262144") {
		t.Error(err)
	}
}

func TestHostileReviews(t *testing.T) {
	hostile(t, string(encode(t, review())), [][4]string{
		{"no subject", `{"name":"release.json","digest":{"sha256":"` + hexOf(review().Release) + `"}}`, ``, "statement: 0 subjects, want one, release.json"},
		{"other subject", `"name":"release.json"`, `"name":"release"`, otherPrint},
		{"half a base", `"version":"1.3.2"`, `"version":""`, `statement: base version "", want`},
		{"base without release", `"release":{"sha256":"` + hexOf(review().Base.Release) + `"}`, `"release":{}`, "statement: base release has no sha256"},
		{"base release of another kind", `"release":{"sha256":`, `"release":{"sha1":`, `statement: sha256 "", want`},
		{"base release of two kinds", `"release":{"sha256":`, `"release":{"sha1":"00","sha256":`, otherPrint},
		{"null list", `"generated":["go.sum"]`, `"generated":null`, otherPrint},
		{"missing list", `"generated":["go.sum"],`, ``, otherPrint},
		{"item hidden by a second list", `"unread":[`, `"unread":["hidden"],"unread":[`, otherPrint},
		{"number as text", `"lines":321`, `"lines":"321"`, "statement: json: "},
		{"number with a fraction", `"lines":321`, `"lines":321.0`, "statement: json: "},
		{"number with an exponent", `"lines":321`, `"lines":1e2`, "statement: json: "},
		{"unknown field", `"verdict":"partial"`, `"verdict":"partial","coverage2":1`, `statement: json: unknown field "coverage2"`},
		{"other case", `"verdict":`, `"Verdict":`, otherPrint},
		{"escaped", `"verdict":"partial"`, `"verdict":"\u0070artial"`, otherPrint},
		{"broken text", `"tools":"git`, "\"tools\":\"\xffgit", otherPrint},
		{"as an inconclusive rebuild", statement.PredicateReview, statement.PredicateInconclusive, "statement: json: unknown field"},
		{"as a withdrawal", statement.PredicateReview, statement.PredicateWithdrawal, "statement: json: unknown field"},
		{"next version", "review/v1", "review/v2", `statement: predicate type "https://github.com/countersign-project/countersign/review/v2" is none`},
	})
}

const otherPrint = "statement: is not printed as this project prints it"

// hostile edits good text: name, old, new, and how the refusal starts.
func hostile(t *testing.T, good string, cases [][4]string) {
	t.Helper()
	for _, c := range cases {
		if !strings.Contains(good, c[1]) {
			t.Fatalf("%s: %s is not there", c[0], c[1])
		}
		got, err := statement.Parse([]byte(strings.Replace(good, c[1], c[2], 1)))
		if err == nil || !strings.HasPrefix(err.Error(), c[3]) {
			t.Errorf("%s: %+v, %v, want %q", c[0], got, err, c[3])
		}
	}
}

func TestCriteria(t *testing.T) {
	var ids []string
	for _, c := range statement.Criteria() {
		ids = append(ids, c.ID)
		if !statement.ValidCriterion(c.ID) || !strings.HasSuffix(c.Text, ".") || strings.Count(c.Text, ".") != 1 {
			t.Errorf("%s: %q is not one sentence", c.ID, c.Text)
		}
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("not sorted, or not unique: %v", ids)
	}
	r := wholeReview()
	r.Criteria = ids
	encode(t, r)
	for _, bad := range []string{"", "-", "a_b", "a--b", "Ä", strings.Repeat("a", 65)} {
		if statement.ValidCriterion(bad) {
			t.Errorf("%q is taken for a criterion", bad)
		}
	}
}

// repotest prints reviews and withdrawals on its own; ours reads them.
func TestAnotherPrinterAgreesOnReviews(t *testing.T) {
	w := repotest.New(t, 3, 2)
	before := w.Publish(repotest.Release{Version: "1.3.2", Artifacts: map[string][]byte{"linux-amd64/messenger": []byte("m")}})
	m := w.Publish(repotest.Release{Version: "1.4.0", Artifacts: map[string][]byte{"linux-amd64/messenger": []byte("n")}})
	at := w.Now.UTC().Truncate(time.Second)
	open := func(b []byte) any {
		t.Helper()
		payload, _, err := bundle.Open(b, []crypto.PublicKey{w.People[1].Statement.Public()})
		if err != nil {
			t.Fatal(err)
		}
		got, err := statement.Parse(payload)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	whole := open(w.Review(1, m, repotest.Read{})).(*statement.Review)
	if whole.Verdict != statement.VerdictPass || whole.Base != (statement.ReviewBase{}) || whole.Release != sha256.Sum256(m.Manifest) || whole.Event != m.Event || len(whole.Criteria) != len(statement.Criteria()) {
		t.Errorf("%+v", whole)
	}
	partial := open(w.Review(1, m, repotest.Read{Base: &before, Unread: []string{"b", "a"}, Criteria: []string{"notes-match"}})).(*statement.Review)
	if partial.Verdict != statement.VerdictPartial || partial.Base.Release != sha256.Sum256(before.Manifest) || !slices.Equal(partial.Unread, []string{"a", "b"}) || !partial.Started.Equal(at) {
		t.Errorf("%+v", partial)
	}
	want := &statement.Withdrawal{Release: sha256.Sum256(m.Manifest), Channel: "stable", Version: "1.4.0", State: statement.StateWithdrawn, Reason: "a fault", At: at}
	if got := open(w.Withdrawal(1, m, "withdrawn", "a fault", at)); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
