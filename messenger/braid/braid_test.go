package braid_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"testing"

	"github.com/countersign-project/countersign/messenger/braid"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/record"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/vector"
	"github.com/countersign-project/countersign/messenger/wire"
)

func TestVectors(t *testing.T) {
	for _, v := range vector.All(t, "testdata") {
		t.Run(v.Name, func(t *testing.T) {
			s := braid.New(v.Bytes32("auth"), false, false)
			m, err := wire.ParseSPQR(v.Hex("message"))
			if err != nil {
				t.Fatal(err)
			}
			if b := stored(s); !bytes.Equal(b[164:196], v.Hex("a2b")) { // the receiving chain of the responder
				t.Error("chain differs")
			}
			key, _, err := s.Receive(m)
			v.Outcome(err)
			if err != nil || !bytes.Equal(key, v.Hex("key")) {
				t.Errorf("key %x, %v", key, err)
			}
		})
	}
}

func stored(s *braid.State) []byte {
	var w record.Writer
	s.Write(&w)
	return w.Bytes()
}

func restored(t *testing.T, b []byte) *braid.State {
	t.Helper()
	r := record.NewReader(b)
	s := braid.Read(r)
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stored(s), b) {
		t.Fatal("a stored state reads back as another")
	}
	return s
}

// wireMessage is a message on its way, with the key its sender used.
type wireMessage struct {
	m   wire.SPQR
	key []byte
}

// story lets two sides talk over a bad network; each state is stored and restored before every use.
type story struct {
	t     *testing.T
	r     *mrand.Rand
	side  [2]*braid.State
	fly   [2][]wireMessage // by receiver
	sent  int
	taken map[string]bool
}

func newStory(t *testing.T, seed uint64) *story {
	auth := keys.Secret{byte(seed), 1}
	return &story{t: t, r: mrand.New(mrand.NewPCG(seed, 1)), taken: map[string]bool{},
		side: [2]*braid.State{braid.New(auth, true, false), braid.New(auth, false, false)}}
}

