package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/devicelist"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/provision"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// linkLife is how long a shown code is good for (10.2), and lookAtClock how often is looked whether it still is.
const (
	linkLife    = 2 * time.Minute
	lookAtClock = 200 * time.Millisecond
)

// ErrNotConfirmed says that the person did not find the same on both screens.
var ErrNotConfirmed = errors.New("not confirmed: nothing was linked")

// Linking is what a new device shows and asks while it is linked.
type Linking struct {
	Name  string // of the device, shown by the others; not encrypted, so say no more than "laptop"
	Draft bool   // use the seed text's codec (10.2) instead of the one that was shipped
	// Show is called with the text of the QR code.
	Show func(code string) error
	// Confirm is called with the number whose account the device would become part of, and six digits that both screens must show.
	Confirm func(number, digits string) (bool, error)
}

// Link makes this a further device of an account: it shows a code, waits for the first device to scan it, and registers once the person has confirmed
// number and digits.
func Link(ctx context.Context, o Options, passphrase []byte, l Linking) (*Account, error) {
	server, err := remote.New(o.Server)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	ephemeral, err := keys.Generate(o.World.Rand)
	if err != nil {
		return nil, err
	}
	defer ephemeral.Wipe()
	acc, digits, err := awaitMaster(ctx, server, ephemeral, l, o.World.Now)
	if err != nil {
		return nil, err
	}
	if !number(acc.Number) {
		return nil, fmt.Errorf("the other device says its number is %.40q, which is no number", acc.Number)
	}
	ok, err := l.Confirm(acc.Number, digits)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNotConfirmed
	}
	own, err := session.NewOwn(acc.Identity, acc.ProfileKey, o.World.Rand)
	if err != nil {
		return nil, err
	}
	own.Number, own.Server = acc.Number, server.URL()
	a, err := create(ctx, o, passphrase, func() (session.Own, error) {
		attr := attributes(own)
		attr.Name = l.Name
		own.Device, err = server.AddDevice(ctx, remote.Login{User: own.Number, Password: own.Password}, acc.Code, attr)
		return own, err
	}, func(tx *store.Tx) error { return expect(tx, acc.History) })
	if err != nil {
		return nil, err
	}
	if err := a.greet(ctx); err != nil {
		a.Log.Warn("the other devices were not asked for what they know", "error", err) // the person can go on without
	}
	return a, nil
}

// awaitMaster shows the code and waits for the envelope, for two minutes of the clock on the wall: a computer that sleeps meanwhile does not prolong them.
func awaitMaster(ctx context.Context, server *remote.Server, ephemeral *keys.Private, l Linking, now func() time.Time) (acc provision.Account, digits string, err error) {
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	until := now().Round(0).Add(linkLife) // without the clock that stops while a computer sleeps
	late := fmt.Errorf("nobody scanned the code within %v: begin again", linkLife)
	go func() {
		for now().Before(until) && sleep(waiting, lookAtClock) {
		}
		cancel(late)
	}()
	envelope, err := server.Newcomer(waiting, l.Draft, func(address string) error {
		c := provision.Code{Address: address, Key: ephemeral.Public(), Draft: l.Draft}
		if l.Draft {
			c.Server = server.URL()
		}
		return l.Show(c.String())
	})
	switch {
	case ctx.Err() == nil && (context.Cause(waiting) == late || !now().Before(until)):
		return acc, "", late
	case err != nil:
		return acc, "", err
	}
	return codec(l.Draft).Open(ephemeral, envelope)
}

func codec(draft bool) provision.Codec {
	if draft {
		return provision.Draft{}
	}
	return provision.Shipped{}
}

// greet tells a new device's siblings what it would like to know.
func (a *Account) greet(ctx context.Context) error {
	who, err := a.login(ctx)
	if err != nil {
		return err
	}
	if err := a.learnOthers(ctx, who); err != nil {
		return err
	}
	return a.change(ctx, func(c *change) error {
		for _, kind := range []uint32{wire.SyncContacts, wire.SyncGroups, wire.SyncBlocked, wire.SyncConfiguration} {
			if err := c.syncOwn(&wire.Sync{Request: &kind}); err != nil {
				return err
			}
		}
		return nil
	})
}

// AddDevice lets a new device into the account: code is the text of the QR code it shows. Confirm is called with the six digits that its screen
// must show too, before anything is registered there. It returns once the new device is registered and the signed list has it.
func (a *Account) AddDevice(ctx context.Context, code string, confirm func(digits string) (bool, error)) (id uint32, err error) {
	return a.addDevice(ctx, code, 0, confirm)
}

// AddDeviceWithHistory is AddDevice for one that also gets what this device has: it is told so before it registers, and the history is on order
// when this returns. SendHistory waits for that.
func (a *Account) AddDeviceWithHistory(ctx context.Context, code string, confirm func(digits string) (bool, error)) (id uint32, err error) {
	messages, _, err := a.HistorySize(ctx)
	if err != nil {
		return 0, err
	}
	if id, err = a.addDevice(ctx, code, uint64(messages), confirm); err != nil {
		return id, err
	}
	_, err = a.orderHistory(ctx, id, nil)
	return id, err
}

