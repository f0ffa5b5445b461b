package client

import (
	"context"
	"sync"

	"github.com/countersign-project/countersign/messenger/client/history"
)

// EventType says what has happened.
type EventType string

// Events.
const (
	EventMessage      EventType = "message"      // a message or notice is new
	EventUpdate       EventType = "update"       // a message has changed: state, reaction, edit, deletion
	EventGone         EventType = "gone"         // a message has disappeared, or was removed here
	EventTyping       EventType = "typing"       // somebody writes, or has stopped
	EventReceipt      EventType = "receipt"      // a contact has, or has read, messages of ours; each has an update of its own beside
	EventConversation EventType = "conversation" // a conversation, contact or group has changed
	EventConnection   EventType = "connection"   // connected, or no longer
	EventCaughtUp     EventType = "caughtUp"     // everything that waited has been received
	EventHistory      EventType = "history"      // the history of the first device is being taken over; with why: it could not be
)

// Event is one thing that has happened, after it is on the disk.
type Event struct {
	Type         EventType        `json:"type"`
	Conversation string           `json:"conversation,omitempty"`
	Message      *history.Message `json:"message,omitempty"`
	Heard        *Heard           `json:"heard,omitempty"`  // of an update: what somebody has said about the message
	Author       string           `json:"author,omitempty"` // of typing and receipts, as are the next two
	Device       uint32           `json:"device,omitempty"`
	Timestamp    uint64           `json:"timestamp,omitempty"` // the author's, milliseconds
	Receipt      *Receipt         `json:"receipt,omitempty"`
	Stopped      bool             `json:"stopped,omitempty"` // of typing
	Connected    bool             `json:"connected,omitempty"`
	Why          string           `json:"why,omitempty"`      // of a lost connection
	Unlinked     bool             `json:"unlinked,omitempty"` // there will be no other: the server does not know this device any more
	Progress     *Progress        `json:"progress,omitempty"` // of a history
}

// Receipt says of which messages of ours, by their timestamps.
type Receipt struct {
	Kind       uint32   `json:"kind"` // as on the wire: wire.ReceiptDelivery, ReceiptRead, ReceiptViewed
	Timestamps []uint64 `json:"timestamps"`
}

// Heard is a reaction that has come or gone, or, without an emoji, that the author has edited the message or takes it back.
type Heard struct {
	Author    string `json:"author"`
	Device    uint32 `json:"device"`
	Timestamp uint64 `json:"timestamp"`
	Emoji     string `json:"emoji,omitempty"`
	Remove    bool   `json:"remove,omitempty"`
	Edited    bool   `json:"edited,omitempty"`
}

// What waits for a listener before it loses its subscription, in events and in bytes of texts: it can find all messages in the history (Lost).
const (
	maxWaiting     = 100_000
	maxWaitingSize = 32 << 20
)

// size is how many bytes of text an event has.
func (e Event) size() (n int) {
	if e.Message == nil {
		return 0
	}
	for _, v := range e.Message.Edits {
		n += len(v.Body)
	}
	return n + len(e.Message.Body)
}

// hub hands events to listeners.
type hub struct {
	mu        sync.Mutex
	listeners map[*Subscription]bool
	closed    bool
}

func newHub() *hub { return &hub{listeners: map[*Subscription]bool{}} }

// Subscription is one listener's queue.
type Subscription struct {
	hub   *hub
	wake  chan struct{}
	queue []Event // hub.mu
	size  int     // hub.mu; of its texts
	over  bool    // hub.mu
	lost  bool    // hub.mu
}

// Subscribe starts to collect events. Close it.
func (a *Account) Subscribe() *Subscription {
	s := &Subscription{hub: a.events, wake: make(chan struct{}, 1)}
	a.events.mu.Lock()
	defer a.events.mu.Unlock()
	s.over = a.events.closed
	a.events.listeners[s] = true
	return s
}

// Next waits for an event; false means that there are no more, because ctx, the subscription or the account has ended.
func (s *Subscription) Next(ctx context.Context) (Event, bool) {
	for {
		s.hub.mu.Lock()
		if len(s.queue) > 0 {
			e := s.queue[0]
			s.queue, s.size = s.queue[1:], s.size-e.size()
			s.hub.mu.Unlock()
			return e, true
		}
		over := s.over
		s.hub.mu.Unlock()
		if over {
			return Event{}, false
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return Event{}, false
		}
	}
}

// Lost tells of a subscription that has ended whether its listener was too slow: messages that it was not told of are in the history, other events are lost.
func (s *Subscription) Lost() bool {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return s.lost
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.end()
}

func (s *Subscription) end() {
	s.over = true
	delete(s.hub.listeners, s)
	signal(s.wake)
}

func (h *hub) publish(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.listeners {
		if e.Message != nil {
			copied := *e.Message
			copied.Raw = nil // nobody who listens has a use for it
			e.Message = &copied
		}
		if len(s.queue) >= maxWaiting || s.size+e.size() > maxWaitingSize && len(s.queue) > 0 {
			s.lost = true
			s.end()
			continue
		}
		s.queue, s.size = append(s.queue, e), s.size+e.size()
		signal(s.wake)
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.listeners {
		s.end()
	}
}
