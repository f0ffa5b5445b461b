package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// job is something that is to be sent, as it lies in the outbox. It is there until everybody it is for has it, or cannot be given it.
type job struct {
	ID        string
	Timestamp uint64
	Content   []byte   // encoded wire.Content
	To        []string // who has not got it yet
	Message   int64    // the message it carries; 0: none
	Group     string   // the conversation, if it is a group's: sender keys may carry it
	Files     []upload // to be uploaded before
	Picture   bool     // Files is a group's picture, without which it can go as well
	Sync      *syncing // what our other devices are told once the first has it
	Retry     []byte   // instead of Content: a request to send again, which goes unencrypted
	End       bool     // it ends the sessions with its recipient (3.7)
	// State by recipient.
	Wait     map[string]int64  // not before, milliseconds
	Tries    map[string]int    // of waits
	Held     map[string]string // until the person decides, and why
	Unsigned map[string]int64  // since when one of his devices is not in his list, milliseconds
}

// syncing is what our other devices are told (10.3).
type syncing struct {
	Destination     string
	ExpirationStart uint64
	Edit            bool
}

// maxTries is how often a recipient is tried who makes us wait, a minute apart, before we give up on him.
const maxTries = 60

// newcomer is how long a device may be missing from its owner's list before the person is told, in milliseconds: whoever links a device signs for it a
// moment after it has registered.
const newcomer = 10_000

// push puts a job into the outbox.
func (c *change) push(j job) error {
	if c.a.deleted.Load() {
		return &UnlinkedError{c.self(), c.book.Own().Device, true}
	}
	var id [12]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	j.ID = hex.EncodeToString(id[:])
	c.send = true
	return store.Save(c.tx, store.Outbox, j.ID, j)
}

// jobs lists the outbox, oldest first.
func (a *Account) jobs(ctx context.Context) (out []job, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error {
		return store.All(tx, store.Outbox, func(_ string, j job) error {
			out = append(out, j)
			return nil
		})
	})
	return out, err
}

// job returns one of the outbox; there says whether it still is.
func (a *Account) job(ctx context.Context, id string) (j job, there bool, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error {
		j, there, err = store.Load[job](tx, store.Outbox, id)
		return err
	})
	return j, there, err
}

// changeJob changes a job that is still there; done ones go.
func (c *change) changeJob(id string, f func(*job) error) error {
	j, ok, err := store.Load[job](c.tx, store.Outbox, id)
	if err != nil || !ok {
		return err
	}
	if err := f(&j); err != nil {
		return err
	}
	if len(j.To) == 0 {
		c.done = append(c.done, j.Files...)
		if j.Message != 0 {
			c.over = append(c.over, j.Message)
		}
		return c.tx.Delete(store.Outbox, id)
	}
	return store.Save(c.tx, store.Outbox, id, j)
}

