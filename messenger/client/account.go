// Package client is an account on one device: it registers, links, connects, sends what is queued, takes in what arrives, and tells whoever
// listens. Commands, the local page and scripts stand on it.
//
// The parts: store keeps everything, sealed; session decides about keys and devices; group and transcript about members and about what all
// have seen; remote is the way to the server; history is what a person sees. Here they meet, in transactions: what arrives is decrypted,
// understood, stored and answered in one, and acknowledged to the server only when that is on the disk; what is written is queued in one, and
// leaves the queue only when the server has it. So a crash loses nothing, and what is sent or delivered twice is seen once.
//
// The worst the server can do is not to deliver, and to know who writes to whom when. A contact can write what he likes, to us; he cannot
// write in another's name, change another's messages, or make us write to a device its owner has not signed for.
package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
)

// Options are what an account stands on.
type Options struct {
	Dir string // its own directory
	// Server is for Register and Link; Open takes what was stored.
	Server remote.Options
	World  session.World
	Log    *slog.Logger
	Cost   store.Cost    // of the passphrase, for Register and Link
	Key    *store.Named  // the keyring's, by which the account is opened or made, instead of a passphrase
	Pause  time.Duration // the first pause after a lost connection; 0: one second
}

// Account is an open account. Its methods may be called from several goroutines.
type Account struct {
	Options
	store  *store.Store
	server *remote.Server
	events *hub
	queue  chan struct{} // says that the outbox has something
	tend   chan struct{} // says that a timer may have changed
	moved  chan struct{} // says that the server is reached another way now
	// passing has one element while a pass through the outbox is under way.
	passing chan struct{}
	wg      sync.WaitGroup
	// decisions counts how often the person has let something go that was held. Only transactions that may write read and change it.
	decisions int64

	watchers  watchers
	downloads taken         // names of partial downloads that somebody writes
	handing   watchers      // of handovers, by device
	outcomes  outcomes      // of handovers
	histories chan struct{} // says that a history may be handed over, or taken over
	partSize  int64         // of a history, in bytes
	// deleted: the person has deleted the account, and kept what was said.
	deleted atomic.Bool
	// astray: the account has another number than this device knows of, and it waits to be told by another device of ours.
	astray atomic.Bool

	moving    sync.Mutex // held while the way to the server is changed
	mu        sync.Mutex
	connected bool                 // mu
	why       string               // mu; there is no connection
	caught    bool                 // mu; what waited when the connection began has been taken in
	receipts  *time.Timer          // mu; runs when receipts are owed
	typing    map[string]time.Time // mu; when we last said so, by conversation
	waiting   map[string]bool      // mu; for whom something in the outbox has to wait
	hurried   map[string]int64     // mu; when they were tried early, milliseconds
	lost      *UnlinkedError       // mu; with which Run has ended
}

// Preferences are the person's choices.
type Preferences struct {
	NoReadReceipts bool   `json:"noReadReceipts,omitempty"`
	NoTyping       bool   `json:"noTyping,omitempty"`
	Name           string `json:"name,omitempty"` // shown to those we write to
	// Expires is how many seconds messages stay in conversations that begin from now on; 0: for good. It is of this device.
	Expires uint32 `json:"expires,omitempty"`
}

// Names of settings.
const (
	settingServer      = "server"
	settingPreferences = "preferences"
	settingClock       = "clock"
)

// Open opens the account in a directory. ErrHalf, and the errors of store.Open.
func Open(ctx context.Context, o Options, passphrase []byte) (*Account, error) {
	if isHalf(o.Dir) {
		return nil, fmt.Errorf("%s: %w", o.Dir, ErrHalf)
	}
	s, err := store.OpenBy(ctx, o.Dir, store.Secret{Passphrase: passphrase, Key: o.Key})
	if err != nil {
		return nil, err
	}
	a, err := opened(ctx, o, s)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return a, nil
}

// CheckPassphrase tells whether a passphrase would open the account. store.ErrPassphrase.
func (a *Account) CheckPassphrase(ctx context.Context, passphrase []byte) error {
	return a.store.Check(ctx, passphrase)
}

func opened(ctx context.Context, o Options, s *store.Store) (*Account, error) {
	var lost *UnlinkedError // as soon as it is opened
	err := s.View(ctx, func(tx *store.Tx) error {
		saved, ok, err := store.Load[remote.Options](tx, store.Settings, settingServer)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%s: registration was begun and not finished; remove the directory and begin again", o.Dir)
		}
		o.Server = saved
		book, err := session.In(tx, o.World)
		if err != nil {
			return err
		}
		if _, deleted, err := tx.Get(store.Settings, settingDeleted); err != nil || !deleted {
			return err
		}
		lost = &UnlinkedError{book.Own().Number, book.Own().Device, true}
		return nil
	})
	if err != nil {
		return nil, err
	}
	way := o.Server
	o.Key, o.Server = nil, remote.Options{} // the former is not needed again, the latter is asked of the server
	a := &Account{Options: o, store: s, events: newHub(), queue: make(chan struct{}, 1), tend: make(chan struct{}, 1), passing: make(chan struct{}, 1), moved: make(chan struct{}, 1), histories: make(chan struct{}, 1), partSize: partSize, typing: map[string]time.Time{},
		waiting: map[string]bool{}, hurried: map[string]int64{}}
	a.lost = lost
	a.deleted.Store(lost != nil)
	if a.server, err = remote.New(way); err != nil {
		return nil, err
	}
	if err := a.noteRoute(way); err != nil { // on a full disk the account opens all the same; the note there is errs on the safe side
		a.Log.Warn("how this account goes to the network is not noted for updates", "error", err)
	}
	return a, a.sweepFiles(ctx)
}

