package client_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/countersign-project/countersign/messenger/client"
)

// However many write at once, what is told comes in the order of the disk: or else a listener would go on from a message and miss one below it.
func TestEventsComeInTheOrderOfTheDisk(t *testing.T) {
	w := newWorld(t)
	alice := w.person("alice")
	sub := alice.acc.Subscribe()
	defer sub.Close()
	const writers, each = 8, 40
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for n := range each {
				if _, err := alice.acc.Send(t.Context(), client.Draft{To: alice.number, Text: fmt.Sprint(i, " ", n)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	last := int64(0)
	for n := 0; n < writers*each && !t.Failed(); {
		e, ok := sub.Next(t.Context())
		if !ok {
			t.Fatal("there are no more events")
		}
		if e.Type != client.EventMessage {
			continue
		}
		if n++; e.Message.Seq <= last {
			t.Fatalf("message %d is told after %d", e.Message.Seq, last)
		}
		last = e.Message.Seq
	}
}
