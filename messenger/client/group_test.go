package client_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/group"
)

func TestAGroupTalks(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
	id := alice.founds("choir", bob, carol)
	m := alice.says(id, "rehearsal at eight")
	for _, d := range []*device{bob, carol} {
		d.sees(id, "[group]", "rehearsal at eight")
		if err := d.acc.Accept(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	bob.says(id, "I will be late")
	carol.sees(id, "[group]", "rehearsal at eight", "I will be late")
	alice.sees(id, "[group]", "rehearsal at eight", "I will be late")
	alice.state(alice.says(id, "see you"), history.Delivered)
	if err := carol.acc.React(t.Context(), id, alice.number, m.Timestamp, "🎶", false); err != nil {
		t.Fatal(err)
	}
	w.waitFor("a reaction at Bob's", func() bool {
		got, _ := bob.acc.Find(t.Context(), alice.number, m.Timestamp)
		return len(got.Reactions) == 1
	})
	// Everybody has answered, so everybody has seen everything so far.
	carol.says(id, "bye")
	bob.sees(id, "[group]", "rehearsal at eight", "I will be late", "see you", "bye")
	alice.sees(id, "[group]", "rehearsal at eight", "I will be late", "see you", "bye")
	bob.says(id, "bye bye")
	alice.sees(id, "[group]", "rehearsal at eight", "I will be late", "see you", "bye", "bye bye")
	c, err := alice.acc.Consistency(t.Context(), id)
	if err != nil || c.Missing != 0 || c.SeenByAll < m.Timestamp {
		t.Errorf("%+v, %v", c, err)
	}
	by, err := alice.acc.ConfirmedBy(t.Context(), m.Seq)
	if err != nil || len(by) != 3 {
		t.Error(by, err)
	}
}

func TestMembersComeAndGo(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
	id := alice.founds("choir", bob)
	alice.says(id, "before Carol")
	bob.sees(id, "[group]", "before Carol")
	if err := bob.acc.ChangeGroup(t.Context(), id, func(g *group.State, self string) error { return g.Add(self, carol.number) }); err == nil {
		t.Error("Bob is no admin and adds")
	}
	alice.changes(id, func(g *group.State, self string) error { return g.Add(self, carol.number) })
	carol.memberOf(id, 3)
	bob.memberOf(id, 3)
	bob.says(id, "welcome")
	carol.sees(id, "[group]", "welcome") // nothing of before, and nothing reported missing
	alice.sees(id, "[group]", "before Carol", "[group]", "welcome")
	carol.says(id, "thanks")
	for _, d := range []*device{alice, bob} { // while she is a member
		d.sees(id, "[group]", "before Carol", "[group]", "welcome", "thanks")
	}
	alice.changes(id, func(g *group.State, _ string) error { g.Rename(alice.number, "chorus"); return nil })
	bob.waitFor("the new name", func() bool { g, _ := bob.acc.Group(t.Context(), id); return g.Name == "chorus" })
	// Carol is removed while Bob is away; his late words do not bring her back.
	bob.offline()
	alice.changes(id, func(g *group.State, self string) error { return g.Remove(self, carol.number) })
	carol.memberOf(id, 2)
	if _, err := carol.acc.Group(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	bob.online()
	bob.memberOf(id, 2)
	bob.says(id, "without her")
	alice.waitFor("Bob's word", func() bool { return strings.HasSuffix(strings.Join(alice.conversation(id), "|"), "without her") })
	bob.says(carol.number, "you are out") // after whatever he has sent her before
	carol.sees(bob.number, "you are out")
	if got := strings.Join(carol.conversation(id), "|"); strings.Contains(got, "without her") {
		t.Error("Carol reads on:", got)
	}
	if err := bob.acc.Leave(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	alice.memberOf(id, 1)
	if _, err := bob.acc.Send(t.Context(), draft(id, "too late")); err == nil || err.Error() != `you are not a member of "chorus" any more` {
		t.Error(err)
	}
}

// The acceptance scene: to everyone but Alice, Bob asks one thing, to Alice another; Alice's answer is seen by all as an answer to something they did
// not receive. Bob's program would not do that, so the scene is played with two of Bob's devices' stores: what goes to Alice was written in
// another copy of his account.
func TestTwoQuestionsOneAnswer(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol, dave := w.person("alice"), w.person("bob"), w.person("carol"), w.person("dave")
	id := bob.founds("friends", alice, carol, dave)
	bob.says(id, "good evening")
	for _, d := range []*device{alice, carol, dave} {
		d.sees(id, "[group]", "good evening")
	}
	w.stop() // so that no gap is shown before its time
	bob.idle()
	bob.close()
	before := copyOf(t, bob.dir)
	// One question, kept from Alice by the liar's own hand: her copy does not leave his house.
	bob.restore(before)
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		return drop(rw, r, alice.number)
	})
	bob.online()
	bob.state(bob.says(id, "shall we meet at noon?"), history.Sent) // to everybody: nothing is on its way that the next liar would let through
	carol.sees(id, "[group]", "good evening", "shall we meet at noon?")
	dave.sees(id, "[group]", "good evening", "shall we meet at noon?")
	bob.close()
	// The other, for Alice alone, from the same place in the conversation.
	w.later(time.Second) // messages are told apart by their time
	bob.restore(before)
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		return drop(rw, r, carol.number) || drop(rw, r, dave.number)
	})
	bob.online()
	bob.state(bob.says(id, "shall we give all our money to Bob?"), history.Sent)
	alice.sees(id, "[group]", "good evening", "shall we give all our money to Bob?")
	bob.offline()
	w.hostile(nil)
	alice.says(id, "yes")
	for _, d := range []*device{carol, dave} {
		d.sees(id, "[group]", "good evening", "shall we meet at noon?", "yes")
	}
	w.later(6*time.Second, carol, dave) // longer than a gap is not shown
	for _, d := range []*device{carol, dave} {
		d.sees(id, "[group]", "good evening", "shall we meet at noon?", "yes", "[gap]")
		if got, want := d.notice(id, "gap"), alice.number+" answered something you have not received. It is asked for."; got != want {
			t.Errorf("%s reads %q", d.name, got)
		}
	}
	// Asked, Alice sends on what she answered: the lie is out.
	if err := carol.acc.AskForMissing(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%s told members of this group different things under one number: here %q, and %q. One of them came from %s only, who could have made it up.",
		bob.number, "shall we give all our money to Bob?", "shall we meet at noon?", alice.number)
	if got := carol.notice(id, "equivocation"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// Both are kept, and who is known to have which: the one came from Bob's own hand, and Alice has answered the other.
	list, err := carol.acc.Messages(t.Context(), id, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	seen := ""
	for _, m := range list {
		told, err := carol.acc.Told(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range told {
			seen += fmt.Sprintf("%s: %s\n", v.Message.Body, strings.Join(v.ConfirmedBy, " "))
		}
	}
	if want := fmt.Sprintf("shall we give all our money to Bob?: %s\nshall we meet at noon?: %s\n", alice.number, bob.number); seen != want {
		t.Errorf("got  %s\nwant %s", seen, want)
	}
}

// drop swallows messages to a number: the server says it has them.
func drop(rw http.ResponseWriter, r *http.Request, number string) bool {
	if r.Method != "PUT" || r.URL.Path != "/v1/messages/"+number {
		return false
	}
	_, _ = io.Copy(io.Discard, r.Body)
	rw.Header().Set("Content-Type", "application/json")
	fmt.Fprint(rw, `{"needsSync":false}`)
	return true
}

// A server that loses a message is found out by the next, and what was lost is got back from those who have it.
func TestALostMessageIsAskedFor(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
	id := alice.founds("friends", bob, carol)
	w.stop() // so that no gap is shown before its time
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool { return drop(rw, r, carol.number) })
	lost := alice.says(id, "the server does not want Carol to read this")
	bob.sees(id, "[group]", "the server does not want Carol to read this")
	alice.state(lost, history.Sent)
	w.hostile(nil)
	bob.says(id, "neither do I")
	carol.sees(id, "[group]", "neither do I")
	w.later(6*time.Second, carol)
	carol.sees(id, "[group]", "neither do I", "[gap]")
	w.skew.Add(int64(3 * time.Minute)) // she asks by herself after two
	carol.reopen()
	carol.online()
	carol.sees(id, "[group]", "neither do I", "[gap-filled]", "the server does not want Carol to read this")
	list, _ := carol.acc.Messages(t.Context(), id, 0, 1)
	if len(list[0].Vouchers) == 0 && list[0].Author != alice.number {
		t.Errorf("%+v", list[0])
	}
}

func TestMessagesOfAnUnknownGroup(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	var first atomic.Bool
	first.Store(true)
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool { // the word of the group's making is lost
		return r.Method == "PUT" && r.URL.Path == "/v1/messages/"+bob.number && first.CompareAndSwap(true, false) && drop(rw, r, bob.number)
	})
	id, err := alice.acc.CreateGroup(t.Context(), "choir", []string{bob.number})
	if err != nil {
		t.Fatal(err)
	}
	w.waitFor("the loss", func() bool { return !first.Load() })
	alice.says(id, "sing")
	bob.memberOf(id, 2) // he has asked, and was told
	bob.sees(id, "sing", "[group]")
}

// From 20 other members on, a message is encrypted once.
func TestALargeGroupUsesSenderKeys(t *testing.T) {
	if testing.Short() {
		t.Skip("registers 22 people")
	}
	w := newWorld(t)
	alice := w.person("alice")
	var others []*device
	for i := range 21 {
		d := w.person(fmt.Sprint("member ", i))
		others = append(others, d)
	}
	id := alice.founds("village", others...)
	var single, multi atomic.Int64
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == "PUT" && strings.HasPrefix(r.URL.Path, "/v1/messages/") && strings.HasPrefix(r.UserAgent(), "Countersign") {
			single.Add(1)
		}
		if r.Method == "PUT" && r.URL.Path == "/v3/messages" {
			multi.Add(1)
		}
		return false
	})
	alice.state(alice.says(id, "one"), history.Sent)
	if multi.Load() != 1 || single.Load() < 21 {
		t.Errorf("%d group messages, %d single ones: want 1, and the key for each", multi.Load(), single.Load())
	}
	for _, d := range others {
		d.sees(id, "[group]", "one")
	}
	single.Store(0)
	multi.Store(0)
	alice.state(alice.says(id, "two"), history.Sent)
	if multi.Load() != 1 || single.Load() != 0 {
		t.Errorf("%d group messages, %d single ones: want 1 and 0", multi.Load(), single.Load())
	}
	// Who has left does not read on: there is a new key for the rest.
	gone := others[20]
	alice.changes(id, func(g *group.State, self string) error { return g.Remove(self, gone.number) })
	gone.memberOf(id, 21)
	alice.state(alice.says(id, "three"), history.Sent)
	others[0].sees(id, "[group]", "one", "two", "[group]", "three")
	alice.says(gone.number, "you are out") // after whatever she has sent him before
	gone.sees(alice.number, "you are out")
	if got := strings.Join(gone.conversation(id), "|"); strings.Contains(got, "three") {
		t.Error("the member who was removed reads on:", got)
	}
}

