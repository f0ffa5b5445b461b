package web

import (
	"context"
	"errors"
	"fmt"
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

// covered tells whether a tab sees nothing. The caller holds mu.
func (p *Page) covered(s *session) bool {
	return s.restored || p.Locks() && p.lock.due(p.Now())
}

func (p *Page) locked(s *session) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.covered(s)
}

// use notes that the page is used, and tells whether it may be.
func (p *Page) use(s *session) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.covered(s) {
		return false
	}
	p.lock.touch(p.Now())
	return true
}

// Lock covers the page until the passphrase was given.
func (p *Page) Lock() {
	p.mu.Lock()
	p.lock.on = true
	p.mu.Unlock()
	p.tellAll("locked")
}

// Opened says that another Server answers now: the account was opened, with its passphrase.
func (p *Page) Opened() {
	p.open()
	for _, s := range p.all() {
		s.rpc() // events come from the new one
	}
	p.tellAll("opened")
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
	p.open()
	p.tellAll("unlocked")
	return nil
}

func (p *Page) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lock.on = false
	p.lock.touch(p.Now())
}

func (p *Page) all() (list []*session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sessions {
		list = append(list, s)
	}
	return list
}

// tellAll tells all tabs something that is no secret.
func (p *Page) tellAll(method string) {
	for _, s := range p.all() {
		s.send(fmt.Appendf(nil, `{"jsonrpc":"2.0","method":%q,"params":{}}`, method))
	}
}
