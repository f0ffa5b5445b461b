package client_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
)

// typings waits for a message with a text, and returns what was heard before of somebody's writing.
func typings(d *device, sub *client.Subscription, text string) (out []string) {
	d.Helper()
	for {
		e, ok := sub.Next(d.Context())
		if !ok {
			d.Fatal("no more events")
		}
		switch {
		case e.Type == client.EventTyping:
			out = append(out, fmt.Sprintf("%s stopped=%v", e.Author, e.Stopped))
		case e.Type == client.EventMessage && e.Message.Body == text:
			return out
		}
	}
}

// Who writes is seen to write, once in ten seconds however often his program says so, by people who have accepted him and if he wants it.
func TestTyping(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	sub := bob.acc.Subscribe()
	defer sub.Close()
	w.stop()
	writes := func(stopped bool) {
		t.Helper()
		if err := alice.acc.Typing(t.Context(), bob.number, stopped); err != nil {
			t.Fatal(err)
		}
	}
	seen := func(text string, want ...string) {
		t.Helper()
		alice.says(bob.number, text)
		if got := typings(bob, sub, text); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("before %q Bob saw %q, want %q", text, got, want)
		}
	}
	begins, stops := alice.number+" stopped=false", alice.number+" stopped=true"
	writes(false)
	seen("to a stranger")
	writes(false)
	writes(true)
	seen("who has not accepted him")
	if err := bob.acc.Accept(t.Context(), alice.number); err != nil {
		t.Fatal(err)
	}
	w.skew.Add(int64(11 * time.Second))
	writes(false)
	for range 3 {
		w.skew.Add(int64(4 * time.Second))
		writes(false)
	}
	seen("a long text", begins, begins) // at once, and after twelve seconds
	writes(true)
	seen("nothing after all", stops)
	if err := alice.acc.SetPreferences(t.Context(), func(p *client.Preferences) { p.NoTyping = true }); err != nil {
		t.Fatal(err)
	}
	writes(false)
	writes(true)
	seen("written in private")
}

// What somebody has written may overtake that he writes, which nobody is told then.
func TestTypingThatComesLate(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	sub := bob.acc.Subscribe()
	defer sub.Close()
	if err := alice.acc.Settle(t.Context()); err != nil { // or else a receipt might be the first
		t.Fatal(err)
	}
	w.stop() // both are said in the same millisecond
	var first atomic.Bool
	held, late := make(chan struct{}), make(chan struct{})
	w.hostile(func(_ http.ResponseWriter, r *http.Request) bool {
		if from, _, _ := r.BasicAuth(); r.Method == "PUT" && r.URL.Path == "/v1/messages/"+bob.number && from == alice.number && first.CompareAndSwap(false, true) {
			close(held)
			<-late
		}
		return false
	})
	written := make(chan error, 1)
	go func() { written <- alice.acc.Typing(t.Context(), bob.number, false) }()
	<-held
	alice.state(alice.says(bob.number, "quick"), history.Delivered)
	close(late)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	alice.says(bob.number, "afterwards")
	if got := typings(bob, sub, "afterwards"); len(got) != 0 {
		t.Errorf("Bob saw %q", got)
	}
}

// Who writes to somebody new learns nothing until he is accepted, and then what has become of it: that it is there, and that it was read.
func TestReceiptsOfARequest(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	first := alice.says(bob.number, "the first")
	bob.hears(alice.number, "the first")
	if err := bob.acc.MarkRead(t.Context(), alice.number, 0); err != nil {
		t.Fatal(err)
	}
	second := alice.says(bob.number, "the second")
	bob.hears(alice.number, "the second")
	if err := bob.acc.Settle(t.Context()); err != nil { // what he owes, which is nothing
		t.Fatal(err)
	}
	alice.state(second, history.Sent)
	for _, m := range []*history.Message{first, second} {
		if now, err := alice.acc.Message(t.Context(), m.Seq); err != nil || now.State().State != history.Sent {
			t.Errorf("%q before it is accepted: %+v, %v", m.Body, now, err)
		}
	}
	if err := bob.acc.Accept(t.Context(), alice.number); err != nil {
		t.Fatal(err)
	}
	alice.state(first, history.Read)
	alice.state(second, history.Delivered)
	if now, err := alice.acc.Message(t.Context(), second.Seq); err != nil || now.State().State != history.Delivered {
		t.Errorf("%+v, %v", now, err)
	}
}
