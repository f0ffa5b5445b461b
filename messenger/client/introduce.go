package client

import (
	"context"
	"fmt"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/introduction"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Introductions (5). Alice has compared safety numbers with Bob and with Carol; they cannot meet, and would have to take each other's keys on the server's
// word. So she tells each of them, encrypted and signed, which key the other has and which key is his own. Bob's device believes her if he has verified her.
// If she names the key it has for Carol, Carol is "introduced by Alice", which is less than verified and says whose word it is. If she names another one, one
// of the two is not Carol's, and Bob is told loudly, before more is sent. If it has none yet, her word waits for the first.
//
// This file says it, introduced.go hears it, session keeps and judges it (session/introduction.go), package introduction is the statement. Nothing here begins
// a conversation, and nothing is sent because of an introduction but what Alice asked for, and word of it to one's own devices.

// Introduce tells two contacts, both of them verified, each other's keys. It returns once that is queued.
func (a *Account) Introduce(ctx context.Context, first, second string) error {
	return a.change(ctx, func(c *change) error {
		if err := c.mayIntroduce(first, second); err != nil {
			return err
		}
		for _, one := range [][2]string{{first, second}, {second, first}} {
			if err := c.introduce(one[0], one[1]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *change) mayIntroduce(first, second string) error {
	for _, who := range []string{first, second} {
		v, err := history.Open(c.tx, who)
		switch {
		case err != nil:
			return err
		case !number(who) || who == c.self() || first == second:
			return &pairError{first, second}
		case v.Blocked:
			return notNowError(who + " is blocked; unblock first")
		}
	}
	return nil
}

// pairError says that these are not two people who could be introduced to each other.
type pairError struct{ first, second string }

func (e *pairError) Error() string {
	return fmt.Sprintf("%q and %q: want two different contacts, and neither yourself nor a group", e.first, e.second)
}

// Usage is true.
func (e *pairError) Usage() bool { return true }

// notNowError says why something is refused that the person can change.
type notNowError string

func (e notNowError) Error() string { return string(e) }

// Refused is true.
func (e notNowError) Refused() bool { return true }

// introduce tells recipient the key of other.
func (c *change) introduce(recipient, other string) error {
	at, err := c.timestamp()
	if err != nil {
		return err
	}
	if ok, err := c.within("introductions to "+recipient, perDay); err != nil {
		return err
	} else if !ok {
		return notNowError(fmt.Sprintf("you have introduced %d people to %s within a day, who would take no more: go on tomorrow", perDay, c.called(recipient)))
	}
	i, err := c.book.Introduce(recipient, other, at)
	if err != nil {
		return err
	}
	if err := c.push(job{Timestamp: at, Content: (&wire.Content{Introduction: i}).Encode(), To: []string{recipient}}); err != nil {
		return err
	}
	if err := c.introducedBySelf(recipient, other); err != nil {
		return err
	}
	identity, err := c.book.Own().Identity()
	if err != nil {
		return err
	}
	return c.syncOwn(&wire.Sync{Introductions: []wire.Introduced{{Introducer: c.self(), Identity: identity.Public(), Introduction: *i}}})
}

// introducedBySelf notes with the recipient what he was told, here or by another device of ours.
func (c *change) introducedBySelf(recipient, other string) error {
	return c.noticeIfThere(recipient, "introduction-made", other, fmt.Sprintf("You have introduced %s to %s: %[2]s is told which key %[1]s has, with your signature.", c.called(other), c.called(recipient)))
}

// noticeIfThere is notice for a conversation that there is, and nothing otherwise.
func (c *change) noticeIfThere(conversation, kind, about, text string) error {
	if _, there, err := store.Load[history.Conversation](c.tx, store.Conversations, conversation); err != nil || !there {
		return err
	}
	return c.notice(conversation, kind, about, text)
}

// syncIntroductions tells our other devices all that we keep, a hundred in a message.
func (c *change) syncIntroductions() error {
	var all []wire.Introduced
	err := store.All(c.tx, store.Introductions, func(_ string, list []session.Introduction) error {
		for _, i := range list {
			key, err := (session.Peer{Identity: i.ByKey}).Key()
			if err != nil {
				return err
			}
			all = append(all, wire.Introduced{Introducer: i.By, Identity: key, Introduction: wire.Introduction{Statement: i.Statement, Signature: i.Signature}})
		}
		return nil
	})
	for len(all) > 0 && err == nil {
		n := min(len(all), 100)
		err = c.syncOwn(&wire.Sync{Introductions: all[:n]})
		all = all[n:]
	}
	return err
}

// perDay is how many introductions one person can make to another in a day: each is an entry in a conversation, and is kept.
const perDay = 20

// within counts something, and tells whether it is still one of so many in a day.
func (c *change) within(what string, most int) (bool, error) {
	type budget struct {
		Since int64 // milliseconds
		N     int
	}
	const day = 24 * 60 * 60 * 1000
	b, _, err := store.Load[budget](c.tx, store.Settings, what)
	if err != nil {
		return false, err
	}
	if c.now-b.Since >= day || c.now < b.Since {
		b = budget{Since: c.now}
	}
	if b.N >= most {
		return false, nil
	}
	b.N++
	return true, store.Save(c.tx, store.Settings, what, b)
}

// addressed reads whom an introduction is to and whom it is about, in our names (localNames). It refuses one that is to somebody else.
func (c *change) addressed(by string, s introduction.Statement) (other string, err error) {
	to, theirs := s.Recipient.Address, serverOf(by)
	if !number(to) || !number(s.Other.Address) {
		return "", refusal.Because(refusal.InvalidMessage, "its addresses are no numbers")
	}
	if bare(to) != c.self() || theirs == "" && serverOf(to) != "" {
		return "", refusal.Because(refusal.InvalidMessage, "it is for %s, and not for you", to)
	}
	return localName(s.Other.Address, theirs, serverOf(to)), nil
}
