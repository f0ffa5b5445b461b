package genuine_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// seven is a repository whose policy asks for everything: 3 of 5 signed, 3 rebuilt, 2 read each change,
// logged under a head cosigned by 3 of 5 witnesses, and 2 withdrawals stop a release.
type seven struct {
	*repotest.World
	log       *prooftest.Log
	witnesses []*prooftest.Signer // one of each auditor
	base      repotest.Made       // 1.3.0
	made      repotest.Made       // 1.4.0
	reviews   [][]byte
	cosigned  []int // whose cosignatures the proof has
	unlogged  [][]byte
	device    [][]byte // withdrawals that the device has seen
	seen      genuine.Seen
}

var all = genuine.Rule{Channel: "stable", Quorum: 3, Rebuilds: 3, Reviews: 2, Criteria: []string{"read-every-change"}, Logged: true, Withdrawals: 2}

func newSeven(t testing.TB, rule genuine.Rule) *seven {
	t.Helper()
	s := &seven{log: prooftest.NewLog("log.example/countersign"), cosigned: []int{0, 1, 2}, seen: genuine.Seen{Channels: map[string]int64{}}}
	s.World = repotest.NewWith(t, repotest.Config{Rules: []repotest.Rule{{Channel: "beta", Quorum: 1}, repotest.Rule(rule)},
		Member: func(i int, m *repotest.Member) {
			w := prooftest.NewSigner(fmt.Sprintf("w%d.example", i), proof.Ed25519Cosi)
			s.witnesses = append(s.witnesses, w)
			m.Witness = []string{w.Key.String()}
		}})
	s.base = s.Release("1.3.0", map[string][]byte{"linux-amd64/messenger": []byte("old")})
	s.Now = s.Now.Add(time.Hour)
	s.made = s.Release("1.4.0", map[string][]byte{"linux-amd64/messenger": []byte("new")})
	s.reviews = [][]byte{s.Review(0, s.made, repotest.Read{Base: &s.base}), s.Review(1, s.made, repotest.Read{Base: &s.base})}
	s.log.Fill(100)
	return s
}

func (s *seven) anchor() anchor.Anchor {
	return anchor.Anchor{Name: "Example", Root: s.Anchor(), Policy: s.Policy, LogPolicy: s.log.PolicyText(3, s.witnesses...)}
}

func (s *seven) subject() genuine.Subject {
	sum := sha256.Sum256([]byte("new"))
	return genuine.Subject{Channel: "stable", Program: "messenger", OS: "linux", Arch: "amd64", Length: 3, SHA256: sum}
}

// evidence logs the release and every statement but those in unlogged.
func (s *seven) evidence() genuine.Evidence {
	s.T.Helper()
	ev := genuine.Evidence{Metadata: s.Metadata(), Policy: s.Policy, Release: s.made.Manifest, Withdrawals: s.device,
		Statements: slices.Concat(s.made.Statements, s.reviews), Withdrawn: s.Withdrawn.Content}
	entries := [][]byte{proof.ReleaseLeaf("stable", "1.4.0", sha256.Sum256(s.made.Manifest))}
	for _, b := range ev.Statements {
		if !slices.ContainsFunc(s.unlogged, func(u []byte) bool { return bytes.Equal(u, b) }) {
			entries = append(entries, s.leaf(b))
		}
	}
	ev.Proof = s.prove(entries)
	return ev
}

func (s *seven) prove(entries [][]byte) []byte {
	s.T.Helper()
	var who []*prooftest.Signer
	for _, i := range s.cosigned {
		who = append(who, s.witnesses[i])
	}
	for _, e := range entries {
		if !slices.ContainsFunc(s.log.Entries, func(have []byte) bool { return bytes.Equal(have, e) }) {
			s.log.Append(e)
		}
	}
	b, err := s.log.Prove(entries, who...).Encode()
	if err != nil {
		s.T.Fatal(err)
	}
	return b
}

func (s *seven) leaf(raw []byte) []byte {
	s.T.Helper()
	for _, m := range s.People {
		payload, _, err := bundle.Open(raw, []crypto.PublicKey{m.Statement.Public()})
		if err != nil {
			continue
		}
		der, err := x509.MarshalPKIXPublicKey(m.Statement.Public().(*ecdsa.PublicKey))
		if err != nil {
			s.T.Fatal(err)
		}
		return proof.StatementLeaf(sha256.Sum256(der), sha256.Sum256(payload))
	}
	s.T.Fatal("a statement by nobody")
	return nil
}

