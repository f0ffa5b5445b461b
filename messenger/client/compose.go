package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Draft is a message to be sent.
type Draft struct {
	To    string // a conversation: a number, or a group
	Text  string
	Files []File
	Quote *history.Quote // author and time of the message that is answered; the text is filled in
	Once  string         // a name of the caller's, if he wants to be able to say the same again: see once
	// Progress, if there is one, hears how far the files are, until all are uploaded or ctx ends. It must not wait.
	Progress func(Progress)
}

// maxText bounds a text in bytes. What is longer than wire.MaxBody travels as an attachment.
const maxText = 256 << 10

// Send stores and queues a message. It returns once that is on the disk: whether and when others have it shows in its state.
func (a *Account) Send(ctx context.Context, d Draft) (*history.Message, error) {
	if len(d.Text) > maxText {
		return nil, fmt.Errorf("a text of %d bytes, want at most %d: send it as a file", len(d.Text), maxText)
	}
	if d.Text == "" && len(d.Files) == 0 {
		return nil, fmt.Errorf("an empty message")
	}
	if before, err := a.sentBefore(ctx, d); err != nil || before != nil {
		for _, f := range d.Files {
			a.Discard(f.Prepared)
		}
		return before, err
	}
	files, attachments, err := a.prepareFiles(ctx, d)
	if err != nil {
		return nil, err
	}
	m := &history.Message{Kind: history.Text, Conversation: d.To, Body: d.Text, Quote: d.Quote}
	var before *history.Message
	err = a.change(ctx, func(c *change) error {
		if before, err = c.sentBefore(d); err != nil || before != nil { // by somebody who was quicker
			return err
		}
		data := &wire.Data{Attachments: attachments}
		data.Body, _ = wire.CutBody(d.Text)
		if q := d.Quote; q != nil {
			if q.Text == "" {
				if q.Text, err = c.quoted(q.Author, q.Timestamp); err != nil {
					return err
				}
			}
			data.Quote = &wire.Quote{Target: q.Timestamp, AuthorNumber: bare(q.Author), Text: q.Text}
		}
		if err := c.post(data, m, files); err != nil {
			return err
		}
		if len(files) > 0 && d.Progress != nil { // before the commit: then somebody may be uploading already
			a.watchers.watch(m.Seq, func(p Progress) {
				if ctx.Err() == nil {
					d.Progress(p)
				}
			})
		}
		return c.noteSent(d, m)
	})
	if err != nil || before != nil {
		a.watchers.forget(m.Seq)
		a.dropFiles(files)
		return before, err
	}
	return m, nil
}

// quoted is the beginning of a message's text.
func (c *change) quoted(author string, timestamp uint64) (string, error) {
	m, err := history.Find(c.tx, author, timestamp)
	if err != nil || m == nil {
		return "", err
	}
	runes := []rune(m.Body)
	return string(runes[:min(len(runes), 140)]), nil
}

// post stores and queues what people read.
func (c *change) post(d *wire.Data, m *history.Message, files []upload) error {
	if err := c.startTimer(m.Conversation); err != nil {
		return err
	}
	to, err := c.dress(m.Conversation, d)
	if err != nil {
		return err
	}
	own := c.book.Own()
	if d.Group != nil {
		if err := c.say(m, d); err != nil { // the transcript
			return err
		}
	}
	m.Author, m.Device, m.Timestamp, m.Received, m.Outgoing, m.Seen = own.Number, own.Device, d.Timestamp, c.now, true, true
	m.Expires, m.Attachments, m.Raw = d.ExpireTimer, attachmentsOf(d, ""), (&wire.Content{Data: d}).Encode()
	for _, name := range to {
		m.Deliver(name, history.Delivery{State: history.Queued, When: c.now})
	}
	if added, err := history.Add(c.tx, m); err != nil || !added {
		return fmt.Errorf("message not stored: %v", err)
	}
	if m.Transcript != "" {
		if err := c.indexTranscript(m); err != nil {
			return err
		}
	}
	if err := c.accept(m.Conversation); err != nil {
		return err
	}
	c.tell(Event{Type: EventMessage, Conversation: m.Conversation, Message: m})
	return c.queueData(m.Conversation, to, d, m.Seq, files)
}

