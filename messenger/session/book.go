// Package session knows which session belongs to which device of whom: it encrypts one plaintext for all devices of a person, opens what comes
// from any of them, and keeps the identity keys that make a name a person.
//
// The parties: us, one device of an account; our other devices, who share our identity key; people and their devices; and the server
// between, which says which devices somebody has (statuses 409 and 410) and hands out their keys. It can name a device of its own, or hand
// out a key of its own. So identities are remembered (Peer), a device must be in the list that its owner has signed, once he has
// signed one (ErrGhost), an older protocol than a contact is known to speak is refused, and what was encrypted for one key goes to no
// other by itself once the contact was verified.
//
// A Book is all of that inside one transaction of the store: what a call changes is committed together with what the caller writes
// because of it, or not at all. Nothing here touches a network; what has to be fetched is returned as a Need.
//
// Numbers in comments are sections of the wire specification.
package session

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/ratchet"
	"github.com/countersign-project/countersign/messenger/store"
)

// Master is the id of an account's first device.
const Master = 1

// World is what comes in from outside.
type World struct {
	Now    func() time.Time
	Rand   io.Reader
	Policy handshake.Policy
}

// Book is the state of all sessions, in one transaction.
type Book struct {
	tx       *store.Tx
	world    World
	own      Own
	identity *keys.Private
}

// ErrNoAccount says that this store has no account yet.
var ErrNoAccount = errors.New("this device has no account yet")

// In opens the book inside a transaction. ErrNoAccount.
func In(tx *store.Tx, w World) (*Book, error) {
	own, ok, err := store.Load[Own](tx, store.Own, ownName)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNoAccount
	}
	identity, err := own.Identity()
	if err != nil {
		return nil, err
	}
	return &Book{tx, w, own, identity}, nil
}

// Own returns this device.
func (b *Book) Own() Own { return b.own }

// address is what a session is stored under.
func address(name string, device uint32) string { return fmt.Sprintf("%s.%d", name, device) }

// record returns the sessions with one device, an empty record if there are none.
func (b *Book) record(name string, device uint32) (*ratchet.Record, error) {
	raw, ok, err := b.tx.Get(store.Sessions, address(name, device))
	if err != nil {
		return nil, err
	}
	if !ok {
		return new(ratchet.Record), nil
	}
	return ratchet.Unmarshal(raw)
}

func (b *Book) keep(name string, device uint32, r *ratchet.Record) error {
	return b.tx.Put(store.Sessions, address(name, device), r.Marshal())
}

// archive puts the current session with a device away: it still opens what is on its way.
func (b *Book) archive(name string, device uint32) error {
	r, err := b.record(name, device)
	if err != nil {
		return err
	}
	r.Archive()
	return b.keep(name, device, r)
}

// setting is what ratchet is told about a peer. Receiving accepts a changed key, with a notice (3.8).
func (b *Book) setting(name string, p Peer, receiving bool) (ratchet.Setting, error) {
	s := ratchet.Setting{Identity: b.identity, RegistrationID: b.own.RegistrationID, Peer: name, Self: name == b.own.Number,
		AcceptChange: receiving, Policy: b.world.Policy, Now: b.world.Now(), Rand: b.world.Rand}
	s.Policy.Downgrade = s.Policy.Downgrade || p.Downgrade
	if len(p.Identity) > 0 {
		k, err := p.Key()
		if err != nil {
			return s, err
		}
		s.PeerIdentity, s.Known = k, true
	}
	return s, nil
}