func (s *seven) judge() genuine.Verdict { return s.judgeThis(s.evidence()) }

func (s *seven) judgeThis(ev genuine.Evidence) genuine.Verdict {
	return genuine.Judge(s.anchor(), ev, s.subject(), s.seen, s.Now)
}

// subsets calls f with every subset of n things.
func subsets(n int, f func(subset []int)) {
	for mask := range 1 << n {
		list := make([]int, 0, bits.OnesCount(uint(mask)))
		for i := range n {
			if mask&(1<<i) != 0 {
				list = append(list, i)
			}
		}
		f(list)
	}
}

func outcomeOf(good bool) genuine.Outcome {
	if good {
		return genuine.Genuine
	}
	return genuine.Refused
}

func TestAllSevenHold(t *testing.T) {
	s := newSeven(t, all)
	v := s.judge()
	for _, r := range v.Reasons {
		if r.State != genuine.Held && r.Name != genuine.ReasonSpread {
			t.Errorf("%s", r)
		}
	}
	want(t, v, genuine.Genuine, genuine.ReasonReviewed, genuine.Held,
		"2 auditors read the change since 1.3.0, 2 needed: Ana Sousa (Tejo Labs, PT), Bernd Kraus (Spree Verein, DE); criteria: read-every-change")
	want(t, v, genuine.Genuine, genuine.ReasonLogged, genuine.Held,
		"in the log log.example/countersign under a head of 106 entries, cosigned by Ana Sousa (Tejo Labs, PT) on 2026-11-24 12:00 UTC, "+
			"Bernd Kraus (Spree Verein, DE) on 2026-11-24 12:00 UTC, Carol Reed (Hudson Co-op, US) on 2026-11-24 12:00 UTC")
	want(t, v, genuine.Genuine, genuine.ReasonNotWithdrawn, genuine.Held, "nobody has withdrawn it")
	if v.Log == nil || v.Log.Head.Size != 106 || v.Log.Checkpoint == "" {
		t.Errorf("log %+v", v.Log)
	}
}

// Every subset of people around each threshold.
func TestEverySubsetOfRebuilders(t *testing.T) {
	s := newSeven(t, all)
	subsets(5, func(who []int) {
		s.made.Statements = nil
		for _, i := range who {
			s.made.Statements = append(s.made.Statements, s.Statement(i, s.made, s.made.Artifacts))
		}
		if v := s.judge(); v.Outcome != outcomeOf(len(who) >= 3) {
			t.Errorf("rebuilt by %v: %v\n%s", who, v.Outcome, v.Text())
		}
	})
}

func TestEverySubsetOfReviewers(t *testing.T) {
	s := newSeven(t, all)
	subsets(5, func(who []int) {
		s.reviews = nil
		for _, i := range who {
			s.reviews = append(s.reviews, s.Review(i, s.made, repotest.Read{Base: &s.base}))
		}
		if v := s.judge(); v.Outcome != outcomeOf(len(who) >= 2) {
			t.Errorf("read by %v: %v\n%s", who, v.Outcome, v.Text())
		}
	})
}

func TestEverySubsetOfWitnesses(t *testing.T) {
	s := newSeven(t, all)
	subsets(5, func(who []int) {
		s.cosigned = who
		v := s.judge()
		if v.Outcome != outcomeOf(len(who) >= 3) {
			t.Errorf("cosigned by %v: %v\n%s", who, v.Outcome, v.Text())
		}
		if r := v.Reason(genuine.ReasonLogged); len(r.People) != len(who) {
			t.Errorf("cosigned by %v: %v are named", who, r.People)
		}
	})
}

func TestEverySubsetOfWithdrawals(t *testing.T) {
	s := newSeven(t, all)
	subsets(5, func(who []int) {
		var list [][]byte
		for _, i := range who {
			list = append(list, s.Withdrawal(i, s.made, "withdrawn", "leaks keys", s.Now))
		}
		s.Withdraw(list...)
		v := s.judge()
		if v.Outcome != outcomeOf(len(who) < 2) {
			t.Errorf("withdrawn by %v: %v\n%s", who, v.Outcome, v.Text())
		}
		if r := v.Reason(genuine.ReasonNotWithdrawn); len(r.Against) != len(who) {
			t.Errorf("withdrawn by %v: %v are named", who, r.Against)
		}
	})
}

