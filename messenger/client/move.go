package client

import (
	"context"
	"fmt"
	"net/http"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// settingMoving is the number that we have asked the server for and may have by now. It is kept from before we ask until we know: a crash, or an
// answer that is lost, would leave an account that shows itself with a number that is no longer its own.
const settingMoving = "moving"

// ChangeNumber moves the account to a telephone number, for which a code was brought (RequestCode). Devices, keys, groups and conversations stay. Our
// other devices are told, and follow; so are the contacts, for whom it is the same key under another number (moved). If it is cut off, Run finds out
// which number the account has.
func (a *Account) ChangeNumber(ctx context.Context, to, code string) error {
	moved, err := a.hasMoved(ctx) // before another number takes the place of one that was asked for
	if err != nil {
		return err
	}
	own, err := a.Own(ctx)
	if err != nil {
		return err
	}
	if own.Device != session.Master {
		return &deviceError{fmt.Sprintf("device %d cannot change the number: use the account's first one", own.Device)}
	}
	if !number(to) || serverOf(to) != "" {
		return fmt.Errorf("%.40q is not a number of the form +14155550100", to)
	}
	if to == own.Number && moved {
		return nil // an earlier try that was cut off has come through
	}
	if to == own.Number {
		return fmt.Errorf("the account is %s already", to)
	}
	who := remote.Login{User: own.Login(), Password: own.Password}
	if err := a.change(ctx, func(c *change) error { return store.Save(c.tx, store.Settings, settingMoving, to) }); err != nil {
		return err
	}
	if err := a.server.ChangeNumber(ctx, who, api.NumberChange{Number: to, Code: code}); err != nil {
		if remote.Status(err) == http.StatusUnauthorized { // as when an earlier try comes through only now
			if moved, unsure := a.hasMoved(ctx); unsure == nil && moved {
				return nil
			}
		}
		if !refused(err) {
			return fmt.Errorf("whether the number was changed is found out with the next connection: %w", err)
		}
		if forget := a.change(ctx, func(c *change) error { return c.tx.Delete(store.Settings, settingMoving) }); forget != nil {
			return fmt.Errorf("%w (and that could not be noted: %v)", err, forget)
		}
		return tooMany(to, err)
	}
	if err := a.change(ctx, func(c *change) error { return c.moved(to) }); err != nil {
		return fmt.Errorf("the server calls this account %s now, and this device could not note that: %w", to, err)
	}
	return nil
}

// refused tells whether the server has answered no, to us: a 401 may mean that an earlier request of ours has changed the number.
func refused(err error) bool {
	s := remote.Status(err)
	return s/100 == 4 && s != http.StatusUnauthorized && s != http.StatusRequestTimeout
}

// moved notes that the account has another number, and queues what tells others, before all that was queued already: by then they know who writes.
func (c *change) moved(to string) error {
	old := c.self()
	whom, err := c.whomToTell()
	if err != nil {
		return err
	}
	if err := c.tx.Delete(store.Settings, settingMoving); err != nil {
		return err
	}
	if err := c.renumber(to); err != nil {
		return err
	}
	return c.first(func() error {
		if err := c.syncOwn(&wire.Sync{Moved: &wire.Moved{To: to}}); err != nil || len(whom) == 0 {
			return err
		}
		at, err := c.timestamp()
		if err != nil {
			return err
		}
		return c.push(job{Timestamp: at, Content: (&wire.Content{Moved: &wire.Moved{From: old}}).Encode(), To: whom})
	})
}

// renumber gives this device the account's new number. All sessions with contacts, and our sender keys, begin anew, since the others know the old ones
// under the old number only.
func (c *change) renumber(to string) error {
	if err := c.rename(c.self(), to); err != nil {
		return err
	}
	c.a.astray.Store(false)
	if err := history.Change(c.tx, to, func(v *history.Conversation) { v.Accepted = true }); err != nil {
		return err
	}
	err := session.Peers(c.tx, func(name string, _ session.Peer) error {
		if name == to {
			return nil
		}
		return c.book.EndSession(name)
	})
	if err != nil {
		return err
	}
	return store.All(c.tx, store.Groups, func(_ string, g groupState) error { return c.book.ForgetGroup(g.ID) })
}

// whomToTell lists those to whom our number matters: with whom there is a conversation that both want, and fellow members of groups.
func (c *change) whomToTell() (whom []string, err error) {
	seen := map[string]bool{c.self(): true}
	add := func(name string) {
		if !seen[name] {
			whom = append(whom, name)
		}
		seen[name] = true
	}
	list, err := history.Conversations(c.tx)
	if err != nil {
		return nil, err
	}
	for _, v := range list {
		if v.Blocked || !number(v.ID) {
			seen[v.ID] = v.Blocked || seen[v.ID]
		} else if v.Accepted {
			add(v.ID)
		}
	}
	err = store.All(c.tx, store.Groups, func(_ string, g groupState) error {
		if g.In(c.self()) {
			for _, m := range c.others(&g) {
				add(m)
			}
		}
		return nil
	})
	return whom, err
}

// first runs f, and puts what it queues before all that was queued.
func (c *change) first(f func() error) error {
	var before []job
	err := store.All(c.tx, store.Outbox, func(id string, j job) error {
		before = append(before, j)
		return c.tx.Delete(store.Outbox, id)
	})
	if err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	for _, j := range before {
		if err := store.Save(c.tx, store.Outbox, j.ID, j); err != nil {
			return err
		}
	}
	return nil
}

// hasMoved finds out whether a change of number that was cut off was done. Then the account has its new number. An error means that the server could not
// be asked.
func (a *Account) hasMoved(ctx context.Context) (bool, error) {
	var to string
	var begun bool
	var own session.Own
	err := a.view(ctx, func(c *change) (err error) {
		own = c.book.Own()
		to, begun, err = store.Load[string](c.tx, store.Settings, settingMoving)
		return err
	})
	if err != nil || !begun {
		return false, err
	}
	own.Number = to
	_, err = a.server.Whoami(ctx, remote.Login{User: own.Login(), Password: own.Password})
	switch {
	case remote.Status(err) == http.StatusUnauthorized:
		return false, nil
	case err != nil:
		return false, err
	}
	return true, a.change(ctx, func(c *change) error { return c.moved(to) })
}
