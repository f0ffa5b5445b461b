package client_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
)

// A history is packed and on its way; what happens to its messages meanwhile reaches the new device before them, and holds when they come.
func TestWhatComesBeforeTheHistory(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	phone, bob := w.person("phone"), w.person("bob")
	knows(phone, bob)
	mine := phone.says(bob.number, "mine")
	bob.sees(phone.number, "hello", "hello back", "mine")
	typo, regretted, unread := bob.says(phone.number, "tpyo"), bob.says(phone.number, "regretted"), bob.says(phone.number, "unread")
	phone.sees(bob.number, "hello", "hello back", "mine", "tpyo", "regretted", "unread")
	if err := phone.acc.SetExpires(ctx, bob.number, 3600); err != nil {
		t.Fatal(err)
	}
	bob.waitFor("the timer", func() bool { return strings.HasSuffix(strings.Join(bob.conversation(phone.number), "|"), "[timer]") })
	brief := bob.says(phone.number, "brief")
	phone.waitFor("what disappears", func() bool { m, _ := phone.acc.Find(ctx, bob.number, brief.Timestamp); return m != nil })

	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	defer open()
	w.hostile(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == "GET" && strings.HasPrefix(r.URL.Path, "/v3/blobs/") {
			<-gate
		}
		return false
	})
	laptop := phone.linkWithHistory("laptop")
	laptop.waitFor("the history to be announced", func() bool {
		p, awaited, err := laptop.acc.TakingOver(ctx)
		if err != nil || !awaited {
			t.Fatal(p, awaited, err)
		}
		return p.What == client.TakingOver
	})
	for _, err := range []error{
		bob.acc.Edit(ctx, phone.number, typo.Timestamp, "typo"),
		bob.acc.DeleteForAll(ctx, phone.number, regretted.Timestamp),
		bob.acc.React(ctx, phone.number, phone.number, mine.Timestamp, "👍", false),
		bob.acc.MarkRead(ctx, phone.number, 0),
		phone.acc.MarkRead(ctx, bob.number, 0),
		phone.acc.SetExpires(ctx, bob.number, 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	about := func(author *device, m *history.Message, what string) string {
		return fmt.Sprintf("about %s %d %s", author.number, m.Timestamp, what)
	}
	want := []string{about(bob, typo, "edited"), about(bob, regretted, "reacted to or deleted"), about(phone, mine, "reacted to or deleted"), about(phone, mine, "read"),
		about(bob, typo, "read here"), about(bob, unread, "read here"), about(bob, brief, "read here"), "timer off " + bob.number}
	laptop.waitFor("all of that at the laptop", func() bool {
		got, err := client.EarlyForTest(ctx, laptop.acc)
		if err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(want, func(what string) bool { return !slices.Contains(got, what) })
	})
	open()
	laptop.tookOver()

	find := func(author *device, m *history.Message) *history.Message {
		t.Helper()
		got, err := laptop.acc.Find(ctx, author.number, m.Timestamp)
		if err != nil || got == nil {
			t.Fatalf("%v, %v", got, err)
		}
		return got
	}
	if m := find(bob, typo); m.Body != "typo" || len(m.Edits) != 1 || !m.Seen {
		t.Errorf("edited: %+v", m)
	}
	if m := find(bob, regretted); !m.Deleted || m.Body != "" {
		t.Errorf("deleted: %+v", m)
	}
	if m := find(phone, mine); len(m.Reactions) != 1 || m.Reactions[0].Emoji != "👍" || m.State().State != history.Read {
		t.Errorf("reacted to and read: %+v", m)
	}
	if m := find(bob, unread); !m.Seen {
		t.Errorf("read on the phone: %+v", m)
	}
	at := find(bob, brief)
	there, err := phone.acc.Find(ctx, bob.number, brief.Timestamp)
	if err != nil || at.ExpiresAt == 0 || there == nil || !at.Seen {
		t.Errorf("what disappears: %+v, on the phone %+v, %v", at, there, err)
	}
	all, err := laptop.acc.Conversations(ctx)
	i := slices.IndexFunc(all, func(v history.Conversation) bool { return v.ID == bob.number })
	if err != nil || i < 0 || all[i].Unread != 0 || all[i].Expires != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if left, err := client.EarlyForTest(ctx, laptop.acc); err != nil || !slices.Equal(left, []string{"timer off " + bob.number}) {
		t.Errorf("still kept: %q, %v", left, err)
	}
}
