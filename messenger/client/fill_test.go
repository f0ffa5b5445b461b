package client_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
)

// TestFill puts messages into the account of which no messenger runs, for figures in another module: messenger/web/interop runs it as a child.
// COUNTERSIGN_FILL is the account's folder, COUNTERSIGN_FILL_PASSPHRASE what opens it, COUNTERSIGN_FILL_FROM and COUNTERSIGN_FILL_TO are how many there are
// already and how many there shall be. Half of them are in one conversation, the rest in fifty others.
func TestFill(t *testing.T) {
	dir := os.Getenv("COUNTERSIGN_FILL")
	if dir == "" {
		t.Skip("messenger/web/interop runs it")
	}
	number := func(name string) int {
		n, err := strconv.Atoi(os.Getenv(name))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	s, err := store.Open(t.Context(), dir, []byte(os.Getenv("COUNTERSIGN_FILL_PASSPHRASE")))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for n, end := number("COUNTERSIGN_FILL_FROM"), number("COUNTERSIGN_FILL_TO"); n < end; {
		if err := s.Update(t.Context(), func(tx *store.Tx) error {
			for range 1000 {
				with := "+999000000000000"
				if n%2 == 1 {
					with = fmt.Sprintf("+9990000000001%02d", n/2%50)
				}
				if n < 200 {
					if err := history.Change(tx, with, func(c *history.Conversation) { c.Accepted = true }); err != nil {
						return err
					}
				}
				m := &history.Message{Conversation: with, Kind: history.Text, Author: with, Timestamp: uint64(n + 1), Received: int64(n + 1), Seen: true,
					Body: fmt.Sprintf("note %d, with a few words in it, as people write them", n/2)}
				if _, err := history.Add(tx, m); err != nil {
					return err
				}
				n++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for more := true; more; {
		if err := s.Update(t.Context(), func(tx *store.Tx) error {
			segment, some, _, err := history.Unindexed(tx)
			if more = some; err != nil || !some {
				return err
			}
			return history.Index(tx, segment)
		}); err != nil {
			t.Fatal(err)
		}
	}
}
