package ratchet_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/ratchet"
	"github.com/countersign-project/countersign/messenger/refusal"
)

// The model is what a person expects: a message that arrives for the first time is read, with its own text, however late within
// the limits; one that arrives again is refused; a refusal changes nothing. After one side was restored from an old record messages
// may be lost, but never read as something else, and a new session makes everything well again.

// letter is a message on its way.
type letter struct {
	m     ratchet.Message
	text  string
	from  int
	taken bool
	age   int // letters that overtook it
}

type model struct {
	t     *testing.T
	r     *rand.Rand
	level handshake.Level
	side  [2]*device
	fly   []*letter // not yet arrived
	old   []*letter // arrived
	loose bool      // restored, and not yet well again
	log   []string
	n     int
}

func (w *model) step(format string, args ...any) { w.log = append(w.log, fmt.Sprintf(format, args...)) }

func (w *model) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\nafter: %s", fmt.Sprintf(format, args...), strings.Join(w.log[max(0, len(w.log)-40):], " "))
}

func (w *model) initiate(i int) {
	w.step("init%d", i)
	peer := w.side[1-i]
	for id := uint32(w.n + 100); len(peer.oneTime) < 2; id++ {
		peer.oneTime[id] = newKey(w.t)
		w.n++
	}
	w.side[i].initiate(peer, w.level)
}

func (w *model) send(i int) *letter {
	if !w.side[i].record.CanEncrypt(w.side[i].setting(w.side[1-i])) {
		w.initiate(i)
	}
	w.n++
	l := &letter{text: fmt.Sprintf("letter %d from %d", w.n, i), from: i}
	w.step("send%d", i)
	l.m = w.side[i].send(w.side[1-i], l.text)
	w.fly = append(w.fly, l)
	return l
}

// deliver lets letter k arrive.
func (w *model) deliver(k int) {
	l := w.fly[k]
	w.fly = append(w.fly[:k:k], w.fly[k+1:]...)
	for _, o := range w.fly[:k] {
		o.age++
	}
	w.old = append(w.old, l)
	w.arrive(l)
}

func (w *model) arrive(l *letter) {
	to, from := w.side[1-l.from], w.side[l.from]
	w.step("recv%d(%.9s)", 1-l.from, l.text)
	before := to.record.Marshal()
	text, err := to.open(from, l.m)
	switch {
	case err == nil && text != l.text:
		w.fail("%q reads %q", l.text, text)
	case err == nil && l.taken && !w.loose:
		w.fail("%q was read twice", l.text)
	case err != nil && !l.taken && !w.loose:
		w.fail("%q is lost: %v", l.text, err)
	case err != nil && refusal.Of(err) == "":
		w.fail("%v has no kind", err)
	case err != nil && !bytes.Equal(to.record.Marshal(), before):
		w.fail("the refusal %v changed the record", err)
	}
	l.taken = l.taken || err == nil
}

// restore puts one side back to an old record, loses what is on its way, and starts a new session.
func (w *model) restore(i int, stored []byte) {
	w.step("restore%d", i)
	var err error
	if w.side[i].record, err = ratchet.Unmarshal(stored); err != nil {
		w.fail("%v", err)
	}
	w.loose = true
	for len(w.fly) > 0 {
		w.deliver(w.r.IntN(len(w.fly)))
	}
	for range 6 { // whatever happens now must not be worse than loss
		if from := w.r.IntN(2); w.side[from].record.CanEncrypt(w.side[from].setting(w.side[1-from])) {
			w.send(from)
			w.deliver(0)
		}
	}
	w.initiate(i)
	w.loose, w.old = false, nil
	w.send(i)
	w.deliver(0)
	w.send(1 - i)
	w.deliver(0)
}

func TestModel(t *testing.T) {
	for seed := range uint64(24) {
		level := levels[seed%uint64(len(levels))]
		t.Run(fmt.Sprintf("%s/%d", level, seed), func(t *testing.T) {
			w := &model{t: t, r: rand.New(rand.NewPCG(seed, 7)), level: level, side: [2]*device{newDevice(t, "alice"), newDevice(t, "bob")}}
			snapshots := [2][]byte{w.side[0].record.Marshal(), w.side[1].record.Marshal()}
			for range 250 {
				w.act(&snapshots)
			}
			for len(w.fly) > 0 {
				w.deliver(0)
			}
		})
	}
}

func (w *model) act(snapshots *[2][]byte) {
	i := w.r.IntN(2)
	switch x := w.r.IntN(100); {
	case len(w.fly) > 6 || len(w.fly) > 0 && w.fly[0].age > 3:
		w.deliver(0)
	case x < 45:
		w.send(i)
	case x < 80 && len(w.fly) > 0:
		w.deliver(w.r.IntN(len(w.fly)))
	case x < 86 && len(w.fly) > 0: // lost
		w.step("drop")
		w.fly = w.fly[1:]
	case x < 93 && len(w.old) > 0: // repeated by the network
		w.arrive(w.old[w.r.IntN(len(w.old))])
	case x == 94: // stored and loaded
		w.step("store%d", i)
		r, err := ratchet.Unmarshal(w.side[i].record.Marshal())
		if err != nil {
			w.fail("%v", err)
		}
		w.side[i].record = r
	case x == 95:
		snapshots[i] = w.side[i].record.Marshal()
	case x == 96:
		w.initiate(i)
	case x == 97:
		w.restore(i, snapshots[i])
	}
}

// Every stored record is the one form of a record, or refused; and what is not refused can be used without a panic.
func FuzzStoredRecord(f *testing.F) {
	for _, level := range levels {
		alice, bob := pair(f, level)
		alice.send(bob, "skipped")
		bob.reads(alice, alice.send(bob, "x"), "x")
		f.Add(bob.record.Marshal())
		bob.initiate(alice, level)
		f.Add(bob.record.Marshal())
	}
	var identity keys.Secret
	k, _ := keys.NewPrivate(identity)
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := ratchet.Unmarshal(in)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Marshal(), in) {
			t.Fatal("two forms of one record")
		}
		d := &device{t: t, name: "fuzz", identity: k, record: r, known: map[string]keys.Public{}, policy: handshake.Policy{V2: true}}
		m, err := r.Encrypt(d.setting(d), []byte("text"))
		if err == nil && m.Kind == ratchet.Whisper {
			r.Decrypt(d.setting(d), m.Body)
		}
	})
}