// Close closes the account. Run must have returned.
func (a *Account) Close() error {
	a.mu.Lock()
	if a.receipts != nil {
		a.receipts.Stop()
	}
	a.mu.Unlock()
	a.events.close()
	a.server.Close()
	return a.store.Close()
}

// change is a transaction of ours: what it wants told and sent happens after the commit, and what it wants told before that of the next.
type change struct {
	a           *Account
	tx          *store.Tx
	book        *session.Book
	now         int64 // milliseconds
	reading     bool  // nothing can be written
	events      []Event
	send        bool
	timer       bool
	histories   bool
	owed        map[string][]uint64        // receipts, by what they are stored under
	transcripts map[string]*heldTranscript // that were read, by conversation
	done        []upload                   // whose blobs go, after the commit: a crash before it must find them
	over        []int64                    // messages that left the outbox: nothing of theirs is uploaded any more
}

// change runs f in a transaction.
func (a *Account) change(ctx context.Context, f func(*change) error) error {
	var c *change
	err := a.store.Update(ctx, func(tx *store.Tx) error {
		b, err := session.In(tx, a.World)
		if err != nil {
			return err
		}
		c = &change{a: a, tx: tx, book: b, now: a.World.Now().UnixMilli()}
		tx.After(c.tellAll)
		if err := f(c); err != nil {
			return err
		}
		return errors.Join(c.writeTranscripts(), c.keepOwed())
	})
	if err != nil {
		return err
	}
	if c.send {
		signal(a.queue)
	}
	if c.timer {
		signal(a.tend)
	}
	if c.histories {
		signal(a.histories)
	}
	if len(c.owed) > 0 {
		a.receiptsSoon()
	}
	return nil
}

// tellAll tells of a committed change. A message that is sent already is never told after that as one that waits.
func (c *change) tellAll() {
	for _, seq := range c.over {
		c.a.watchers.stop(seq)
	}
	c.a.dropFiles(c.done)
	for _, e := range c.events {
		c.a.events.publish(e)
	}
}

// view runs f over the account as it is.
func (a *Account) view(ctx context.Context, f func(*change) error) error {
	return a.store.View(ctx, func(tx *store.Tx) error {
		b, err := session.In(tx, a.World)
		if err != nil {
			return err
		}
		return f(&change{a: a, tx: tx, book: b, now: a.World.Now().UnixMilli(), reading: true})
	})
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// self is our number.
func (c *change) self() string { return c.book.Own().Number }

// timestamp is a time for a new message: later than all before it from this device, since it is the message's name.
func (c *change) timestamp() (uint64, error) {
	last, _, err := store.Load[uint64](c.tx, store.Settings, settingClock)
	if err != nil {
		return 0, err
	}
	next := max(uint64(c.now), last+1)
	return next, store.Save(c.tx, store.Settings, settingClock, next)
}

// Own returns this device.
func (a *Account) Own(ctx context.Context) (own session.Own, err error) {
	err = a.view(ctx, func(c *change) error { own = c.book.Own(); return nil })
	return own, err
}

// login is how this device shows itself to the server.
func (a *Account) login(ctx context.Context) (remote.Login, error) {
	own, err := a.Own(ctx)
	return remote.Login{User: own.Login(), Password: own.Password}, err
}

// Preferences returns the person's choices.
func (a *Account) Preferences(ctx context.Context) (p Preferences, err error) {
	err = a.view(ctx, func(c *change) error { p, err = c.preferences(); return err })
	return p, err
}

func (c *change) preferences() (Preferences, error) {
	p, _, err := store.Load[Preferences](c.tx, store.Settings, settingPreferences)
	return p, err
}

// SetPreferences changes them, here and on the person's other devices.
func (a *Account) SetPreferences(ctx context.Context, f func(*Preferences)) error {
	return a.change(ctx, func(c *change) error {
		p, err := c.preferences()
		if err != nil {
			return err
		}
		f(&p)
		if err := store.Save(c.tx, store.Settings, settingPreferences, p); err != nil {
			return err
		}
		return c.syncPreferences(p)
	})
}

// tell queues an event for after the commit.
func (c *change) tell(e Event) { c.events = append(c.events, e) }

// changed tells that a message is no longer as it was, and stores it.
func (c *change) changed(m *history.Message) error { return c.changedBy(m, nil) }

func (c *change) changedBy(m *history.Message, h *Heard) error {
	c.tell(Event{Type: EventUpdate, Conversation: m.Conversation, Message: m, Heard: h})
	return history.Set(c.tx, m)
}

// notice puts something this device has to say into a conversation.
func (c *change) notice(conversation, kind, about, text string) error {
	return c.noticeOf(conversation, kind, about, text, nil)
}

// noticeOf is a notice about messages of the group's transcript.
func (c *change) noticeOf(conversation, kind, about, text string, told []string) error {
	at, err := c.timestamp()
	if err != nil {
		return err
	}
	m := &history.Message{Conversation: conversation, Kind: history.Notice, Notice: kind, Author: about, Timestamp: at, Received: c.now, Body: text, Told: told}
	if _, err := history.Add(c.tx, m); err != nil {
		return err
	}
	c.tell(Event{Type: EventMessage, Conversation: conversation, Message: m})
	return nil
}