func (a *Account) addDevice(ctx context.Context, code string, messages uint64, confirm func(digits string) (bool, error)) (id uint32, err error) {
	scanned, err := provision.ParseCode(code)
	if err != nil {
		return 0, err
	}
	own, err := a.Own(ctx)
	if err != nil {
		return 0, err
	}
	if own.Device != session.Master {
		return 0, fmt.Errorf("device %d cannot add devices: use the account's first one", own.Device)
	}
	identity, err := own.Identity()
	if err != nil {
		return 0, err
	}
	who := remote.Login{User: own.Login(), Password: own.Password}
	before, err := a.server.Devices(ctx, who)
	if err != nil {
		return 0, err
	}
	registers, err := a.server.ProvisioningCode(ctx, who)
	if err != nil {
		return 0, err
	}
	acc := provision.Account{Identity: identity, Number: own.Number, Code: registers, UserAgent: "Countersign", ProfileKey: own.ProfileKey, Server: own.Server, History: messages}
	envelope, digits, err := codec(scanned.Draft).Seal(scanned.Key, acc, a.World.Rand)
	if err != nil {
		return 0, err
	}
	if ok, err := confirm(digits); err != nil || !ok {
		return 0, errors.Join(err, ErrNotConfirmed)
	}
	if scanned.Draft {
		err = a.server.ProvisionDraft(ctx, who, scanned.Address, envelope)
	} else {
		err = a.server.Provision(ctx, who, scanned.Address, envelope)
	}
	if err != nil {
		return 0, err
	}
	known := map[uint32]bool{}
	for _, d := range before {
		known[d.ID] = true
	}
	if id, err = a.awaitDevice(ctx, who, known); err != nil {
		return 0, err
	}
	return id, a.enlist(ctx, who, id)
}

// pollEvery is how often the first device looks for the new one.
const pollEvery = 300 * time.Millisecond

// awaitDevice waits until the new device has registered and has handed in keys.
func (a *Account) awaitDevice(ctx context.Context, who remote.Login, known map[uint32]bool) (uint32, error) {
	waiting, cancel := context.WithTimeout(ctx, 10*time.Minute) // as long as the server's code is good for
	defer cancel()
	for {
		list, err := a.server.Devices(waiting, who)
		if err != nil && waiting.Err() == nil {
			return 0, err
		}
		for _, d := range list {
			if known[d.ID] {
				continue
			}
			if _, err := a.server.Bundles(waiting, who, who.User, d.ID); err == nil {
				return d.ID, nil
			} else if remote.Status(err) != 404 && remote.Status(err) != 429 && remote.Status(err) != 413 {
				return 0, err
			}
		}
		if !sleep(waiting, pollEvery) {
			return 0, errors.New("the new device has not registered; it was perhaps not confirmed there")
		}
	}
}

// enlist signs a list with a new device in it. The device has shown that it holds the identity key: its signed prekey is signed with it.
func (a *Account) enlist(ctx context.Context, who remote.Login, id uint32) error {
	bundles, err := a.server.Bundles(ctx, who, who.User, id)
	if err != nil {
		return err
	}
	if len(bundles.Devices) != 1 || bundles.Devices[0].DeviceID != id {
		return fmt.Errorf("the server answers a question about device %d with others", id)
	}
	others, err := a.listed(ctx)
	if err != nil {
		return err
	}
	others = append(others, devicelist.Device{ID: id, RegistrationID: bundles.Devices[0].RegistrationID})
	// First the sessions, which check the signatures; then the list.
	fresh := *bundles
	fresh.DeviceList = nil
	if err := a.change(ctx, func(c *change) error {
		if err := c.book.Vouch(others); err != nil {
			return err
		}
		notices, held, err := c.book.Start(who.User, &fresh)
		if err = errors.Join(err, held); err != nil {
			return err
		}
		return c.noticed(notices)
	}); err != nil {
		return fmt.Errorf("the new device's keys: %w", err)
	}
	return a.publishList(ctx, others)
}

// listed returns our other devices by the newest list.
func (a *Account) listed(ctx context.Context) (out []devicelist.Device, err error) {
	err = a.view(ctx, func(c *change) error {
		list, err := c.book.Listed()
		if err != nil || list == nil {
			return err
		}
		for _, d := range list.Devices {
			if d.ID != c.book.Own().Device {
				out = append(out, d)
			}
		}
		return nil
	})
	return out, err
}

// Device is one of our own.
type Device struct {
	ID       uint32 `json:"id"`
	Name     string `json:"name,omitempty"`
	Created  int64  `json:"created"`  // milliseconds
	LastSeen int64  `json:"lastSeen"` // a whole day
	This     bool   `json:"this,omitempty"`
	// Signed says that the device is in the list signed by the account; others write to no other.
	Signed bool `json:"signed"`
}

// Devices lists the account's devices as the server has them, and which of them are signed for.
func (a *Account) Devices(ctx context.Context) (out []Device, err error) {
	own, err := a.Own(ctx)
	if err != nil {
		return nil, err
	}
	who := remote.Login{User: own.Login(), Password: own.Password}
	list, err := a.server.Devices(ctx, who)
	if err != nil {
		return nil, err
	}
	others, err := a.listed(ctx)
	if err != nil {
		return nil, err
	}
	signed := map[uint32]bool{own.Device: true}
	for _, d := range others {
		signed[d.ID] = true
	}
	for _, d := range list {
		out = append(out, Device{ID: d.ID, Name: d.Name, Created: d.Created, LastSeen: d.LastSeen, This: d.ID == own.Device, Signed: signed[d.ID]})
	}
	return out, nil
}

// RemoveDevice removes a device of ours. It still has the identity key: one that was stolen calls for a new account.
func (a *Account) RemoveDevice(ctx context.Context, id uint32) error {
	who, err := a.login(ctx)
	if err != nil {
		return err
	}
	if err := a.server.RemoveDevice(ctx, who, id); err != nil {
		return err
	}
	if err := a.change(ctx, func(c *change) error { return c.dropHandover(id) }); err != nil {
		return err
	}
	a.outcomes.end(id, errors.New("the device was removed"))
	others, err := a.listed(ctx)
	if err != nil {
		return err
	}
	var rest []devicelist.Device
	for _, d := range others {
		if d.ID != id {
			rest = append(rest, d)
		}
	}
	return a.publishList(ctx, rest)
}
