package transcript_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/transcript"
)

// world is a group whose network the test plays.
type world struct {
	t       *testing.T
	now     time.Time
	members []string
	views   map[string]*transcript.Transcript
	nonce   byte
	names   map[transcript.ID]string
}

func newWorld(t *testing.T, members ...string) *world {
	w := &world{t: t, now: time.Date(2026, 11, 21, 14, 0, 0, 0, time.UTC), members: members, views: map[string]*transcript.Transcript{}, names: map[transcript.ID]string{}}
	for i, m := range members {
		w.views[m] = transcript.New(transcript.Author{Member: m, Device: 1, Install: uint64(i)})
	}
	return w
}

// says lets a member write a message; it arrives nowhere yet.
func (w *world) says(member, text string) *transcript.Message {
	w.t.Helper()
	m := w.prepare(member, text)
	if _, err := w.views[member].Add(m, w.now); err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) prepare(member, text string) *transcript.Message {
	w.nonce++
	w.now = w.now.Add(time.Second)
	m := &transcript.Message{Group: []byte("group"), Body: text, Timestamp: uint64(w.now.UnixMilli()), Nonce: [16]byte{w.nonce}, Membership: transcript.MembershipHash(w.members)}
	w.views[member].Next(m)
	w.names[m.ID()] = text
	return m
}

// notice describes a notice with the texts of the messages.
func (w *world) notice(n transcript.Notice) string {
	var parts []string
	list := func(what string, ids []transcript.ID) {
		for _, id := range ids {
			parts = append(parts, what+" "+w.names[id])
		}
	}
	list("missing", n.Missing)
	list("filled", n.Filled)
	list("equivocation with", n.Equivocation)
	return strings.Join(parts, ", ")
}

// arrives wants exactly that notice; views are stored and restored on the way.
func (w *world) arrives(at string, m *transcript.Message, want string) {
	w.t.Helper()
	v, err := transcript.Unmarshal(w.views[at].Marshal())
	if err != nil || !bytes.Equal(v.Marshal(), w.views[at].Marshal()) {
		w.t.Fatal("stored form:", err)
	}
	w.views[at] = v
	n, err := v.Add(m, w.now)
	if got := w.notice(n); err != nil || got != want {
		w.t.Errorf("%s receives %q: got %q, %v; want %q", at, m.Body, got, err, want)
	}
}

func (w *world) forwarded(at string, m *transcript.Message, want string) {
	w.t.Helper()
	n, err := w.views[at].AddForwarded(m, w.now)
	if got := w.notice(n); err != nil || got != want {
		w.t.Errorf("%s is sent on %q: got %q, %v; want %q", at, m.Body, got, err, want)
	}
}

func TestNothingToSayWhenAllIsWell(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	for i := range 30 {
		from := w.members[i%3]
		m := w.says(from, fmt.Sprint(i))
		for _, to := range w.members {
			if to != from {
				w.arrives(to, m, "")
			}
		}
	}
	if got := w.views["alice"].Due(w.now.Add(time.Hour)); len(got) != 0 {
		t.Error(got)
	}
	if mark := w.views["alice"].Watermark(w.members); mark != uint64(w.now.Add(-time.Second).UnixMilli()) {
		t.Errorf("everybody has seen everything up to %v", time.UnixMilli(int64(mark)).UTC())
	}
}

// The scene of the seed text: two different questions, one answer.
func TestTwoQuestionsOneAnswer(t *testing.T) {
	w := newWorld(t, "alice", "bob", "mallory")
	toAlice := w.prepare("mallory", "shall we trust her?")
	toBob := *toAlice
	toBob.Body = "shall we meet at noon?"
	w.names[toBob.ID()] = toBob.Body
	w.arrives("alice", toAlice, "")
	w.arrives("bob", &toBob, "")
	answer := w.says("bob", "yes")
	w.arrives("alice", answer, "missing shall we meet at noon?")

	if got := w.views["alice"].Due(w.now.Add(2*time.Minute - time.Nanosecond)); len(got) != 0 {
		t.Error("asks too early:", got)
	}
	due := w.views["alice"].Due(w.now.Add(2 * time.Minute))
	if len(due) != 1 || due[0].ID != toBob.ID() || strings.Join(due[0].Ask, " ") != "bob" {
		t.Fatalf("asks %+v", due)
	}
	if again := w.views["alice"].Due(w.now.Add(time.Hour)); len(again) != 0 {
		t.Error("asks twice:", again)
	}
	w.forwarded("alice", &toBob, "filled yes, equivocation with shall we trust her?")
}

