// Package history is what a person sees of an account: conversations, and the messages in them with everything that happened to each: who has it,
// who reacted, what it said before it was edited. It stores them through package store, inside the caller's transactions, and decides nothing
// about keys or networks.
//
// A message is known to everybody by its author and the author's time in milliseconds. Names are numbers, as on the wire; a group's conversation
// is "group:" and its id in hexadecimal.
package history

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/countersign-project/countersign/messenger/store"
)

// Kind tells what people wrote from what this device has to say.
type Kind string

// Kinds.
const (
	Text   Kind = "text"
	Notice Kind = "notice"
)

// State is how far a message of ours has come with one recipient.
type State string

// States, in this order.
const (
	Failed    State = "failed"
	Queued    State = "queued"
	Sent      State = "sent"
	Delivered State = "delivered"
	Read      State = "read"
)

// order of states: a later one never goes back, but for a failure that is tried again.
func (s State) order() int { return slices.Index([]State{Failed, Queued, Sent, Delivered, Read}, s) }

// Delivery is the state with one recipient.
type Delivery struct {
	State State  `json:"state"`
	Why   string `json:"why,omitempty"` // of a failure, or of waiting
	When  int64  `json:"when,omitempty"`
	// Held says of a failure that it is tried again once the person has decided about the recipient's key, and not before.
	Held bool `json:"held,omitempty"`
}

// Attachment is a file of a message.
type Attachment struct {
	ID          uint64 `json:"id"`
	ContentType string `json:"contentType"`
	FileName    string `json:"fileName,omitempty"` // base name, as the sender says
	Size        int64  `json:"size"`
	Key         []byte `json:"key"`
	Digest      []byte `json:"digest"`
	Caption     string `json:"caption,omitempty"`
	// Missing says that the sender gave no digest, so that nothing proves the file whole.
	Missing bool `json:"noDigest,omitempty"`
	// Relay is the server that has the file, empty if it is ours.
	Relay string `json:"relay,omitempty"`
}

// Quote is the message that is answered.
type Quote struct {
	Author    string `json:"author"`
	Timestamp uint64 `json:"timestamp"`
	Text      string `json:"text"`
}

// Reaction of one person; each has at most one on a message.
type Reaction struct {
	Author    string `json:"author"`
	Emoji     string `json:"emoji"`
	Timestamp uint64 `json:"timestamp"`
}

// Version is what a message said before an edit.
type Version struct {
	Body      string `json:"body"`
	Timestamp uint64 `json:"timestamp"`
}

// Message is one entry of a conversation.
type Message struct {
	Seq          int64               `json:"seq"`
	Conversation string              `json:"conversation"`
	Kind         Kind                `json:"kind"`
	Author       string              `json:"author,omitempty"` // of a notice: whom it is about
	Was          string              `json:"was,omitempty"`    // the author's number when it was written, if he has another now
	Device       uint32              `json:"device,omitempty"`
	Timestamp    uint64              `json:"timestamp"` // of the author, milliseconds
	Received     int64               `json:"received"`  // here, milliseconds
	Outgoing     bool                `json:"outgoing,omitempty"`
	Body         string              `json:"body,omitempty"`
	Notice       string              `json:"notice,omitempty"` // what kind of notice, for programs
	Attachments  []Attachment        `json:"attachments,omitempty"`
	Quote        *Quote              `json:"quote,omitempty"`
	Reactions    []Reaction          `json:"reactions,omitempty"`
	Edits        []Version           `json:"edits,omitempty"` // oldest first
	Edited       uint64              `json:"edited,omitempty"`
	Deleted      bool                `json:"deleted,omitempty"`
	Expires      uint32              `json:"expires,omitempty"` // seconds after it was read, or sent
	ExpiresAt    int64               `json:"expiresAt,omitempty"`
	Seen         bool                `json:"seen,omitempty"` // the person here has read it
	Delivery     map[string]Delivery `json:"delivery,omitempty"`
	// Transcript is the message's id in its group's transcript, in hexadecimal; Vouchers are those on whose word alone we have it.
	Transcript string   `json:"transcript,omitempty"`
	Vouchers   []string `json:"vouchers,omitempty"`
	// Told are, of a notice that somebody told different things, the ids of these in the transcript.
	Told []string `json:"told,omitempty"`
	// Raw is the message as it went over the wire, where it may have to be sent again: ours, and those of groups.
	Raw []byte `json:"raw,omitempty"`
	// Resent counts how often it was, for those who asked.
	Resent int `json:"resent,omitempty"`
}

// State is how far a message of ours has come with everybody, and why not further: the least of all recipients.
func (m *Message) State() Delivery {
	var worst Delivery
	for _, d := range m.Delivery {
		if worst.State == "" || d.State.order() < worst.State.order() {
			worst = d
		}
	}
	if worst.State == "" && m.Outgoing {
		worst.State = Sent // a note to oneself, or of another device of ours
	}
	return worst
}

// Ref is what a message is known by.
func Ref(author string, timestamp uint64) string { return fmt.Sprintf("%s %d", author, timestamp) }

func (m *Message) ref() string {
	if m.Kind == Notice {
		return noticeRef(m.Conversation, m.Notice, m.Author, m.Timestamp)
	}
	return Ref(m.Author, m.Timestamp)
}

