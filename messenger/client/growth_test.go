package client_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/group"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Who takes nothing and goes on to write does not fill our outbox with what he is owed for it; he gets all of it at once, later.
func TestReceiptsForWhoTakesNothing(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	w.stop() // who has just written is tried early, once a minute
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == "PUT" && r.URL.Path == "/v1/messages/"+bob.number {
			rw.Header().Set("Retry-After", "3600")
			rw.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		return false
	})
	waits := func(n int) {
		t.Helper()
		w.waitFor(fmt.Sprint(n, " things in the outbox"), func() bool { got, err := alice.acc.Queued(t.Context()); return err == nil && got == n })
	}
	alice.says(bob.number, "you have to wait")
	var last *history.Message
	for i := range 8 {
		last = bob.says(alice.number, fmt.Sprint(i))
		alice.waitFor("it comes", func() bool {
			return strings.HasSuffix(strings.Join(alice.conversation(bob.number), "|"), fmt.Sprint("|", i))
		})
		if i == 0 { // Alice finds out that he takes nothing
			alice.waitFor("Bob to be waited for", func() bool { return client.WaitsForTest(alice.acc, bob.number) })
		}
		if err := client.QueueReceiptsForTest(t.Context(), alice.acc); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := alice.acc.Queued(t.Context()); err != nil || n > 4 { // her message, and perhaps receipts that were sooner than that
		t.Errorf("%d things in the outbox, %v", n, err)
	}
	w.hostile(nil)
	w.later(time.Hour+time.Minute, alice)
	if err := alice.acc.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	bob.state(last, history.Delivered)
	waits(0)
}

// A receipt that a crash has left is sent by the next process.
func TestAReceiptThatACrashHasLeft(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	alice.offline()
	m := bob.says(alice.number, "have you got it?")
	bob.state(m, history.Sent)
	if err := client.OweForTest(t.Context(), alice.acc, bob.number, m.Timestamp); err != nil {
		t.Fatal(err)
	}
	w.hostile(func(_ http.ResponseWriter, r *http.Request) bool { // so that nothing new is owed
		name, _, _ := r.BasicAuth()
		return name == alice.number && r.URL.Path == "/v1/websocket/"
	})
	alice.reopen()
	ctx, cancel := context.WithCancel(context.Background())
	alice.cancel, alice.done = cancel, make(chan error, 1)
	go func() { alice.done <- alice.acc.Run(ctx, nil) }()
	bob.state(m, history.Delivered)
}

// Whoever edits again and again does not make a message grow for ever.
func TestManyEdits(t *testing.T) {
	m := &history.Message{Body: "first", Timestamp: 1}
	for i := range 1000 {
		if !m.Edit(fmt.Sprint("edit ", i), uint64(i+2)) {
			t.Fatal(i)
		}
	}
	if n := len(m.Edits); n != 100 || m.Edits[0].Body != "first" || m.Edits[1].Body != "edit 900" || m.Edits[n-1].Body != "edit 998" || m.Body != "edit 999" {
		t.Errorf("%d kept, from %+v to %+v", n, m.Edits[:2], m.Edits[n-1])
	}
}

// What is no number is nobody's name: a group's update with one is refused as a whole, and so is a list of who is blocked in so far.
func TestNamesThatAreNone(t *testing.T) {
	w := newWorld(t)
	alice, mallory := w.person("alice"), w.person("mallory")
	knows(alice, mallory)
	id := mallory.founds("group", alice)
	for _, name := range []string{"x", "../../v1/accounts", "+123@", strings.Repeat("+1", 50_000), "group:00000000000000000000000000000000"} {
		mallory.changes(id, func(g *group.State, self string) error {
			g.Name = fmt.Sprintf("%.20s", name)
			g.NameSet = group.Stamp{Clock: g.Clock + 1, By: self}
			g.Members[name] = group.Member{Stamp: g.NameSet}
			g.Clock++
			return nil
		})
	}
	mallory.says(alice.number, "look")
	alice.waitFor("all of it", func() bool { return strings.HasSuffix(strings.Join(alice.conversation(mallory.number), "|"), "|look") })
	g, err := alice.acc.Group(t.Context(), id)
	if err != nil || len(g.List()) != 2 || g.Name != "group" {
		t.Errorf("%.200v, %.50s, %v", g.List(), g.Name, err)
	}
	for _, name := range []string{"", "-", "x"} {
		if err := client.SyncedForTest(t.Context(), alice.acc, &wire.Sync{Blocked: &wire.Blocked{Numbers: []string{name, mallory.number}}}); err != nil {
			t.Error(err)
		}
	}
	if k, err := alice.acc.Contact(t.Context(), mallory.number); err != nil || !k.Blocked {
		t.Errorf("%+v, %v", k, err)
	}
	list, err := alice.acc.Conversations(t.Context())
	for _, v := range list {
		if v.ID != alice.number && v.ID != mallory.number && v.ID != id || err != nil {
			t.Errorf("%.100q, %v", v.ID, err)
		}
	}
}