// Whoever logs only some statements is found out: reasons 4 and 5 must hold by what is logged.
func TestEverySubsetOfLoggedStatements(t *testing.T) {
	s := newSeven(t, all)
	statements := slices.Concat(s.made.Statements, s.reviews)
	subsets(len(statements), func(logged []int) {
		s.unlogged = nil
		for i, b := range statements {
			if !slices.Contains(logged, i) {
				s.unlogged = append(s.unlogged, b)
			}
		}
		good := len(s.unlogged) == 0 // three rebuilds and two reviews are just enough
		v := s.judge()
		if v.Outcome != outcomeOf(good) {
			t.Errorf("logged %v: %v\n%s", logged, v.Outcome, v.Text())
		}
		if first, ok := v.First(); ok && first.Name != genuine.ReasonLogged {
			t.Errorf("logged %v: first reason %s", logged, first)
		}
	})
}

// The log's attacks, each by its text.
func TestLogged(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *seven, ev *genuine.Evidence, a *anchor.Anchor)
		state  genuine.State
		text   string // how the reason's text begins
	}{
		"no proof":     {func(s *seven, ev *genuine.Evidence, a *anchor.Anchor) { ev.Proof = nil }, genuine.Failed, "there is no proof that this release is in the log log.example/countersign"},
		"no policy":    {func(s *seven, ev *genuine.Evidence, a *anchor.Anchor) { a.LogPolicy = nil }, genuine.Open, "this program was built without log.policy"},
		"junk policy":  {func(s *seven, ev *genuine.Evidence, a *anchor.Anchor) { a.LogPolicy = []byte("quorum none\n") }, genuine.Open, "the log.policy built into this program: "},
		"junk proof":   {func(s *seven, ev *genuine.Evidence, a *anchor.Anchor) { ev.Proof = []byte("junk") }, genuine.Failed, "proof: "},
		"a spare byte": {func(s *seven, ev *genuine.Evidence, a *anchor.Anchor) { ev.Proof = append(ev.Proof, '\n') }, genuine.Failed, ""},
		"of another release": {func(s *seven, ev *genuine.Evidence, a *anchor.Anchor) {
			ev.Proof = s.prove([][]byte{proof.ReleaseLeaf("stable", "1.3.0", sha256.Sum256(s.base.Manifest))})
		}, genuine.Failed, "the proof does not show stable 1.4.0 with release.json "},
		"under another version": {func(s *seven, ev *genuine.Evidence, a *anchor.Anchor) {
			ev.Proof = s.prove([][]byte{proof.ReleaseLeaf("stable", "1.3.9", sha256.Sum256(s.made.Manifest))})
		}, genuine.Failed, "the proof does not show stable 1.4.0 with release.json "},
		"the release alone": {func(s *seven, ev *genuine.Evidence, a *anchor.Anchor) {
			ev.Proof = s.prove([][]byte{proof.ReleaseLeaf("stable", "1.4.0", sha256.Sum256(s.made.Manifest))})
		}, genuine.Failed, "0 rebuilds are in the log, 3 needed: nobody"},
		"of another log": {func(s *seven, ev *genuine.Evidence, a *anchor.Anchor) {
			s.log = prooftest.NewLog("other.example/log")
			*ev = s.evidence()
		}, genuine.Failed, ""},
		"another log's key": {func(s *seven, ev *genuine.Evidence, a *anchor.Anchor) {
			other := prooftest.NewLog("private.example/log")
			a.LogPolicy = other.PolicyText(3, s.witnesses...)
		}, genuine.Failed, ""},
		"forked": {func(s *seven, ev *genuine.Evidence, a *anchor.Anchor) {
			fork := prooftest.NewLog("log.example/countersign")
			fork.Fill(50)
			fork.Append([]byte("another entry\n"))
			fork.Fill(s.logSize() - 51)
			s.seen.Head = fork.Checkpoint(s.witnesses[2], s.witnesses[3], s.witnesses[4]) // a colluding minority signs both
		}, genuine.Failed, "the log log.example/countersign was forked: at 106 entries this head has root "},
		"older than seen": {func(s *seven, ev *genuine.Evidence, a *anchor.Anchor) {
			s.log.Fill(200)
			s.seen.Head = s.log.Checkpoint(s.witnesses...)
		}, genuine.Held, "in the log "},
		"one person, two keys that count": {func(s *seven, ev *genuine.Evidence, a *anchor.Anchor) {
			two := prooftest.NewSigner("w0.example", proof.MLDSA44)
			s.People[0].Witness = append(s.People[0].Witness, two.Key.String())
			s.witnesses = append(s.witnesses, two)
			*ev, *a = s.repolicy(), s.anchor()
		}, genuine.Open, "Ana Sousa (Tejo Labs, PT): "},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSeven(t, all)
			ev, a := s.evidence(), s.anchor()
			c.change(s, &ev, &a)
			v := genuine.Judge(a, ev, s.subject(), s.seen, s.Now)
			r := v.Reason(genuine.ReasonLogged)
			if r.State != c.state || !strings.HasPrefix(r.Text, c.text) {
				t.Errorf("got %s, want %v, %q", r, c.state, c.text)
			}
			outcome := map[genuine.State]genuine.Outcome{genuine.Held: genuine.Genuine, genuine.Failed: genuine.Refused, genuine.Open: genuine.Unknown}[c.state]
			if v.Outcome != outcome {
				t.Errorf("%v, want %v\n%s", v.Outcome, outcome, v.Text())
			}
			if name == "forked" && (v.Log == nil || v.Log.Seen != string(s.seen.Head) || !strings.Contains(v.Log.Checkpoint, "log.example/countersign")) {
				t.Errorf("no evidence of the fork: %+v", v.Log)
			}
		})
	}
}

