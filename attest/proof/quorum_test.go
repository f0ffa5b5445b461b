package proof_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
)

// subset picks the signers whose bit is set.
func subset(all []*prooftest.Signer, bits int) []*prooftest.Signer {
	var list []*prooftest.Signer
	for i, s := range all {
		if bits&(1<<i) != 0 {
			list = append(list, s)
		}
	}
	return list
}

// Every subset of five witnesses, for every number: at least that many is a quorum, fewer is not.
func TestEverySubsetAroundTheQuorum(t *testing.T) {
	log := prooftest.NewLog("log.example/countersign")
	log.Fill(3)
	all := witnesses(5)
	for k := 1; k <= 5; k++ {
		pol := policy(t, log.PolicyText(k, all...))
		for bits := range 1 << 5 {
			signers := subset(all, bits)
			head, err := pol.Open(log.Checkpoint(signers...))
			var q *proof.QuorumError
			switch {
			case len(signers) >= k && (err != nil || len(head.Witnesses) != len(signers)):
				t.Errorf("%d of 5 wanted, subset %05b: %v", k, bits, err)
			case len(signers) < k && (!errors.As(err, &q) || len(q.Missing) != 5-len(signers) || !q.Refused()):
				t.Errorf("%d of 5 wanted, subset %05b was not refused for its quorum: %v", k, bits, err)
			}
		}
	}
}

// grow puts names into random groups until one is left, and builds beside it the function that a person
// would write down for them.
func grow(r *rand.Rand, names []string) (text string, satisfied func(map[string]bool) bool) {
	type part struct {
		name string
		ok   func(map[string]bool) bool
	}
	var parts []part
	for _, n := range names {
		parts = append(parts, part{n, func(s map[string]bool) bool { return s[n] }})
	}
	var b strings.Builder
	for i := 0; len(parts) > 1 || i == 0; i++ {
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		size := 1 + r.IntN(len(parts))
		members, need := parts[:size], 1+r.IntN(size)
		name := fmt.Sprintf("g%d", i)
		fmt.Fprintf(&b, "group %s %d", name, need)
		for _, m := range members {
			b.WriteString(" " + m.name)
		}
		b.WriteString("\n")
		members = slices.Clone(members)
		parts = append(slices.Clone(parts[size:]), part{name, func(s map[string]bool) bool {
			var have []string
			for _, m := range members {
				if m.ok(s) {
					have = append(have, m.name)
				}
			}
			return len(have) >= need
		}})
	}
	fmt.Fprintf(&b, "quorum %s\n", parts[0].name)
	return b.String(), parts[0].ok
}

// Random nested policies, all subsets of their witnesses, against a second way to count; and in each
// of them doubling any name or key anywhere is refused.
func TestNestedQuorums(t *testing.T) {
	log := prooftest.NewLog("log.example/countersign")
	var keys []string
	for i := range 7 {
		keys = append(keys, prooftest.NewSigner(fmt.Sprintf("w%d.example", i), proof.Ed25519Cosi).Key.String())
	}
	r := rand.New(rand.NewPCG(1, 2)) // the same policies every time
	for range 60 {
		n := 1 + r.IntN(7)
		top := fmt.Sprintf("log %v\n", log.Key)
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("n%d", i))
			top += fmt.Sprintf("witness n%d %s\n", i, keys[i])
		}
		groups, want := grow(r, names)
		q := policy(t, []byte(top+groups)).Quorum()
		for bits := range 1 << n {
			signed := map[string]bool{}
			for i, name := range names {
				signed[name] = bits&(1<<i) != 0
			}
			if got := q.Satisfied(func(w proof.Witness) bool { return signed[w.Name] }); got != want(signed) {
				t.Fatalf("%v: subset %b: %v, want %v", q, bits, got, want(signed))
			}
		}
		doubled(t, top, groups, names, keys)
	}
}