// A member who invents a message of another, cites it and sends it on, cannot pass it off as the other's word.
func TestForwardedMessagesAreHearsay(t *testing.T) {
	w := newWorld(t, "alice", "bob", "mallory")
	real := w.says("alice", "I love you")
	w.arrives("bob", real, "")
	w.arrives("mallory", real, "")
	invented := *real
	invented.Body = "I hate you"
	w.names[invented.ID()] = invented.Body
	lie := w.prepare("mallory", "look what she wrote")
	lie.Parents = append(lie.Parents, invented.ID())
	w.names[lie.ID()] = lie.Body
	w.arrives("bob", lie, "missing I hate you")
	w.forwarded("bob", &invented, "filled look what she wrote, equivocation with I love you")
	bob := w.views["bob"]
	if got := bob.Vouchers(invented.ID()); strings.Join(got, " ") != "mallory" {
		t.Errorf("the invention is vouched for by %q", got)
	}
	if got := bob.Vouchers(real.ID()); got != nil {
		t.Errorf("what alice sent is hearsay of %q", got)
	}
	bob, err := transcript.Unmarshal(bob.Marshal())
	if err != nil || strings.Join(bob.Vouchers(invented.ID()), " ") != "mallory" {
		t.Fatal("hearsay became truth in the store", err)
	}

	// An invention in alice's name does not confirm anything for her either.
	secret := w.says("bob", "has alice seen this?")
	w.views["bob"] = bob
	fake := *w.prepare("alice", "yes")
	fake.Counter, fake.Parents = 2, []transcript.ID{real.ID(), secret.ID()}
	lie = w.prepare("mallory", "she has")
	lie.Parents = []transcript.ID{fake.ID()}
	if _, err := bob.Add(secret, w.now); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Add(lie, w.now); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.AddForwarded(&fake, w.now); err != nil {
		t.Fatal(err)
	}
	if got := bob.ConfirmedBy(secret.ID(), w.members); strings.Contains(strings.Join(got, " "), "alice") {
		t.Errorf("confirmed by %q", got)
	}
	// If she then says it herself, it is hers.
	if n, err := bob.Add(&fake, w.now); err != nil || w.notice(n) != "" {
		t.Error(w.notice(n), err)
	}
	if bob.Vouchers(fake.ID()) != nil || !strings.Contains(strings.Join(bob.ConfirmedBy(secret.ID(), w.members), " "), "alice") {
		t.Error("her own word does not count")
	}
	if _, err := bob.Add(&fake, w.now); refusal.Of(err) != refusal.Duplicate {
		t.Error("a second time:", err)
	}
}

// A gap that the author's own next message cites is filled with the author's word, whoever sends it on.
func TestTheAuthorsOwnCitationVouches(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	lost := w.says("alice", "lost")
	w.arrives("carol", lost, "")
	next := w.says("alice", "next")
	w.arrives("bob", next, "missing lost")
	w.forwarded("bob", lost, "filled next")
	if got := w.views["bob"].Vouchers(lost.ID()); got != nil {
		t.Errorf("hearsay of %q", got)
	}
}

// Nobody can move our own counter, or make us cite as our own what we never wrote.
func TestNobodyWritesInOurName(t *testing.T) {
	w := newWorld(t, "alice", "mallory")
	mine := w.says("alice", "mine")
	w.arrives("mallory", mine, "")
	forged := *mine
	forged.Counter, forged.Body, forged.Parents = 1<<63, "forged", []transcript.ID{mine.ID()}
	lie := w.prepare("mallory", "you wrote this")
	lie.Parents = append(lie.Parents, forged.ID())
	w.arrives("alice", lie, "missing ")
	alice := w.views["alice"]
	before := alice.Marshal()
	if _, err := alice.AddForwarded(&forged, w.now); fmt.Sprint(err) != "invalid message: transcript: forwarded message "+forged.ID().String()+" in our name" {
		t.Error(err)
	}
	if _, err := alice.Add(&forged, w.now); fmt.Sprint(err) != "invalid message: transcript: message 9223372036854775808 in our name, our next is 2" {
		t.Error(err)
	}
	if !bytes.Equal(before, alice.Marshal()) {
		t.Error("a refusal changed the view")
	}
	var next transcript.Message
	alice.Next(&next)
	if next.Counter != 2 || next.Parents[0] != mine.ID() {
		t.Error("our next message is", next.Counter)
	}
}

