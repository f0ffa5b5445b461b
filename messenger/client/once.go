package client

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
)

// once is what was sent under a name of the caller's. A caller who was cut off before the answer cannot know whether his message was taken;
// he says the same again under the same name, and it is one message. The name is written with the message, in one transaction.
type once struct {
	Seq       int64
	Timestamp uint64
	What      [32]byte // of the draft: another message under the same name is a mistake
}

const (
	// maxOnce bounds a name in bytes.
	maxOnce = 128
	// keepOnce is how many names are kept; beyond that the older half goes.
	keepOnce = 10_000
)

func (d Draft) onceName() string { return d.To + "\n" + d.Once }

// what is a hash of everything the caller has said.
func (d Draft) what() ([32]byte, error) {
	said := struct {
		Text  string
		Files []File
		Quote *history.Quote
	}{Text: d.Text, Files: d.Files}
	if q := d.Quote; q != nil {
		said.Quote = &history.Quote{Author: q.Author, Timestamp: q.Timestamp} // its text is filled in
	}
	b, err := json.Marshal(said)
	return sha256.Sum256(b), err
}

// sentBefore finds the message that was sent under the draft's name; nil if none was. Of one that was removed here since only the time is known.
func (c *change) sentBefore(d Draft) (*history.Message, error) {
	if d.Once == "" {
		return nil, nil
	}
	if len(d.Once) > maxOnce {
		return nil, fmt.Errorf("a message's name of %d bytes, want at most %d", len(d.Once), maxOnce)
	}
	o, ok, err := store.Load[once](c.tx, store.Once, d.onceName())
	if err != nil || !ok {
		return nil, err
	}
	what, err := d.what()
	if err != nil {
		return nil, err
	}
	if what != o.What {
		return nil, fmt.Errorf("another message was sent there under the name %q", d.Once)
	}
	m, err := history.Get(c.tx, o.Seq)
	if err == nil && m == nil {
		m = &history.Message{Conversation: d.To, Author: c.self(), Timestamp: o.Timestamp, Outgoing: true}
	}
	return m, err
}

// noteSent remembers a message by the draft's name.
func (c *change) noteSent(d Draft, m *history.Message) error {
	if d.Once == "" {
		return nil
	}
	what, err := d.what()
	if err != nil {
		return err
	}
	if n, err := c.tx.Count(store.Once); err != nil {
		return err
	} else if n >= keepOnce {
		if err := c.forgetOnce(); err != nil {
			return err
		}
	}
	return store.Save(c.tx, store.Once, d.onceName(), once{m.Seq, m.Timestamp, what})
}

// forgetOnce forgets the older half of the names.
func (c *change) forgetOnce() error {
	type named struct {
		name string
		seq  int64
	}
	var all []named
	err := store.All(c.tx, store.Once, func(name string, o once) error {
		all = append(all, named{name, o.Seq})
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b named) int { return cmp.Compare(a.seq, b.seq) })
	for _, n := range all[:len(all)/2] {
		if err := c.tx.Delete(store.Once, n.name); err != nil {
			return err
		}
	}
	return nil
}

// sentBefore looks for the message before anything is done for the draft.
func (a *Account) sentBefore(ctx context.Context, d Draft) (m *history.Message, err error) {
	if d.Once == "" {
		return nil, nil
	}
	err = a.view(ctx, func(c *change) error {
		m, err = c.sentBefore(d)
		return err
	})
	return m, err
}