// A blocked member's words are not shown, and leave no gap where others answer them: none at all if they were here before the answer, none that stays
// open if they came after it.
func TestABlockedMember(t *testing.T) {
	w := newWorld(t)
	alice, bob, mallory := w.person("alice"), w.person("bob"), w.person("mallory")
	id := alice.founds("friends", bob, mallory)
	if err := bob.acc.Block(t.Context(), mallory.number, true); err != nil {
		t.Fatal(err)
	}
	mallory.state(mallory.says(id, "buy this"), history.Sent) // to everybody: it is in front of what follows
	alice.sees(id, "[group]", "buy this")
	alice.says(id, "no, thank you")
	bob.sees(id, "[group]", "no, thank you")
	w.later(6 * time.Second) // longer than a gap is not shown
	if err := client.ShowGapsForTest(t.Context(), bob.acc); err != nil {
		t.Fatal(err)
	}
	bob.sees(id, "[group]", "no, thank you")
	if c, err := bob.acc.Consistency(t.Context(), id); err != nil || c.Missing != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	// Now his words to Bob take their time.
	var late atomic.Pointer[http.Request]
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		if name, _, _ := r.BasicAuth(); !strings.HasPrefix(name, mallory.number) || r.Method != "PUT" || r.URL.Path != "/v1/messages/"+bob.number {
			return false
		}
		body, _ := io.ReadAll(r.Body)
		again, _ := http.NewRequest(r.Method, w.web.URL+r.URL.Path, bytes.NewReader(body))
		again.Header = r.Header.Clone()
		late.Store(again)
		return drop(rw, r, bob.number)
	})
	mallory.state(mallory.says(id, "buy that"), history.Sent)
	w.hostile(nil)
	alice.sees(id, "[group]", "buy this", "no, thank you", "buy that")
	alice.says(id, "stop it")
	bob.sees(id, "[group]", "no, thank you", "stop it")
	w.later(6*time.Second, bob)
	bob.sees(id, "[group]", "no, thank you", "stop it", "[gap]")
	if answer, err := http.DefaultClient.Do(late.Load()); err != nil || answer.StatusCode != 200 {
		t.Fatal(answer, err)
	}
	bob.sees(id, "[group]", "no, thank you", "stop it", "[gap-filled]")
}