// Each missing message makes us write to three members, so one member cannot make us look for any number.
func TestInventedParentsDoNotPay(t *testing.T) {
	w := newWorld(t, "alice", "mallory", "bob")
	for i := range 50 {
		m := &transcript.Message{Author: transcript.Author{Member: "mallory", Device: uint32(i)}, Counter: 1}
		for k := range 8 {
			m.Parents = append(m.Parents, transcript.ID{byte(i), byte(k), 1})
		}
		if n, err := w.views["alice"].Add(m, w.now); err != nil || len(n.Missing) != 8 {
			t.Fatal(n, err)
		}
	}
	if got := w.views["alice"].Due(w.now.Add(time.Hour)); len(got) != 100 {
		t.Errorf("%d requests", len(got))
	}
	lost := w.says("bob", "lost")
	w.arrives("alice", w.says("bob", "next"), "missing lost")
	if got := w.views["alice"].Due(w.now.Add(time.Hour)); len(got) != 1 || got[0].ID != lost.ID() {
		t.Error("others are no longer served:", got)
	}
}

func TestServerDropsAMessage(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	lost := w.says("alice", "lost for carol")
	w.arrives("bob", lost, "")
	second := w.says("alice", "second")
	w.arrives("carol", second, "missing lost for carol")
	answer := w.says("bob", "answer")
	w.arrives("carol", answer, "missing lost for carol")
	due := w.views["carol"].Due(w.now.Add(2 * time.Minute))
	if len(due) != 1 || strings.Join(due[0].Ask, " ") != "alice bob" {
		t.Fatalf("asks %+v", due)
	}
	w.views["carol"].Reconnected()
	if again := w.views["carol"].Due(w.now); len(again) != 1 || again[0].Waited != time.Second {
		t.Error("does not ask again after a new connection:", again)
	}
	if again := w.views["carol"].Due(w.now.Add(time.Hour)); len(again) != 0 {
		t.Error("asks twice in one connection:", again)
	}
	if len(w.views["carol"].Missing()) != 1 || w.views["carol"].Watermark(w.members) != 0 {
		t.Error("the gap does not show")
	}
	w.arrives("carol", lost, "filled second, filled answer")
}

func TestServerSwapsMessages(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	one, two, three := w.says("alice", "one"), w.says("alice", "two"), w.says("alice", "three")
	w.arrives("bob", three, "missing two")
	w.arrives("bob", one, "")
	w.arrives("bob", two, "filled three")
}

func TestServerSplitsTheGroup(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol", "dave")
	left, right := w.says("alice", "left"), w.says("carol", "right")
	w.arrives("bob", left, "")
	w.arrives("dave", right, "")
	answer := w.says("bob", "left answer")
	w.arrives("alice", answer, "")
	w.arrives("carol", answer, "missing left") // the first message across shows it
}

