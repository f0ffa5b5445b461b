package client

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/transcript"
)

// ConfirmedBy lists the members whose messages acknowledge a message of a group, and its author, unless we have it from others only.
func (a *Account) ConfirmedBy(ctx context.Context, seq int64) (names []string, err error) {
	err = a.view(ctx, func(c *change) error {
		m, err := history.Get(c.tx, seq)
		if err != nil || m == nil || m.Transcript == "" {
			return err
		}
		names, err = c.confirmedBy(m.Conversation, m.Transcript)
		return err
	})
	return names, err
}

// Told is one of the different things that a member told the others under one number.
type Told struct {
	Message     *history.Message // nil if it is not here any more
	ConfirmedBy []string         // as of the method
}

// Told returns what a notice of an equivocation is about, in the notice's order; nothing of other messages.
func (a *Account) Told(ctx context.Context, notice *history.Message) (out []Told, err error) {
	err = a.view(ctx, func(c *change) error {
		for _, text := range notice.Told {
			id, err := transcriptID(text)
			if err != nil {
				return err
			}
			var t Told
			if t.Message, err = c.byTranscript(notice.Conversation, id); err != nil {
				return err
			}
			if t.ConfirmedBy, err = c.confirmedBy(notice.Conversation, text); err != nil {
				return err
			}
			out = append(out, t)
		}
		return nil
	})
	return out, err
}

// confirmedBy is ConfirmedBy for a message's id in the transcript, in hexadecimal.
func (c *change) confirmedBy(conversation, text string) ([]string, error) {
	id, err := transcriptID(text)
	if err != nil {
		return nil, err
	}
	gid, _ := groupID(conversation)
	g, err := c.group(gid)
	if err != nil || g == nil {
		return nil, err
	}
	t, err := c.transcript(conversation)
	if err != nil || t == nil {
		return nil, err
	}
	by, err := cuts{c, conversation}.confirmedBy(t, id, bareAll(g.List()))
	return members(g, by), err
}

func transcriptID(text string) (transcript.ID, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(transcript.ID{}) {
		return transcript.ID{}, fmt.Errorf("%.80q is no id of a transcript", text)
	}
	return transcript.ID(b), nil
}