func (s *story) send(from int) {
	before := stored(s.side[from])
	m, key, next, err := restored(s.t, before).Send(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.taken[string(key)] {
		s.t.Fatal("a key was used twice")
	}
	s.taken[string(key)] = true
	s.side[from] = next
	s.fly[1-from] = append(s.fly[1-from], wireMessage{m, key})
	s.sent++
}

func (s *story) receive(to, i int) {
	x := s.fly[to][i]
	s.fly[to] = append(s.fly[to][:i:i], s.fly[to][i+1:]...)
	before := stored(s.side[to])
	key, next, err := s.side[to].Receive(x.m)
	if err != nil {
		s.t.Fatalf("after %d messages: %+v: %v", s.sent, x.m, err)
	}
	if !bytes.Equal(key, x.key) {
		s.t.Fatalf("after %d messages: keys differ", s.sent)
	}
	if !bytes.Equal(stored(s.side[to]), before) {
		s.t.Fatal("Receive changed the old state")
	}
	s.side[to] = next
	if _, _, err := next.Receive(x.m); refusal.Of(err) != refusal.Duplicate && refusal.Of(err) != refusal.InvalidMessage {
		s.t.Fatalf("the same message again: %v", err)
	}
}

func TestPingPongPassesEpochs(t *testing.T) {
	s := newStory(t, 1)
	for range 500 {
		s.send(0)
		s.receive(1, 0)
		s.send(1)
		s.receive(0, 0)
	}
	if e := s.side[0].Epoch(); e < 10 {
		t.Errorf("only %d epochs in 1000 messages", e)
	}
	if !s.side[0].Heard() {
		t.Error("nothing heard")
	}
}

func TestLossAndReorderingOnlySlowItDown(t *testing.T) {
	for seed := range uint64(8) {
		s := newStory(t, seed)
		for s.sent < 1500 {
			from := s.r.IntN(2)
			for range 1 + s.r.IntN(3) {
				s.send(from)
			}
			for to := range 2 {
				for len(s.fly[to]) > 6 {
					// Late by up to six messages; a third is lost.
					i := s.r.IntN(len(s.fly[to]))
					if s.r.IntN(3) == 0 {
						s.fly[to] = append(s.fly[to][:i:i], s.fly[to][i+1:]...)
						continue
					}
					s.receive(to, i)
				}
			}
		}
		if a, b := s.side[0].Epoch(), s.side[1].Epoch(); a < 5 || b < 5 || a > b+1 || b > a+1 {
			t.Errorf("epochs %d and %d after %d messages", a, b, s.sent)
		}
	}
}

func TestOneSideSilent(t *testing.T) {
	s := newStory(t, 3)
	for i := range 5000 {
		s.send(0)
		if i%7 == 0 { // the rest is lost
			s.receive(1, len(s.fly[1])-1)
		}
	}
	if s.side[0].Epoch() != 0 {
		t.Error("an epoch without an answer")
	}
}

func TestForgedChunksAreFoundOut(t *testing.T) {
	// A chunk that does not belong, if it got past the message's MAC, ends in a refusal and not in another secret.
	a, b := braid.New(keys.Secret{1}, true, false), braid.New(keys.Secret{1}, false, false)
	for n := range 3 {
		m, _, next, err := a.Send(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		a = next
		if n == 1 {
			m.Data[5] ^= 1
		}
		_, nextB, err := b.Receive(m)
		if n < 2 && err != nil || n == 2 && fmt.Sprint(err) != "invalid message: spqr header does not authenticate" {
			t.Fatalf("chunk %d: %v", n, err)
		}
		if err == nil {
			b = nextB
		}
	}
}

func TestRefusals(t *testing.T) {
	s := braid.New(keys.Secret{1}, false, false)
	for _, test := range []struct {
		m    wire.SPQR
		want string
	}{
		{wire.SPQR{Epoch: 2, Index: 1}, "invalid message: spqr epoch 2, have 1"},
		{wire.SPQR{Epoch: 1, Index: 25_001}, "too far in the future: spqr key 25001 after 0"},
	} {
		if _, _, err := s.Receive(test.m); fmt.Sprint(err) != test.want {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
	_, next, err := s.Receive(wire.SPQR{Epoch: 1, Index: 25_000})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := next.Receive(wire.SPQR{Epoch: 1, Index: 25_000 - 2001}); fmt.Sprint(err) != "duplicate message: spqr key 22999 was used or dropped" {
		t.Error(err)
	}
	if _, _, err := next.Receive(wire.SPQR{Epoch: 1, Index: 25_000 - 2000}); err != nil {
		t.Error("the oldest kept key is gone:", err)
	}
}

func TestOfferBecomesRealWithTheFirstAnswer(t *testing.T) {
	a, b := braid.New(keys.Secret{1}, true, true), braid.New(keys.Secret{1}, false, false)
	m, key, a, err := a.Send(rand.Reader)
	if err != nil || key != nil || m.Index != 0 || m.Epoch != 1 {
		t.Fatal(m, key, err)
	}
	a = restored(t, stored(a))
	key, b, err = b.Receive(m)
	if err != nil || key != nil {
		t.Fatal(key, err)
	}
	m, sent, _, err := b.Send(rand.Reader)
	if err != nil || m.Index != 1 {
		t.Fatal(m, err)
	}
	got, a, err := a.Receive(m)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatal("keys differ", err)
	}
	m, sent, _, _ = a.Send(rand.Reader)
	got, b, err = b.Receive(m)
	if err != nil || m.Index != 1 || !bytes.Equal(got, sent) {
		t.Fatal("the offer stays an offer", m, err)
	}
	if _, _, err := b.Receive(wire.SPQR{Epoch: 1, Index: 0}); refusal.Of(err) != refusal.Duplicate {
		t.Error("a message without a key after one with: ", err)
	}
}

// The last index of an epoch's chain is used, and nothing after it.
func TestChainsDoNotTurnOver(t *testing.T) {
	const sending, receiving = 120, 160 // offsets of the counters in the stored form of a new state
	almost := stored(braid.New(keys.Secret{1}, true, false))
	for _, at := range []int{sending, receiving} {
		copy(almost[at:], []byte{0xff, 0xff, 0xff, 0xfe})
	}
	m, _, s, err := restored(t, almost).Send(rand.Reader)
	if err != nil || m.Index != 0xffffffff {
		t.Fatal(m, err)
	}
	if _, _, _, err := s.Send(rand.Reader); fmt.Sprint(err) != "no session: the spqr chain of epoch 0 is used up" {
		t.Error(err)
	}
	_, s, err = s.Receive(wire.SPQR{Epoch: 1, Index: 0xffffffff})
	if err != nil {
		t.Fatal(err)
	}
	restored(t, stored(s))
	if _, _, err := s.Receive(wire.SPQR{Epoch: 1, Index: 1}); refusal.Of(err) != refusal.Duplicate {
		t.Error(err)
	}
}

func TestStepsAreThoseOfReceive(t *testing.T) {
	s := braid.New(keys.Secret{1}, false, false)
	for _, test := range []struct {
		m    wire.SPQR
		want uint32
	}{{wire.SPQR{Epoch: 1}, 0}, {wire.SPQR{Epoch: 1, Index: 7}, 7}, {wire.SPQR{Epoch: 2, Index: 7}, 0}, {wire.SPQR{Epoch: 1, Index: 0xffffffff}, 0xffffffff}} {
		if got := s.Steps(test.m); got != test.want {
			t.Errorf("%+v: %d steps, want %d", test.m, got, test.want)
		}
	}
	_, s, err := s.Receive(wire.SPQR{Epoch: 1, Index: 5})
	if err != nil || s.Steps(wire.SPQR{Epoch: 1, Index: 5}) != 0 || s.Steps(wire.SPQR{Epoch: 1, Index: 9}) != 4 {
		t.Error("steps after the fifth", err)
	}
}

func TestWipeLeavesTheSuccessorAlone(t *testing.T) {
	a := braid.New(keys.Secret{1}, true, false)
	_, _, next, _ := a.Send(rand.Reader)
	want := stored(next)
	a.Wipe(next)
	if !bytes.Equal(stored(next), want) {
		t.Error("wiping a state damages the next")
	}
}

// Every stored state is either the one form of a state, or refused.
func FuzzStored(f *testing.F) {
	a, b := braid.New(keys.Secret{1}, true, false), braid.New(keys.Secret{1}, false, false)
	for i := range 120 {
		m, _, next, _ := a.Send(rand.Reader)
		a = next
		_, b, _ = b.Receive(m)
		m, _, next, _ = b.Send(rand.Reader)
		b = next
		_, a, _ = a.Receive(m)
		if i%10 == 0 {
			f.Add(stored(a))
			f.Add(stored(b))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := record.NewReader(in)
		s := braid.Read(r)
		if r.End() != nil {
			return
		}
		if !bytes.Equal(stored(s), in) {
			t.Fatal("two forms of one state")
		}
		s.Send(rand.Reader)
		s.Receive(wire.SPQR{Epoch: s.Epoch() + 1, Index: 1, Kind: wire.SPQREk})
		s.Receive(wire.SPQR{Epoch: s.Epoch() + 1, Index: 2, Kind: wire.SPQRCt1, Chunk: 9})
	})
}

// A thief who copies one side's state, reads along, and can break everything but ML-KEM, is locked out after that side has
// been both owner and other: at most two epochs later. What was received before the theft stays closed to him.
func TestHealing(t *testing.T) {
	for theft := range 12 {
		s := newStory(t, uint64(theft))
		pass := func(from int) wireMessage {
			s.send(from)
			m := s.fly[1-from][0]
			s.receive(1-from, 0)
			return m
		}
		for range 10 * theft {
			pass(0)
			pass(1)
		}
		before := pass(0)
		thief := restored(t, stored(s.side[1]))
		if key, _, err := thief.Receive(before.m); err == nil {
			t.Fatalf("the thief opens what came before: %x", key)
		}
		epoch := s.side[1].Epoch()
		m := pass(0)
		key, thief, err := thief.Receive(m.m)
		if err != nil || !bytes.Equal(key, m.key) {
			t.Fatal("the test is wrong: the thief must be able to read at first", err)
		}
		for s.side[1].Epoch() < epoch+3 {
			m := pass(0)
			if _, next, err := thief.Receive(m.m); err == nil {
				thief = next
			}
			pass(1)
		}
		for range 100 {
			m := pass(0)
			if key, _, err := thief.Receive(m.m); err == nil && bytes.Equal(key, m.key) {
				t.Fatalf("theft at %d: the thief still reads in epoch %d, stolen in %d", theft, s.side[0].Epoch(), epoch)
			}
			pass(1)
		}
	}
}

// A peer in lazy mode sends epoch 1 and no chunks for ever, and ignores ours. It only gives up the healing.
func TestLazyPeer(t *testing.T) {
	a, lazy := braid.New(keys.Secret{1}, true, false), braid.New(keys.Secret{1}, false, false)
	for i := range 200 {
		m, sent, next, err := a.Send(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		a = next
		m.Kind = wire.SPQRNone
		got, next, err := lazy.Receive(m)
		if err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("message %d: the lazy peer has another key, %v", i, err)
		}
		lazy = next
		m, sent, lazy, err = lazy.Send(rand.Reader)
		if err != nil || m.Kind != wire.SPQRNone || m.Epoch != 1 || m.Index != uint32(i+1) {
			t.Fatal(m, err)
		}
		got, a, err = a.Receive(m)
		if err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("message %d: keys differ, %v", i, err)
		}
	}
}