func TestHashesBindEverything(t *testing.T) {
	m := transcript.Message{Group: []byte("g"), Author: transcript.Author{Member: "a", Device: 1, Install: 2}, Counter: 3, Timestamp: 4, Body: "text",
		Attachments: [][32]byte{{1}}, Flags: 5, Parents: []transcript.ID{{6}}}
	id := m.ID()
	for name, change := range map[string]func(m *transcript.Message){
		"group": func(m *transcript.Message) { m.Group = []byte("h") }, "member": func(m *transcript.Message) { m.Author.Member = "b" },
		"device": func(m *transcript.Message) { m.Author.Device++ }, "install": func(m *transcript.Message) { m.Author.Install++ },
		"counter": func(m *transcript.Message) { m.Counter++ }, "timestamp": func(m *transcript.Message) { m.Timestamp++ },
		"nonce": func(m *transcript.Message) { m.Nonce[15]++ }, "body": func(m *transcript.Message) { m.Body += " " },
		"attachment": func(m *transcript.Message) { m.Attachments = nil }, "flags": func(m *transcript.Message) { m.Flags++ },
		"parents": func(m *transcript.Message) { m.Parents = nil }, "membership": func(m *transcript.Message) { m.Membership[0]++ },
		"border": func(m *transcript.Message) { m.Group, m.Author.Member = []byte("ga"), "" },
	} {
		other := m
		change(&other)
		if other.ID() == id {
			t.Errorf("%s is not bound", name)
		}
	}
	if transcript.MembershipHash([]string{"a", "b"}) != transcript.MembershipHash([]string{"b", "a", "b"}) || transcript.MembershipHash([]string{"ab"}) == transcript.MembershipHash([]string{"a", "b"}) {
		t.Error("membership hash")
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	m := w.says("alice", "text")
	w.arrives("bob", m, "")
	for _, test := range []struct {
		forwarded bool
		change    func(m *transcript.Message)
		want      string
	}{
		{false, func(m *transcript.Message) {}, "duplicate message: transcript: message " + m.ID().String()},
		{false, func(m *transcript.Message) { m.Counter = 0 }, "invalid message: transcript: counter 0"},
		{false, func(m *transcript.Message) { m.Counter = 2 }, "invalid message: transcript: message 2 of its author without a parent"},
		{false, func(m *transcript.Message) { m.Author.Member = "" }, "invalid message: transcript: author's name of 0 bytes, want 1 to 256"},
		{false, func(m *transcript.Message) { m.Author.Member = strings.Repeat("x", 257) }, "invalid message: transcript: author's name of 257 bytes, want 1 to 256"},
		{false, func(m *transcript.Message) { m.Parents = make([]transcript.ID, 9) }, "invalid message: transcript: 9 parents, want at most 8"},
		{false, func(m *transcript.Message) { m.Parents = make([]transcript.ID, 2) }, "invalid message: transcript: parent 0000000000000000 twice"},
		{true, func(m *transcript.Message) { m.Body = "invented" }, ""},
	} {
		x := *m
		test.change(&x)
		add := w.views["bob"].Add
		if test.forwarded {
			add = w.views["bob"].AddForwarded
			test.want = "invalid message: transcript: forwarded message " + x.ID().String() + " was cited by nobody"
		}
		before := w.views["bob"].Marshal()
		if _, err := add(&x, w.now); fmt.Sprint(err) != test.want || refusal.Of(err) == "" {
			t.Errorf("got %v, want %q", err, test.want)
		}
		if !bytes.Equal(before, w.views["bob"].Marshal()) {
			t.Error("a refusal changed the view")
		}
	}
}

func TestNewMembersMissNothingFromBefore(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	head := w.says("alice", "before")
	w.arrives("bob", head, "")
	w.members = append(w.members, "carol")
	w.views["carol"] = transcript.New(transcript.Author{Member: "carol", Device: 1}, head.ID())
	w.arrives("carol", w.says("bob", "welcome"), "")
}

func TestManyHeadsAreCitedEightAtATime(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	var all []*transcript.Message
	for i := range 12 { // twelve devices that do not know of each other
		all = append(all, &transcript.Message{Author: transcript.Author{Member: "bob", Device: uint32(i)}, Counter: 1, Body: fmt.Sprint(i)})
		w.arrives("alice", all[i], "")
	}
	first := w.says("alice", "first")
	second := w.says("alice", "second")
	if len(first.Parents) != 8 || len(second.Parents) != 5 || second.Parents[0] != first.ID() {
		t.Error(len(first.Parents), len(second.Parents))
	}
	if got := w.views["alice"].ConfirmedBy(all[0].ID(), w.members); strings.Join(got, " ") != "alice bob" {
		t.Error(got)
	}
}

func FuzzStored(f *testing.F) {
	v := transcript.New(transcript.Author{Member: "a"}, transcript.ID{1})
	v.Add(&transcript.Message{Author: transcript.Author{Member: "b"}, Counter: 1, Parents: []transcript.ID{{2}}}, time.Unix(1, 0))
	other := transcript.Message{Author: transcript.Author{Member: "c"}, Counter: 1}
	v.Add(&transcript.Message{Author: transcript.Author{Member: "b"}, Counter: 2, Parents: []transcript.ID{other.ID(), {9}}}, time.Unix(1, 0))
	v.AddForwarded(&other, time.Unix(1, 0))
	v.Add(&transcript.Message{Author: transcript.Author{Member: "a"}, Counter: 1}, time.Unix(1, 0))
	f.Add(v.Marshal())
	f.Add(v.MarshalKeptAll())
	v.Keep(2)
	v.Add(&transcript.Message{Author: transcript.Author{Member: "b"}, Counter: 3, Parents: []transcript.ID{{2}, other.ID()}}, time.Unix(1, 0))
	f.Add(v.Marshal())
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := transcript.Unmarshal(in)
		if err != nil {
			return
		}
		raw := v.Marshal()
		if again, err := transcript.Unmarshal(raw); err != nil || !bytes.Equal(again.Marshal(), raw) || in[0] == raw[0] && !bytes.Equal(in, raw) {
			t.Fatal("two forms of one view", err)
		}
		v.Keep(2)
		var m transcript.Message
		v.Next(&m)
		v.Add(&m, time.Unix(2, 0))
		v.Due(time.Unix(1e6, 0))
		v.Watermark([]string{"a", "b"})
		for _, c := range v.TakeCut() {
			v.ConfirmedCut(c, []string{"a", "b"})
		}
		for _, id := range v.Kept() {
			v.Vouchers(id)
		}
		v.Rename("a", "b")
	})
}
