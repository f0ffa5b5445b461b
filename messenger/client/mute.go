package client

import (
	"context"

	"github.com/countersign-project/countersign/messenger/client/history"
)

// Mute keeps a conversation quiet on this device, or ends that: its messages arrive as before.
func (a *Account) Mute(ctx context.Context, conversation string, muted bool) error {
	return a.change(ctx, func(c *change) error {
		c.tell(Event{Type: EventConversation, Conversation: conversation})
		return history.Change(c.tx, conversation, func(v *history.Conversation) { v.Muted = muted })
	})
}
