package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/wire"
)

// maxRounds is how often a message is encrypted anew because the server says that the devices are others (6.4).
const maxRounds = 5

// errRounds says that it was too often.
var errRounds = errors.New("the server names other devices each time; nothing was sent")

// deliver encrypts a padded plaintext for all devices of a name and sends it.
func (a *Account) deliver(ctx context.Context, name string, padded []byte, timestamp uint64) error {
	who, err := a.login(ctx)
	if err != nil {
		return err
	}
	for range maxRounds {
		var list []api.Message
		var need *session.Need
		err := a.change(ctx, func(c *change) (err error) {
			list, need, err = c.book.Seal(name, padded)
			return err
		})
		if err != nil {
			return err
		}
		if need != nil {
			if alone, err := a.fetch(ctx, who, name, need); err != nil || alone {
				return err
			}
			continue
		}
		sent, err := a.server.Send(ctx, who, name, api.Messages{Messages: list, Timestamp: timestamp, NoReceipt: true})
		if err == nil && sent.NeedsSync && name != who.User {
			return a.learnOthers(ctx, who)
		}
		if err == nil {
			return nil
		}
		if alone, err := a.mend(ctx, who, name, err); err != nil || alone {
			return err
		}
	}
	return errRounds
}

// learnOthers finds out which other devices we have, once the server says that there are some.
func (a *Account) learnOthers(ctx context.Context, who remote.Login) error {
	var self string
	var known bool
	err := a.view(ctx, func(c *change) (err error) {
		self = c.self()
		known, err = c.hasOthers()
		return err
	})
	if err != nil || known {
		return err
	}
	_, err = a.fetch(ctx, who, self, &session.Need{All: true})
	if err != nil {
		a.Log.Warn("own devices not learnt", "error", err) // the message itself has been sent
	}
	return nil
}

// mend takes in what the server says about somebody's devices, and fetches what is needed. Other errors are returned.
func (a *Account) mend(ctx context.Context, who remote.Login, name string, err error) (alone bool, _ error) {
	var devices *remote.DevicesError
	if !errors.As(err, &devices) {
		return false, err
	}
	var need *session.Need
	err = a.change(ctx, func(c *change) error {
		stale, err := c.book.Stale(name, devices.Stale)
		if err != nil {
			return err
		}
		if need, err = c.book.Mismatch(name, devices.Missing, devices.Extra); need == nil {
			need = stale
		}
		return err
	})
	if err != nil {
		return false, err
	}
	if need == nil {
		return false, nil
	}
	return a.fetch(ctx, who, name, need)
}

// fetch gets bundles and starts sessions. Alone says that we have no other devices, so there is nobody to send to.
func (a *Account) fetch(ctx context.Context, who remote.Login, name string, need *session.Need) (alone bool, err error) {
	devices := need.Devices
	if need.All {
		devices = []uint32{0}
	}
	for _, d := range devices {
		bundles, err := a.server.Bundles(ctx, who, name, d)
		if err != nil {
			if remote.Status(err) == http.StatusNotFound && !need.All {
				continue // it went away in the meantime; the server's next answer says so
			}
			return false, err
		}
		var held error
		err = a.change(ctx, func(c *change) (err error) {
			var notices []session.Notice
			if notices, held, err = c.book.Start(name, bundles); err != nil {
				return err
			}
			if err := c.noticed(notices); err != nil {
				return err
			}
			p, err := c.book.Peer(name)
			alone = name == c.self() && len(p.Devices) == 0
			return err
		})
		if err = errors.Join(err, held); err != nil {
			return false, err
		}
	}
	return alone, nil
}

// noticed tells the person what was noticed about keys and devices.
func (c *change) noticed(list []session.Notice) error {
	for _, n := range list {
		var err error
		switch {
		case n.Kind == session.KeyChanged && n.Was == session.Verified:
			err = c.notice(n.Name, "key-changed-verified", n.Name, "The safety number has changed since it was verified. Nothing is sent until it is verified again or accepted.")
		case n.Kind == session.KeyChanged:
			err = c.notice(n.Name, "key-changed", n.Name, "The safety number has changed: a new device, or somebody in between.")
		case n.By != "":
			err = c.introductions([]session.Notice{n}, true)
		case n.Kind == session.NewDevice && n.Name == c.self() && n.Device != session.Master:
			err = c.notice(n.Name, "device-added", n.Name, fmt.Sprintf("Device %d of yours was added.", n.Device))
		}
		if err == nil && n.Kind == session.KeyChanged && n.Was == session.Verified { // his word counts no more
			err = c.vouched(n.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// handRetry asks for a message again (15): all devices of its sender get the request, and the one it names answers.
func (a *Account) handRetry(ctx context.Context, j job, name string) error {
	who, err := a.login(ctx)
	if err != nil {
		return err
	}
	var p session.Peer
	if err := a.view(ctx, func(c *change) error { p, err = c.book.Peer(name); return err }); err != nil {
		return err
	}
	devices := p.Devices
	for range maxRounds {
		m := api.Messages{Timestamp: j.Timestamp, NoReceipt: true}
		for _, d := range devices {
			m.Messages = append(m.Messages, api.Message{Type: uint32(wire.EnvelopeRetry), DeviceID: d, Content: j.Retry})
		}
		_, err := a.server.Send(ctx, who, name, m)
		var wrong *remote.DevicesError
		if !errors.As(err, &wrong) {
			return err
		}
		for _, d := range wrong.Extra {
			devices = remove(devices, d)
		}
		devices = append(devices, wrong.Missing...)
	}
	return errRounds
}

func remove(list []uint32, n uint32) (out []uint32) {
	for _, d := range list {
		if d != n {
			out = append(out, d)
		}
	}
	return out
}

// verdict is what an error means for a job.
type verdict struct {
	state history.State
	why   string
	wait  time.Duration // try again after that long
	held  bool          // until the person decides
	ghost *session.GhostError
	stop  bool // the server cannot be reached, or this machine is at fault: nobody can be given anything now
}

// judge reads an error of hand.
func judge(err error) verdict {
	if err == nil {
		return verdict{state: history.Sent}
	}
	var status *remote.StatusError
	var ghost *session.GhostError
	var lost *lostError
	var useless *uselessError
	switch kind := refusal.Of(err); {
	case errors.As(err, &lost), errors.As(err, &useless):
		return verdict{state: history.Failed, why: err.Error()}
	case errors.As(err, &ghost):
		return verdict{state: history.Queued, why: err.Error(), wait: time.Minute, ghost: ghost}
	case errors.Is(err, errRounds):
		return verdict{state: history.Queued, why: err.Error(), wait: time.Minute}
	case kind == refusal.UntrustedIdentity, kind == refusal.Downgrade:
		return verdict{state: history.Failed, why: err.Error(), held: true}
	case kind != "":
		return verdict{state: history.Failed, why: err.Error()}
	case !errors.As(err, &status):
		return verdict{stop: true}
	}
	switch status.Status {
	case http.StatusUnauthorized:
		return verdict{stop: true}
	case http.StatusNotFound:
		return verdict{state: history.Failed, why: "not registered with the server, or gone"}
	case http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		if status.Status == http.StatusTooManyRequests || status.Wait > 0 {
			return verdict{state: history.Queued, why: status.Error(), wait: max(status.Wait, time.Second)}
		}
	}
	if status.Status/100 == 5 {
		return verdict{stop: true}
	}
	return verdict{state: history.Failed, why: status.Error()}
}
