package tui_test

import (
	"testing"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/tui"
)

// What one has begun to write is there again after another conversation, after leaving, and in another program.
func TestDrafts(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("Alice"), w.person("Bob")
	a := alice.screen(bob.number, 110, 24)
	a.shows("> write here")
	a.enters("hello")
	a.shows("you: hello")
	a.types("half a sen")
	a.enters("tence")
	a.shows("you: half a sentence")
	a.types("the next one")
	a.press("ctrl+g")
	a.enters("note")
	a.shows("Nothing was said yet.")
	a.press("ctrl+g")
	a.enters(bob.number)
	a.shows("> the next one")
	a.types(" grows")
	a.enters("")
	a.shows("you: the next one grows")
	a.types("and this is for later")
	a.give(tui.Tick())
	a.until("it is kept", func() bool {
		var list []rpc.Conversation
		alice.does("listConversations", map[string]any{"recipient": bob.number}, &list)
		return list[0].Draft == "and this is for later"
	})
	a = alice.screen(bob.number, 110, 24) // the first was closed
	a.shows("> and this is for later")
	a.enters("")
	a.shows("you: and this is for later")
	a.press("ctrl+c")
	a.until("it ends", func() bool { return a.quit })
	a = alice.screen(bob.number, 110, 24)
	a.shows("you: and this is for later", "> write here")
}

// A command is no draft, nor is what is changed of a message that was sent.
func TestWhatIsNoDraft(t *testing.T) {
	f := newFake()
	f.set("listMessages", []*history.Message{wrote(6, bob, me, "sent", 30)})
	s := f.screen(t, bob, 100, 20)
	s.shows("Choir", "sent")
	s.types("/mem")
	s.press("alt+2", "alt+1")
	s.press("ctrl+c") // empties the field
	s.enters("/edit")
	s.shows("> sent")
	s.types(" and changed")
	s.give(tui.Tick())
	s.press("alt+2", "alt+1")
	s.press("esc")
	s.types("a draft")
	s.give(tui.Tick())
	kept := func() []string {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.reads["setDraft"]
	}
	s.until("a draft is kept", func() bool { return len(kept()) > 0 })
	if got := kept(); len(got) != 1 || got[0] != `{"message":"a draft","recipient":"+2000"}` {
		t.Errorf("kept: %q", got)
	}
}
