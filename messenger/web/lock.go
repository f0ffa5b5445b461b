package web

import (
	"context"
	"errors"
	"time"
)

// usualLock is how long a page that nobody uses stays open; lockAfter changes it.
const usualLock = 15 * time.Minute

// lock covers the page, for all its tabs, while the account behind it works on.
type lock struct {
	on    bool
	after time.Duration // 0: usualLock; less: never
	used  time.Time     // the last request
}

func (l *lock) touch(now time.Time) { l.used = now }

// due locks what was left alone for too long.
func (l *lock) due(now time.Time) bool {
	after := l.after
	if after == 0 {
		after = usualLock
	}
	if !l.on && after > 0 && now.Sub(l.used) >= after {
		l.on = true
	}
	return l.on
}

func (p *Page) locked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lock.due(p.Now())
}

// use notes that the page is used, and tells whether it may be.
func (p *Page) use() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Now()
	if p.lock.due(now) {
		return false
	}
	p.lock.touch(now)
	return true
}

// Lock covers the page until the passphrase was given.
func (p *Page) Lock() {
	p.mu.Lock()
	p.lock.on = true
	var all []*session
	for _, s := range p.sessions {
		all = append(all, s)
	}
	p.mu.Unlock()
	for _, s := range all {
		s.send([]byte(`{"jsonrpc":"2.0","method":"locked","params":{}}`))
	}
}

// unlock takes the passphrase, one try at a time: each costs what opening the account costs.
func (p *Page) unlock(ctx context.Context, passphrase string) error {
	if passphrase == "" {
		return errors.New("want the passphrase")
	}
	p.checking.Lock()
	defer p.checking.Unlock()
	if err := p.Check(ctx, []byte(passphrase)); err != nil {
		return err
	}
	p.mu.Lock()
	p.lock.on = false
	p.lock.touch(p.Now())
	var all []*session
	for _, s := range p.sessions {
		all = append(all, s)
	}
	p.mu.Unlock()
	for _, s := range all {
		s.send([]byte(`{"jsonrpc":"2.0","method":"unlocked","params":{}}`))
	}
	return nil
}
