package interop_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/refusal"
)

// kind is one way to talk to one peer.
type kind struct {
	version string
	level   handshake.Level
}

var kinds = []kind{
	{libaxc, handshake.LevelV3},
	{lastX3DH, handshake.LevelV3},
	{lastX3DH, handshake.LevelV4},
	{current, handshake.LevelV4SPQR},
}

func (k kind) String() string { return k.version + " " + k.level.String() }

// talk is a conversation of ours with a peer.
type talk struct {
	t    testing.TB
	k    kind
	us   *us
	peer party
}

// party is a foreign peer of either kind.
type party interface {
	bundle(oneTime, kyber bool) theirs
	process(from string, bundle map[string]any)
	seal(to, text string) letter
	open(from string, m letter) (string, error)
}

func newTalk(t testing.TB, k kind) *talk {
	us := newUs(t, "+14151111111")
	switch k.version {
	case libaxc:
		return &talk{t, k, us, startAxc(t, "peer.c")}
	case libaxcV2:
		us.policy.V2 = true
		return &talk{t, k, us, v2Peer{startAxc(t, "v2.c")}}
	}
	return &talk{t, k, us, startPeer(t, k.version, "+14152222222")}
}

// weStart and theyStart make a session; nothing is sent yet.
func (w *talk) weStart(oneTime bool) {
	w.t.Helper()
	b := w.peer.bundle(oneTime, w.k.level >= handshake.LevelV4).bundle(w.t, w.k.level == handshake.LevelV4SPQR)
	if err := w.us.record.Initiate(w.us.setting(), b); err != nil {
		w.t.Fatal(err)
	}
}

func (w *talk) theyStart(oneTime bool) {
	w.t.Helper()
	w.peer.process(w.us.name, w.us.bundle(oneTime, w.k.level >= handshake.LevelV4))
}

func (w *talk) toPeer(m letter, want string) {
	w.t.Helper()
	if got, err := w.peer.open(w.us.name, m); err != nil || got != want {
		w.t.Fatalf("the peer reads %q, %v; want %q", got, err, want)
	}
}

func (w *talk) toUs(m letter, want string) {
	w.t.Helper()
	if got, err := w.us.open(m); err != nil || got != want {
		w.t.Fatalf("we read %q, %v; want %q", got, err, want)
	}
}

func (w *talk) pingPong(n int) {
	w.t.Helper()
	for i := range n {
		w.toPeer(w.us.seal(fmt.Sprint("ping ", i)), fmt.Sprint("ping ", i))
		w.toUs(w.peer.seal(w.us.name, fmt.Sprint("pong ", i)), fmt.Sprint("pong ", i))
	}
}

func TestWeStart(t *testing.T) {
	for _, k := range kinds {
		for _, oneTime := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s one-time %v", k, oneTime), func(t *testing.T) {
				w := newTalk(t, k)
				w.weStart(oneTime)
				w.toPeer(w.us.seal("one"), "one")
				w.toPeer(w.us.seal("two"), "two")
				w.toUs(w.peer.seal(w.us.name, "three"), "three")
				w.pingPong(20)
				if w.us.record.Best() != k.level {
					t.Errorf("level %s, want %s", w.us.record.Best(), k.level)
				}
			})
		}
	}
}

func TestTheyStart(t *testing.T) {
	for _, k := range append(kinds, v2) {
		for _, oneTime := range []bool{true, false} {
			if (k.version == libaxc || k == v2) && !oneTime {
				continue // these take no bundle without a one-time prekey
			}
			t.Run(fmt.Sprintf("%s one-time %v", k, oneTime), func(t *testing.T) {
				w := newTalk(t, k)
				w.theyStart(oneTime)
				first, second := w.peer.seal(w.us.name, "one"), w.peer.seal(w.us.name, "two")
				w.toUs(second, "two")
				w.toUs(first, "one")
				w.toPeer(w.us.seal("three"), "three")
				w.pingPong(20)
				if w.us.record.Best() != k.level {
					t.Errorf("level %s, want %s", w.us.record.Best(), k.level)
				}
			})
		}
	}
}

func TestBothStartAtOnce(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) {
			w := newTalk(t, k)
			w.weStart(true)
			w.theyStart(true)
			ours, theirs := w.us.seal("from us"), w.peer.seal(w.us.name, "from them")
			ours2, theirs2 := w.us.seal("more from us"), w.peer.seal(w.us.name, "more from them")
			w.toUs(theirs, "from them")
			w.toPeer(ours, "from us")
			w.toUs(theirs2, "more from them")
			w.toPeer(ours2, "more from us")
			w.pingPong(10)
		})
	}
}