func (s *seven) logSize() int { return len(s.log.Entries) }

// repolicy publishes policy.json again, from the people as they are now.
func (s *seven) repolicy() genuine.Evidence {
	s.T.Helper()
	p, err := genuine.ParsePolicy(s.Policy)
	if err != nil {
		s.T.Fatal(err)
	}
	for i := range p.People {
		p.People[i].Witness = s.People[i].Witness
	}
	if s.Policy, err = p.Encode(); err != nil {
		s.T.Fatal(err)
	}
	s.PublishTargets()
	s.Refresh()
	return s.evidence()
}

// Reviews of something else, or that do not suffice.
func TestReviewed(t *testing.T) {
	edit := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	base := func(s *seven) *repotest.Made { return &s.base }
	for name, c := range map[string]struct {
		second func(s *seven) [][]byte // the reviews beside Ana's
		good   bool
		text   string // somewhere in the reason's text
	}{
		"one alone": {func(s *seven) [][]byte { return nil }, false, "1 auditors read the change since 1.3.0, 2 needed: Ana Sousa"},
		"one person twice": {func(s *seven) [][]byte {
			return [][]byte{s.Review(0, s.made, repotest.Read{Base: base(s), At: s.Now.Add(1)}), s.Review(0, s.made, repotest.Read{})}
		}, false, "1 auditors read"},
		"of another release": {func(s *seven) [][]byte { return [][]byte{s.Review(1, s.base, repotest.Read{})} }, false, "1 auditors read"},
		"of another tree": {func(s *seven) [][]byte {
			return [][]byte{s.Review(1, s.made, repotest.Read{Base: base(s), Edit: edit(`"head":{"commit":"`+repotest.Commit+`","tree":"7`, `"head":{"commit":"`+repotest.Commit+`","tree":"6`)})}
		}, false, "1 auditors read"},
		"with a foreign base": {func(s *seven) [][]byte {
			other := s.base
			other.Manifest = append(bytes.Clone(other.Manifest), ' ')
			return [][]byte{s.Review(1, s.made, repotest.Read{Base: &other})}
		}, false, "1 auditors read"},
		"with itself as base": {func(s *seven) [][]byte { return [][]byte{s.Review(1, s.made, repotest.Read{Base: &s.made})} }, false, "1 auditors read"},
		"without the criteria": {func(s *seven) [][]byte {
			return [][]byte{s.Review(1, s.made, repotest.Read{Base: base(s), Criteria: []string{"notes-match"}})}
		}, false, "1 auditors read"},
		"inconclusive": {func(s *seven) [][]byte {
			return [][]byte{s.Review(1, s.made, repotest.Read{Base: base(s), Verdict: "inconclusive"})}
		}, false, "1 auditors read"},
		"of the whole source": {func(s *seven) [][]byte { return [][]byte{s.Review(1, s.made, repotest.Read{})} }, true, "2 auditors read"},
		"partial": {func(s *seven) [][]byte {
			return [][]byte{s.Review(1, s.made, repotest.Read{Base: base(s), Unread: []string{"a.go"}})}
		}, false, "read by fewer than 2: a.go"},
		"partial, the union covers": {func(s *seven) [][]byte {
			return [][]byte{s.Review(1, s.made, repotest.Read{Base: base(s), Unread: []string{"a.go"}}), s.Review(2, s.made, repotest.Read{Base: base(s), Unread: []string{"b.go", "c.go"}})}
		}, true, "3 auditors read"},
		"partial, the union does not": {func(s *seven) [][]byte {
			return [][]byte{s.Review(1, s.made, repotest.Read{Base: base(s), Unread: []string{"a.go", "b.go"}}), s.Review(2, s.made, repotest.Read{Base: base(s), Unread: []string{"b.go"}})}
		}, false, "read by fewer than 2: b.go"},
		"partial, of other change lists": {func(s *seven) [][]byte {
			return [][]byte{s.Review(1, s.made, repotest.Read{Base: base(s), Unread: []string{"a.go"}}), s.Review(2, s.made, repotest.Read{Base: base(s), Changes: "other", Unread: []string{"b.go"}})}
		}, false, "read by fewer than 2: "},
		"partial, in two sittings": {func(s *seven) [][]byte {
			return [][]byte{s.Review(1, s.made, repotest.Read{Base: base(s), Unread: []string{"a.go"}}), s.Review(1, s.made, repotest.Read{Base: base(s), Unread: []string{"b.go"}})}
		}, true, "2 auditors read"},
		"pass and fail by one": {func(s *seven) [][]byte {
			return [][]byte{s.Review(1, s.made, repotest.Read{Base: base(s)}), s.Review(1, s.made, repotest.Read{Base: base(s), Verdict: "fail", Notes: "backdoor"})}
		}, false, "; advise against it: Bernd Kraus (Spree Verein, DE)"},
		"by a stranger": {func(s *seven) [][]byte {
			return [][]byte{s.foreign(func(o *seven) []byte { return o.Review(1, s.made, repotest.Read{Base: base(s)}) })}
		}, false, "1 auditors read"},
		"junk": {func(s *seven) [][]byte { return [][]byte{[]byte("null"), []byte("{}"), nil} }, false, "1 auditors read"},
	} {
		t.Run(name, func(t *testing.T) {
			rule := all
			rule.Logged = false
			s := newSeven(t, rule)
			ev := s.evidence()
			ev.Statements = slices.Concat(s.made.Statements, s.reviews[:1], c.second(s))
			v := s.judgeThis(ev)
			r := v.Reason(genuine.ReasonReviewed)
			if v.Outcome != outcomeOf(c.good) || !strings.Contains(r.Text, c.text) {
				t.Errorf("%v, want %v; %q in\n%s", v.Outcome, outcomeOf(c.good), c.text, v.Text())
			}
		})
	}
}

