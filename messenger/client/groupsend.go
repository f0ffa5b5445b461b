package client

import (
	"context"
	"errors"
	"slices"

	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/wire"
)

// SenderKeysFrom is how many other members a group must have for sender keys. Below, each message goes pairwise: it costs little, and the
// server is not told the member list (11.4).
const SenderKeysFrom = 20

// workGroup gives a job to those members who can read sender keys, if the group is large, and returns whom it did not reach.
func (a *Account) workGroup(ctx context.Context, j job, to []string, p *passage) (rest []string, err error) {
	id, ok := groupID(j.Group)
	if !ok || len(to) < SenderKeysFrom {
		return to, nil
	}
	var able []string
	err = a.view(ctx, func(c *change) error {
		for _, name := range to {
			who, err := c.book.Peer(name)
			if err != nil {
				return err
			}
			if who.SenderKeys() && serverOf(name) == "" { // the one ciphertext does not cross between servers
				able = append(able, name)
			} else {
				rest = append(rest, name)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for len(able) >= SenderKeysFrom {
		gone, err := a.deliverGroup(ctx, id, able, wire.Pad(j.Content), j.Timestamp)
		var member *memberError
		if errors.As(err, &member) { // he is settled by himself, the others go on
			if err := a.settle(ctx, j, member.name, member.err, p); err != nil {
				return nil, err
			}
			able = slices.DeleteFunc(able, func(n string) bool { return n == member.name })
			continue
		}
		if err != nil {
			return nil, a.failed(ctx, j, able, err, p)
		}
		for _, name := range able {
			var err error
			if slices.Contains(gone, name) {
				err = &remote.StatusError{Status: 404}
			}
			if err := a.settle(ctx, j, name, err, p); err != nil {
				return nil, err
			}
		}
		return rest, nil
	}
	return append(rest, able...), nil
}

// memberError is a failure with one member of a group.
type memberError struct {
	name string
	err  error
}

func (e *memberError) Error() string { return e.name + ": " + e.err.Error() }
func (e *memberError) Unwrap() error { return e.err }

// deliverGroup encrypts once for all members and sends that. It returns who is not registered any more.
func (a *Account) deliverGroup(ctx context.Context, id [16]byte, members []string, padded []byte, timestamp uint64) (gone []string, err error) {
	who, err := a.login(ctx)
	if err != nil {
		return nil, err
	}
	for range maxRounds {
		var sealed []byte
		var to []session.Addressed
		var h *session.Handout
		err := a.change(ctx, func(c *change) (err error) {
			sealed, to, h, err = c.book.SealGroup(id, members, padded)
			return err
		})
		var held *session.HeldError
		if errors.As(err, &held) {
			return nil, &memberError{held.Name, err}
		}
		if err != nil {
			return nil, err
		}
		if h != nil {
			if err := a.handOut(ctx, id, h, timestamp); err != nil {
				return nil, err
			}
			continue
		}
		sent, err := a.server.SendGroup(ctx, who, api.Multi{Type: uint32(wire.EnvelopeSenderKey), Content: sealed, Timestamp: timestamp, Recipients: recipients(to), NoReceipt: true})
		var wrong *remote.GroupDevicesError
		if !errors.As(err, &wrong) {
			return sent.Unregistered, err
		}
		for _, r := range wrong.Recipients {
			if !slices.Contains(members, r.Number) {
				continue
			}
			if _, err := a.mend(ctx, who, r.Number, &remote.DevicesError{Missing: r.MissingDevices, Extra: r.ExtraDevices, Stale: r.StaleDevices}); err != nil {
				return nil, &memberError{r.Number, err}
			}
		}
	}
	return nil, errRounds
}

// handOut gives members our sender key, pairwise.
func (a *Account) handOut(ctx context.Context, id [16]byte, h *session.Handout, timestamp uint64) error {
	content := wire.Pad((&wire.Content{SenderKey: h.Distribution}).Encode())
	for _, name := range h.To {
		if err := a.deliver(ctx, name, content, timestamp); err != nil {
			if judge(err).stop {
				return err
			}
			return &memberError{name, err}
		}
		if err := a.change(ctx, func(c *change) error { return c.book.Handed(id, h, name) }); err != nil {
			return err
		}
	}
	return nil
}

func recipients(to []session.Addressed) (out []api.Recipient) {
	for _, a := range to {
		d := api.RecipientDevice{ID: a.Device, RegistrationID: a.RegistrationID}
		if n := len(out); n > 0 && out[n-1].Number == a.Name {
			out[n-1].Devices = append(out[n-1].Devices, d)
			continue
		}
		out = append(out, api.Recipient{Number: a.Name, Devices: []api.RecipientDevice{d}})
	}
	return out
}
