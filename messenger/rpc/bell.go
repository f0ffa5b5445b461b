package rpc

import "sync"

// Bell tells all connections of a daemon what happens beside the account: that an update is on its way, that a page was locked. The zero Bell works.
type Bell struct {
	mu    sync.Mutex
	conns map[*conn]bool // mu
}

// Ring sends a notification to every connection.
func (b *Bell) Ring(method string, params any) {
	b.mu.Lock()
	var all []*conn
	for c := range b.conns {
		all = append(all, c)
	}
	b.mu.Unlock()
	for _, c := range all {
		c.notify(method, params)
	}
}

func (b *Bell) listen(c *conn) (silence func()) {
	if b == nil {
		return func() {}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns == nil {
		b.conns = map[*conn]bool{}
	}
	b.conns[c] = true
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.conns, c)
	}
}
