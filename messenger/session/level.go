package session

import (
	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/ratchet"
)

// Levels returns the best protocol that each device of a name that we write to is known to speak (1).
func (b *Book) Levels(name string) (map[uint32]handshake.Level, error) {
	p, err := b.Peer(name)
	if err != nil {
		return nil, err
	}
	out := map[uint32]handshake.Level{}
	for _, d := range p.Devices {
		r, err := b.record(name, d)
		if err != nil {
			return nil, err
		}
		if best := r.Best(); best != handshake.None {
			out[d] = best
		}
	}
	return out, nil
}

// KnowLevel notes what a device is known to speak, before there is a session with it. Where there is a record already it stays as it is.
func (b *Book) KnowLevel(name string, device uint32, best handshake.Level) error {
	have, err := b.record(name, device)
	if err != nil || have.Best() != handshake.None {
		return err
	}
	r, err := ratchet.Known(best)
	if err != nil {
		return err
	}
	return b.keep(name, device, r)
}
