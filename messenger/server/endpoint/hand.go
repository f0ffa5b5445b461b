package endpoint

import (
	"net/http"
	"sync"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// maxInHand is how many bytes of bodies one account may have in the server's hands at once, over all its devices and connections: what each costs
// while it is read, decoded and delivered is some times its size. An honest client sends one large body at a time.
const maxInHand = 4 << 20

// inHand counts the bytes of the bodies that are being worked on.
type inHand struct {
	mu    sync.Mutex
	bytes map[store.AccountKey]int64 // mu; without zeros
}

// take counts a body until put is called, or refuses. A body of unknown length counts as the longest there may be.
func (h *inHand) take(account store.AccountKey, r *http.Request, limit int64) (put func(), err error) {
	n := r.ContentLength
	if n < 0 {
		n = limit
	}
	if n == 0 {
		return func() {}, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.bytes[account]+n > maxInHand {
		return nil, TooMany(time.Second)
	}
	h.bytes[account] += n
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.bytes[account] -= n; h.bytes[account] == 0 {
			delete(h.bytes, account)
		}
	}, nil
}
