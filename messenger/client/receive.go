package client

import (
	"context"
	"fmt"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/signaling"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// takeAll takes in envelopes as they came from the server, in their order, and tells of each whether it need not come again. All are taken in with one
// transaction, which is on the disk when they are acknowledged. If one of them is not readable nothing of that has happened, and each is taken in by itself.
func (a *Account) takeAll(ctx context.Context, blobs [][]byte) []bool {
	done := make([]bool, len(blobs))
	own, err := a.Own(ctx)
	if err != nil || len(own.SignalingKey) != signaling.KeySize {
		a.Log.Error("envelopes not taken in", "error", err)
		return done
	}
	key := signaling.Key(own.SignalingKey)
	var list []wire.Envelope
	var at []int // where in blobs they were
	for i, blob := range blobs {
		if e, ok := a.unwrap(&key, blob); ok {
			list, at = append(list, e), append(at, i)
		} else {
			done[i] = true // it never will be readable, and would come for ever (3.9)
		}
	}
	if len(list) > 1 {
		err := a.change(ctx, func(c *change) error {
			for _, e := range list {
				if err := c.receive(e); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			for _, i := range at {
				done[i] = true
			}
			return done
		}
	}
	for n, e := range list {
		done[at[n]] = a.take(ctx, e)
	}
	return done
}

// unwrap opens what the server has wrapped an envelope in. Not ok: there is nothing in it to take in.
func (a *Account) unwrap(key *signaling.Key, blob []byte) (e wire.Envelope, ok bool) {
	raw, err := key.Open(blob)
	if err == nil {
		e, err = wire.ParseEnvelope(raw)
	}
	if err != nil {
		a.Log.Warn("envelope thrown away", "error", err)
		return e, false
	}
	if e.Relay != "" {
		e.Source += "@" + e.Relay
	}
	if !number(e.Source) {
		a.Log.Warn("envelope thrown away", "error", "its source is no number")
		return e, false
	}
	return e, e.Type != wire.EnvelopeReceipt // that is the server's word, which proves nothing (14)
}

// take takes in one envelope, and tells whether it need not come again: because it is on the disk, was there before, or will never be readable.
func (a *Account) take(ctx context.Context, e wire.Envelope) bool {
	err := a.change(ctx, func(c *change) error { return c.receive(e) })
	switch kind := refusal.Of(err); {
	case err == nil, kind == refusal.Duplicate:
		return true
	case kind == "":
		if ctx.Err() == nil {
			a.Log.Error("envelope not taken in", "error", err)
		}
		return false
	}
	a.Log.Warn("envelope not readable", "error", err)
	if err := a.change(ctx, func(c *change) error { return c.unreadable(e, err) }); err != nil {
		a.Log.Error("envelope not taken in", "error", err)
		return false
	}
	return true
}

// Anybody can make up unreadable envelopes, so how often one sender is asked is bounded: retryBurst times in a row, for what has waited for a device that was
// restored comes all at once; and then once in retryEvery milliseconds.
const (
	retryEvery = 5_000
	retryBurst = 100
)

// mayAsk tells whether somebody may be asked again now, and counts it.
func (c *change) mayAsk(whom string) (bool, error) {
	type asked struct {
		N  int64 // so many more than time has given back
		At int64 // milliseconds
	}
	name := "asked again " + whom
	a, _, err := store.Load[asked](c.tx, store.Settings, name)
	if err != nil {
		return false, err
	}
	if back := (c.now - a.At) / retryEvery; back > 0 || c.now < a.At {
		a.N, a.At = max(0, a.N-max(back, 0)), c.now
	}
	if a.N >= retryBurst {
		return false, nil
	}
	a.N++
	return true, store.Save(c.tx, store.Settings, name, a)
}

// unreadable leaves a placeholder and asks the sender to send again, if it is somebody we know.
func (c *change) unreadable(e wire.Envelope, cause error) error {
	p, err := c.book.Peer(e.Source)
	if err != nil || len(p.Identity) == 0 {
		return err
	}
	v, err := history.Open(c.tx, e.Source)
	if err != nil || v.Blocked {
		return err
	}
	m := &history.Message{Conversation: e.Source, Kind: history.Notice, Notice: "unreadable", Author: e.Source, Timestamp: e.Timestamp, Received: c.now,
		Body: fmt.Sprintf("A message could not be read (%v).", refusal.Of(cause))}
	r := session.RetryFor(e, cause)
	ask := false
	if r != nil {
		if ask, err = c.mayAsk(e.Source); err != nil {
			return err
		}
	}
	if ask {
		m.Body += " The sender's device is asked to send it again."
		if err := c.push(job{Timestamp: uint64(c.now), Retry: r.EncodePlaintext(), To: []string{e.Source}}); err != nil {
			return err
		}
	}
	added, err := history.Add(c.tx, m)
	if added {
		c.tell(Event{Type: EventMessage, Conversation: m.Conversation, Message: m})
	}
	return err
}

// readable removes the placeholder of a message that has come after all.
func (c *change) readable(from string, timestamp uint64) error {
	m, err := history.FindNotice(c.tx, from, "unreadable", from, timestamp)
	if err != nil || m == nil {
		return err
	}
	c.tell(Event{Type: EventGone, Conversation: from, Message: m})
	return c.tx.DeleteMessage(m.Seq)
}

// receive decrypts and takes in an envelope. After decryption a content we refuse is the sender's fault: the ratchet has moved on all the same.
func (c *change) receive(e wire.Envelope) error {
	o, err := c.open(e)
	if err != nil {
		return err
	}
	if o.Retry != nil {
		return c.resend(o)
	}
	if err := c.noticed(o.Notices); err != nil {
		return err
	}
	if err := c.readable(o.From, o.Timestamp); err != nil {
		return err
	}
	if err := c.again(o.From); err != nil {
		return err
	}
	if err := c.understand(o); err != nil {
		if refusal.Of(err) == "" {
			return err
		}
		c.a.Log.Warn("content refused", "error", err)
	}
	return nil
}

func (c *change) understand(o session.Opened) error {
	if len(o.Content.SenderKey) > 0 {
		if err := c.book.TakeSenderKey(o.From, o.Device, o.Content.SenderKey); err != nil {
			return err
		}
	}
	if o.From == c.self() {
		if o.Content.Sync != nil {
			return c.synced(o)
		}
		return nil
	}
	v, err := history.Open(c.tx, o.From)
	if err != nil {
		return err
	}
	if v.Blocked {
		return c.heardBlocked(o)
	}
	if o.Content.Moved != nil {
		return c.heardMoved(o.From, o.Content.Moved.From)
	}
	switch t := o.Content; {
	case t.Data != nil:
		return c.heard(o, t.Data)
	case t.Edit != nil:
		return c.heardEdit(o, t.Edit)
	case t.Receipt != nil:
		return c.receipt(o, t.Receipt)
	case t.Typing != nil:
		return c.heardTyping(o, t.Typing)
	case t.Introduction != nil:
		return c.heardIntroduction(o.From, t.Introduction)
	}
	return nil
}

// maxResent is how often a message is sent again.
const maxResent = 5

// resend answers a request to send a message again, to whom it was for in the first place.
func (c *change) resend(o session.Opened) error {
	if o.Retry.Device != c.book.Own().Device {
		return nil // it is about a message of another device of ours
	}
	current, err := c.book.Retry(o)
	if err != nil {
		return err
	}
	m, err := history.Find(c.tx, c.self(), o.Retry.Timestamp)
	if err != nil || m == nil || len(m.Raw) == 0 || m.Resent >= maxResent {
		return err
	}
	// Who asks about an earlier key of ours than the present one may still lack the message: it goes out with the present session, and if he cannot read
	// that either he asks about its key. Not for what he has said he has.
	d, his := m.Delivery[o.From]
	if !his || !current && d.State.Reached(history.Delivered) {
		return nil
	}
	m.Resent++
	if err := history.Set(c.tx, m); err != nil {
		return err
	}
	if id, ok := groupID(m.Conversation); ok && !o.Retry.HasKey {
		if err := c.book.ForgetGroup(id); err != nil { // he has lost our sender key
			return err
		}
	}
	return c.push(job{Timestamp: m.Timestamp, Content: m.Raw, To: []string{o.From}})
}

func (c *change) heardTyping(o session.Opened, t *wire.Typing) error {
	conversation := o.From
	if t.Group != nil {
		if len(t.Group) != 16 {
			return refusal.Because(refusal.InvalidMessage, "typing: group id of %d bytes", len(t.Group))
		}
		id := [16]byte(t.Group)
		g, err := c.group(id)
		if err != nil || g == nil || !g.In(o.From) {
			return err
		}
		conversation = groupName(id)
	}
	if v, err := history.Open(c.tx, conversation); err != nil || !v.Accepted || v.Blocked {
		return err // a request stays silent until it is accepted
	}
	newest, err := history.List(c.tx, conversation, 0, 1)
	if err != nil {
		return err
	}
	if len(newest) == 1 && !t.Stopped && newest[0].Author == o.From && newest[0].Device == o.Device && o.Timestamp <= newest[0].Timestamp {
		return nil // what he was writing has overtaken it
	}
	c.tell(Event{Type: EventTyping, Conversation: conversation, Author: o.From, Device: o.Device, Timestamp: o.Timestamp, Stopped: t.Stopped})
	return nil
}
