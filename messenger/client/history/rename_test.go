package history_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
)

const was, is, other = "+14155550100", "+14155550101", "+14155550199"

// told puts what a person sees of a conversation on one line.
func told(t *testing.T, s *store.Store, conversation string) string {
	t.Helper()
	var out []string
	in(t, s, func(tx *store.Tx) error {
		list, err := history.List(tx, conversation, 0, 100)
		for _, m := range list {
			line := fmt.Sprintf("%d %s %s", m.Seq, m.Author, m.Body)
			if m.Was != "" {
				line += " was " + m.Was
			}
			if m.Quote != nil {
				line += " quotes " + m.Quote.Author
			}
			for _, r := range m.Reactions {
				line += " " + r.Emoji + r.Author
			}
			for name, d := range m.Delivery {
				line += " " + string(d.State) + " " + name
			}
			out = append(out, line)
		}
		return err
	})
	return strings.Join(out, "; ")
}

// A number is exchanged everywhere it stands for the person, and nowhere it is only text; order, numbers and the search stay.
func TestRename(t *testing.T) {
	s := newStore(t)
	in(t, s, func(tx *store.Tx) error {
		for _, m := range []*history.Message{
			{Conversation: was, Kind: history.Text, Author: was, Timestamp: 1, Body: "my number is " + was},
			{Conversation: was, Kind: history.Text, Author: other, Outgoing: true, Timestamp: 2, Body: "noted", Quote: &history.Quote{Author: was, Timestamp: 1, Text: "x"},
				Delivery: map[string]history.Delivery{was: {State: history.Sent}}, Reactions: []history.Reaction{{Author: was, Emoji: "!"}}},
			{Conversation: is, Kind: history.Text, Author: is, Timestamp: 3, Body: "already under the new one"},
			{Conversation: "group:1", Kind: history.Text, Author: was, Timestamp: 4, Body: "to all", Vouchers: []string{was}},
			{Conversation: "group:1", Kind: history.Text, Author: was + "9", Timestamp: 4, Body: "nearly his number"},
			{Conversation: was, Kind: history.Notice, Notice: "timer", Author: was, Timestamp: 5, Body: "hours"},
			{Conversation: was, Kind: history.Text, Author: was, Timestamp: 6, Body: "said twice"},
			{Conversation: is, Kind: history.Text, Author: is, Timestamp: 6, Body: "said twice"},
			{Conversation: "group:2", Kind: history.Text, Author: was, Timestamp: 7, Body: "where nobody looks"},
		} {
			if _, err := history.Add(tx, m); err != nil {
				return err
			}
		}
		err := history.Change(tx, was, func(c *history.Conversation) { c.Accepted, c.Blocked, c.Expires = true, true, 60 })
		if err != nil {
			return err
		}
		return history.Rename(tx, was, is, was, "group:1")
	})
	for conversation, want := range map[string]string{
		was: "",
		is: "1 " + is + " my number is " + was + " was " + was + "; 2 " + other + " noted quotes " + is + " !" + is + " sent " + is + "; 3 " + is +
			" already under the new one; 6 " + is + " hours; 8 " + is + " said twice",
		"group:1": "4 " + is + " to all was " + was + "; 5 " + was + "9 nearly his number",
		"group:2": "9 " + was + " where nobody looks",
	} {
		if got := told(t, s, conversation); got != want {
			t.Errorf("%s:\n got %s\nwant %s", conversation, got, want)
		}
	}
	in(t, s, func(tx *store.Tx) error {
		c, err := history.Open(tx, is)
		if want := (history.Conversation{ID: is, Accepted: true, Blocked: true, Expires: 60, Unread: 3, LastSeq: 8}); err != nil || c != want {
			t.Errorf("got %+v, want %+v, %v", c, want, err)
		}
		if list, err := history.Conversations(tx); err != nil || len(list) != 3 {
			t.Error(list, err)
		}
		for at, want := range map[uint64]string{1: "my number is " + was, 3: "already under the new one", 6: "said twice"} {
			if m, err := history.Find(tx, is, at); err != nil || m == nil || m.Body != want {
				t.Error(at, m, err)
			}
		}
		if m, err := history.Find(tx, was, 1); m != nil || err != nil {
			t.Error("found by the old number", m, err)
		}
		if m, err := history.FindNotice(tx, is, "timer", is, 5); m == nil || err != nil {
			t.Error("the notice is not found", err)
		}
		found, err := history.Search(tx, "number", is, 0, 10)
		if err != nil || len(found) != 1 {
			t.Error(found, err)
		}
		return err
	})
	// Without conversations it is all of them.
	in(t, s, func(tx *store.Tx) error { return history.Rename(tx, was, is) })
	if got := told(t, s, "group:2"); got != "9 "+is+" where nobody looks was "+was {
		t.Error(got)
	}
}
