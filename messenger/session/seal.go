package session

import (
	"github.com/countersign-project/countersign/messenger/ratchet"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Need is what must be fetched before anything can be encrypted: bundles of these devices, or of all.
type Need struct {
	Devices []uint32
	All     bool
}

// Seal encrypts a padded plaintext for every device of a name that we know of; for our own number, for our other devices. If bundles are missing it
// encrypts nothing and says which. A HeldError means that the person must decide first. The caller commits before it sends.
func (b *Book) Seal(name string, plaintext []byte) ([]api.Message, *Need, error) {
	p, err := b.Peer(name)
	if err != nil {
		return nil, nil, err
	}
	if err := p.held(name); err != nil {
		return nil, nil, err
	}
	if len(p.Devices) == 0 {
		return nil, &Need{All: true}, nil
	}
	w, err := b.setting(name, p, false)
	if err != nil {
		return nil, nil, err
	}
	need := new(Need)
	records := make([]*ratchet.Record, len(p.Devices))
	for i, d := range p.Devices {
		if records[i], err = b.record(name, d); err != nil {
			return nil, nil, err
		}
		if !records[i].CanEncrypt(w) {
			need.Devices = append(need.Devices, d)
		}
	}
	if len(need.Devices) > 0 {
		return nil, need, nil
	}
	out := make([]api.Message, len(records))
	for i, r := range records {
		m, err := r.Encrypt(w, plaintext)
		if err != nil {
			return nil, nil, err
		}
		if err := b.keep(name, p.Devices[i], r); err != nil {
			return nil, nil, err
		}
		out[i] = api.Message{Type: uint32(envelopeType(m.Kind)), DeviceID: p.Devices[i], RegistrationID: m.RegistrationID, Content: m.Body}
	}
	return out, nil, nil
}

// envelopeType is the transport's number for a kind of message (7.3).
func envelopeType(k ratchet.Kind) wire.EnvelopeType {
	if k == ratchet.PreKey {
		return wire.EnvelopePreKey
	}
	return wire.EnvelopeCiphertext
}

// Mismatch takes in a status 409: devices that are gone are written to no more, and those that are new are needed. What is new is believed only with
// its bundle (Start).
func (b *Book) Mismatch(name string, missing, extra []uint32) (*Need, error) {
	p, err := b.Peer(name)
	if err != nil {
		return nil, err
	}
	for _, d := range extra {
		p.Devices = without(p.Devices, d)
		if err := b.archive(name, d); err != nil {
			return nil, err
		}
	}
	if err := b.savePeer(name, p); err != nil || len(missing) == 0 {
		return nil, err
	}
	return &Need{Devices: missing}, nil
}

// Stale takes in a status 410: devices that were installed anew.
func (b *Book) Stale(name string, devices []uint32) (*Need, error) {
	for _, d := range devices {
		if err := b.archive(name, d); err != nil {
			return nil, err
		}
	}
	if len(devices) == 0 {
		return nil, nil
	}
	return &Need{Devices: devices}, nil
}

// EndSession puts the sessions with all devices of a name away, so that the next message starts new ones (3.7).
func (b *Book) EndSession(name string) error {
	p, err := b.Peer(name)
	if err != nil {
		return err
	}
	for _, d := range p.Devices {
		if err := b.archive(name, d); err != nil {
			return err
		}
	}
	return nil
}

// EndWith does so for one device: what it asks for with END_SESSION (9.2).
func (b *Book) EndWith(name string, device uint32) error { return b.archive(name, device) }