// foreign makes a bundle in another world, whose people hold other statement keys.
func (s *seven) foreign(make func(o *seven) []byte) []byte {
	o := *s
	w := *s.World
	w.People = nil
	for i := range s.People {
		m := *s.People[i]
		m.Statement = s.People[i].Auditor
		w.People = append(w.People, &m)
	}
	o.World = &w
	return make(&o)
}

func TestNotWithdrawn(t *testing.T) {
	yes := func(s *seven, i int, after time.Duration) []byte {
		return s.Withdrawal(i, s.made, "withdrawn", "leaks keys", s.Now.Add(after))
	}
	no := func(s *seven, i int, after time.Duration) []byte {
		return s.Withdrawal(i, s.made, "reinstated", "was a mistake", s.Now.Add(after))
	}
	for name, c := range map[string]struct {
		listed func(s *seven) [][]byte
		device func(s *seven) [][]byte
		change func(ev *genuine.Evidence)
		state  genuine.State
		text   string
	}{
		"one of two":              {listed: func(s *seven) [][]byte { return [][]byte{yes(s, 0, 0)} }, state: genuine.Held, text: `1 auditors have withdrawn it, 2 would stop it: Ana Sousa (Tejo Labs, PT) on 2026-11-21 13:00 UTC: "leaks keys"`},
		"two":                     {listed: func(s *seven) [][]byte { return [][]byte{yes(s, 0, 0), yes(s, 4, 0)} }, state: genuine.Failed, text: "2 auditors have withdrawn it, 2 stop it: Ana Sousa"},
		"one person twice":        {listed: func(s *seven) [][]byte { return [][]byte{yes(s, 0, 0), yes(s, 0, 1e9), yes(s, 0, 2e9)} }, state: genuine.Held, text: "1 auditors"},
		"reinstated later":        {listed: func(s *seven) [][]byte { return [][]byte{yes(s, 0, 0), yes(s, 1, 0), no(s, 1, 1e9)} }, state: genuine.Held, text: "1 auditors"},
		"an old withdrawal again": {listed: func(s *seven) [][]byte { return [][]byte{no(s, 1, 1e9), yes(s, 0, 0)} }, device: func(s *seven) [][]byte { return [][]byte{yes(s, 1, 0)} }, state: genuine.Held, text: "1 auditors"},
		"withdrawn again after":   {listed: func(s *seven) [][]byte { return [][]byte{yes(s, 0, 0), no(s, 1, 1e9), yes(s, 1, 2e9)} }, state: genuine.Failed, text: "2 auditors"},
		"both at one second":      {listed: func(s *seven) [][]byte { return [][]byte{yes(s, 0, 0), no(s, 1, 0), yes(s, 1, 0)} }, state: genuine.Failed, text: "2 auditors"},
		"by strangers": {listed: func(s *seven) [][]byte {
			return [][]byte{s.foreign(func(o *seven) []byte { return yes(o, 0, 0) }), s.foreign(func(o *seven) []byte { return yes(o, 1, 0) })}
		}, state: genuine.Held, text: "nobody has withdrawn it"},
		"of another release": {listed: func(s *seven) [][]byte {
			return [][]byte{s.Withdrawal(0, s.base, "withdrawn", "old", s.Now), s.Withdrawal(1, s.base, "withdrawn", "old", s.Now)}
		}, state: genuine.Held, text: "nobody has withdrawn it"},
		"one the device alone remembers": {device: func(s *seven) [][]byte { return [][]byte{yes(s, 0, 0), yes(s, 1, 0)} }, state: genuine.Failed, text: "2 auditors"},
		"list missing":                   {listed: func(s *seven) [][]byte { return nil }, change: func(ev *genuine.Evidence) { ev.Withdrawn = nil }, state: genuine.Open, text: "the list of withdrawals, version 1, is missing"},
		"list with other bytes":          {listed: func(s *seven) [][]byte { return [][]byte{yes(s, 0, 0)} }, change: func(ev *genuine.Evidence) { ev.Withdrawn = append(ev.Withdrawn, ' ') }, state: genuine.Failed, text: "withdrawn.json has sha256 "},
		"list missing, but the device knows": {listed: func(s *seven) [][]byte { return nil }, device: func(s *seven) [][]byte { return [][]byte{yes(s, 0, 0), yes(s, 1, 0)} },
			change: func(ev *genuine.Evidence) { ev.Withdrawn = nil }, state: genuine.Failed, text: "2 auditors"},
		"none listed": {state: genuine.Held, text: "nobody has withdrawn it"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSeven(t, all)
			if c.listed != nil {
				s.Withdraw(c.listed(s)...)
			}
			if c.device != nil {
				s.device = c.device(s)
			}
			ev := s.evidence()
			if c.change != nil {
				c.change(&ev)
			}
			v := s.judgeThis(ev)
			r := v.Reason(genuine.ReasonNotWithdrawn)
			outcome := map[genuine.State]genuine.Outcome{genuine.Held: genuine.Genuine, genuine.Failed: genuine.Refused, genuine.Open: genuine.Unknown}[c.state]
			if r.State != c.state || !strings.HasPrefix(r.Text, c.text) || v.Outcome != outcome {
				t.Errorf("%v, %s\nwant %v, %q", v.Outcome, r, c.state, c.text)
			}
		})
	}
}

