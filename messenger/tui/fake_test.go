package tui_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/tui"
)

// fake is an account that answers what a test says, and notes what it is asked.
type fake struct {
	mu      sync.Mutex
	answers map[string]any      // by method; an error is one, a func() any is called
	asked   []string            // mu; method and parameters of what changes something
	reads   map[string][]string // mu; parameters of the rest, by method
	notices chan rpc.Notification
}

// now is the time of tests with a fake account.
var now = time.Date(2026, 11, 28, 12, 30, 0, 0, time.UTC)

const (
	me    = "+1000"
	bob   = "+2000"
	carol = "+3000"
	choir = "group:00112233445566778899aabbccddeeff"
)

// reading are the methods that change nothing.
var reading = map[string]bool{"status": true, "listContacts": true, "listGroups": true, "listConversations": true, "listMessages": true, "markRead": true, "sendTyping": true, "setDraft": true}

func newFake() *fake {
	contact := func(number, name string) rpc.Contact {
		return rpc.Contact{Contact: client.Contact{Number: number, Name: name, Accepted: true}}
	}
	return &fake{notices: make(chan rpc.Notification, 100), reads: map[string][]string{}, answers: map[string]any{
		"status":       rpc.Status{State: "open", Number: me, Connected: true, Version: "1.4.0"},
		"listContacts": []rpc.Contact{contact(bob, "Bob"), contact(carol, "Carol")},
		"listGroups": []rpc.Group{{ID: "ABEiM0RVZneImaq7zN3u/w==", Name: "Choir", IsMember: true, Conversation: choir,
			Members: []map[string]string{{"number": me}, {"number": bob}, {"number": carol}}, Admins: []map[string]string{{"number": bob}}}},
		"listConversations": []rpc.Conversation{
			{Conversation: history.Conversation{ID: bob, Accepted: true, LastSeq: 9}, Name: "Bob"},
			{Conversation: history.Conversation{ID: choir, Accepted: true, LastSeq: 5, Unread: 3}, Name: "Choir"},
			{Conversation: history.Conversation{ID: carol, LastSeq: 4, Unread: 1}, Name: "Carol"},
		},
		"listMessages": []*history.Message{},
	}}
}

func (f *fake) Notifications() <-chan rpc.Notification { return f.notices }
func (f *fake) Close() error                           { return nil }

func (f *fake) Call(_ context.Context, method string, params, out any) error {
	p, err := json.Marshal(params)
	if err != nil {
		return err
	}
	f.mu.Lock()
	answer := f.answers[method]
	if reading[method] {
		f.reads[method] = append(f.reads[method], string(p))
	} else {
		f.asked = append(f.asked, method+" "+string(p))
	}
	f.mu.Unlock()
	if ask, ok := answer.(func(string) any); ok {
		answer = ask(string(p))
	}
	if err, ok := answer.(error); ok {
		return err
	}
	b, err := json.Marshal(answer)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(b, out)
}

func (f *fake) set(method string, answer any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[method] = answer
}

// changes are what was asked for that changes something.
func (f *fake) changes() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.asked...)
}

// calls is how often a method was called that changes nothing.
func (f *fake) calls(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.reads[method])
}

// last are the parameters of the last call.
func (f *fake) last(method string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads[method][len(f.reads[method])-1]
}

// refusal is an answer that says no.
func refusal(text string) error { return &rpc.Error{Code: rpc.CodeUser, Message: text} }

// tells sends an event.
func (f *fake) tells(e client.Event) { f.notices <- notice(e) }

func notice(e client.Event) rpc.Notification {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return rpc.Notification{Method: "event", Params: b}
}

// at is a time of the day, so many minutes before now, in milliseconds.
func at(minutes int) int64 { return now.Add(-time.Duration(minutes) * time.Minute).UnixMilli() }

// wrote is a message.
func wrote(seq int64, conversation, author, body string, minutes int) *history.Message {
	m := &history.Message{Seq: seq, Conversation: conversation, Kind: history.Text, Author: author, Outgoing: author == me, Body: body, Seen: true,
		Timestamp: uint64(at(minutes)), Received: at(minutes)}
	if m.Outgoing {
		m.Delivery = map[string]history.Delivery{bob: {State: history.Read}}
	}
	return m
}

func (f *fake) screen(t *testing.T, with string, width, height int) *screen {
	t.Helper()
	o := options(f)
	o.With, o.Now = with, func() time.Time { return now }
	return newScreen(t, o, width, height)
}

var _ tui.Conn = (*fake)(nil)

// asks waits until the account was asked for so many changes, and wants the last to be this.
func (s *screen) asks(f *fake, n int, want string) {
	s.Helper()
	s.until(fmt.Sprintf("%d changes, now %q", n, f.changes()), func() bool { return len(f.changes()) >= n })
	if got := f.changes(); len(got) != n || got[n-1] != want {
		s.Fatalf("asked\n got %q\nwant %d, the last %s", got, n, want)
	}
}
