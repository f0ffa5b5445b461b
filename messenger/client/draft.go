package client

import (
	"context"
	"fmt"

	"github.com/countersign-project/countersign/messenger/client/history"
)

// maxDraft is how many bytes are kept of what is not a message yet.
const maxDraft = 64 << 10

// KeepDraft keeps what the person has begun to write in a conversation, for whoever shows that the next time; "": nothing. It is encrypted like all that is
// here, and stays on this device.
func (a *Account) KeepDraft(ctx context.Context, conversation, text string) error {
	if len(text) > maxDraft {
		return fmt.Errorf("a draft of %d bytes, want at most %d", len(text), maxDraft)
	}
	return a.change(ctx, func(c *change) error {
		return history.Change(c.tx, conversation, func(v *history.Conversation) { v.Draft = text })
	})
}