// A device that has seen version 2 of the list takes neither version 1 nor none.
func TestTheListOfWithdrawalsNeverGoesBack(t *testing.T) {
	s := newSeven(t, all)
	s.seen.Channels["withdrawn"] = 2
	s.Withdraw()
	want(t, s.judge(), genuine.Refused, genuine.ReasonFresh, genuine.Failed,
		"the list of withdrawals is version 1, but this device has seen version 2: an old state was served again")
	s.Withdraw()
	if v := s.judge(); v.Outcome != genuine.Genuine {
		t.Error(v.Text())
	}
}

// Hostile evidence can cause only so much work, and noise before the real statements only a refusal.
func TestHostileEvidenceIsBounded(t *testing.T) {
	s := newSeven(t, all)
	ev := s.evidence()
	noise := bytes.Repeat([]byte(" "), bundle.MaxSize)
	for range 4000 {
		ev.Statements = append(ev.Statements, noise)
		ev.Withdrawals = append(ev.Withdrawals, noise)
	}
	if v := s.judgeThis(ev); v.Outcome != genuine.Genuine {
		t.Error(v.Text())
	}
	slices.Reverse(ev.Statements)
	if v := s.judgeThis(ev); v.Outcome != genuine.Refused {
		t.Error(v.Text())
	}
}