// doubled adds each name, and each key under a new name, to each group, which must be refused.
func doubled(t *testing.T, top, groups string, names, keys []string) {
	t.Helper()
	lines := strings.SplitAfter(groups, "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "group") {
			continue
		}
		for j, name := range names {
			more := slices.Clone(lines)
			more[i] = strings.TrimSuffix(line, "\n") + " " + name + "\n"
			if _, err := proof.ParsePolicy([]byte(top + strings.Join(more, ""))); err == nil {
				t.Fatalf("a name twice was accepted:\n%s", strings.Join(more, ""))
			}
			more[i] = strings.TrimSuffix(line, "\n") + " again\n"
			k, err := proof.ParseKey(keys[j])
			if err != nil {
				t.Fatal(err)
			}
			k.Name = "another.example"
			for _, vkey := range []string{keys[j], k.String()} {
				if _, err := proof.ParsePolicy([]byte(top + "witness again " + vkey + "\n" + strings.Join(more, ""))); err == nil || !strings.Contains(err.Error(), "same public key") {
					t.Fatalf("a key twice: %v", err)
				}
			}
		}
	}
}

// Two keys of one person must hang under a group that needs one of them.
func TestNoPersonCountsTwice(t *testing.T) {
	log := prooftest.NewLog("log.example/countersign")
	ed, pq := prooftest.NewSigner("ana.example", proof.Ed25519Cosi), prooftest.NewSigner("ana.example", proof.MLDSA44)
	bo := prooftest.NewSigner("bo.example", proof.Ed25519Cosi)
	top := fmt.Sprintf("log %v\nwitness ana %v\nwitness ana-pq %v\nwitness bo %v\n", log.Key, ed.Key, pq.Key, bo.Key)
	for groups, want := range map[string]string{
		"group a any ana ana-pq\ngroup q 2 a bo\nquorum q\n":                "",
		"group q any ana ana-pq bo\nquorum q\n":                             "",
		"group b any bo ana-pq\ngroup q any ana b\nquorum q\n":              "",
		"group q 2 ana ana-pq bo\nquorum q\n":                               `group "q" needs 2 members and can count ana and ana-pq`,
		"group b any bo ana-pq\ngroup q all ana b\nquorum q\n":              `group "q" needs 2 members and can count ana and ana-pq`,
		"group x all ana ana-pq\ngroup q any x bo\nquorum q\n":              `group "x" needs 2 members and can count ana and ana-pq`,
		"group x any bo\ngroup q 2 x ana ana-pq\nquorum q\n":                `group "q" needs 2 members and can count ana and ana-pq`,
		"group x any ana\ngroup y any ana-pq bo\ngroup q 2 x y\nquorum q\n": `group "q" needs 2 members and can count ana and ana-pq`,
	} {
		err := policy(t, []byte(top+groups)).CountsOnce([]proof.Key{ed.Key, pq.Key})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", groups, err, want)
		}
	}
	// A key is Ana's under another name, too.
	other := pq.Key
	other.Name = "somebody.example"
	text := strings.Replace(top, pq.Key.String(), other.String(), 1) + "group q 2 ana ana-pq bo\nquorum q\n"
	if err := policy(t, []byte(text)).CountsOnce([]proof.Key{ed.Key, pq.Key}); err == nil {
		t.Error("Ana counts twice by calling her second key by another name")
	}
	// With CountsOnce held, adding Ana's second cosignature never makes a quorum of none.
	log.Fill(2)
	pol := policy(t, []byte(top+"group a any ana ana-pq\ngroup q 2 a bo\nquorum q\n"))
	if _, err := pol.Open(log.Checkpoint(ed, pq)); err == nil {
		t.Error("Ana alone was two people")
	}
}

