package witness_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
	"github.com/countersign-project/countersign/attest/witness"
	"github.com/countersign-project/countersign/attest/witness/witnesstest"
)

// branches are logs of one key: the first of 40 entries, and others that part from it at some place.
func branches(r *rand.Rand) []*prooftest.Log {
	var list []*prooftest.Log
	for i := range 4 {
		l := prooftest.NewLog(origin)
		if i > 0 {
			l.Append(list[0].Entries[:r.IntN(39)]...)
			l.Append(proof.MetadataLeaf("root", int64(i), [32]byte{byte(i)}))
		}
		l.Fill(40 - len(l.Entries))
		list = append(list, l)
	}
	return list
}

// Whatever is sent to a witness, in whatever order, replayed or with proofs of other branches, and however often
// it is restarted: all heads it ever cosigns are of one log, and none is smaller than one before.
func TestNoRequestsMakeAWitnessContradictItself(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	cosigned := 0
	for range 30 {
		w := newWorld(t)
		logs := branches(r)
		var sent [][]byte
		var given []proof.Head
		var tree *prooftest.Log // whose beginning everything cosigned so far is
		for range 60 {
			l := logs[r.IntN(len(logs))]
			if tree != nil && r.IntN(2) == 0 {
				l = tree
			}
			size := 1 + r.IntN(40)
			old := r.IntN(size + 1)
			if head, _ := w.Known(origin); r.IntN(2) == 0 { // what an honest log would send
				old = min(int(head.Size), size)
			}
			b := body(l, old, size)
			switch r.IntN(8) {
			case 0:
				if len(sent) > 0 {
					b = sent[r.IntN(len(sent))]
				}
			case 1: // the proof of one branch with the head of another
				_, checkpoint, _ := bytes.Cut(body(logs[r.IntN(len(logs))], old, size), []byte("\n\n"))
				top, _, _ := bytes.Cut(b, []byte("\n\n"))
				b = append(append(top, "\n\n"...), checkpoint...)
			case 2:
				w.open()
			}
			sent = append(sent, b)
			if _, err := w.Add(b); err != nil {
				var no *witness.Refusal
				if !errors.As(err, &no) {
					t.Fatal(err)
				}
				continue
			}
			cosigned++
			_, checkpoint, _ := bytes.Cut(b, []byte("\n\n"))
			head, err := proof.UnverifiedHead(checkpoint)
			if err != nil {
				t.Fatal(err)
			}
			given = append(given, head)
			if tree = holdsAll(logs, given); tree == nil {
				t.Fatalf("cosigned heads that are of no one log: %v", given)
			}
			if n := len(given); n > 1 && given[n-1].Size < given[n-2].Size {
				t.Fatalf("cosigned %d entries after %d", given[n-1].Size, given[n-2].Size)
			}
		}
		w.Close()
	}
	if cosigned < 100 {
		t.Errorf("only %d heads were cosigned: the test hardly tests", cosigned)
	}
}

// holdsAll finds a branch of which all these heads are.
func holdsAll(logs []*prooftest.Log, heads []proof.Head) *prooftest.Log {
	for _, l := range logs {
		all := true
		for _, h := range heads {
			mine, err := proof.UnverifiedHead(l.CheckpointAt(int(h.Size)))
			all = all && err == nil && mine.Root == h.Root
		}
		if all {
			return l
		}
	}
	return nil
}

// A log shows one head to some of five witnesses and another to the rest, then each the other one; and some of
// them collude, forget what they know and cosign both. For every way to part them and every set of colluders: an
// honest witness is never on both heads and keeps both as evidence; so where both heads have a quorum, witnesses
// in both are colluders: at least one where three of five are asked for, three where four are.
func TestASplitViewNeedsColludersInBothQuorums(t *testing.T) {
	truth, fork := prooftest.NewLog(origin), prooftest.NewLog(origin)
	truth.Fill(8)
	fork.Fill(7)
	fork.Append(proof.MetadataLeaf("root", 9, [32]byte{9}))
	keys, policies := five(t, truth)
	// What a witness answers depends on what it sees first and whether it colludes: each way is played once.
	type way struct{ forkFirst, colludes bool }
	lines := make([]map[way]map[*prooftest.Log][]byte, 5)
	for i, k := range keys {
		lines[i] = map[way]map[*prooftest.Log][]byte{}
		for _, w := range []way{{false, false}, {true, false}, {false, true}, {true, true}} {
			order := []*prooftest.Log{truth, fork}
			if w.forkFirst {
				order = []*prooftest.Log{fork, truth}
			}
			lines[i][w] = seeBoth(t, k, order, w.colludes)
		}
	}
	both := [2]int{}
	for parted := range 1 << 5 {
		for colluders := range 1 << 5 {
			signed := map[*prooftest.Log][]byte{truth: truth.Checkpoint(), fork: fork.Checkpoint()}
			for i := range keys {
				for l, line := range lines[i][way{parted&(1<<i) != 0, colluders&(1<<i) != 0}] {
					signed[l] = append(signed[l], line...)
				}
			}
			for p, policy := range policies {
				a, errA := policy.Open(signed[truth])
				b, errB := policy.Open(signed[fork])
				if errA != nil || errB != nil {
					continue
				}
				both[p]++
				in := 0
				for i, k := range keys {
					if named(a, k) && named(b, k) {
						in++
						if colluders&(1<<i) == 0 {
							t.Fatalf("honest witness %d is on both heads", i)
						}
					}
				}
				if !a.Conflicts(b) || in < 1+2*p {
					t.Fatalf("parted %05b, colluders %05b, quorum of %d: both heads have it, with %d witnesses in both", parted, colluders, 3+p, in)
				}
			}
		}
	}
	if both[0] == 0 || both[1] == 0 || both[1] >= both[0] {
		t.Errorf("forks with a quorum: %d and %d: the test tests nothing", both[0], both[1])
	}
}

