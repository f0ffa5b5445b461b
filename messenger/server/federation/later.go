package federation

import (
	"errors"
	"net/http"
	"time"

	"github.com/countersign-project/countersign/messenger/server/endpoint"
)

// maxLater bounds the receipts that wait for one peer. What comes on top is not sent: a receipt of a server is a convenience, and proves nothing.
const maxLater = 1024

// ReceiptLater sends a receipt without waiting, and again a few times when the peer is away. It is in memory only.
func (r *Remote) ReceiptLater(from From, destination string, timestamp uint64) {
	select {
	case r.later <- struct{}{}:
	default:
		r.options.Counters.Limited("to peer " + r.peer.Name + ": receipts waiting")
		return
	}
	go func() {
		defer func() { <-r.later }()
		for _, d := range []time.Duration{0, 2 * time.Second, 20 * time.Second, 2 * time.Minute} {
			select {
			case <-r.closed.Done():
				return
			case <-time.After(d):
			}
			if !again(r.Receipt(r.closed, from, destination, timestamp)) {
				return
			}
		}
	}()
}

// again tells whether a failure may pass.
func again(err error) bool {
	var refused *endpoint.Refusal
	return errors.As(err, &refused) && (refused.Status == http.StatusServiceUnavailable || refused.Status == http.StatusTooManyRequests || refused.Status == http.StatusBadGateway)
}
