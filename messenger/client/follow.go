package client

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// How others follow whose number has changed. The server says who writes, and can say what it likes; what counts is the key. Another device of ours is
// known by the sessions we have with it, so it is understood whatever number it writes from, and what it says of our number is taken. A contact
// writes from his new number with his identity key, and says which number he had: if it is the key that we know under that, the conversation, what was
// verified, and his place in groups go on under the new one; if not, he is a stranger who claims something.

// learnAccount asks what the server calls the account whatever its number, once.
func (a *Account) learnAccount(ctx context.Context, who remote.Login) error {
	own, err := a.Own(ctx)
	if err != nil || own.Account != "" {
		return err
	}
	w, err := a.server.Whoami(ctx, who)
	if err != nil || w.Account == "" {
		return err
	}
	return a.change(ctx, func(c *change) error {
		own := c.book.Own()
		own.Account = w.Account
		return c.book.SaveOwn(own)
	})
}

// stillKnown finds out, when the server does not know us any more by our number, whether the account has another one by now. That is so if a change was
// cut off after it was done; and on a further device, which then connects by the account's name, and waits for the device that has changed the number
// to say so. An error means that the server could not be asked.
func (a *Account) stillKnown(ctx context.Context) (bool, error) {
	if moved, err := a.hasMoved(ctx); moved || err != nil {
		return moved, err
	}
	own, err := a.Own(ctx)
	if err != nil || own.Device == session.Master || own.Account == "" {
		return false, err
	}
	w, err := a.server.Whoami(ctx, remote.Login{User: own.StableLogin(), Password: own.Password})
	switch {
	case remote.Status(err) == http.StatusUnauthorized:
		return false, nil
	case err != nil:
		return false, err
	}
	astray := w.Number != own.Number
	if astray && !a.astray.Load() {
		a.Log.Info("the account has another number: waiting for the device that has changed it", "the server says", w.Number)
	}
	a.astray.Store(astray)
	return true, nil
}

// followed takes in that another device of ours has changed the number.
func (c *change) followed(to string) error {
	if !number(to) || serverOf(to) != "" {
		return refusal.Because(refusal.InvalidMessage, "our number is said to be %.40q", to)
	}
	if to == c.self() {
		return nil
	}
	old := c.self()
	if err := c.renumber(to); err != nil {
		return err
	}
	return c.notice(to, "number-changed", to, fmt.Sprintf("Your number is %s now; it was %s.", to, old))
}

// open decrypts an envelope. One from a number that nobody has whom we know may be of another device of ours, which has a number that this one has not
// heard of, or had one that is no more: then it opens with our session with it, which nobody else has.
func (c *change) open(e wire.Envelope) (session.Opened, error) {
	o, err := c.book.Open(e)
	if refusal.Of(err) == "" {
		if err == nil {
			err = c.late(&o)
		}
		return o, err
	}
	others, asked := c.hasOthers()
	p, known := c.book.Peer(e.Source)
	if asked != nil || known != nil || !others || len(p.Identity) > 0 || e.Type == wire.EnvelopeRetry {
		return o, err
	}
	e.Source = c.self()
	if mine, failed := c.book.Open(e); failed == nil {
		return mine, nil
	}
	return o, err
}

// late puts what somebody has written from his number of before where he is now. Somebody else who has the number now ends that.
func (c *change) late(o *session.Opened) error {
	now, err := c.nowCalled(o.From, "")
	if err != nil || now == "" || now == c.self() || o.Retry != nil {
		return err
	}
	was, err := c.book.Peer(o.From)
	if err != nil {
		return err
	}
	is, err := c.book.Peer(now)
	if err != nil {
		return err
	}
	switch m := o.Content.Moved; {
	case len(was.Identity) == 0: // it came by a sender key that we have from him of before
	case !bytes.Equal(was.Identity, is.Identity):
		return c.tx.Delete(store.Settings, settingMoved+o.From)
	case m != nil && calledFrom(o.From, m.From) == now: // he has gone back to it
		return nil
	}
	if err := c.book.Forget(o.From); err != nil {
		return err
	}
	o.From = now
	return nil
}

// calledFrom is what we call the number that somebody had before: he has stayed on his server.
func calledFrom(from, old string) string {
	if server := serverOf(from); server != "" {
		return old + "@" + server
	}
	return old
}

// heardMoved takes in that a contact says to have had another number.
func (c *change) heardMoved(from, old string) error {
	if !number(old) || serverOf(old) != "" {
		return refusal.Because(refusal.InvalidMessage, "%s says to have been %.40q", from, old)
	}
	old = calledFrom(from, old)
	if old == from || old == c.self() {
		return nil
	}
	was, err := c.book.Peer(old)
	if err != nil || len(was.Identity) == 0 { // we know nobody by that number
		return err
	}
	is, err := c.book.Peer(from)
	if err != nil {
		return err
	}
	if !bytes.Equal(was.Identity, is.Identity) {
		return c.once(from, "number-claimed", old, fmt.Sprintf("Whoever writes from %s says that %s was his number before, and has another key than you know of that: he need not be the same. Compare safety numbers before you trust him.", from, c.called(old)))
	}
	return c.follow(old, from)
}

// follow goes on with a contact under his new number.
func (c *change) follow(old, to string) error {
	who := c.called(old)
	talked, err := history.Open(c.tx, old)
	if err != nil {
		return err
	}
	if err := c.rename(old, to); err != nil {
		return err
	}
	text := fmt.Sprintf("%s has another number now: %s instead of %s. The key is the same.", who, to, old)
	if (talked.Accepted || talked.LastSeq > 0) && !talked.Blocked {
		if err := c.notice(to, "number-changed", to, text); err != nil {
			return err
		}
	}
	return store.All(c.tx, store.Groups, func(name string, g groupState) error {
		if !g.In(to) || !g.In(c.self()) {
			return nil
		}
		return c.notice(name, "number-changed", to, text)
	})
}
