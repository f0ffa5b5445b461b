package federation

import (
	"net/http"
	"time"

	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/limit"
)

// Counters are told what happens between us and a peer: names of peers and routes, never a person, a size or an address.
type Counters interface {
	// Federated counts a request: direction is "in" or "out", outcome a status, or "unreachable" or "nonsense".
	Federated(peer, direction, route, outcome string)
	// Limited counts a refusal by a limit.
	Limited(limit string)
}

// burst is how many seconds' worth of requests may come at once.
const burst = 5

// meter keeps the limits of one peer.
type meter struct {
	name     string
	requests *limit.Limiter
	kibi     *limit.Limiter // KiB of bodies
	slots    chan struct{}
	large    chan struct{} // those of them with a body that weighs
	counters Counters
}

// light is the size of a body up to which a request counts as one; above it is one of the few that may be in memory at the same time.
const light = 64 << 10

func newMeter(name string, l Limits, now func() time.Time, counters Counters) *meter {
	return &meter{name: name, counters: counters, slots: make(chan struct{}, l.AtOnce), large: make(chan struct{}, (l.AtOnce+7)/8),
		requests: limit.New(limit.Rule{Size: max(1, l.Requests*burst), PerMinute: l.Requests * 60}, now),
		kibi:     limit.New(limit.Rule{Size: l.Megabytes * 1024, PerMinute: l.Megabytes * 1024}, now)}
}

// enter takes a slot for one request, before a byte of its body is read, or refuses. The caller calls leave.
func (m *meter) enter(body int64) (leave func(), err error) {
	if body < 0 {
		return nil, endpoint.Refuse(http.StatusBadRequest, "Content-Length is missing")
	}
	if leave, err = m.take(body > light); err != nil {
		return nil, err
	}
	if wait, ok := m.requests.Allow(""); !ok {
		leave()
		return nil, m.refuse("requests", wait)
	}
	if err := m.bytes(body); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// take takes the slots of a request, or none.
func (m *meter) take(large bool) (leave func(), err error) {
	select {
	case m.slots <- struct{}{}:
	default:
		return nil, m.refuse("at once", time.Second)
	}
	if !large {
		return func() { <-m.slots }, nil
	}
	select {
	case m.large <- struct{}{}:
		return func() { <-m.large; <-m.slots }, nil
	default:
		<-m.slots
		return nil, m.refuse("large bodies at once", time.Second)
	}
}

// bytes counts a body, in or out.
func (m *meter) bytes(n int64) error {
	if wait, ok := m.kibi.AllowN("", int(n>>10)+1); !ok {
		return m.refuse("bytes", wait)
	}
	return nil
}

func (m *meter) refuse(what string, wait time.Duration) error {
	m.counters.Limited("peer " + m.name + ": " + what)
	return endpoint.TooMany(wait)
}
