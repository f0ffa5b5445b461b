package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
)

// Withdrawing is an auditor's word against a published release, or for it again, before it is signed.
type Withdrawing struct {
	Event     string               `json:"event"`
	Person    genuine.Person       `json:"person"`
	Statement statement.Withdrawal `json:"statement"`
	Others    []event.Withdrawn    `json:"others"` // what has been said before
	Need      int                  `json:"need"`   // so many people's withdrawals stop the release; 0: the policy does not ask

	id     event.ID
	signer signer.Signer
}

// PickRelease returns the event of a release by its id or by its version in a channel.
func (a *Auditor) PickRelease(ctx context.Context, name, channel string) (event.ID, error) {
	if !anchor.ValidVersion(name) {
		return a.Pick(ctx, name)
	}
	entries, err := a.Store.List(ctx)
	if err != nil {
		return event.ID{}, err
	}
	var found []event.ID
	for _, e := range entries {
		p, err := event.Load(ctx, a.Store, e.ID)
		if err == nil && p.Event.Kind == event.KindRelease && p.Manifest.Version == name && p.Manifest.Channel == channel && a.published(ctx, p) {
			found = append(found, e.ID)
		}
	}
	if len(found) != 1 {
		return event.ID{}, refusef("%d published events of this room are about %s %s: name one by its id", len(found), channel, name)
	}
	return found[0], nil
}

func (a *Auditor) published(ctx context.Context, p *event.Proposal) bool {
	return p.Status(a.Published, "").Published || a.wasPublished(ctx, p)
}

// Withdraw prepares a withdrawal, or its end, for the person to look at. Only what was published can be
// withdrawn: before that, not signing is enough.
func (a *Auditor) Withdraw(ctx context.Context, id event.ID, reason string, reinstate bool) (*Withdrawing, error) {
	p, err := event.Load(ctx, a.Store, id)
	if err != nil {
		return nil, err
	}
	if p.Event.Kind != event.KindRelease {
		return nil, refusef("event %s is of kind %s: only releases are withdrawn", id.Short(), p.Event.Kind)
	}
	if !a.published(ctx, p) {
		return nil, refusef("%s %s is not published: there is nothing to withdraw; do not sign it, or state a review that fails", p.Manifest.Channel, p.Manifest.Version)
	}
	w := &Withdrawing{Event: id.String(), id: id, Others: p.Status(a.Published, "").Withdrawn, Statement: statement.Withdrawal{
		Release: p.ReleaseSHA256(), Channel: p.Manifest.Channel, Version: p.Manifest.Version, State: statement.StateWithdrawn,
		Reason: strings.TrimSpace(reason), At: a.Now().UTC().Truncate(time.Second)}}
	if reinstate {
		w.Statement.State = statement.StateReinstated
	}
	if w.signer, w.Person, err = a.statementSigner(p); err != nil {
		return nil, err
	}
	policy, err := p.Base.ParsedPolicy()
	if err != nil {
		return nil, err
	}
	rule, _ := policy.Rule(p.Manifest.Channel)
	w.Need = rule.Withdrawals
	had := ""
	for _, o := range w.Others {
		if o.Person == w.Person {
			had = o.State
			if !w.Statement.At.After(o.At) {
				return nil, refusef("the clock says %s, and your last word about this release is of %s: set the clock first", w.Statement.At.Format(time.RFC3339), o.At.Format(time.RFC3339))
			}
		}
	}
	if reinstate && had != statement.StateWithdrawn {
		return nil, refusef("%s has not withdrawn %s %s, so there is nothing to take back", w.Person, p.Manifest.Channel, p.Manifest.Version)
	}
	_, err = w.Statement.Encode()
	return w, err
}

// Word is what the person types to agree.
func (w *Withdrawing) Word() string { return w.Statement.Version }

// Text is exactly what will be signed, for people.
func (w *Withdrawing) Text() string {
	var b strings.Builder
	s := w.Statement
	fmt.Fprintf(&b, "event %s\n%s %s, release.json sha256 %x\n\n", w.Event, plain(s.Channel), plain(s.Version), s.Release)
	for _, o := range w.Others {
		fmt.Fprintf(&b, "said before: %s by %s on %s: %s\n", o.State, plain(o.Person.String()), o.At.UTC().Format(time.DateTime), plain(o.Reason))
	}
	fmt.Fprintf(&b, "you state as %s on %s UTC: %s\n  reason: %s\n", w.Person, s.At.Format(time.DateTime), s.State, plain(s.Reason))
	if w.Need == 0 {
		b.WriteString("the policy does not ask for withdrawals: it is put on record, and stops nothing\n")
	} else {
		fmt.Fprintf(&b, "withdrawals by %d people stop this release: devices then return to the last genuine version\n", w.Need)
	}
	return b.String()
}

// SendWithdrawal signs the word and gives it to a store: the room, or a copy that will be carried there.
func (a *Auditor) SendWithdrawal(ctx context.Context, w *Withdrawing, to event.Store) (event.Status, error) {
	payload, err := w.Statement.Encode()
	if err != nil {
		return event.Status{}, err
	}
	b, err := bundle.Sign(payload, w.signer)
	if err != nil {
		return event.Status{}, err
	}
	if err := to.PutStatement(ctx, w.id, b); err != nil {
		return event.Status{}, err
	}
	p, err := event.Load(ctx, to, w.id)
	if err != nil {
		return event.Status{}, err
	}
	return p.Status(a.Published, ""), nil
}
