package history

import (
	"bytes"
	"cmp"
	"encoding/json"

	"github.com/countersign-project/countersign/messenger/store"
)

// Rename calls somebody by another number, which is now his, in the messages of these conversations, and in all if none are given. A conversation with him
// becomes one under the new number, together with what there may be under that already. It reads every message there is to look at.
func Rename(tx *store.Tx, old, to string, conversations ...string) error {
	seqs, err := naming(tx, old, conversations)
	if err != nil {
		return err
	}
	for _, seq := range seqs {
		row, ok, err := tx.Message(seq)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		m, err := parse(row, true, nil)
		if err != nil {
			return err
		}
		before := m.Conversation
		m.rename(old, to)
		body, err := json.Marshal(m)
		if err != nil {
			return err
		}
		moved, err := tx.MoveMessage(seq, m.Conversation, m.ref(), body)
		if err == nil && !moved { // he has said it under the new number again: it is there
			err = drop(tx, m, before)
		}
		if err != nil {
			return err
		}
	}
	return renameConversation(tx, old, to)
}

// naming finds the messages in which a number occurs; most others need not be read.
func naming(tx *store.Tx, number string, conversations []string) (seqs []int64, err error) {
	look := func(row store.Row) (bool, error) {
		if bytes.Contains(row.Body, []byte(number)) {
			seqs = append(seqs, row.Seq)
		}
		return true, nil
	}
	if len(conversations) == 0 {
		err = tx.Forth(-1, look)
	}
	for _, c := range conversations {
		if err == nil {
			err = tx.Messages(c, 0, look)
		}
	}
	return seqs, err
}

// drop removes a message that is there twice.
func drop(tx *store.Tx, m *Message, conversation string) error {
	if err := tx.DeleteMessage(m.Seq); err != nil || m.Kind != Text || m.Outgoing || m.Seen {
		return err
	}
	return Change(tx, conversation, func(c *Conversation) { c.Unread = max(0, c.Unread-1) })
}

// rename does so in one message.
func (m *Message) rename(old, to string) {
	is := func(name *string) bool {
		if *name != old {
			return false
		}
		*name = to
		return true
	}
	is(&m.Conversation)
	if is(&m.Author) && m.Was == "" && m.Kind == Text {
		m.Was = old
	}
	if m.Quote != nil {
		is(&m.Quote.Author)
	}
	for i := range m.Reactions {
		is(&m.Reactions[i].Author)
	}
	for i := range m.Vouchers {
		is(&m.Vouchers[i])
	}
	if d, his := m.Delivery[old]; his {
		delete(m.Delivery, old)
		m.Deliver(to, d)
	}
}

// renameConversation makes one of the two.
func renameConversation(tx *store.Tx, old, to string) error {
	was, ok, err := store.Load[Conversation](tx, store.Conversations, old)
	if err != nil || !ok {
		return err
	}
	if err := tx.Delete(store.Conversations, old); err != nil {
		return err
	}
	return Change(tx, to, func(c *Conversation) {
		c.Accepted, c.Blocked, c.Muted, c.Unread = c.Accepted || was.Accepted, c.Blocked || was.Blocked, c.Muted || was.Muted, c.Unread+was.Unread
		c.Draft = cmp.Or(c.Draft, was.Draft)
		if was.LastSeq > c.LastSeq {
			c.LastSeq, c.LastTime = was.LastSeq, was.LastTime
		}
		if c.Expires == 0 {
			c.Expires = was.Expires
		}
	})
}
