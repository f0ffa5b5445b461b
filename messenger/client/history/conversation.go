package history

import (
	"cmp"
	"slices"

	"github.com/countersign-project/countersign/messenger/store"
)

// Conversation is one person, or one group.
type Conversation struct {
	ID string `json:"id"` // a number, or "group:" and the id
	// Accepted: the person here has written to it, or said yes. Before, it is a request: no receipts go out, and no profile.
	Accepted bool   `json:"accepted"`
	Blocked  bool   `json:"blocked,omitempty"`
	Muted    bool   `json:"muted,omitempty"`
	Expires  uint32 `json:"expires,omitempty"` // seconds that messages stay
	Unread   int    `json:"unread,omitempty"`
	LastSeq  int64  `json:"lastSeq,omitempty"`
	LastTime int64  `json:"lastTime,omitempty"`
	Draft    string `json:"draft,omitempty"` // what the person has begun to write, on this device
}

// Open returns a conversation; a new one if there is none.
func Open(tx *store.Tx, id string) (Conversation, error) {
	c, ok, err := store.Load[Conversation](tx, store.Conversations, id)
	if !ok {
		c.ID = id
	}
	return c, err
}

// Keep stores a conversation.
func Keep(tx *store.Tx, c Conversation) error { return store.Save(tx, store.Conversations, c.ID, c) }

// Change reads, changes and stores a conversation.
func Change(tx *store.Tx, id string, f func(*Conversation)) error {
	c, err := Open(tx, id)
	if err != nil {
		return err
	}
	was := c
	if f(&c); c == was {
		return nil
	}
	return Keep(tx, c)
}

// touch notes a new message with its conversation.
func touch(tx *store.Tx, m *Message) error {
	return Change(tx, m.Conversation, func(c *Conversation) {
		if m.Seq > c.LastSeq {
			c.LastSeq, c.LastTime = m.Seq, m.Received
		}
		if m.Kind == Text && !m.Outgoing && !m.Seen {
			c.Unread++
		}
	})
}

// Conversations lists them, the one with the newest message first.
func Conversations(tx *store.Tx) ([]Conversation, error) {
	var out []Conversation
	err := store.All(tx, store.Conversations, func(_ string, c Conversation) error {
		out = append(out, c)
		return nil
	})
	slices.SortStableFunc(out, func(a, b Conversation) int { return cmp.Compare(b.LastSeq, a.LastSeq) })
	return out, err
}