// dress fills in what every message to a conversation carries, and lists who gets it.
func (c *change) dress(conversation string, d *wire.Data) (to []string, err error) {
	v, err := history.Open(c.tx, conversation)
	if err != nil {
		return nil, err
	}
	if v.Blocked {
		return nil, fmt.Errorf("%s is blocked; unblock first", conversation)
	}
	if d.Timestamp, err = c.timestamp(); err != nil {
		return nil, err
	}
	d.ProfileKey = c.book.Own().ProfileKey
	if id, ok := groupID(conversation); ok {
		g, err := c.group(id)
		switch {
		case err != nil:
			return nil, err
		case g == nil:
			return nil, fmt.Errorf("no such group: %s", conversation)
		case !g.In(c.self()):
			return nil, fmt.Errorf("you are not a member of %q any more", g.Name)
		}
		d.ExpireTimer = g.Expires
		if d.Group == nil {
			d.Group = &wire.Group{ID: id, Kind: wire.GroupDeliver}
		}
		return c.others(g), nil
	}
	if !number(conversation) {
		return nil, fmt.Errorf("%q is neither a number nor a group", conversation)
	}
	d.ExpireTimer = v.Expires
	if conversation == c.self() {
		return nil, nil
	}
	return []string{conversation}, nil
}

// queueData puts a message into the outbox, and what our other devices are told of it.
func (c *change) queueData(conversation string, to []string, d *wire.Data, seq int64, files []upload) error {
	j := job{Timestamp: d.Timestamp, Content: (&wire.Content{Data: d}).Encode(), To: to, Message: seq, Files: files, Picture: seq == 0 && len(files) > 0, Sync: &syncing{}}
	if _, ok := groupID(conversation); ok {
		j.Group = conversation
	} else {
		j.Sync.Destination = conversation
	}
	switch {
	case len(to) > 0:
		return c.push(j)
	case len(files) > 0:
		return c.pushNote(j, d)
	}
	return c.syncSent(&j) // a note to ourselves, or a group of one
}

// pushNote queues what is for our other devices alone, and has files: these are uploaded first, whether there are others yet or not, since the server
// keeps what is sent.
func (c *change) pushNote(j job, d *wire.Data) error {
	at, err := c.timestamp()
	if err != nil {
		return err
	}
	s := &wire.Sync{Sent: &wire.Sent{Destination: j.Sync.Destination, Timestamp: j.Timestamp, Message: d, ExpirationStart: uint64(c.now)}}
	return c.push(job{Timestamp: at, Content: (&wire.Content{Sync: s}).Encode(), To: []string{c.self()}, Message: j.Message, Files: j.Files})
}

// React sets or removes the person's reaction to a message.
func (a *Account) React(ctx context.Context, conversation, author string, timestamp uint64, emoji string, remove bool) error {
	if emoji == "" || len(emoji) > 64 {
		return fmt.Errorf("a reaction of %d bytes, want one character", len(emoji))
	}
	return a.change(ctx, func(c *change) error {
		m, err := c.target(conversation, author, timestamp)
		if err != nil {
			return err
		}
		d := &wire.Data{Reaction: &wire.Reaction{Emoji: emoji, Remove: remove, AuthorNumber: bare(author), Target: timestamp}}
		to, err := c.dress(conversation, d)
		if err != nil {
			return err
		}
		m.React(history.Reaction{Author: c.self(), Emoji: emoji, Timestamp: d.Timestamp}, remove)
		if err := c.changed(m); err != nil {
			return err
		}
		return c.queueData(conversation, to, d, 0, nil)
	})
}

// target finds a message of a conversation.
func (c *change) target(conversation, author string, timestamp uint64) (*history.Message, error) {
	m, err := history.Find(c.tx, author, timestamp)
	if err == nil && (m == nil || m.Conversation != conversation) {
		err = fmt.Errorf("no message of %s from %s there", author, time.UnixMilli(int64(timestamp)).UTC().Format(time.RFC3339))
	}
	return m, err
}

// DeleteForAll takes back a message of ours.
func (a *Account) DeleteForAll(ctx context.Context, conversation string, timestamp uint64) error {
	return a.change(ctx, func(c *change) error {
		m, err := c.target(conversation, c.self(), timestamp)
		if err != nil {
			return err
		}
		d := &wire.Data{Delete: &timestamp}
		to, err := c.dress(conversation, d)
		if err != nil {
			return err
		}
		if err := c.cancel(m.Seq); err != nil { // who has not got it never will
			return err
		}
		m.Delete()
		if err := c.changed(m); err != nil {
			return err
		}
		return c.queueData(conversation, to, d, 0, nil)
	})
}

