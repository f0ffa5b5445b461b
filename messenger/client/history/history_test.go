package history_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
)

func newStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Create(t.Context(), t.TempDir(), []byte("x"), store.Cost{Time: 1, Memory: 8, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func in(t testing.TB, s *store.Store, f func(*store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func TestSearch(t *testing.T) {
	s := newStore(t)
	in(t, s, func(tx *store.Tx) error {
		for i, body := range []string{"Meet me at the OLD bridge", "über die alte Brücke", "300 Kelvin at the bridge", "STRASSE", `a "quoted" bridge`, "nothing"} {
			m := &history.Message{Conversation: []string{"+1", "+2"}[i%2], Kind: history.Text, Author: "+1", Timestamp: uint64(i + 1), Body: body}
			if i == 5 {
				m.Attachments = []history.Attachment{{FileName: "Bridge.jpg"}}
			}
			if _, err := history.Add(tx, m); err != nil {
				return err
			}
		}
		_, err := history.Add(tx, &history.Message{Conversation: "+1", Kind: history.Notice, Notice: "bridge", Body: "bridge"})
		return err
	})
	for query, want := range map[string]string{
		"bridge": "6 5 3 1", "BRIDGE old": "1", "BRÜCKE": "2", "kelvin": "3", "\u212aelvin": "3", "strasse": "4", `"quoted"`: "5", "": "", "bridges": "", "at bridge": "3 1",
	} {
		var got []string
		err := s.View(t.Context(), func(tx *store.Tx) error {
			found, err := history.Search(tx, query, "", 0, 10)
			for _, m := range found {
				got = append(got, fmt.Sprint(m.Timestamp))
			}
			return err
		})
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v; want %q", query, got, err, want)
		}
	}
	err := s.View(t.Context(), func(tx *store.Tx) error {
		found, err := history.Search(tx, "bridge", "+1", 5, 1)
		if len(found) != 1 || found[0].Timestamp != 3 {
			t.Error(found)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWhatHappensToAMessage(t *testing.T) {
	m := &history.Message{Author: "+1", Timestamp: 10, Body: "one", Outgoing: true}
	if m.Edit("late", 10) || !m.Edit("two", 12) || m.Edit("between", 11) || !m.Edit("three", 15) {
		t.Error("order of edits")
	}
	if m.Body != "three" || fmt.Sprint(m.Edits) != "[{one 10} {two 12}]" {
		t.Error(m.Body, m.Edits)
	}
	r := func(who, emoji string, at uint64) history.Reaction {
		return history.Reaction{Author: who, Emoji: emoji, Timestamp: at}
	}
	if !m.React(r("+2", "a", 20), false) || !m.React(r("+2", "b", 22), false) || m.React(r("+2", "c", 21), false) || !m.React(r("+3", "d", 1), false) {
		t.Error("order of reactions")
	}
	if !m.React(r("+2", "", 23), true) || fmt.Sprint(m.Reactions) != "[{+3 d 1}]" {
		t.Error(m.Reactions)
	}
	steps := []struct {
		who  string
		s    history.State
		news bool
		all  history.State
	}{
		{"+2", history.Queued, true, history.Queued}, {"+3", history.Queued, true, history.Queued}, {"+2", history.Read, true, history.Queued},
		{"+2", history.Sent, false, history.Queued}, {"+3", history.Failed, true, history.Failed}, {"+3", history.Queued, true, history.Queued},
		{"+3", history.Sent, true, history.Sent}, {"+3", history.Delivered, true, history.Delivered}, {"+3", history.Delivered, false, history.Delivered},
	}
	for i, s := range steps {
		if news := m.Deliver(s.who, history.Delivery{State: s.s}); news != s.news || m.State().State != s.all {
			t.Errorf("step %d: %v, %v", i, news, m.State())
		}
	}
	m.Delete()
	if m.Body != "" || m.Edits != nil || m.Edit("again", 99) {
		t.Error("a deleted message says something", m)
	}
}

func TestConversations(t *testing.T) {
	s := newStore(t)
	in(t, s, func(tx *store.Tx) error {
		for i, c := range []string{"+1", "+2", "+1"} {
			m := &history.Message{Conversation: c, Kind: history.Text, Author: c, Timestamp: uint64(i), Received: int64(i)}
			if added, err := history.Add(tx, m); err != nil || !added {
				t.Error(added, err)
			}
			if added, err := history.Add(tx, m); err != nil || added {
				t.Error("twice", added, err)
			}
		}
		list, err := history.Conversations(tx)
		if len(list) != 2 || list[0].ID != "+1" || list[0].Unread != 2 || list[0].LastTime != 2 || list[1].ID != "+2" || list[1].Unread != 1 {
			t.Error(list)
		}
		return err
	})
}
