package tui_test

import (
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// Events that come while a page is read are newer than it, and leave no hole in it.
func TestEventsWhileAPageIsRead(t *testing.T) {
	f := newFake()
	asked, answer := make(chan bool, 10), make(chan []*history.Message)
	f.set("listMessages", func(string) any {
		asked <- true
		return <-answer
	})
	s := f.screen(t, bob, 100, 30)
	s.until("the page is asked for", func() bool { return len(asked) == 1 })
	state := func(m *history.Message, is history.State) *history.Message {
		m.Delivery = map[string]history.Delivery{bob: {State: is}}
		return m
	}
	f.tells(client.Event{Type: client.EventUpdate, Conversation: bob, Message: wrote(2, bob, bob, "long ago, changed", 30)})
	f.tells(client.Event{Type: client.EventUpdate, Conversation: bob, Message: state(wrote(150, bob, me, "mine", 10), history.Read)})
	f.tells(client.Event{Type: client.EventGone, Conversation: bob, Message: wrote(151, bob, bob, "gone", 9)})
	f.tells(client.Event{Type: client.EventMessage, Conversation: bob, Message: wrote(160, bob, bob, "brand new", 1)})
	f.tells(client.Event{Type: client.EventTyping, Conversation: bob, Author: bob})
	s.shows("is writing") // so the others are taken in
	page := []*history.Message{}
	for seq := int64(53); seq < 153; seq++ {
		page = append(page, wrote(seq, bob, bob, "message "+pad(int(seq)), int(300-seq)))
	}
	page[97], page[98] = state(wrote(150, bob, me, "mine", 10), history.Sent), wrote(151, bob, bob, "gone", 9)
	answer <- page
	s.shows("mine  (read)", "message 152", "brand new")
	s.hides("gone", "(sent)")
	s.press("pgup", "pgup", "pgup", "pgup")
	s.until("the page before is asked for", func() bool { return len(asked) == 2 })
	if got := f.last("listMessages"); got != `{"before":53,"limit":100,"recipient":"+2000"}` {
		t.Error(got)
	}
	answer <- []*history.Message{wrote(1, bob, bob, "the first", 400), wrote(2, bob, bob, "long ago, changed", 30)}
	s.until("the first", func() bool {
		s.press("pgup")
		return inOrder(s.view(), "the first", "long ago, changed", "message 053")
	})
	// Much was missed: what is shown has no hole either.
	f.tells(client.Event{Type: client.EventCaughtUp})
	s.until("the newest are asked for", func() bool { return len(asked) == 3 })
	for i := range page {
		page[i] = wrote(int64(1000+i), bob, bob, "later "+pad(i), 100-i)
	}
	answer <- page
	s.press("ctrl+end")
	s.shows("later 099")
	s.press("pgup", "pgup", "pgup", "pgup", "pgup")
	s.until("what is before it is asked for", func() bool { return len(asked) == 4 })
	if got := f.last("listMessages"); got != `{"before":1000,"limit":100,"recipient":"+2000"}` {
		t.Error(got)
	}
	close(answer)
}

// inOrder tells whether texts follow one another.
func inOrder(view string, texts ...string) bool {
	for _, t := range texts {
		i := strings.Index(view, t)
		if i < 0 {
			return false
		}
		view = view[i:]
	}
	return true
}

// Where events are missing, everything is read anew.
func TestEventsThatAreLost(t *testing.T) {
	f := newFake()
	f.set("listMessages", []*history.Message{wrote(1, bob, bob, "before", 5)})
	s := f.screen(t, bob, 100, 20)
	s.shows("before", "Choir")
	f.set("listMessages", []*history.Message{wrote(1, bob, bob, "before, and changed", 5), wrote(2, bob, bob, "unheard of", 4)})
	f.set("listConversations", []rpc.Conversation{{Conversation: history.Conversation{ID: carol, Accepted: true, Unread: 7}, Name: "Carol"}})
	f.notices <- rpc.Notification{Method: rpc.Lost}
	s.shows("before, and changed", "unheard of", "(7)")
}