// The bytes of the proof and of the list of withdrawals count, one in seven of them tried.
func TestMangledProofIsNeverGenuine(t *testing.T) {
	s := newSeven(t, all)
	s.Withdraw(s.Withdrawal(0, s.made, "withdrawn", "leaks keys", s.Now))
	good := s.evidence()
	parts := map[string]func(*genuine.Evidence) *[]byte{
		"proof": func(e *genuine.Evidence) *[]byte { return &e.Proof }, "withdrawn": func(e *genuine.Evidence) *[]byte { return &e.Withdrawn }}
	for name, part := range parts {
		for i := 0; i < len(*part(&good)); i += 7 {
			ev := good
			b := bytes.Clone(*part(&good))
			b[i] ^= 1
			*part(&ev) = b
			if v := s.judgeThis(ev); v.Outcome == genuine.Genuine {
				t.Fatalf("%s with byte %d flipped is genuine", name, i)
			}
			*part(&ev) = b[:i]
			if v := s.judgeThis(ev); v.Outcome == genuine.Genuine {
				t.Fatalf("%s cut at %d is genuine", name, i)
			}
		}
	}
}

func TestStricter(t *testing.T) {
	for _, c := range []struct{ a, floor, want genuine.Rule }{
		{genuine.Rule{Reviews: 1, Criteria: []string{"b"}}, genuine.Rule{Reviews: 2, Criteria: []string{"a", "b"}, Logged: true}, genuine.Rule{Reviews: 2, Criteria: []string{"a", "b"}, Logged: true}},
		{genuine.Rule{Withdrawals: 3}, genuine.Rule{Withdrawals: 2}, genuine.Rule{Withdrawals: 2}},
		{genuine.Rule{Withdrawals: 2}, genuine.Rule{Withdrawals: 3}, genuine.Rule{Withdrawals: 2}},
		{genuine.Rule{}, genuine.Rule{Withdrawals: 3}, genuine.Rule{Withdrawals: 3}},
		{genuine.Rule{Withdrawals: 3, Logged: true}, genuine.Rule{}, genuine.Rule{Withdrawals: 3, Logged: true}},
	} {
		if got := genuine.Stricter(c.a, c.floor); fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c.want) {
			t.Errorf("%+v with floor %+v: %+v, want %+v", c.a, c.floor, got, c.want)
		}
	}
}

// A usual release: 3 rebuilds, 2 reviews, 3 Ed25519 and 2 ML-DSA witnesses, in a log of a million entries.
func BenchmarkJudgeSeven(b *testing.B) {
	s := newSeven(b, all)
	for i := range 2 {
		two := prooftest.NewSigner(fmt.Sprintf("pq%d.example", i), proof.MLDSA44)
		s.witnesses = append(s.witnesses, two)
		s.cosigned = append(s.cosigned, len(s.witnesses)-1)
	}
	s.log.Fill(1_000_000)
	ev := s.evidence()
	file, err := genuine.File{Statements: ev.Statements, Proof: ev.Proof}.Encode()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if v := s.judgeThis(ev); v.Outcome != genuine.Genuine {
			b.Fatal(v.Text())
		}
	}
	b.ReportMetric(float64(len(file)), "file-bytes")
	b.ReportMetric(float64(len(ev.Proof)), "proof-bytes")
}
