package history_test

import (
	"fmt"
	"testing"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
)

// Files are found from the newest back, by as many messages at a time as one is willing to look at, each once.
func TestMessagesWithFiles(t *testing.T) {
	s := newStore(t)
	in(t, s, func(tx *store.Tx) error {
		for i := range 20 {
			m := &history.Message{Conversation: []string{"+1", "+2"}[i%2], Kind: history.Text, Author: "+1", Timestamp: uint64(i + 1), Body: "x"}
			if i%3 == 0 { // of +1: 1, 7, 13, 19
				m.Attachments = []history.Attachment{{FileName: "bridge.jpg"}}
			}
			if _, err := history.Add(tx, m); err != nil {
				return err
			}
		}
		return nil
	})
	for _, c := range []struct {
		limit, atMost int
		want          string
	}{
		{10, 100, "[19 13 7 1] 0"},
		{2, 100, "[19 13] 13, [7 1] 1, [] 0"},
		{10, 3, "[19] 15, [13] 9, [7] 3, [1] 0"},
		{10, 10, "[19 13 7 1] 1, [] 0"},
		{1, 1, "[19] 19, [] 17, [] 15, [13] 13, [] 11, [] 9, [7] 7, [] 5, [] 3, [1] 1, [] 0"},
	} {
		got, before := "", int64(0)
		for {
			var found []uint64
			err := s.View(t.Context(), func(tx *store.Tx) error {
				list, next, err := history.WithFiles(tx, "+1", before, c.limit, c.atMost)
				for _, m := range list {
					found = append(found, m.Timestamp)
				}
				before = next
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if got += fmt.Sprintf("%v %d", found, before); before == 0 {
				break
			}
			got += ", "
		}
		if got != c.want {
			t.Errorf("%d of %d: %s, want %s", c.limit, c.atMost, got, c.want)
		}
	}
}
