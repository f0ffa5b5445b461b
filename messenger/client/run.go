package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/countersign-project/countersign/messenger/client/remote"
)

// Run keeps the account connected until ctx ends: it receives, sends what is queued, and looks after keys and timers. It returns an UnlinkedError when
// there is no use in going on, otherwise ctx's error. Connected once calls ready, if it is not nil.
func (a *Account) Run(ctx context.Context, ready func()) error {
	if a.deleted.Load() {
		return a.unlinked(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer a.wg.Wait()
	defer cancel()
	a.wg.Go(func() { a.sendQueued(ctx) })
	a.wg.Go(func() { a.tendTimers(ctx) })
	a.wg.Go(func() { a.tendIndex(ctx) })
	a.wg.Go(func() { a.tendHistories(ctx) })
	signal(a.queue)
	a.receiptsSoon() // what a crash has left
	pauses := a.pauses()
	for {
		since := a.World.Now()
		err := a.connect(ctx, &ready)
		a.online(false, err)
		switch status := remote.Status(err); {
		case ctx.Err() != nil:
			return ctx.Err()
		case status == http.StatusUnauthorized || status == http.StatusForbidden:
			known, unsure := a.stillKnown(ctx)
			if !known && unsure == nil {
				return a.unlinked(ctx)
			}
			err = errors.Join(err, unsure)
		}
		a.Log.Info("not connected", "error", err)
		if a.pause(ctx, pauses.after(a.World.Now().Sub(since))) {
			pauses.anew()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// pause waits before the next try to connect, or until there is another way.
func (a *Account) pause(ctx context.Context, d time.Duration) (moved bool) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return false
	case <-a.moved:
		return true
	case <-ctx.Done():
		return false
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// connect receives over one connection until it ends.
func (a *Account) connect(ctx context.Context, ready *func()) error {
	own, err := a.Own(ctx)
	if err != nil {
		return err
	}
	who := remote.Login{User: own.Login(), Password: own.Password}
	if a.astray.Load() {
		who.User = own.StableLogin()
	}
	return a.server.Listen(ctx, who, &listener{a, ctx, ready})
}

// listener takes in what a connection brings.
type listener struct {
	a     *Account
	ctx   context.Context
	ready *func()
}

// Connected implements remote.Listener.
func (l *listener) Connected() {
	l.a.online(true, nil)
	if *l.ready != nil {
		(*l.ready)()
		*l.ready = nil
	}
	signal(l.a.queue)
	signal(l.a.tend)
	l.a.wg.Go(func() {
		if err := l.a.linked(l.ctx); err != nil && l.ctx.Err() == nil {
			l.a.Log.Warn("that this device is known again was not noted", "error", err)
		}
		if err := l.a.upkeep(l.ctx); err != nil && l.ctx.Err() == nil {
			l.a.Log.Warn("keys not looked after", "error", err)
		}
		if err := l.a.reconnected(l.ctx); err != nil && l.ctx.Err() == nil {
			l.a.Log.Warn("groups not looked after", "error", err)
		}
	})
}

// Envelopes implements remote.Listener.
func (l *listener) Envelopes(blobs [][]byte) []bool { return l.a.takeAll(l.ctx, blobs) }

// Empty implements remote.Listener.
func (l *listener) Empty() {
	l.a.mu.Lock()
	l.a.caught = true
	l.a.mu.Unlock()
	l.a.events.publish(Event{Type: EventCaughtUp})
}

func (a *Account) online(now bool, err error) {
	a.mu.Lock()
	was := a.connected
	a.connected, a.caught, a.why = now, false, ""
	if err != nil {
		a.why = err.Error()
	}
	a.mu.Unlock()
	if was == now && err == nil {
		return
	}
	e := Event{Type: EventConnection, Connected: now}
	if err != nil {
		e.Why = err.Error()
	}
	a.events.publish(e)
}

// Connected tells whether the account has a connection.
func (a *Account) Connected() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.connected
}

// CaughtUp tells whether it has, besides, received everything that waited when that began. Whoever listens and is told no will be told of EventCaughtUp.
func (a *Account) CaughtUp() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.caught
}

// Receive connects, takes in everything that waits, sends everything that is queued, and returns. A script's alternative to Run.
func (a *Account) Receive(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sub := a.Subscribe()
	defer sub.Close()
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, nil) }()
	err := a.caughtUp(ctx, sub, done)
	if err == nil {
		err = a.Flush(ctx)
	}
	cancel()
	for range done {
		break
	}
	return err
}

func (a *Account) caughtUp(ctx context.Context, sub *Subscription, done chan error) error {
	caught := make(chan error, 1)
	go func() {
		for {
			e, ok := sub.Next(ctx)
			switch {
			case !ok:
				caught <- ctx.Err()
				return
			case e.Type == EventCaughtUp:
				caught <- nil
				return
			case e.Type == EventConnection && !e.Connected:
				caught <- fmt.Errorf("the connection was lost: %s", e.Why)
				return
			}
		}
	}()
	select {
	case err := <-caught:
		return err
	case err := <-done:
		done <- err
		return err
	}
}
