package rpc

import (
	"github.com/countersign-project/countersign/messenger/client/history"
)

// Conversation is one of the list, with what to call it.
type Conversation struct {
	history.Conversation
	Name string `json:"name"`
	// Last is the newest message that is there.
	Last *history.Message `json:"last,omitempty"`
}

func (c *conn) listConversations(nothing) (any, error) {
	list, err := c.Account.Conversations(c.ctx)
	if err != nil {
		return nil, err
	}
	out := []Conversation{}
	for _, v := range list {
		name := v.ID
		if groupID(v.ID) != "" {
			g, err := c.Account.Group(c.ctx, v.ID)
			if err != nil {
				return nil, err
			}
			name = g.Name
		} else if k, err := c.Account.Contact(c.ctx, v.ID); err != nil {
			return nil, err
		} else if k.Called() != "" {
			name = k.Called()
		}
		newest, err := c.Account.Messages(c.ctx, v.ID, 0, 1)
		if err != nil {
			return nil, err
		}
		var last *history.Message
		if len(newest) > 0 {
			last = shown(newest[0])
		}
		out = append(out, Conversation{v, name, last})
	}
	return out, nil
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

// Full is a message with everything that is known of it.
type Full struct {
	*history.Message
	State history.Delivery `json:"state"`
	// ConfirmedBy are members of a group whose own messages show that they have it.
	ConfirmedBy []string `json:"confirmedBy,omitempty"`
}

func (c *conn) getMessage(p bySeq) (any, error) {
	m, err := c.Account.Message(c.ctx, p.Seq)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, userError("no message %d", p.Seq)
	}
	out := Full{Message: shown(m), State: m.State()}
	if m.Transcript != "" {
		out.ConfirmedBy, err = c.Account.ConfirmedBy(c.ctx, p.Seq)
	}
	return out, err
}