// Edit changes the text of a message of ours. Everybody keeps what it said before.
func (a *Account) Edit(ctx context.Context, conversation string, timestamp uint64, text string) error {
	if text == "" || len(text) > wire.MaxBody {
		return fmt.Errorf("an edited text of %d bytes, want 1 to %d", len(text), wire.MaxBody)
	}
	return a.change(ctx, func(c *change) error {
		m, err := c.target(conversation, c.self(), timestamp)
		if err != nil {
			return err
		}
		d := &wire.Data{Body: text}
		to, err := c.dress(conversation, d)
		if err != nil {
			return err
		}
		if !m.Edit(text, d.Timestamp) {
			return fmt.Errorf("the message was deleted")
		}
		if err := c.changed(m); err != nil {
			return err
		}
		j := job{Timestamp: d.Timestamp, Content: (&wire.Content{Edit: &wire.Edit{Target: timestamp, Data: d}}).Encode(), To: to, Sync: &syncing{Edit: true}}
		if _, ok := groupID(conversation); ok {
			j.Group = conversation
		} else {
			j.Sync.Destination = conversation
		}
		if len(to) == 0 {
			return c.syncSent(&j)
		}
		return c.push(j)
	})
}

// SetExpires sets for how many seconds messages of a conversation stay after they were read; 0: for good.
func (a *Account) SetExpires(ctx context.Context, conversation string, seconds uint32) error {
	return a.change(ctx, func(c *change) error {
		if id, ok := groupID(conversation); ok {
			return c.changeGroup(id, func(g *groupState) error { g.SetExpires(c.self(), seconds); return nil })
		}
		if err := history.Change(c.tx, conversation, func(v *history.Conversation) { v.Expires = seconds }); err != nil {
			return err
		}
		d := &wire.Data{Flags: wire.FlagTimerUpdate}
		to, err := c.dress(conversation, d)
		if err != nil {
			return err
		}
		if err := c.timerNotice(conversation, c.self(), seconds); err != nil {
			return err
		}
		return c.queueData(conversation, to, d, 0, nil)
	})
}

// EndSession makes the next message to somebody start sessions anew, on both sides: a way out when nothing can be read any more.
func (a *Account) EndSession(ctx context.Context, name string) error {
	return a.change(ctx, func(c *change) error {
		d := &wire.Data{Flags: wire.FlagEndSession, Body: "TERMINATE"}
		to, err := c.dress(name, d)
		if err != nil {
			return err
		}
		if len(to) != 1 || to[0] != name {
			return refusal.Because(refusal.NoSession, "with %q", name)
		}
		return c.push(job{Timestamp: d.Timestamp, Content: (&wire.Content{Data: d}).Encode(), To: to, End: true})
	})
}

// typingEvery is how often we say that somebody still writes.
const typingEvery = 10 * time.Second

// Typing tells a conversation that the person writes, or has stopped. It is sent at once or never.
func (a *Account) Typing(ctx context.Context, conversation string, stopped bool) error {
	a.mu.Lock()
	now := a.World.Now()
	recent := now.Sub(a.typing[conversation]) < typingEvery
	switch {
	case stopped:
		delete(a.typing, conversation)
	case !recent:
		a.typing[conversation] = now
	}
	a.mu.Unlock()
	if recent && !stopped {
		return nil
	}
	var to []string
	t := &wire.Typing{Timestamp: uint64(now.UnixMilli()), Stopped: stopped}
	err := a.view(ctx, func(c *change) error {
		p, err := c.preferences()
		if err != nil || p.NoTyping {
			return err
		}
		v, err := history.Open(c.tx, conversation)
		if err != nil || !v.Accepted || v.Blocked {
			return err
		}
		id, ok := groupID(conversation)
		if !ok {
			to = []string{conversation}
			return nil
		}
		g, err := c.group(id)
		if err != nil || g == nil || !g.In(c.self()) {
			return err
		}
		t.Group, to = id[:], c.others(g)
		return nil
	})
	for _, name := range to {
		if err != nil || len(to) > 20 { // not worth a message to everybody
			break
		}
		err = a.deliver(ctx, name, wire.Pad((&wire.Content{Typing: t}).Encode()), t.Timestamp)
	}
	return err
}

// attachmentsOf is what the history keeps of a message's files, which lie on the author's server.
func attachmentsOf(d *wire.Data, relay string) (out []history.Attachment) {
	for _, p := range d.Attachments {
		out = append(out, history.Attachment{ID: p.ID, ContentType: p.ContentType, FileName: baseName(p.FileName), Size: int64(p.Size),
			Key: slices.Clone(p.Key), Digest: p.Digest, Caption: p.Caption, Missing: len(p.Digest) == 0, Relay: relay})
	}
	return out
}
