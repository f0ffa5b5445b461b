package tui_test

import (
	"errors"
	"fmt"
	"image/color"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// From the list to a conversation and back, beside each other or one at a time.
func TestTheList(t *testing.T) {
	f := newFake()
	f.set("listMessages", []*history.Message{})
	s := f.screen(t, "", 100, 14)
	s.shows("Choir")
	s.golden("list.txt")
	s.types("crl")
	s.hides("Choir")
	s.shows("go to: crl", "Carol")
	s.press("enter")
	s.shows("Carol · unverified · REQUEST: /accept or /block")
	s.press("ctrl+g")
	s.types("zz")
	s.shows("Enter writes to zz")
	f.set("resolve", map[string]string{"conversation": "+4000"})
	s.press("enter")
	s.shows("+4000 · unverified")
	s.press("ctrl+g")
	s.types("+20")
	s.shows("Bob")
	s.hides("Choir")
	s.press("esc")
	s.types("+00") // digits of Bob's number in their order, and yet another number
	s.shows("Enter writes to +00")
	s.press("esc", "esc")
	s.press("alt+2")
	s.shows("Choir · unverified · 3: you, Bob, Carol")
	s.press("ctrl+n")
	s.shows("Carol · unverified")
	s.press("ctrl+n") // and round
	s.shows("Bob · unverified")
	s.press("ctrl+p")
	s.shows("Carol · unverified")
	s.enters("/go choir")
	s.shows("Choir · unverified")
	s.give(tea.WindowSizeMsg{Width: 40, Height: 14})
	s.hides("request")
	s.shows("Choir · unverified")
	s.press("esc")
	s.shows("go to:", "Bob", "Carol", "request")
	s.hides("unverified")
	s.give(tea.MouseClickMsg{Button: tea.MouseLeft, X: 3, Y: 5})
	s.shows("Carol · unverified")
	s.give(tea.MouseClickMsg{Button: tea.MouseLeft, X: 3, Y: 3}) // no list is there
	s.shows("Carol · unverified")
	s.press("ctrl+g")
	s.give(tea.MouseClickMsg{Button: tea.MouseLeft, X: 3, Y: 4})
	s.shows("Choir · unverified")
	s.press("esc")
	s.give(paste("ca\nrol"))
	s.shows("go to: ca rol")
	s.press("esc", "esc")
	s.shows("Choir · unverified")
}

// The list tells what is unread, in the window's title, too; what is muted does not.
func TestUnread(t *testing.T) {
	f := newFake()
	s := f.screen(t, bob, 100, 14)
	s.shows("Choir", "(3)")
	if got := s.m.View().WindowTitle; got != "messenger (4)" {
		t.Error(got)
	}
	f.set("listConversations", []rpc.Conversation{
		{Conversation: history.Conversation{ID: carol, Accepted: true, Unread: 7}, Name: "Carol", Last: wrote(30, carol, carol, "look here\nand there", 1)},
		{Conversation: history.Conversation{ID: choir, Accepted: true, Unread: 3, Muted: true}, Name: "Choir", Last: wrote(29, choir, bob, "la la", 2)},
		{Conversation: history.Conversation{ID: bob, Accepted: true}, Name: "Bob", Last: wrote(28, bob, me, "hm", 3)},
	})
	f.tells(client.Event{Type: client.EventMessage, Conversation: carol, Message: wrote(30, carol, carol, "look here", 1)})
	s.shows("(7)", "look here and there", "Bob: la la", "you: hm", "muted (3)")
	if got := s.m.View().WindowTitle; got != "messenger (7)" {
		t.Error(got)
	}
}

// What is in view is marked as read while the person looks, and not before.
func TestMarkingAsRead(t *testing.T) {
	f := newFake()
	one := wrote(5, bob, bob, "read me", 1)
	one.Seen = false
	f.set("listMessages", []*history.Message{wrote(4, bob, bob, "known", 2), one})
	s := f.screen(t, "", 100, 14)
	s.give(tea.BlurMsg{})
	s.shows("Bob")
	s.press("enter")
	s.shows("── new ──", "read me")
	if n := f.calls("markRead"); n != 0 {
		t.Errorf("it is marked as read %d times while nobody looks", n)
	}
	s.give(tea.FocusMsg{})
	s.until("it is marked", func() bool { return f.calls("markRead") == 1 })
	if got := f.last("markRead"); got != `{"recipient":"+2000","upTo":5}` {
		t.Error(got)
	}
	s.press("down", "down")
	if n := f.calls("markRead"); n != 1 {
		t.Errorf("it is marked %d times", n)
	}
}

// An old message that a search has found is read back to, and marked.
func TestSearchingFarBack(t *testing.T) {
	f := newFake()
	f.set("listMessages", func(params string) any {
		before, limit := numbers(params)
		if before == 0 {
			before = 3001
		}
		list := []*history.Message{}
		for seq := max(1, before-int64(limit)); seq < before; seq++ {
			list = append(list, wrote(seq, bob, bob, fmt.Sprintf("message %04d", seq), int(3001-seq)))
		}
		return list
	})
	f.set("searchMessages", []*history.Message{wrote(1234, bob, bob, "message 1234", 1767), wrote(77, bob, bob, "message 0077", 2924)})
	s := f.screen(t, bob, 100, 20)
	s.shows("message 3000", "Choir")
	s.enters("/search message")
	s.shows("2 found", "▌ 2026-11-27 07:03  Bob: message 1234")
	s.press("down")
	s.shows("▌ 2026-11-26 11:46  Bob: message 0077")
	s.press("up", "enter")
	s.shows("▌ 07:03 Bob: message 1234")
	s.give(tea.MouseWheelMsg{Button: tea.MouseWheelUp})
	s.give(tea.MouseWheelMsg{Button: tea.MouseWheelUp})
	s.shows("message 1229")
	s.press("esc")
	s.shows("message 3000")
	n := f.calls("listMessages") // what is far from the end is forgotten, and read again when it is wanted
	s.until("message 2301", func() bool { s.press("pgup"); return strings.Contains(s.view(), "message 2301") })
	if f.calls("listMessages") < n+2 {
		t.Error("it was not forgotten")
	}
	s.press("esc")
	s.shows("message 3000")
	f.set("searchMessages", []*history.Message{wrote(3500, bob, bob, "gone", 1)})
	s.enters("/search gone")
	s.shows("1 found")
	s.press("enter")
	s.shows("that message is not here any more")
}

// A panel in a window that has no room for it.
func TestAPanelWithoutRoom(t *testing.T) {
	f := newFake()
	f.set("searchMessages", []*history.Message{wrote(1, bob, bob, "one", 1), wrote(2, bob, bob, "two", 1)})
	s := f.screen(t, bob, 100, 20)
	s.shows("Choir")
	s.enters("/search o")
	s.shows("2 found")
	for height := range 8 {
		s.give(tea.WindowSizeMsg{Width: 100, Height: height})
		s.press("down")
		s.fits()
		s.press("up")
		s.fits()
	}
}

// A light ground gets darker letters.
func TestDarkAndLight(t *testing.T) {
	f := newFake()
	f.set("listMessages", everything())
	s := f.screen(t, bob, 100, 34)
	s.shows("another")
	dark := s.m.View().Content
	s.give(tea.BackgroundColorMsg{Color: color.White})
	light := s.m.View().Content
	if dark == light {
		t.Error("it looks the same on both")
	}
	s.give(tea.BackgroundColorMsg{Color: color.Black})
	if s.m.View().Content != dark {
		t.Error("it does not become dark again")
	}
}

// A group says who is who.
func TestAGroup(t *testing.T) {
	f := newFake()
	f.set("listContacts", []client.Contact{{Number: bob, Name: "Bob", Trust: "verified"}, {Number: carol, Name: "Carol"}})
	s := f.screen(t, choir, 100, 14)
	s.shows("Choir · 1 of 2 verified · 3: you, Bob, Carol")
	s.enters("/members")
	s.shows("Bob                       +2000, verified, admin", "Carol                     +3000, unverified", "you                       +1000")
	s.press("esc")
	f.set("listContacts", []client.Contact{{Number: bob, Name: "Bob", Trust: "verified"}, {Number: carol, Name: "Carol", Held: true}})
	f.tells(client.Event{Type: client.EventConversation, Conversation: carol})
	s.shows("SAFETY NUMBER CHANGED of 1")
	s.enters("la")
	s.shows("The safety number of Carol has changed")
	s.types("h")
	s.until("it is handed over", func() bool { return len(f.changes()) == 1 })
	if got := f.changes()[0]; !strings.HasPrefix(got, `send {"groupId":"`+choir+`"`) {
		t.Error(got)
	}
}

// Who writes is shown until he stops, or his message is there.
func TestWhoWrites(t *testing.T) {
	f := newFake()
	s := f.screen(t, choir, 100, 14)
	s.shows("Choir · ")
	f.tells(client.Event{Type: client.EventTyping, Conversation: choir, Author: bob})
	s.shows("Bob is writing…")
	f.tells(client.Event{Type: client.EventTyping, Conversation: choir, Author: carol})
	s.shows("Bob, Carol are writing…")
	f.tells(client.Event{Type: client.EventTyping, Conversation: choir, Author: bob, Stopped: true})
	s.shows("Carol is writing…")
	f.tells(client.Event{Type: client.EventMessage, Conversation: choir, Message: wrote(40, choir, carol, "done", 0)})
	s.shows("Carol: done")
	s.hides("writing")
}

// Whose word a key is believed on is said, and who has named another one.
func TestIntroductions(t *testing.T) {
	f := newFake()
	f.set("listContacts", []client.Contact{{Number: bob, Name: "Bob", Introduced: &client.IntroducedBy{Number: carol, Name: "Carol"}}, {Number: carol, Name: "Carol"}})
	s := f.screen(t, bob, 150, 20)
	s.shows("Bob · introduced by Carol")
	f.set("listContacts", []client.Contact{{Number: bob, Name: "Bob", Held: true, Doubt: carol}, {Number: carol, Name: "Carol"}})
	f.tells(client.Event{Type: client.EventConversation, Conversation: bob})
	s.shows("Bob · SAFETY NUMBER IN DOUBT")
	s.enters("the secret")
	s.shows("Carol has introduced Bob by another key than the one here", "[ctrl+y] accept it")
	f.set("listIdentities", []map[string]any{{"number": bob, "trustLevel": "UNTRUSTED", "safetyNumber": "12345", "doubt": carol}})
	s.types("v")
	s.shows("IN DOUBT: nothing is sent until you verify or accept it, for Carol has introduced")
	if got := f.changes(); len(got) != 1 || !strings.HasPrefix(got[0], "listIdentities") {
		t.Errorf("asked %q", got)
	}
}

// Nobody is taken for another one by what he calls himself.
func TestBorrowedNames(t *testing.T) {
	f := newFake()
	f.set("listContacts", []client.Contact{{Number: bob, Name: "Bob"}, {Number: carol, ProfileName: "bob"}, {Number: "+4000", ProfileName: "You"}, {Number: "+5000", Name: "Eve"}, {Number: "+6000", Name: "eve"}})
	f.set("listMessages", []*history.Message{wrote(1, choir, bob, "one", 4), wrote(2, choir, carol, "two", 3), wrote(3, choir, "+4000", "three", 2), wrote(4, choir, me, "four", 1),
		wrote(5, choir, "+5000", "five", 1), wrote(6, choir, "+6000", "six", 1)})
	s := f.screen(t, choir, 100, 14)
	s.shows("Bob: one", "bob …3000: two", "You …4000: three", "you: four", "Eve …5000: five", "eve …6000: six")
}

// A message that comes in moves its conversation up, and not what is chosen.
func TestTheListMoves(t *testing.T) {
	f := newFake()
	s := f.screen(t, "", 100, 14)
	s.shows("Choir")
	f.set("listConversations", []rpc.Conversation{
		{Conversation: history.Conversation{ID: carol, Accepted: true, Unread: 7}, Name: "Carol"},
		{Conversation: history.Conversation{ID: bob, Accepted: true}, Name: "Bob"},
		{Conversation: history.Conversation{ID: choir, Accepted: true}, Name: "Choir"},
	})
	f.tells(client.Event{Type: client.EventMessage, Conversation: carol, Message: wrote(30, carol, carol, "look here", 1)})
	s.shows("(7)")
	s.press("enter")
	s.shows("Bob · unverified")
}

// Without the server it says so, and why.
func TestNoConnection(t *testing.T) {
	f := newFake()
	s := f.screen(t, bob, 150, 14)
	s.shows("Choir")
	f.set("status", rpc.Status{State: "open", Number: me, Version: "1.4.0"})
	f.tells(client.Event{Type: client.EventConnection, Why: "no such host\x1b[2J"})
	s.shows("no connection to the server; what you write is queued: no such host[2J")
	s.tame()
	f.set("status", rpc.Status{State: "open", Number: me, Version: "1.4.0", Connected: true})
	f.tells(client.Event{Type: client.EventConnection, Connected: true})
	s.hides("no connection")
}

// The code is drawn light on dark, on a light ground, too, and whoever has too small a window is told.
func TestTheCode(t *testing.T) {
	f := newFake()
	f.set("listIdentities", []map[string]any{{"number": bob, "safetyNumber": "12345", "scannableSafetyNumber": []byte("some bytes")}})
	o := options(f)
	o.With = bob
	o.QR = func(text string) (string, error) {
		if text != "some bytes" {
			return "", errors.New("not these: " + text)
		}
		return strings.Repeat("▀▄█ ▀▄█ ▀▄█ ▀▄█ \n", 12), nil
	}
	s := newScreen(t, o, 100, 30)
	s.shows("Choir")
	s.enters("/verify qr")
	s.shows("safety number with Bob", "  ▀▄█ ▀▄█ ▀▄█ ▀▄█ ")
	dark := s.m.View().Content
	s.press("esc")
	s.give(tea.BackgroundColorMsg{Color: color.White})
	s.enters("/verify qr")
	s.shows("▀▄█ ▀▄█")
	if reversed := "\x1b[7m▀▄█"; strings.Contains(dark, reversed) || !strings.Contains(s.m.View().Content, reversed) {
		t.Errorf("%q", s.m.View().Content)
	}
	s.press("esc")
	s.give(tea.WindowSizeMsg{Width: 100, Height: 12})
	s.enters("/verify qr")
	s.shows("the window is too small for the code: it needs 0 columns and 4 lines more")
	s.press("esc")
	s.give(tea.WindowSizeMsg{Width: 100, Height: 16})
	s.enters("/verify qr")
	s.until("all of it", func() bool { return strings.Count(s.view(), "▀▄█ ▀▄█ ▀▄█ ▀▄█") == 12 })
}
