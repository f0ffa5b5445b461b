package remote

import (
	"errors"
	"sync"

	"github.com/countersign-project/countersign/messenger/wire"
)

// What waits at most while earlier requests are handled: as many as are worth one transaction, and no more memory than that of two frames.
const (
	maxAhead     = 64
	maxAheadSize = wire.MaxFrame // bytes; the frame that reaches it may go beyond
)

// ahead holds the requests that have come while earlier ones were handled, so that they are handled together.
type ahead struct {
	mu      sync.Mutex
	changed *sync.Cond
	waiting []*wire.Request // mu
	size    int             // mu; of their bodies
	err     error           // mu; why no more come
}

func newAhead() *ahead {
	q := new(ahead)
	q.changed = sync.NewCond(&q.mu)
	return q
}

// fill reads from a connection until that, or the queue, ends. Answers to our keepalives are passed over.
func (q *ahead) fill(c *connection) {
	for {
		f, err := c.read()
		if err != nil {
			q.end(err)
			return
		}
		if f.Request != nil && !q.put(f.Request) {
			return
		}
	}
}

// put waits until there is room. False: the queue has ended.
func (q *ahead) put(r *wire.Request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.err == nil && (len(q.waiting) >= maxAhead || q.size >= maxAheadSize) {
		q.changed.Wait()
	}
	if q.err != nil {
		return false
	}
	q.waiting, q.size = append(q.waiting, r), q.size+len(r.Body)
	q.changed.Broadcast()
	return true
}

// take waits until something has come and returns all of it, in order. Once the connection has ended it returns why: what was not
// handled cannot be answered any more, and comes again.
func (q *ahead) take() ([]*wire.Request, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.err == nil && len(q.waiting) == 0 {
		q.changed.Wait()
	}
	if q.err != nil {
		return nil, q.err
	}
	list := q.waiting
	q.waiting, q.size = nil, 0
	q.changed.Broadcast()
	return list, nil
}

var errHandled = errors.New("the connection is not listened to any more")

// close ends the queue from the side that takes.
func (q *ahead) close() { q.end(errHandled) }

func (q *ahead) end(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
	}
	q.changed.Broadcast()
}
