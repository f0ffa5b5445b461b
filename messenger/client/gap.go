package client

import (
	"context"
	"fmt"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/transcript"
)

// gap is something that an author has answered and that has not come. It is shown after a moment only: an answer may well be here before what it
// answers, which is still on its way to the next member, or to the next device of ours.
type gap struct {
	Conversation, Author string
	Since                int64 // milliseconds
	Missing              []transcript.ID
}

const settingGaps = "gaps"

// patience is how long a gap is not shown, in milliseconds.
const patience = 5_000

func (c *change) noteGap(conversation, author string, missing []transcript.ID) error {
	list, _, err := store.Load[[]gap](c.tx, store.Settings, settingGaps)
	if err != nil {
		return err
	}
	c.timer = true
	return store.Save(c.tx, store.Settings, settingGaps, append(list, gap{conversation, author, c.now, missing}))
}

// showGaps shows those that have not closed by themselves, and returns when the next one is due; 0 if there is none.
func (a *Account) showGaps(ctx context.Context) (next int64, err error) {
	var list []gap
	err = a.store.View(ctx, func(tx *store.Tx) (err error) {
		list, _, err = store.Load[[]gap](tx, store.Settings, settingGaps)
		return err
	})
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return next, a.change(ctx, func(c *change) error {
		list, _, err := store.Load[[]gap](c.tx, store.Settings, settingGaps)
		if err != nil {
			return err
		}
		var later []gap
		for _, g := range list {
			due := g.Since + patience
			if due > c.now && g.Since <= c.now { // a clock that was set back shows it at once
				later = append(later, g)
				if next == 0 || due < next {
					next = due
				}
				continue
			}
			if err := c.showGap(g); err != nil {
				return err
			}
		}
		return store.Save(c.tx, store.Settings, settingGaps, later)
	})
}

func (c *change) showGap(g gap) error {
	t, err := c.transcript(g.Conversation)
	if err != nil || t == nil {
		return err
	}
	missing := map[transcript.ID]bool{}
	for _, id := range t.Missing() {
		missing[id] = true
	}
	var open []transcript.ID
	for _, id := range g.Missing {
		if missing[id] {
			open = append(open, id)
		}
	}
	if len(open) == 0 {
		return nil
	}
	at, err := c.timestamp()
	if err != nil {
		return err
	}
	m := &history.Message{Conversation: g.Conversation, Kind: history.Notice, Notice: "gap", Author: g.Author, Timestamp: at, Received: c.now,
		Body: fmt.Sprintf("%s answered something you have not received. It is asked for.", c.called(g.Author))}
	if _, err := history.Add(c.tx, m); err != nil {
		return err
	}
	for _, id := range open {
		if err := store.Save(c.tx, store.TranscriptRefs, gapName(g.Conversation, id), m.Seq); err != nil {
			return err
		}
	}
	c.tell(Event{Type: EventMessage, Conversation: g.Conversation, Message: m})
	return nil
}