// Who joins is told where the conversation stands, by hashes; asking for what they stand for does not help him.
func TestNewcomersGetNoHistory(t *testing.T) {
	w := newWorld(t)
	alice, bob, mallory := w.person("alice"), w.person("bob"), w.person("mallory")
	id := alice.founds("friends", bob)
	m := alice.says(id, "not for Mallory's eyes")
	bob.sees(id, "[group]", "not for Mallory's eyes")
	w.later(5 * time.Millisecond) // times are told apart by milliseconds
	alice.changes(id, func(g *group.State, self string) error { return g.Add(self, mallory.number) })
	mallory.memberOf(id, 3)
	if err := client.AskForTest(t.Context(), mallory.acc, id, alice.number, m.Transcript); err != nil {
		t.Fatal(err)
	}
	mallory.says(id, "I have asked")
	alice.waitFor("Mallory", func() bool { return strings.HasSuffix(strings.Join(alice.conversation(id), "|"), "I have asked") })
	alice.says(id, "hello Mallory") // after whatever she sends for that
	mallory.sees(id, "[group]", "I have asked", "hello Mallory")
	if log := mallory.log.String(); strings.Contains(log, "forwarded message") { // her own program refuses it; another might not
		t.Error("the message was sent to her:", log)
	}
}

// A group's picture comes to all, to who joins later too, and survives that the server forgets it; what is no picture is not set, and not shown.
func TestAGroupHasAPicture(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
	id := alice.founds("choir", bob)
	bob.memberOf(id, 2)
	picture := func(seed byte) []byte {
		return append([]byte("\x89PNG\r\n\x1a\n"), bytes.Repeat([]byte{seed}, 5000)...)
	}
	shows := func(d *device, want []byte) {
		t.Helper()
		w.waitFor(fmt.Sprintf("a picture of %d bytes at %s's", len(want), d.number), func() bool {
			p, err := d.acc.Picture(t.Context(), id)
			return err == nil && (p == nil && want == nil || p != nil && bytes.Equal(p.Data, want) && p.Type == "image/png")
		})
	}
	set := func(d *device, data []byte) {
		t.Helper()
		var u *client.Uploaded
		if data != nil {
			var err error
			if u, err = d.acc.UploadPicture(t.Context(), data); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.acc.SetPicture(t.Context(), id, u); err != nil {
			t.Fatal(err)
		}
	}
	for what, data := range map[string][]byte{
		"the file is no picture: it looks like text/html, want PNG, JPEG, GIF or WebP": []byte("<html><script>alert(1)</script>"),
		"a picture of 1048577 bytes, want at most 1048576":                             append(picture(1), make([]byte, client.MaxPicture+1-len(picture(1)))...),
	} {
		if _, err := alice.acc.UploadPicture(t.Context(), data); err == nil || err.Error() != what {
			t.Errorf("got %v, want %s", err, what)
		}
	}
	set(alice, picture(1))
	shows(alice, picture(1))
	shows(bob, picture(1))
	alice.changes(id, func(g *group.State, self string) error { return g.Add(self, carol.number) })
	shows(carol, picture(1))
	bob.memberOf(id, 3)  // so that he tells her, too
	set(bob, picture(2)) // no admin, but a member
	shows(alice, picture(2))
	shows(carol, picture(2))
	set(alice, nil)
	shows(bob, nil)
	shows(carol, nil)
	if got := alice.notice(id, "group"); got != "You removed the picture." {
		t.Error(got)
	}
	if err := carol.acc.SetPicture(t.Context(), "group:00000000000000000000000000000000", nil); err == nil || err.Error() != "you are not a member of this group" {
		t.Error(err)
	}
}