// Two hundred messages each way over a network that loses, delays and repeats.
func TestBadNetwork(t *testing.T) {
	for _, k := range append(kinds, v2) {
		t.Run(k.String(), func(t *testing.T) {
			w := newTalk(t, k)
			r := rand.New(rand.NewPCG(42, uint64(k.level)))
			type flying struct {
				m      letter
				text   string
				toPeer bool
			}
			var fly, old []flying
			arrive := func(f flying) {
				if f.toPeer {
					w.toPeer(f.m, f.text)
				} else {
					w.toUs(f.m, f.text)
				}
				old = append(old, f)
			}
			if k == v2 {
				w.theyStart(true)
				arrive(flying{w.peer.seal(w.us.name, "first"), "first", false})
			} else {
				w.weStart(true)
				arrive(flying{w.us.seal("first"), "first", true})
			}
			for sent := 0; sent < 400; sent++ {
				text := fmt.Sprint("message ", sent, strings.Repeat(" and so on", sent%50))
				if r.IntN(2) == 0 {
					fly = append(fly, flying{w.us.seal(text), text, true})
				} else {
					fly = append(fly, flying{w.peer.seal(w.us.name, text), text, false})
				}
				for len(fly) > 5 {
					i := r.IntN(len(fly))
					if r.IntN(4) == 0 { // so that nothing is later than a few turns
						i = 0
					}
					f := fly[i]
					fly = append(fly[:i:i], fly[i+1:]...)
					if r.IntN(8) == 0 {
						continue // lost
					}
					arrive(f)
				}
				if r.IntN(5) == 0 {
					f := old[max(0, len(old)-6+r.IntN(6))]
					refuseAgain(t, w, f.m, f.toPeer)
				}
			}
			w.pingPong(3)
		})
	}
}

// refuseAgain delivers a message a second time: either side must refuse it.
func refuseAgain(t *testing.T, w *talk, m letter, toPeer bool) {
	t.Helper()
	if toPeer {
		if text, err := w.peer.open(w.us.name, m); err == nil {
			t.Fatalf("the peer reads %q twice", text)
		}
		return
	}
	text, err := w.us.open(m)
	if k := refusal.Of(err); k != refusal.Duplicate && k != refusal.InvalidMessage {
		t.Fatalf("we read %q a second time: %v", text, err)
	}
}

// The post-quantum ratchet comes round several times, also when one side talks more than the other.
func TestSPQREpochs(t *testing.T) {
	for _, start := range []string{"we", "they"} {
		t.Run(start+" start", func(t *testing.T) {
			w := newTalk(t, kind{current, handshake.LevelV4SPQR})
			if start == "we" {
				w.weStart(true)
				w.toPeer(w.us.seal("hello"), "hello")
			} else {
				w.theyStart(true)
				w.toUs(w.peer.seal(w.us.name, "hello"), "hello")
			}
			w.pingPong(120)
			for i := range 60 {
				w.toPeer(w.us.seal("a"), "a")
				w.toPeer(w.us.seal("b"), "b")
				w.us.seal("lost")
				w.toUs(w.peer.seal(w.us.name, fmt.Sprint(i)), fmt.Sprint(i))
			}
			w.pingPong(120)
			if n := w.us.record.Epochs(); n < 4 {
				t.Errorf("%d epochs completed, want at least 4", n)
			}
			t.Logf("%d SPQR epochs", w.us.record.Epochs())
		})
	}
}

// A current peer refuses to talk without SPQR, and says so to us by refusing our first message.
func TestCurrentPeerInsistsOnSPQR(t *testing.T) {
	w := newTalk(t, kind{current, handshake.LevelV4})
	w.weStart(true)
	if _, err := w.peer.open(w.us.name, w.us.seal("without")); err == nil {
		t.Error("a session without SPQR was accepted")
	}
}

// Offering SPQR to a peer that does not know it gives a plain v4 session.
func TestOfferedSPQRIsIgnoredByThoseWhoDoNotKnowIt(t *testing.T) {
	w := newTalk(t, kind{lastX3DH, handshake.LevelV4})
	w.us.policy.OfferSPQR = true
	w.weStart(true)
	w.toPeer(w.us.seal("with an offer"), "with an offer")
	w.toUs(w.peer.seal(w.us.name, "no thanks"), "no thanks")
	w.pingPong(5)
	if got := w.us.record.Best(); got != handshake.LevelV4 {
		t.Error(got)
	}
}
