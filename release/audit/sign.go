package audit

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/tuf/durable"
)

// Outcome is what Sign did.
type Outcome struct {
	Event  string       `json:"event"`
	Made   []Signing    `json:"made"`
	Status event.Status `json:"status"` // of the event afterwards
}

// Sign makes and stores the signatures of a decision. The caller has shown the decision to the person
// and asked; nothing is checked again but what another command of the same auditor may have changed.
//
// The order is for crashes: first it is remembered what is signed, then the signature leaves this
// machine. So nothing can be out in the world that this auditor has forgotten; a signature remembered and
// never sent is sent by signing again.
func (a *Auditor) Sign(ctx context.Context, d *Decision) (*Outcome, error) {
	p := d.Proposal
	var made []event.Signature
	for _, s := range d.Will {
		list, err := p.Sign(s.Role, s.signer)
		if err != nil {
			return nil, fmt.Errorf("signing %s with %s: %w", s.Role, s.signer, err)
		}
		made = append(made, list...)
	}
	if err := a.remember(d); err != nil {
		return nil, err
	}
	for _, s := range made {
		if err := a.Store.PutSignature(ctx, p.ID, s); err != nil {
			return nil, fmt.Errorf("the signature on %s is made and remembered, and could not be stored in %s (sign again to send it): %w", s.Role, a.Store, err)
		}
	}
	again, err := event.Load(ctx, a.Store, p.ID)
	if err != nil {
		return nil, err
	}
	return &Outcome{Event: p.ID.String(), Made: d.Will, Status: again.Status(a.Published, "")}, nil
}

// remember writes what is about to be signed. The memory is read again under the lock, since a second
// command of the same auditor may have signed a rival in the meantime.
func (a *Auditor) remember(d *Decision) error {
	if err := durable.MkdirAll(a.Home, 0o700); err != nil {
		return err
	}
	unlock, err := durable.Lock(filepath.Join(a.Home, "lock"))
	if err != nil {
		return fmt.Errorf("%s: another audit command is writing there: %w", a.Home, err)
	}
	defer unlock()
	t, err := a.trust(d.Proposal)
	if err != nil {
		return err
	}
	if err := t.notLower(d.Proposal.Event); err != nil {
		return err
	}
	id := d.Proposal.ID.String()
	for _, s := range d.Will {
		last, have := t.memory.last(s.Role, s.Version)
		if have && last.Event != id && last.Event != s.InsteadOf {
			return &Conflict{s.Role, s.Version, last.Event, last.At.UTC().Format(time.DateOnly), id}
		}
		if have && last.Event == id && last.Key == s.Key {
			continue // signing again sends the same signature again
		}
		sum, err := payloadSum(d.Proposal.Metadata[s.Role])
		if err != nil {
			return err
		}
		t.memory.signed = append(t.memory.signed, Signed{s.Role, s.Version, id, sum, s.Key, a.Now().UTC().Truncate(time.Second), s.InsteadOf})
	}
	t.learn()
	return t.memory.save()
}
