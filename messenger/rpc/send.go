package rpc

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
)

type sendParams struct {
	target
	asks
	Message     string `json:"message"`
	Attachments texts  `json:"attachments"`
	Attachment  texts  `json:"attachment"`
	// Uploads is ours: files that were handed in before, by id. They go to one conversation.
	Uploads        texts  `json:"uploads"`
	QuoteTimestamp uint64 `json:"quoteTimestamp"`
	QuoteAuthor    string `json:"quoteAuthor"`
	EditTimestamp  uint64 `json:"editTimestamp"`
	EndSession     bool   `json:"endSession"`
	// What we do not have is refused: who asks for it must not believe that it was done.
	ViewOnce bool   `json:"viewOnce"`
	Sticker  string `json:"sticker"`
	// Once is ours: a name the caller has made up for this message. Whoever got no answer says all of it again; under one name a message goes out once.
	Once string `json:"once"`
	// NoWait is ours: answer when it is queued. Otherwise the answer waits a while for the server to have it.
	NoWait bool `json:"noWait"`
}

// sendPatience is how long send waits for a message to be sent before it answers QUEUED, where the Server does not say. As long as its files get on, and the
// caller hears of it, it waits further.
const sendPatience = 10 * time.Second

func (s *Server) patience() time.Duration {
	if s.Patience > 0 {
		return s.Patience
	}
	return sendPatience
}

func (c *conn) sendMessage(p sendParams) (any, error) {
	to, err := c.conversations(p.target)
	if err != nil {
		return nil, err
	}
	if len(p.Uploads) > 0 && len(to) > 1 {
		return nil, userError("uploads go to one conversation, not to %d", len(to))
	}
	if p.ViewOnce || p.Sticker != "" {
		return nil, userError("viewOnce and sticker are not there: nothing was sent")
	}
	tell, err := c.progress(p.asks)
	if err != nil {
		return nil, err
	}
	var out Sent
	for _, conversation := range to {
		if p.EndSession {
			if err := c.Account.EndSession(c.ctx, conversation); err != nil {
				return nil, err
			}
			out.Results = append(out.Results, Result{Address: address(conversation), GroupID: groupID(conversation), Type: "QUEUED"})
			continue
		}
		if p.EditTimestamp != 0 {
			if err := c.Account.Edit(c.ctx, conversation, p.EditTimestamp, p.Message); err != nil {
				return nil, err
			}
			out.Timestamp = p.EditTimestamp
			out.Results = append(out.Results, Result{Address: address(conversation), GroupID: groupID(conversation), Type: "QUEUED"})
			continue
		}
		d := client.Draft{To: conversation, Text: p.Message, Once: p.Once}
		for _, path := range slices.Concat(p.Attachments, p.Attachment) {
			f, err := c.file(path)
			if err != nil {
				return nil, err
			}
			d.Files = append(d.Files, f)
		}
		for _, id := range p.Uploads {
			prepared, err := c.uploads.take(id)
			if err != nil {
				return nil, err
			}
			d.Files = append(d.Files, client.File{Prepared: prepared})
		}
		if p.QuoteTimestamp != 0 {
			author, err := c.Account.Resolve(c.ctx, p.QuoteAuthor)
			if err != nil {
				return nil, err
			}
			d.Quote = &history.Quote{Author: author, Timestamp: p.QuoteTimestamp}
		}
		moved := make(chan struct{}, 1)
		if tell != nil {
			d.Progress = func(p client.Progress) {
				tell(p)
				select {
				case moved <- struct{}{}:
				default:
				}
			}
		}
		sub := c.Account.Subscribe()
		m, err := c.Account.Send(c.ctx, d)
		if err == nil && !p.NoWait {
			m, err = c.awaitSent(sub, m, moved, tell != nil)
		}
		sub.Close()
		if err != nil {
			return nil, err
		}
		out.Timestamp = m.Timestamp
		out.Results = append(out.Results, results(m)...)
	}
	return out, nil
}

// awaitSent waits until a message has left, failed, or patience has ended, which begins anew whenever its files have moved. Told
// says that the caller hears of that: then a note's files are waited for, too.
func (c *conn) awaitSent(sub *client.Subscription, m *history.Message, moved <-chan struct{}, told bool) (*history.Message, error) {
	deadline := time.NewTimer(c.patience())
	defer deadline.Stop()
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-moved:
				deadline.Reset(c.patience())
			case <-deadline.C:
				sub.Close()
				return
			case <-done:
				return
			}
		}
	}()
	defer close(done)
	for m.State().State == history.Queued || told && uploading(m) {
		if m.State().Why != "" {
			break // it will take longer
		}
		e, ok := sub.Next(c.ctx)
		if !ok {
			break
		}
		if e.Message != nil && e.Message.Seq == m.Seq && e.Type == client.EventUpdate {
			m = e.Message
		}
	}
	now, err := c.Account.Message(c.ctx, m.Seq)
	if err != nil || now == nil {
		return m, err
	}
	return now, nil
}

// uploading tells whether files of a note to oneself are still to be uploaded, which has nobody to wait for otherwise.
func uploading(m *history.Message) bool {
	return slices.ContainsFunc(m.Attachments, func(a history.Attachment) bool { return a.ID == 0 })
}

func results(m *history.Message) (out []Result) {
	for _, name := range slices.Sorted(maps.Keys(m.Delivery)) {
		d := m.Delivery[name]
		r := Result{Address: address(name), GroupID: groupID(m.Conversation), Type: "SUCCESS", Why: d.Why}
		switch {
		case d.State == history.Queued:
			r.Type = "QUEUED"
		case d.State == history.Failed && strings.Contains(d.Why, "not registered"):
			r.Type = "UNREGISTERED_FAILURE"
		case d.Held:
			r.Type = "IDENTITY_FAILURE"
		case d.State == history.Failed:
			r.Type = "FAILURE"
		}
		out = append(out, r)
	}
	return out
}

func address(name string) map[string]string {
	if groupID(name) != "" {
		return map[string]string{}
	}
	return map[string]string{"number": name}
}