// Add stores a message, unless it is there already. It fills in Seq.
func Add(tx *store.Tx, m *Message) (added bool, err error) {
	body, err := json.Marshal(m)
	if err != nil {
		return false, err
	}
	m.Seq, added, err = tx.AddMessage(m.Conversation, m.ref(), body)
	if err != nil || !added {
		return added, err
	}
	return true, touch(tx, m)
}

// AddBelow is Add for a message that is older than those that are here: it gets the number seq, of those that store.Reserve has kept free.
func AddBelow(tx *store.Tx, m *Message, seq int64) (added bool, err error) {
	m.Seq = seq
	body, err := json.Marshal(m)
	if err != nil {
		return false, err
	}
	if added, err = tx.AddMessageBelow(seq, m.Conversation, m.ref(), body); err != nil || !added {
		return added, err
	}
	return true, touch(tx, m)
}

func noticeRef(conversation, kind, about string, timestamp uint64) string {
	return fmt.Sprintf("notice %s %s %s %d", conversation, kind, about, timestamp)
}

// FindNotice returns a notice; nil if there is none.
func FindNotice(tx *store.Tx, conversation, kind, about string, timestamp uint64) (*Message, error) {
	row, ok, err := tx.MessageByRef(noticeRef(conversation, kind, about, timestamp))
	return parse(row, ok, err)
}

// Set stores a message that has changed.
func Set(tx *store.Tx, m *Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := reword(tx, m.Seq, body); err != nil {
		return err
	}
	return tx.SetMessage(m.Seq, body)
}

// Get returns a message by its number; nil if there is none.
func Get(tx *store.Tx, seq int64) (*Message, error) {
	row, ok, err := tx.Message(seq)
	return parse(row, ok, err)
}

// Find returns a message by author and time; nil if there is none.
func Find(tx *store.Tx, author string, timestamp uint64) (*Message, error) {
	row, ok, err := tx.MessageByRef(Ref(author, timestamp))
	return parse(row, ok, err)
}

func parse(row store.Row, ok bool, err error) (*Message, error) {
	if err != nil || !ok {
		return nil, err
	}
	m := new(Message)
	if err := json.Unmarshal(row.Body, m); err != nil {
		return nil, fmt.Errorf("stored message %d does not read: %v", row.Seq, err)
	}
	m.Seq = row.Seq
	return m, nil
}

// List returns the newest messages of a conversation below number before (0: the newest of all), oldest first.
func List(tx *store.Tx, conversation string, before int64, limit int) ([]*Message, error) {
	var out []*Message
	err := tx.Messages(conversation, before, collect(&out, limit))
	slices.Reverse(out)
	return out, err
}

// Later returns the oldest messages of a conversation above number after, oldest first.
func Later(tx *store.Tx, conversation string, after int64, limit int) ([]*Message, error) {
	var out []*Message
	err := tx.Later(conversation, after, collect(&out, limit))
	return out, err
}

// collect reads rows into out, until there are limit.
func collect(out *[]*Message, limit int) func(store.Row) (bool, error) {
	return func(row store.Row) (bool, error) {
		m, err := parse(row, true, nil)
		if err != nil {
			return false, err
		}
		*out = append(*out, m)
		return len(*out) < limit, nil
	}
}

// Since returns the oldest messages above number after, whatever their conversation, oldest first.
func Since(tx *store.Tx, after int64, limit int) (out []*Message, err error) {
	err = tx.Forth(after, collect(&out, limit))
	return out, err
}

// React sets or removes a person's reaction. An older one does not undo a newer one.
func (m *Message) React(r Reaction, remove bool) bool {
	for i, have := range m.Reactions {
		if have.Author != r.Author {
			continue
		}
		if have.Timestamp > r.Timestamp {
			return false
		}
		m.Reactions = slices.Delete(m.Reactions, i, i+1)
		break
	}
	if !remove {
		m.Reactions = append(m.Reactions, r)
	}
	return true
}

// maxEdits is how many earlier texts of a message are kept: the first, and the newest. Its author alone decides how often he edits.
const maxEdits = 100

// Edit replaces the text and keeps the earlier one.
func (m *Message) Edit(body string, timestamp uint64) bool {
	if m.Deleted || timestamp <= max(m.Edited, m.Timestamp) {
		return false
	}
	if m.Edits = append(m.Edits, Version{m.Body, max(m.Edited, m.Timestamp)}); len(m.Edits) > maxEdits {
		m.Edits = slices.Delete(m.Edits, 1, len(m.Edits)-maxEdits+1)
	}
	m.Body, m.Edited = body, timestamp
	return true
}

// Delete drops everything that was said. That there was a message stays.
func (m *Message) Delete() {
	m.Deleted = true
	m.Body, m.Attachments, m.Quote, m.Reactions, m.Edits, m.Raw = "", nil, nil, nil, nil, nil
}

// Deliver notes a recipient's state and tells whether that is news.
func (m *Message) Deliver(name string, d Delivery) bool {
	have, ok := m.Delivery[name]
	if ok && (have == d || have.State != Failed && d.State != Failed && d.State.order() < have.State.order()) {
		return false
	}
	if m.Delivery == nil {
		m.Delivery = map[string]Delivery{}
	}
	m.Delivery[name] = d
	return true
}

// Reached tells whether a state is at least as far as another.
func (s State) Reached(o State) bool { return s.order() >= o.order() }
