package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/devicelist"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
)

// Registration is how an account is made: with an invite, to which the server gives a number of its own, or with a number and the code that
// was brought to it.
type Registration struct {
	Invite string
	Number string
	Code   string
	Pin    string // the registration lock of the number's earlier account, if it has one
}

// RequestCode has a code brought to a number, by sms or voice.
func RequestCode(ctx context.Context, o remote.Options, transport, number string) (string, error) {
	s, err := remote.New(o)
	if err != nil {
		return "", err
	}
	defer s.Close()
	code, err := s.RequestCode(ctx, transport, number)
	return code, tooMany(number, err)
}

// attributes are what a device tells the server about itself (6.1).
func attributes(own session.Own) api.AccountAttributes {
	return api.AccountAttributes{SignalingKey: own.SignalingKey, RegistrationID: own.RegistrationID, FetchesMessages: true,
		Capabilities: api.Capabilities{SPQR: true, SenderKeys: true}}
}

// Register makes an account and its store, and hands in its keys.
func Register(ctx context.Context, o Options, passphrase []byte, r Registration) (*Account, error) {
	server, err := remote.New(o.Server)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	own, err := session.NewOwn(nil, nil, o.World.Rand)
	if err != nil {
		return nil, err
	}
	own.Device, own.Server = session.Master, server.URL()
	return create(ctx, o, passphrase, func() (session.Own, error) {
		attr := attributes(own)
		attr.Pin = r.Pin
		if r.Invite != "" {
			own.Number, err = server.RegisterByInvite(ctx, own.Password, api.Registration{Invite: r.Invite, AccountAttributes: attr})
		} else {
			own.Number = r.Number
			err = tooMany(r.Number, server.Register(ctx, remote.Login{User: r.Number, Password: own.Password}, r.Code, attr))
		}
		return own, err
	})
}

// create makes a store, lets register do its part, and keeps the result and what more keeps with it. If registering fails nothing is left behind.
func create(ctx context.Context, o Options, passphrase []byte, register func() (session.Own, error), more ...func(*store.Tx) error) (*Account, error) {
	s, err := store.CreateBy(ctx, o.Dir, store.Secret{Passphrase: passphrase, Key: o.Key}, o.Cost)
	if err != nil {
		return nil, err
	}
	own, err := register()
	if err != nil {
		return nil, errors.Join(err, s.Close(), store.Remove(o.Dir))
	}
	err = s.Update(ctx, func(tx *store.Tx) error {
		if err := store.Save(tx, store.Settings, settingServer, o.Server); err != nil {
			return err
		}
		if err := history.Change(tx, own.Number, func(c *history.Conversation) { c.Accepted = true }); err != nil {
			return err
		}
		for _, f := range more {
			if err := f(tx); err != nil {
				return err
			}
		}
		return session.SaveOwn(tx, own)
	})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	a, err := opened(ctx, o, s)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := a.upkeep(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is registered, but its keys could not be handed in; that is done at the next start: %w", own.Number, err), a.Close())
	}
	return a, nil
}

// upkeep hands in prekeys where few are left or the signed ones are old, and a device list where none was published that has this
// device as it is installed now (6.3, 14).
func (a *Account) upkeep(ctx context.Context) error {
	who, err := a.login(ctx)
	if err != nil {
		return err
	}
	left, err := a.server.CountKeys(ctx, who)
	if err != nil {
		return err
	}
	if err := a.learnAccount(ctx, who); err != nil {
		return err
	}
	var body *api.PreKeysV3
	var list *devicelist.List
	var own session.Own
	err = a.change(ctx, func(c *change) error {
		own = c.book.Own()
		if list, err = c.book.Listed(); err != nil {
			return err
		}
		if left.Count >= session.LowOnPrekeys && left.PQCount >= session.LowOnPrekeys && !c.book.PrekeysDue() {
			return nil
		}
		made, err := c.book.NewPrekeys()
		body = &made
		return err
	})
	if err != nil {
		return err
	}
	if body != nil {
		if err := a.server.PutKeys(ctx, who, *body); err != nil {
			return err
		}
	}
	if own.Device != session.Master || list != nil && list.Lists(own.Device, own.RegistrationID) {
		return nil
	}
	others, err := a.listed(ctx) // a restored device is installed anew; the others stay
	if err != nil {
		return err
	}
	return a.publishList(ctx, others)
}

// publishList signs and publishes the list of our devices: this one and others.
func (a *Account) publishList(ctx context.Context, others []devicelist.Device) error {
	who, err := a.login(ctx)
	if err != nil {
		return err
	}
	var list *api.DeviceList
	err = a.change(ctx, func(c *change) error {
		list, err = c.book.SignList(others)
		return err
	})
	if err != nil {
		return err
	}
	return a.server.SetDeviceList(ctx, who, *list)
}
