package client

import (
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// early is something about a message that is not here yet: it is in the history that is on its way to this device (takeover), which was packed before this
// was said. It is kept under the message's author and timestamp, and applied when the message comes.
type early struct {
	At int64 `json:"at"` // milliseconds: when it came

	// A reaction, a deletion, or an edit: who said it where, and what.
	Author       string `json:"author,omitempty"`
	Device       uint32 `json:"device,omitempty"`
	Conversation string `json:"conversation,omitempty"`
	Timestamp    uint64 `json:"timestamp,omitempty"`
	Content      []byte `json:"content,omitempty"` // as on the wire

	Read  bool          `json:"read,omitempty"`  // on another device of ours
	State history.State `json:"state,omitempty"` // that Author has a message of ours, or has read it
}

// Bounds of what is kept: of one person, so that nobody takes the others' place; of all; and about one message.
const (
	maxEarlyOf    = 1000
	maxEarly      = 10_000
	maxEarlyAbout = 200
)

// Names in the bucket: of what is about a message; of how much is kept of a person; of that a conversation's timer was heard to be off.
func earlyName(author string, timestamp uint64) string {
	return fmt.Sprintf("about %s %d", author, timestamp)
}
func earlyOf(person string) string             { return "of " + person }
func earlyTimerOff(conversation string) string { return "timer off " + conversation }

// awaits tells whether a history is on its way to this device.
func (c *change) awaits() (bool, error) {
	t, _, err := store.Load[takeover](c.tx, store.Settings, settingTakeover)
	return t.awaited(), err
}

// early keeps something about a message that is not here, if a history is awaited that may have it.
func (c *change) early(author string, timestamp uint64, e early) error {
	if awaited, err := c.awaits(); err != nil || !awaited {
		return err
	}
	e.At = c.now
	list, known, err := store.Load[[]early](c.tx, store.Early, earlyName(author, timestamp))
	if err != nil || len(list) >= maxEarlyAbout {
		return err
	}
	if !known {
		if n, err := c.tx.Count(store.Early); err != nil || n >= maxEarly {
			return err
		}
	}
	if from := e.Author; from != "" && from != c.self() {
		of, _, err := store.Load[int](c.tx, store.Early, earlyOf(from))
		if err != nil || of >= maxEarlyOf {
			return err
		}
		if err := store.Save(c.tx, store.Early, earlyOf(from), of+1); err != nil {
			return err
		}
	}
	return store.Save(c.tx, store.Early, earlyName(author, timestamp), append(list, e))
}

// earlySaid keeps what somebody says about a message that is not here.
func (c *change) earlySaid(author string, timestamp uint64, s said, content wire.Content) error {
	return c.early(author, timestamp, early{Author: s.author, Device: s.device, Conversation: s.conversation, Timestamp: s.timestamp, Content: content.Encode()})
}

// catchUp applies what came about a message before it.
func (c *change) catchUp(m *history.Message) error {
	name := earlyName(m.Author, m.Timestamp)
	list, ok, err := store.Load[[]early](c.tx, store.Early, name)
	if err != nil || !ok {
		return err
	}
	if err := c.tx.Delete(store.Early, name); err != nil {
		return err
	}
	for _, e := range list {
		m, err := history.Get(c.tx, m.Seq) // as the last has left it
		if err != nil || m == nil {
			return err
		}
		if err := c.applyEarly(m, e); err != nil {
			return err
		}
	}
	return nil
}

// applyEarly applies one thing to a message that is here now. What the history had of it already stays as it is.
func (c *change) applyEarly(m *history.Message, e early) error {
	switch {
	case e.Read:
		return c.readBefore(m, e.At)
	case e.State != "":
		if _, his := m.Delivery[e.Author]; !his {
			return nil
		}
		return c.delivered(m.Seq, e.Author, history.Delivery{State: e.State, When: e.At})
	}
	content, err := wire.ParseContent(e.Content)
	if err != nil {
		return err
	}
	s := said{author: e.Author, device: e.Device, conversation: e.Conversation, timestamp: e.Timestamp, data: content.Data}
	switch {
	case content.Edit != nil:
		s.data = content.Edit.Data
		return c.applyEdit(s, content.Edit.Target)
	case s.data.Reaction != nil:
		return c.heardReaction(s)
	case s.data.Delete != nil:
		return c.heardDelete(s)
	}
	return nil
}

// readBefore takes in that a message was read elsewhere; if it disappears, its time has begun then.
func (c *change) readBefore(m *history.Message, at int64) error {
	if m.Seen || m.Outgoing {
		return nil
	}
	if m.Expires > 0 && m.ExpiresAt == 0 {
		m.ExpiresAt = at + int64(m.Expires)*1000
		if err := c.setTimer(m); err != nil {
			return err
		}
	}
	v, err := history.Open(c.tx, m.Conversation)
	if err != nil {
		return err
	}
	return c.read(v, []*history.Message{m}, false)
}

// heardTimer notes that messages of a conversation stay, which the history may not know yet.
func (c *change) heardTimer(s said) error {
	if awaited, err := c.awaits(); err != nil || !awaited || s.data.ExpireTimer != 0 {
		return err
	}
	return store.Save(c.tx, store.Early, earlyTimerOff(s.conversation), true)
}

// timerOff tells whether that was noted.
func (c *change) timerOff(conversation string) (off bool, err error) {
	off, _, err = store.Load[bool](c.tx, store.Early, earlyTimerOff(conversation))
	return off, err
}

// forgetEarly drops what was said about messages that the history did not have. What is known of timers stays: the list of contacts may come later yet.
func (c *change) forgetEarly() error {
	return c.tx.Each(store.Early, func(name string, _ []byte) error {
		if strings.HasPrefix(name, earlyTimerOff("")) {
			return nil
		}
		return c.tx.Delete(store.Early, name)
	})
}