// Witnesses who collude cosign a fork beside the true head; the honest ones do not. Below the quorum the
// fork is refused and says who is missing; at the quorum it is accepted, and the two heads together
// convict the colluders.
func TestForkByAColludingMinority(t *testing.T) {
	log, fork := prooftest.NewLog("log.example/countersign"), prooftest.NewLog("log.example/countersign")
	log.Fill(8)
	fork.Fill(8)
	log.Append(release(1))
	fork.Append(release(2)) // what the victim is shown
	all := witnesses(5)
	pol := policy(t, log.PolicyText(3, all...))
	truth, err := pol.Open(log.Checkpoint(all...))
	if err != nil {
		t.Fatal(err)
	}
	for bits := range 1 << 5 {
		colluders := subset(all, bits)
		head, shown, err := fork.Prove([][]byte{release(2)}, colluders...).Verify(pol, [][]byte{release(2)})
		if len(colluders) < 3 {
			if err == nil {
				t.Fatalf("%d of 5 witnesses forked the log", len(colluders))
			}
			continue
		}
		if err != nil || !shown[0] {
			t.Fatalf("a full quorum was refused: %v", err)
		}
		if !head.Conflicts(truth) || !truth.Conflicts(head) || head.Conflicts(head) {
			t.Fatal("two roots of one size are no conflict")
		}
		if len(head.Witnesses) != len(colluders) || head.Witnesses[0].Key != colluders[0].Key.String() {
			t.Fatalf("the head does not name the colluders: %v", head.Witnesses)
		}
	}
	// The colluders' signatures do not fit the true head, nor honest ones the fork.
	mixed := prooftest.Sign(fork.Text(9), fork.Signer, all[0], all[1])
	mixed = append(mixed, all[2].Line(log.Text(9))...)
	if _, err := pol.Open(mixed); !errors.Is(err, proof.ErrWrongSignature) {
		t.Errorf("a cosignature of another head: %v", err)
	}
}

// A witness's line from another head, older or newer, of a fork or of another log, is a wrong signature and never
// a missing one: whoever pastes it in has shown that they did.
func TestACosignatureIsOfOneHeadOnly(t *testing.T) {
	log, fork, other := prooftest.NewLog("log.example/countersign"), prooftest.NewLog("log.example/countersign"), prooftest.NewLog("other.example/log")
	log.Fill(9)
	other.Fill(9)
	fork.Fill(7)
	fork.Append(release(1), release(2))
	for _, a := range []proof.Algorithm{proof.Ed25519Cosi, proof.MLDSA44} {
		ana, bo := prooftest.NewSigner("ana.example", a), prooftest.NewSigner("bo.example", proof.Ed25519Cosi)
		pol := policy(t, log.PolicyText(1, ana, bo))
		for name, text := range map[string][]byte{"older": log.Text(7), "newer": log.Text(9), "a fork": fork.Text(8), "another log": other.Text(8)} {
			checkpoint := append(log.CheckpointAt(8, bo), ana.Line(text)...)
			if _, err := pol.Open(checkpoint); !errors.Is(err, proof.ErrWrongSignature) {
				t.Errorf("%v of %s: %v", a, name, err)
			}
		}
		late := *ana
		late.At = late.At.Add(1)
		if _, err := pol.Open(append(log.CheckpointAt(8, ana), late.Line(log.Text(8))...)); err == nil || !strings.Contains(err.Error(), "two signatures by ana.example+") {
			t.Errorf("%v twice: %v", a, err)
		}
	}
}

// Heads of different sizes are compared by a consistency proof.
func TestConsistency(t *testing.T) {
	log, fork := prooftest.NewLog("log.example/countersign"), prooftest.NewLog("log.example/countersign")
	log.Fill(40)
	fork.Fill(10)
	fork.Append(release(1))
	fork.Fill(29)
	at := func(l *prooftest.Log, size int) proof.Head {
		h, err := proof.UnverifiedHead(l.CheckpointAt(size))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for old := range 41 {
		for size := old; size <= 40; size++ {
			var hashes, forked []proof.Hash
			if old > 0 && old < size {
				hashes, forked = log.Consistency(old, size), fork.Consistency(old, size)
			}
			if err := proof.CheckConsistency(at(log, old), at(log, size), hashes); err != nil {
				t.Fatalf("from %d to %d: %v", old, size, err)
			}
			if old > 10 {
				if err := proof.CheckConsistency(at(log, old), at(fork, size), forked); !errors.Is(err, proof.ErrNotConsistent) {
					t.Fatalf("a fork from %d to %d: %v", old, size, err)
				}
			}
			if err := proof.CheckConsistency(at(log, old), at(log, size), append(hashes, proof.Hash{})); err == nil {
				t.Fatalf("a hash too many from %d to %d", old, size)
			}
		}
	}
	if err := proof.CheckConsistency(at(log, 9), at(log, 8), nil); !errors.Is(err, proof.ErrNotConsistent) {
		t.Errorf("backwards: %v", err)
	}
	if err := proof.CheckConsistency(at(prooftest.NewLog("other.example"), 0), at(log, 8), nil); !errors.Is(err, proof.ErrOtherLog) {
		t.Errorf("another log: %v", err)
	}
}
