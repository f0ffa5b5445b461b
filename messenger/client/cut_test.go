package client_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/record"
	"github.com/countersign-project/countersign/messenger/transcript"
)

// unhurt wants a group in which nothing is missing, and nobody is said to have told different things.
func (d *device) unhurt(id string) {
	d.Helper()
	if err := client.ShowGapsForTest(d.Context(), d.acc); err != nil {
		d.Fatal(err)
	}
	c, err := d.acc.Consistency(d.Context(), id)
	if err != nil || c.Missing != 0 {
		d.Errorf("%s: %+v, %v", d.name, c, err)
	}
	for _, line := range d.conversation(id) {
		if line == "[gap]" || line == "[equivocation]" {
			d.Errorf("%s is shown %s", d.name, line)
		}
	}
}

// shows waits until a conversation ends with a text.
func (d *device) shows(id, text string) {
	d.Helper()
	d.waitFor(d.name+" to see "+text, func() bool { return strings.HasSuffix(strings.Join(d.conversation(id), "|"), text) })
}

// Bob writes while he is away; until his words arrive, more has been said than a transcript keeps. They answer what was cut. Nobody misses anything, and in
// the end everybody has seen everything.
func TestALateWordInALongConversation(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
	id := alice.founds("friends", bob, carol)
	first := alice.says(id, "how are you?")
	bob.shows(id, "how are you?")
	carol.shows(id, "how are you?")
	bob.offline()
	bob.says(id, "fine")
	for i := range transcript.Window + 10 {
		alice.says(id, fmt.Sprint(i))
	}
	last := fmt.Sprint(transcript.Window + 9)
	carol.shows(id, last)
	cut, size, err := client.CutsForTest(t.Context(), carol.acc, id)
	if err != nil || cut != 11 || size > 150*transcript.Window {
		t.Errorf("%d were cut, %d bytes are kept, %v", cut, size, err)
	}
	bob.online()
	alice.shows(id, "fine")
	carol.shows(id, "fine")
	bob.waitFor("all that was said", func() bool { return slices.Contains(bob.conversation(id), last) })
	bob.says(id, "what a lot you have said")
	alice.shows(id, "what a lot you have said")
	carol.shows(id, "what a lot you have said")
	said := carol.says(id, "indeed")
	alice.shows(id, "indeed")
	bob.shows(id, "indeed")
	w.later(6*time.Second, alice, bob, carol) // longer than a gap is not shown
	for _, d := range []*device{alice, bob, carol} {
		d.unhurt(id)
	}
	for _, d := range []*device{alice, carol} {
		c, err := d.acc.Consistency(t.Context(), id)
		if err != nil || c.SeenByAll < first.Timestamp {
			t.Errorf("%s: everybody has seen everything up to %d, want at least %d, %v", d.name, c.SeenByAll, first.Timestamp, err)
		}
	}
	bob.says(id, "bye")
	alice.shows(id, "bye")
	if c, err := alice.acc.Consistency(t.Context(), id); err != nil || c.SeenByAll < said.Timestamp {
		t.Errorf("everybody has seen everything up to %d, want at least %d, %v", c.SeenByAll, said.Timestamp, err)
	}
	if by, err := alice.acc.ConfirmedBy(t.Context(), first.Seq); err != nil || len(by) != 3 {
		t.Error("confirmed by", by, err)
	}
}

// keptAll is a transcript as it was stored before anything was cut (version 2): of one who has not spoken, with n messages of a member, each the answer to
// the one before.
func keptAll(self, author transcript.Author, n int) []byte {
	var w record.Writer
	put := func(a transcript.Author) {
		w.Var([]byte(a.Member))
		w.U32(a.Device)
		w.U64(a.Install)
	}
	w.U8(2)
	put(self)
	w.U32(0)
	w.U32(uint32(n))
	for i := range n {
		w.Fixed(chained(i))
		put(author)
		w.U64(uint64(i + 1))
		w.U64(uint64(i + 1))
		w.Bool(false)
		w.U32(uint32(min(i, 1)))
		if i > 0 {
			w.Fixed(chained(i - 1))
		}
	}
	w.U32(0)
	return w.Bytes()
}

func chained(i int) []byte {
	id := make([]byte, 32)
	copy(id, fmt.Sprint("message ", i))
	return id
}

// An account that has kept everything cuts at its next connection, and goes on.
func TestATranscriptThatWasNeverCut(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	id := bob.founds("friends", alice)
	bob.says(id, "hello")
	alice.shows(id, "hello")
	alice.offline()
	own, err := alice.acc.Own(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	self := transcript.Author{Member: own.Number, Device: own.Device, Install: own.Install}
	const n = 3 * transcript.Window
	if err := client.StoreTranscriptForTest(t.Context(), alice.acc, id, keptAll(self, transcript.Author{Member: bob.number, Device: 7, Install: 7}, n)); err != nil {
		t.Fatal(err)
	}
	alice.reopen()
	alice.online()
	alice.waitFor("the cut", func() bool {
		cut, size, err := client.CutsForTest(t.Context(), alice.acc, id)
		return err == nil && cut == n-transcript.Window && size < 150*transcript.Window
	})
	bob.says(id, "are you there?")
	alice.shows(id, "are you there?")
	alice.says(id, "yes")
	bob.shows(id, "yes")
	w.later(6*time.Second, alice)
	alice.unhurt(id)
}

// A transcript that does not read keeps nothing out: what comes is shown and acknowledged, and what is sent is no lie.
func TestATranscriptThatDoesNotRead(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	id := bob.founds("friends", alice)
	bob.says(id, "hello")
	alice.shows(id, "hello")
	alice.says(id, "hello, Bob")
	bob.shows(id, "hello, Bob")
	alice.offline()
	if err := client.StoreTranscriptForTest(t.Context(), alice.acc, id, []byte{99}); err != nil {
		t.Fatal(err)
	}
	bob.says(id, "are you there?")
	alice.online()
	alice.shows(id, "are you there?")
	alice.says(id, "yes")
	bob.shows(id, "yes")
	bob.says(id, "good")
	alice.shows(id, "good")
	w.later(6*time.Second, alice, bob)
	for _, d := range []*device{alice, bob} {
		d.unhurt(id)
	}
	alice.offline()
	if err := client.StoreTranscriptForTest(t.Context(), alice.acc, id, []byte{99}); err != nil {
		t.Fatal(err)
	}
	alice.says(id, "one more") // whoever speaks first
	alice.online()
	bob.shows(id, "one more")
	bob.unhurt(id)
}
