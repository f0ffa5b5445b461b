package client

import (
	"context"
	"fmt"
	"net/http"

	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
)

// Network is how the account reaches its server.
func (a *Account) Network() remote.Options { return a.server.Options() }

// Offline says why the account has no connection; empty: it has one, or has not tried yet.
func (a *Account) Offline() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.why
}

// SetNetwork reaches the same server another way from now on: at another address, below another authority, through another proxy. The way is tried before
// anything is changed, unless untried is set: a server that does not know this device is another one, and is refused (AnotherServerError). What was under
// way ends, and is done again over the new way as after any lost connection. remote.OptionsError.
func (a *Account) SetNetwork(ctx context.Context, o remote.Options, untried bool) error {
	a.moving.Lock()
	defer a.moving.Unlock()
	s, err := remote.New(o)
	if err != nil {
		return err
	}
	defer s.Close()
	o.URL = s.URL()
	own, err := a.Own(ctx)
	if err != nil {
		return err
	}
	if !untried {
		if err := knows(ctx, s, own); err != nil {
			return err
		}
	}
	before := a.Network()
	if o.Proxy != "" { // a note that is ahead of the account keeps updates where they were to go, one that is behind does not
		if err := a.noteRoute(o); err != nil {
			return err
		}
	}
	err = a.change(ctx, func(c *change) error {
		if err := store.Save(c.tx, store.Settings, settingServer, o); err != nil {
			return err
		}
		own := c.book.Own()
		own.Server = o.URL
		return c.book.SaveOwn(own)
	})
	if err != nil {
		if undone := a.noteRoute(before); undone != nil {
			a.Log.Warn("how this account goes to the network is not noted for updates", "error", undone)
		}
		return err
	}
	if err := a.server.Move(o); err != nil {
		return err
	}
	signal(a.moved)
	signal(a.queue)
	return a.noteRoute(o)
}

// AwaitNetwork waits until the server is reached another way than before.
func (a *Account) AwaitNetwork(ctx context.Context) error {
	select {
	case <-a.moved:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// AnotherServerError says that there is somebody at an address, and that he does not have this account.
type AnotherServerError struct{ Address, Why string }

func (e *AnotherServerError) Error() string {
	return fmt.Sprintf("%s is not the server of this account: %s. An account lives on one server; for another server make another account, beside this one", e.Address, e.Why)
}

// Refused is true: it was looked at and is the wrong one.
func (e *AnotherServerError) Refused() bool { return true }

// knows tries whether a server knows this device. It is asked as by a stranger first: who does not even want a password gets none of ours.
func knows(ctx context.Context, s *remote.Server, own session.Own) error {
	_, err := s.Whoami(ctx, remote.Login{})
	switch status := remote.Status(err); {
	case status == http.StatusUnauthorized:
	case err == nil:
		return &AnotherServerError{s.URL(), "it answers, but not as a messenger's server does"}
	case status/100 == 3 || status/100 == 4 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout:
		return &AnotherServerError{s.URL(), fmt.Sprintf("it answers, but not as a messenger's server does (%d)", status)}
	default:
		return fmt.Errorf("%s was tried: %w", s.URL(), err)
	}
	names := []string{own.Login()}
	if stable := own.StableLogin(); stable != "" { // another device may have changed the number
		names = append(names, stable)
	}
	for _, name := range names {
		w, err := s.Whoami(ctx, remote.Login{User: name, Password: own.Password})
		switch status := remote.Status(err); {
		case err == nil && w.DeviceID == own.Device && (w.Number == own.Number || name != own.Login()):
			return nil
		case err == nil:
			return &AnotherServerError{s.URL(), fmt.Sprintf("it takes this device for %.40q.%d", w.Number, w.DeviceID)}
		case status == http.StatusUnauthorized || status == http.StatusForbidden:
		default:
			return fmt.Errorf("%s was tried: %w", s.URL(), err)
		}
	}
	return &AnotherServerError{s.URL(), fmt.Sprintf("it does not know %s, or not this device", own.Number)}
}