// five makes five witnesses, and policies that ask for three and for four of them.
func five(t *testing.T, l *prooftest.Log) (keys []witness.Cosigner, policies []proof.Policy) {
	t.Helper()
	text := fmt.Sprintf("log %s\n", l.Key)
	for i := range 5 {
		k, s := witnesstest.Key(t, fmt.Sprintf("w%d.example/w", i), "witness")
		keys = append(keys, witness.Cosigner{Key: k, Signer: s})
		text += fmt.Sprintf("witness w%d %s\n", i, k)
	}
	for _, quorum := range []int{3, 4} {
		p, err := proof.ParsePolicy(fmt.Appendf(nil, "%sgroup all-people %d w0 w1 w2 w3 w4\nquorum all-people\n", text, quorum))
		if err != nil {
			t.Fatal(err)
		}
		policies = append(policies, p)
	}
	return keys, policies
}

// seeBoth shows a witness two heads of one size, and returns what it cosigned.
func seeBoth(t *testing.T, k witness.Cosigner, order []*prooftest.Log, colludes bool) map[*prooftest.Log][]byte {
	t.Helper()
	out, dir := map[*prooftest.Log][]byte{}, t.TempDir()
	w, err := witness.Open(dir, []witness.Log{{Key: order[0].Key, Keys: []witness.Cosigner{k}}}, func() time.Time { return witnesstest.Time })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { w.Close() }()
	if out[order[0]], err = w.Add(body(order[0], 0, 8)); err != nil {
		t.Fatal(err)
	}
	for _, old := range []int{0, 8} {
		var no *witness.Refusal
		if _, err := w.Add(body(order[1], old, 8)); !errors.As(err, &no) || !no.Fork {
			t.Fatalf("the second head: %v", err)
		}
		if kept, err := os.ReadFile(no.Evidence); err != nil || !bytes.Equal(kept, append(append(order[0].Checkpoint(), '\n'), order[1].Checkpoint()...)) {
			t.Fatalf("kept %q, %v", kept, err)
		}
	}
	if !colludes {
		return out
	}
	w.Close()
	if w, err = witness.Open(t.TempDir(), []witness.Log{{Key: order[0].Key, Keys: []witness.Cosigner{k}}}, func() time.Time { return witnesstest.Time }); err != nil {
		t.Fatal(err)
	}
	if out[order[1]], err = w.Add(body(order[1], 0, 8)); err != nil {
		t.Fatal(err)
	}
	return out
}

func named(h proof.Head, c witness.Cosigner) bool {
	for _, w := range h.Witnesses {
		if w.Key == c.Key.String() {
			return true
		}
	}
	return false
}

// Ana's two keys, which come in one answer, are one person; and Ana behind Bo's address is not Bo.
func TestTwoKeysOfOneWitnessAreOnePerson(t *testing.T) {
	l := prooftest.NewLog(origin)
	l.Fill(3)
	w := witnesstest.NewFor(t, l.Key, "ana", "bo")
	gather := func(policy proof.Policy) (proof.Head, error) {
		g := witness.Gatherer{Policy: policy, Client: w.People[0].Server.Client(), Deadline: 2 * time.Minute, Grace: 2 * time.Minute}
		b, err := g.Cosign(t.Context(), l.Checkpoint(), func(context.Context, uint64) ([]proof.Hash, error) { return nil, nil })
		if err != nil {
			return proof.Head{}, err
		}
		return policy.Open(b)
	}
	if head, err := gather(w.Policy(t, 2)); err != nil || len(head.Witnesses) != 4 {
		t.Fatal(head, err)
	}
	text := string(w.PolicyText(2))
	behind, err := proof.ParsePolicy([]byte(strings.ReplaceAll(text, w.People[1].Server.URL, w.People[0].Server.URL)))
	if err != nil {
		t.Fatal(err)
	}
	w.People[1].Server.Close()
	for name, policy := range map[string]proof.Policy{"Bo is away": w.Policy(t, 2), "Ana answers for Bo": behind} {
		var few *witness.MissingError
		if _, err := gather(policy); !errors.As(err, &few) || len(few.Quorum.Signed) != 2 || len(few.Absents) != 2 || few.Absents[0].Name != "bo-1" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i, k := range w.People[0].Keys { // her key again under Bo's name, at Bo's address
		k.Key.Name = "bo.example/w"
		if _, err := proof.ParsePolicy([]byte(strings.Replace(text, w.People[1].Keys[i].Key.String(), k.Key.String(), 1))); err == nil || !strings.Contains(err.Error(), "same public key") {
			t.Errorf("Ana's key %d as Bo's: %v", i, err)
		}
	}
}
