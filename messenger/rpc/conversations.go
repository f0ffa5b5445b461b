package rpc

import (
	"slices"

	"github.com/countersign-project/countersign/messenger/client/history"
)

// Conversation is one of the list, with what to call it.
type Conversation struct {
	history.Conversation
	Name string `json:"name"`
	// Last is the newest message that is there.
	Last *history.Message `json:"last,omitempty"`
}

// listConversations lists them, the one with the newest message first: those behind the one with the id after, at most limit (0: all); or the one
// conversation that a target names, whether anything was said in it or not.
func (c *conn) listConversations(p struct {
	target
	After string `json:"after"`
	Limit int    `json:"limit"`
}) (any, error) {
	list, err := c.Account.Conversations(c.ctx)
	if err != nil {
		return nil, err
	}
	if p.names() {
		id, err := c.conversation(p.target)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(list, func(v history.Conversation) bool { return v.ID == id })
		if at < 0 {
			list, at = append(list, history.Conversation{ID: id}), len(list)
		}
		list = list[at : at+1]
	}
	if p.After != "" { // whoever has gone meanwhile leaves no place to go on at: all is listed again
		list = list[slices.IndexFunc(list, func(v history.Conversation) bool { return v.ID == p.After })+1:]
	}
	if p.Limit > 0 {
		list = list[:min(p.Limit, len(list))]
	}
	out := []Conversation{}
	for _, v := range list {
		one, err := c.described(v)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// described adds what to call a conversation, and its newest message.
func (c *conn) described(v history.Conversation) (Conversation, error) {
	name := v.ID
	if groupID(v.ID) != "" {
		g, err := c.Account.Group(c.ctx, v.ID)
		if err != nil {
			return Conversation{}, err
		}
		if g == nil {
			return Conversation{}, userError("no group %s is known here", groupID(v.ID))
		}
		name = g.Name
	} else if k, err := c.Account.Contact(c.ctx, v.ID); err != nil {
		return Conversation{}, err
	} else if k.Called() != "" {
		name = k.Called()
	}
	newest, err := c.Account.Messages(c.ctx, v.ID, 0, 1)
	if err != nil {
		return Conversation{}, err
	}
	var last *history.Message
	if len(newest) > 0 {
		last = shown(newest[0])
	}
	return Conversation{v, name, last}, nil
}

// mute keeps a conversation quiet, or ends that: callers do not call the person for it.
func (c *conn) mute(p struct {
	target
	Muted bool `json:"muted"`
}) (any, error) {
	conversation, err := c.conversation(p.target)
	if err != nil {
		return nil, err
	}
	return nil, c.Account.Mute(c.ctx, conversation, p.Muted)
}

// setDraft keeps what the person has begun to write: listConversations has it.
func (c *conn) setDraft(p struct {
	target
	Message string `json:"message"`
}) (any, error) {
	conversation, err := c.conversation(p.target)
	if err != nil {
		return nil, err
	}
	return nil, c.Account.KeepDraft(c.ctx, conversation, p.Message)
}

// Full is a message with everything that is known of it.
type Full struct {
	*history.Message
	State history.Delivery `json:"state"`
	// ConfirmedBy are members of a group whose own messages show that they have it.
	ConfirmedBy []string `json:"confirmedBy,omitempty"`
	// Versions are, of a notice that somebody told different things, all of these.
	Versions []Version `json:"versions,omitempty"`
}

// Version is one of the different things that a member told the others.
type Version struct {
	Message     *history.Message `json:"message,omitempty"` // left out if it is not here any more
	ConfirmedBy []string         `json:"confirmedBy"`       // as above
}

// getMessage finds a message by its number, or by who wrote it and when: what a quote says of what it answers.
func (c *conn) getMessage(p struct {
	Seq       int64  `json:"seq"`
	Author    string `json:"author"`
	Timestamp uint64 `json:"timestamp"`
}) (any, error) {
	m, err := (*history.Message)(nil), error(nil)
	switch {
	case p.Seq != 0 && p.Author != "":
		return nil, userError("seq and author: give one of them")
	case p.Author != "":
		author, err := c.Account.Resolve(c.ctx, p.Author)
		if err != nil {
			return nil, err
		}
		if m, err = c.Account.Find(c.ctx, author, p.Timestamp); err != nil {
			return nil, err
		}
		if m == nil {
			return nil, userError("no message of %s at %d is here", author, p.Timestamp)
		}
	default:
		if m, err = c.Account.Message(c.ctx, p.Seq); err != nil {
			return nil, err
		}
		if m == nil {
			return nil, userError("no message %d", p.Seq)
		}
	}
	out := Full{Message: shown(m), State: m.State()}
	if m.Transcript != "" {
		if out.ConfirmedBy, err = c.Account.ConfirmedBy(c.ctx, m.Seq); err != nil {
			return nil, err
		}
	}
	told, err := c.Account.Told(c.ctx, m)
	for _, t := range told {
		v := Version{ConfirmedBy: append([]string{}, t.ConfirmedBy...)}
		if t.Message != nil {
			v.Message = shown(t.Message)
		}
		out.Versions = append(out.Versions, v)
	}
	return out, err
}