// sendQueued works through the outbox whenever there is something in it, until ctx ends.
func (a *Account) sendQueued(ctx context.Context) {
	pauses := a.pauses()
	for {
		next, err := a.pass(ctx)
		wait := 24 * time.Hour
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.Log.Info("sending has to wait", "error", err)
			wait = pauses.next()
		default:
			pauses.anew()
			if next > 0 {
				wait = max(10*time.Millisecond, time.Duration(next-a.World.Now().UnixMilli())*time.Millisecond)
			}
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-a.queue:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// Flush sends what is queued and can be sent now. It returns an error if the server could not be reached.
func (a *Account) Flush(ctx context.Context) error {
	for {
		if _, err := a.pass(ctx); err != nil {
			return err
		}
		jobs, err := a.jobs(ctx)
		if err != nil {
			return err
		}
		now := a.World.Now().UnixMilli()
		if !slices.ContainsFunc(jobs, func(j job) bool { return j.due(now) }) {
			return nil
		}
	}
}

// Settle sends what is queued, receipts that are still being collected among them.
func (a *Account) Settle(ctx context.Context) error {
	if err := a.queueReceipts(ctx); err != nil {
		return err
	}
	return a.Flush(ctx)
}

// due tells whether somebody can be given the job now.
func (j *job) due(now int64) bool {
	return slices.ContainsFunc(j.To, func(to string) bool { return j.Held[to] == "" && j.Wait[to] <= now })
}

// work gives one job to all who can have it now.
func (a *Account) work(ctx context.Context, j job, p *passage) error {
	now := a.World.Now().UnixMilli()
	var to []string
	for _, name := range j.To {
		why, waits := p.stuck[name]
		switch {
		case j.Held[name] != "":
			p.stuck[name] = j.Held[name]
		case why != "":
			if err := a.hold(ctx, j, name, why, p); err != nil {
				return err
			}
		case waits:
		case j.Wait[name] > now:
			p.stuck[name] = ""
		default:
			to = append(to, name)
		}
	}
	if len(to) == 0 {
		return nil
	}
	if len(j.Files) > 0 {
		var err error
		if j, err = a.uploadAll(ctx, j); errors.Is(err, errCancelled) {
			return nil
		} else if j, err = a.withoutPicture(ctx, j, err); err != nil {
			return a.failed(ctx, j, to, err, p)
		}
	}
	if j.Group != "" && j.Retry == nil {
		rest, err := a.workGroup(ctx, j, to, p)
		if err != nil {
			return err
		}
		to = rest
	}
	for _, name := range to {
		err := a.hand(ctx, j, name)
		if err := a.settle(ctx, j, name, err, p); err != nil {
			return err
		}
	}
	return nil
}

// hand gives one job to one recipient.
func (a *Account) hand(ctx context.Context, j job, name string) error {
	if j.Retry != nil {
		return a.handRetry(ctx, j, name)
	}
	if err := a.deliver(ctx, name, wire.Pad(j.Content), j.Timestamp); err != nil || !j.End {
		return err
	}
	return a.change(ctx, func(c *change) error { return c.book.EndSession(name) })
}

// settle notes how it went with one recipient. Its own error means that there is no use in trying others now.
func (a *Account) settle(ctx context.Context, j job, name string, err error, p *passage) error {
	v := judge(err)
	if v.stop {
		return err
	}
	switch {
	case v.held:
		p.stuck[name] = v.why
	case v.wait > 0:
		p.stuck[name] = ""
		a.Log.Info("one recipient has to wait", "error", err, "at least", v.wait)
	}
	return a.change(ctx, func(c *change) error {
		if v.held && p.overtaken(c) {
			return nil
		}
		given := name
		name, err := c.addressee(j.ID, given)
		if err != nil {
			return err
		}
		if name != given && v.state != history.Sent { // that was about his number of before
			c.send = true
			return nil
		}
		d := history.Delivery{State: v.state, Why: v.why, When: c.now, Held: v.held}
		gaveUp := false
		err = c.changeJob(j.ID, func(j *job) error {
			switch {
			case v.held:
				put(&j.Held, name, v.why)
				return nil
			case v.wait > 0 && j.Tries[name] < maxTries:
				if v.ghost != nil && j.isNewcomer(name, c.now) { // a try that does not count
					put(&j.Wait, name, c.now+2*c.a.firstPause().Milliseconds())
					return nil
				}
				wait := v.wait
				if v.ghost != nil {
					wait = 30 * c.a.firstPause()
					if err := c.once(name, "ghost-device", fmt.Sprint(v.ghost.Device), v.ghost.Error()); err != nil {
						return err
					}
				}
				put(&j.Wait, name, c.now+wait.Milliseconds())
				put(&j.Tries, name, j.Tries[name]+1)
				return nil
			case v.wait > 0:
				gaveUp = true
			}
			j.To = slices.DeleteFunc(j.To, func(to string) bool { return to == name })
			if v.state == history.Sent && j.Sync != nil {
				return c.syncSent(j)
			}
			return nil
		})
		if gaveUp {
			d.State = history.Failed
		}
		if err != nil || j.Message == 0 {
			return err
		}
		if name == c.self() && d.State == history.Failed {
			return c.notice(name, "note-not-sent", name, "A note with a file did not reach your other devices: "+d.Why)
		}
		return c.delivered(j.Message, name, d)
	})
}

// isNewcomer tells whether the device of a recipient that is not in his list may still be about to be signed for.
func (j *job) isNewcomer(name string, now int64) bool {
	since, seen := j.Unsigned[name]
	if !seen || now < since {
		put(&j.Unsigned, name, now)
		return true
	}
	return now-since < newcomer
}

func put[K comparable, V any](m *map[K]V, name K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[name] = v
}

// failed notes one error for all of several recipients.
func (a *Account) failed(ctx context.Context, j job, to []string, err error, p *passage) error {
	for _, name := range to {
		if err := a.settle(ctx, j, name, err, p); err != nil {
			return err
		}
	}
	return nil
}

// delivered notes a recipient's state with the message, and starts the timer of one that disappears.
func (c *change) delivered(seq int64, name string, d history.Delivery) error {
	m, err := history.Get(c.tx, seq)
	if err != nil || m == nil || name == c.self() {
		return err
	}
	if !m.Deliver(name, d) {
		return nil
	}
	if m.Expires > 0 && m.ExpiresAt == 0 && m.State().State.Reached(history.Sent) {
		if err := c.expire(m); err != nil {
			return err
		}
	}
	return c.changed(m)
}

// release lets what was held for a name go: the person has decided.
func (c *change) release(name string) error {
	c.a.decisions++
	var held []string
	err := store.All(c.tx, store.Outbox, func(id string, j job) error {
		if j.Held[name] != "" {
			held = append(held, id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range held {
		err := c.changeJob(id, func(j *job) error {
			delete(j.Held, name)
			if j.Message == 0 {
				return nil
			}
			return c.delivered(j.Message, name, history.Delivery{State: history.Queued, When: c.now})
		})
		if err != nil {
			return err
		}
	}
	c.send = true
	return nil
}

// Cancel takes a message out of the outbox for those who have not got it.
func (a *Account) Cancel(ctx context.Context, seq int64) error {
	return a.change(ctx, func(c *change) error { return c.cancel(seq) })
}

func (c *change) cancel(seq int64) error {
	var ids []string
	err := store.All(c.tx, store.Outbox, func(id string, j job) error {
		if j.Message == seq {
			ids = append(ids, id)
		}
		return nil
	})
	for _, id := range ids {
		if err == nil {
			err = c.changeJob(id, func(j *job) error { j.To = nil; return nil })
		}
	}
	return err
}

// Try sends a message that failed once more.
func (a *Account) Try(ctx context.Context, seq int64) error {
	return a.change(ctx, func(c *change) error {
		m, err := history.Get(c.tx, seq)
		if err != nil {
			return err
		}
		if m == nil || !m.Outgoing || len(m.Raw) == 0 {
			return fmt.Errorf("message %d is not one of this device's", seq)
		}
		if slices.ContainsFunc(m.Attachments, func(f history.Attachment) bool { return f.ID == 0 && f.Relay == "" }) {
			return misuse("a file of message %d never reached the server: send it as a new message", seq)
		}
		j := job{Timestamp: m.Timestamp, Content: m.Raw, Message: seq}
		for name, d := range m.Delivery {
			if d.State == history.Failed {
				j.To = append(j.To, name)
				m.Deliver(name, history.Delivery{State: history.Queued, When: c.now})
			}
		}
		if len(j.To) == 0 {
			return nil
		}
		slices.Sort(j.To)
		if err := c.cancel(seq); err != nil {
			return err
		}
		if err := c.changed(m); err != nil {
			return err
		}
		return c.push(j)
	})
}

// Queued returns how many things are not sent yet.
func (a *Account) Queued(ctx context.Context) (n int, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error { n, err = tx.Count(store.Outbox); return err })
	return n, err
}
