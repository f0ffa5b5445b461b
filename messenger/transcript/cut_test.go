package transcript_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/transcript"
)

// archive keeps what was cut, as a client's store does.
type archive struct {
	cuts    map[transcript.ID]transcript.Cut
	order   []transcript.ID
	hearsay bool // some of it
}

func (a *archive) WasCut(id transcript.ID) (bool, error) { _, ok := a.cuts[id]; return ok, nil }
func (a *archive) Knows(id transcript.ID) (bool, error)  { return a.WasCut(id) }
func (a *archive) Under(by transcript.Author, counter uint64) (ids []transcript.ID, err error) {
	for _, id := range a.order {
		if c := a.cuts[id]; c.Author == by && c.Counter == counter {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (a *archive) take(v *transcript.Transcript) {
	for _, c := range v.TakeCut() {
		a.cuts[c.ID], a.order, a.hearsay = c, append(a.order, c.ID), a.hearsay || len(c.Vouchers) > 0
	}
}

// twins are one device's view of a group twice: with the cut, stored and read again all the time, and without.
type twins struct {
	t          *testing.T
	r          *rand.Rand
	members    []string
	window     int
	cut, whole *transcript.Transcript
	old        *archive
	times      map[transcript.ID]uint64
	said       map[transcript.ID]*transcript.Message // in the whole world
}

func newTwins(t *testing.T, r *rand.Rand, window int, self transcript.Author, members []string) *twins {
	w := &twins{t: t, r: r, window: window, members: members, cut: transcript.New(self), whole: transcript.New(self), old: &archive{cuts: map[transcript.ID]transcript.Cut{}},
		times: map[transcript.ID]uint64{}, said: map[transcript.ID]*transcript.Message{}}
	w.whole.Keep(1 << 30)
	w.reopen(w.cut)
	return w
}

func (w *twins) reopen(v *transcript.Transcript) {
	w.cut = v
	w.cut.Keep(w.window)
	w.cut.Archive = w.old
}

// takes lets both take in a message, and compares what they say of it.
func (w *twins) takes(m *transcript.Message, forwarded bool, now time.Time) {
	w.t.Helper()
	add := func(v *transcript.Transcript) (transcript.Notice, error) {
		if forwarded {
			return v.AddForwarded(m, now)
		}
		return v.Add(m, now)
	}
	got, err := add(w.cut)
	want, wantErr := add(w.whole)
	w.old.take(w.cut)
	if _, was := w.old.cuts[m.ID()]; was && refusal.Of(err) == refusal.Duplicate && want.Missing == nil && want.Filled == nil && want.Equivocation == nil {
		return // a second time, or from its author after others have sent it on: nothing to tell either way
	}
	if refusal.Of(err) != refusal.Of(wantErr) {
		w.t.Fatalf("with the cut %v, without %v", err, wantErr)
	}
	if err != nil {
		return
	}
	w.times[got.ID] = m.Timestamp
	filled := slices.DeleteFunc(slices.Clone(want.Filled), func(id transcript.ID) bool { return !w.cut.Has(id) })
	if !slices.Equal(got.Missing, want.Missing) || !slices.Equal(got.Filled, filled) || !same(got.Equivocation, want.Equivocation) {
		w.t.Fatalf("with the cut %v, without %v", got, want)
	}
	if by, truly := slices.Sorted(slices.Values(w.cut.Vouchers(got.ID))), slices.Sorted(slices.Values(w.whole.Vouchers(got.ID))); !slices.Equal(by, truly) && (len(by) == 0 || !w.old.hearsay) { // that hearsay was confirmed after it was cut is not noted
		w.t.Fatal("vouched for by", w.cut.Vouchers(got.ID), "want", w.whole.Vouchers(got.ID))
	}
	if n := len(w.cut.Kept()); n > w.window {
		w.t.Fatal(n, "messages are kept")
	}
	if w.r.IntN(4) == 0 {
		raw := w.cut.Marshal()
		v, err := transcript.Unmarshal(raw)
		if err != nil || !bytes.Equal(v.Marshal(), raw) {
			w.t.Fatal("stored form:", err)
		}
		w.reopen(v)
	}
}

func same(a, b []transcript.ID) bool {
	order := func(ids []transcript.ID) []transcript.ID {
		return slices.SortedFunc(slices.Values(ids), func(x, y transcript.ID) int { return bytes.Compare(x[:], y[:]) })
	}
	return slices.Equal(order(a), order(b))
}

func (w *twins) confirmed(id transcript.ID) []string {
	if c, ok := w.old.cuts[id]; ok {
		return w.cut.ConfirmedCut(c, w.members)
	}
	return w.cut.ConfirmedBy(id, w.members)
}

// agree compares all that can be asked. Exact: nothing is late any more, so that nothing is understated either.
func (w *twins) agree(self string, exact bool, now time.Time) {
	w.t.Helper()
	if !slices.Equal(w.cut.Missing(), w.whole.Missing()) {
		w.t.Fatal("missing", w.cut.Missing(), "want", w.whole.Missing())
	}
	if got, want := fmt.Sprint(w.cut.Due(now)), fmt.Sprint(w.whole.Due(now)); got != want {
		w.t.Fatal("asks", got, "want", want)
	}
	var got, want transcript.Message
	w.cut.Next(&got)
	w.whole.Next(&want)
	if got.Counter != want.Counter || got.Counter > 1 && got.Parents[0] != want.Parents[0] {
		w.t.Fatal("next is", got, "want", want)
	}
	mark := w.cut.Watermark(w.members)
	for _, id := range w.whole.Kept() {
		if w.r.IntN(5) > 0 {
			continue // some are enough
		}
		by, truly := w.confirmed(id), w.whole.ConfirmedBy(id, w.members)
		if exact && !slices.Equal(by, truly) || slices.ContainsFunc(by, func(m string) bool { return !slices.Contains(truly, m) }) {
			w.t.Fatalf("message %s is confirmed by %q, want %q", id, by, truly)
		}
		others := len(w.members) - 1
		if slices.Contains(truly, self) {
			others++
		}
		if len(truly) < others && mark >= w.times[id] {
			w.t.Fatalf("everybody has seen everything up to %d, but a message of %d only %q", mark, w.times[id], truly)
		}
	}
	if exact && mark != w.whole.Watermark(w.members) {
		w.t.Fatal("everybody has seen everything up to", mark, "want", w.whole.Watermark(w.members))
	}
}

// TestTheCutDoesNotShow plays groups at random: devices that know of each other's messages or do not, messages that are late, lost, sent on or invented,
// authors who tell different things under one number. One device listens with the cut and without, and has to say the same.
func TestTheCutDoesNotShow(t *testing.T) {
	for seed := range uint64(60) {
		t.Log("seed", seed)
		r := rand.New(rand.NewPCG(seed, 1))
		members := []string{"alice", "bob", "carol", "dave"}[:2+r.IntN(3)]
		var authors []transcript.Author
		views := map[transcript.Author]*transcript.Transcript{}
		for i, m := range members {
			for d := range 1 + r.IntN(2) {
				a := transcript.Author{Member: m, Device: uint32(d + 1), Install: uint64(i + 1)}
				authors = append(authors, a)
				views[a] = transcript.New(a)
				views[a].Keep(1 << 30)
			}
		}
		self := authors[0]
		w := newTwins(t, r, 4+r.IntN(20), self, members)
		now := time.UnixMilli(1e12)
		lossy := r.IntN(3) > 0
		listens := func(m *transcript.Message) { w.takes(m, false, now) }
		var late []func()
		// one message of an author, delivered to everybody now, late or never
		speaks := func(a transcript.Author, calm bool) {
			now = now.Add(time.Duration(1+r.IntN(90)) * time.Second)
			m := &transcript.Message{Group: []byte("group"), Body: fmt.Sprint(len(w.said)), Timestamp: uint64(now.UnixMilli()), Nonce: [16]byte{byte(r.Uint32()), byte(r.Uint32())}}
			if !calm && r.IntN(8) == 0 {
				m.Timestamp -= uint64(r.IntN(1e6)) // a clock that is wrong
			}
			if a == self {
				w.cut.Next(m)
			} else {
				views[a].Next(m)
				if !calm && lossy && r.IntN(30) == 0 && len(m.Parents) < transcript.MaxParents {
					m.Parents = append(m.Parents, transcript.ID{byte(r.Uint32()), 1}) // invented
				}
			}
			if _, err := views[a].Add(m, now); a != self && err != nil {
				t.Fatal(err)
			}
			w.said[m.ID()] = m
			told := m
			if !calm && a != self && r.IntN(20) == 0 { // something else is told to the others
				other := *m
				other.Body += " or not"
				told = &other
				w.said[told.ID()] = told
			}
			for _, b := range authors {
				if b == a && b != self {
					continue
				}
				version := m
				if r.IntN(2) == 0 && b != self {
					version = told
				}
				arrives := func() {
					if b == self {
						listens(version)
					} else {
						views[b].Add(version, now)
					}
				}
				switch p := r.IntN(20); {
				case calm || a == self && b == self || p > 4 || !lossy && p > 1:
					arrives()
				case p > 0:
					late = append(late, arrives)
				case !lossy:
					late = append(late, arrives)
				}
			}
		}
		for range 60 + r.IntN(120) {
			speaks(authors[r.IntN(len(authors))], false)
			for len(late) > 0 && r.IntN(6) == 0 {
				i := r.IntN(len(late))
				late[i]()
				late = slices.Delete(late, i, i+1)
			}
			if missing := w.whole.Missing(); len(missing) > 0 && r.IntN(10) == 0 {
				if m := w.said[missing[r.IntN(len(missing))]]; m != nil && m.Author != self {
					w.takes(m, true, now)
				}
			}
			if r.IntN(40) == 0 {
				w.agree(self.Member, false, now)
			}
		}
		for _, arrives := range late {
			arrives()
		}
		for i := range 40 { // everybody speaks and hears everything
			speaks(authors[i%len(authors)], true)
		}
		w.agree(self.Member, len(w.whole.Missing()) == 0, now)

		// The stored form of before there was a cut says the same.
		v, err := transcript.UnmarshalKeptAll(w.whole.MarshalKeptAll(), w.window)
		if err != nil {
			t.Fatal(err)
		}
		w.old = &archive{cuts: map[transcript.ID]transcript.Cut{}}
		w.reopen(v)
		w.old.take(v)
		if len(w.whole.Kept()) != len(v.Kept())+len(w.old.cuts) {
			t.Fatal(len(v.Kept()), "are kept and", len(w.old.cuts), "cut of", len(w.whole.Kept()))
		}
		w.agree(self.Member, len(w.whole.Missing()) == 0, now)
		for range 20 {
			speaks(authors[r.IntN(len(authors))], false)
		}
		w.agree(self.Member, false, now)
		if t.Failed() {
			return
		}
	}
}

// What somebody says that another has said a third has said is hearsay of the first.
func TestHearsayOfHearsay(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol", "mallory")
	real := w.says("alice", "real")
	w.arrives("bob", real, "")
	invented := *real
	invented.Body = "invented"
	w.names[invented.ID()] = invented.Body
	hers := *w.prepare("carol", "alice said so")
	hers.Parents = []transcript.ID{invented.ID()}
	w.names[hers.ID()] = hers.Body
	lie := w.prepare("mallory", "listen")
	lie.Parents = []transcript.ID{hers.ID()}
	w.arrives("bob", lie, "missing alice said so")
	w.forwarded("bob", &hers, "missing invented, filled ")
	w.forwarded("bob", &invented, "filled alice said so, equivocation with real")
	bob := w.views["bob"]
	for _, id := range []transcript.ID{hers.ID(), invented.ID()} {
		if got := bob.Vouchers(id); strings.Join(got, " ") != "mallory" {
			t.Errorf("%s is vouched for by %q", w.names[id], got)
		}
	}
	if _, err := bob.Add(&hers, w.now); err != nil { // carol has said it, after all
		t.Fatal(err)
	}
	if got := bob.Vouchers(invented.ID()); strings.Join(got, " ") != "carol" {
		t.Errorf("vouched for by %q", got)
	}
}

// A message that comes long after, and answers what was cut, misses nothing; who told something else under a number that was cut is found out all the same;
// and what was cut does not come a second time.
func TestLateMessagesMeetTheCut(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	old := &archive{cuts: map[transcript.ID]transcript.Cut{}}
	bob := w.views["bob"]
	bob.Keep(10)
	bob.Archive = old
	hears := func(m *transcript.Message) (string, error) {
		n, err := bob.Add(m, w.now)
		old.take(bob)
		return w.notice(n), err
	}
	first := w.says("alice", "first")
	w.arrives("carol", first, "")
	late := w.says("carol", "late") // answers the first only
	if got, err := hears(first); got != "" || err != nil {
		t.Fatal(got, err)
	}
	for i := range 30 {
		if got, err := hears(w.says("alice", fmt.Sprint(i))); got != "" || err != nil {
			t.Fatal(got, err)
		}
	}
	if bob.Has(first.ID()) || len(bob.Kept()) != 10 {
		t.Fatal("nothing was cut")
	}
	if got, err := hears(late); got != "" || err != nil {
		t.Error(got, err)
	}
	if _, err := hears(first); refusal.Of(err) != refusal.Duplicate {
		t.Error(err)
	}
	liar := *first
	liar.Body = "something else"
	if got, err := hears(&liar); got != "equivocation with first" || err != nil {
		t.Error(got, err)
	}
	if by := bob.ConfirmedCut(old.cuts[first.ID()], w.members); strings.Join(by, " ") != "alice" {
		t.Error("confirmed by", by) // carol's word is a head that nobody has answered, and alice's are not hers
	}
}

// broken is an archive that cannot be read for the moment.
type broken struct{}

func (broken) WasCut(transcript.ID) (bool, error) { return false, errors.New("disk") }
func (broken) Knows(transcript.ID) (bool, error)  { return false, errors.New("disk") }
func (broken) Under(transcript.Author, uint64) ([]transcript.ID, error) {
	return nil, errors.New("disk")
}

func TestAnArchiveThatDoesNotRead(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	w.says("alice", "lost")
	next := w.says("alice", "next")
	bob := w.views["bob"]
	bob.Archive = broken{}
	before := bob.Marshal()
	if _, err := bob.Add(next, w.now); fmt.Sprint(err) != "disk" || !bytes.Equal(before, bob.Marshal()) {
		t.Error(err)
	}
	bob.Archive = nil
	w.arrives("bob", next, "missing lost")
}
