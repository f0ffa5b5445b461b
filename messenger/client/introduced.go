package client

import (
	"errors"
	"fmt"

	"github.com/countersign-project/countersign/messenger/introduction"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/wire"
)

// heardIntroduction takes in what a contact says about somebody's key, or notes why not.
func (c *change) heardIntroduction(by string, i *wire.Introduction) error {
	notices, other, err := c.judgeIntroduction(by, i)
	if refusal.Of(err) != "" {
		return c.refusedIntroduction(by, err)
	}
	if err != nil || len(notices) == 0 {
		return err
	}
	p, err := c.book.Peer(by)
	if err != nil {
		return err
	}
	key, err := p.Key()
	if err != nil {
		return err
	}
	if err := c.introductions(notices, false); err != nil {
		return err
	}
	c.tell(Event{Type: EventConversation, Conversation: other})
	return c.syncOwn(&wire.Sync{Introductions: []wire.Introduced{{Introducer: by, Identity: key, Introduction: *i}}})
}

// judgeIntroduction keeps an introduction if all is in order.
func (c *change) judgeIntroduction(by string, i *wire.Introduction) (notices []session.Notice, other string, err error) {
	s, err := introduction.Parse(i.Statement)
	if err != nil {
		return nil, "", err
	}
	p, err := c.book.Peer(by)
	if err != nil {
		return nil, "", err
	}
	if p.Trust != session.Verified {
		name := c.called(by)
		return nil, "", refusal.Because(refusal.UntrustedIdentity, "you have not compared safety numbers with %s, whose word therefore proves nothing. Compare them, and have %s do it again", name, name)
	}
	key, err := p.Key()
	if err != nil {
		return nil, "", err
	}
	if other, err = c.addressed(by, s); err != nil {
		return nil, "", err
	}
	notices, err = c.book.TakeIntroduction(wire.Introduced{Introducer: by, Identity: key, Introduction: *i}, other, func() error {
		if ok, err := c.within("introductions by "+by, perDay); err != nil || ok {
			return err
		}
		return refusal.Because(refusal.InvalidMessage, "it is more than the %d that are taken from one person in a day", perDay)
	})
	return notices, other, err
}

// refusedIntroduction notes why an introduction was not taken. Of one person a few such notes a day are enough.
func (c *change) refusedIntroduction(by string, why error) error {
	c.a.Log.Warn("introduction refused", "from", by, "error", why)
	if ok, err := c.within("introductions refused "+by, 5); err != nil || !ok {
		return err
	}
	reason := why.Error()
	var told *refusal.Error
	if errors.As(why, &told) {
		reason = told.Detail
	}
	return c.noticeIfThere(by, "introduction-refused", by, fmt.Sprintf("%s has introduced somebody to you, and that was not taken: %s.", c.called(by), reason))
}

// syncedIntroductions takes in what another device of ours has, or has done. One that does not hold here keeps none of the others away.
func (c *change) syncedIntroductions(list []wire.Introduced) error {
	for _, i := range list {
		err := c.syncedIntroduction(i)
		switch kind := refusal.Of(err); {
		case kind == "" && err != nil:
			return err
		case kind != "" && kind != refusal.Duplicate: // a duplicate: here is a newer one
			c.a.Log.Warn("introduction refused that another device of ours has", "by", i.Introducer, "error", err)
		}
	}
	return nil
}

func (c *change) syncedIntroduction(i wire.Introduced) error {
	s, err := introduction.Open(i.Identity, i.Statement, i.Signature)
	if err != nil {
		return err
	}
	if i.Introducer == c.self() {
		return c.introducedBySelf(s.Recipient.Address, s.Other.Address)
	}
	other, err := c.addressed(i.Introducer, s)
	if err != nil {
		return err
	}
	notices, err := c.book.TakeIntroduction(i, other, func() error { return nil }) // counted there
	if err != nil {
		return err
	}
	c.tell(Event{Type: EventConversation, Conversation: other})
	return c.introductions(notices, false)
}

// introductions tells the person what introductions have shown. Seen says that a key has been seen just now, rather than an introduction.
func (c *change) introductions(list []session.Notice, seen bool) error {
	for _, n := range list {
		kind, text := c.introductionText(n)
		if kind == "" {
			continue
		}
		if err := c.noticeIfThere(n.By, kind, n.Name, text); err != nil {
			return err
		}
		tell := c.noticeIfThere
		if seen && n.Kind == session.IntroductionDiffers { // it is about to be written to, or has written
			tell = c.notice
		}
		if err := tell(n.Name, kind, n.Name, text); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) introductionText(n session.Notice) (kind, text string) {
	by, name := c.called(n.By), c.called(n.Name)
	switch {
	case n.Kind == session.Introduced:
		return "introduced", fmt.Sprintf("%s has introduced %s to you: the key that %[1]s has verified for %[2]s is the one that is here. That is %[1]s's word; your own comparison is worth more.", by, name)
	case n.Kind == session.IntroductionKept:
		return "introduction-kept", fmt.Sprintf("%s has introduced %s to you. No key of %[2]s is here yet: the first that comes is compared with the one %[1]s has verified.", by, name)
	case n.Kind != session.IntroductionDiffers:
		return "", ""
	}
	text = fmt.Sprintf("WARNING: %s says that %s has another key than the one that is here. One of the two is not %[2]s's. Most often one of them is an old one, since %[2]s has a new telephone or has installed the messenger again; but it may be that somebody in between reads along.", by, name)
	switch {
	case n.Was == session.Verified:
		text += fmt.Sprintf(" You have compared the one here yourself, so it stays as it is: tell %s, by another way, to compare with %s again.", by, name)
	case n.Held:
		text += fmt.Sprintf(" Nothing is sent to %s until you decide: ask by another way, by telephone or in person, and compare safety numbers.", name)
	default:
		text += " Send nothing that matters until you have asked by another way, by telephone or in person, and have compared safety numbers."
	}
	return "introduction-differs", text
}

// vouched is called when somebody has become verified, or is not any more: whom he has introduced is shown otherwise now.
func (c *change) vouched(by string) error {
	names, notices, err := c.book.Vouched(by)
	if err != nil {
		return err
	}
	for _, n := range names {
		c.tell(Event{Type: EventConversation, Conversation: n})
	}
	return c.introductions(notices, false)
}

// IntroducedBy says on whose word a contact has his key.
type IntroducedBy struct {
	Number string `json:"number"`
	Name   string `json:"name"`
	When   int64  `json:"when"` // milliseconds, by the introducer's clock
}

// introducedBy is for the state of a contact: nil where nobody's word counts, or where the person knows better himself.
func (c *change) introducedBy(name string, p session.Peer) (*IntroducedBy, error) {
	if p.Trust != session.Unverified || p.Held {
		return nil, nil
	}
	i, ok, err := c.book.IntroducedBy(name)
	if err != nil || !ok {
		return nil, err
	}
	return &IntroducedBy{i.By, c.called(i.By), int64(i.Time)}, nil
}
