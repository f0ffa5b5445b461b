package session

import (
	"encoding/hex"
	"errors"
	"maps"
	"slices"

	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/senderkey"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// groupKey is our own sender key in one group, and which devices have it.
type groupKey struct {
	Sender []byte
	// Has is who was handed the key, and by which registration and identity: a device that was installed anew needs it again.
	Has map[string]string
}

func ownGroupKey(group [16]byte) string { return "own " + hex.EncodeToString(group[:]) }

func theirGroupKey(from string, device uint32, distribution [16]byte) string {
	return "of " + address(from, device) + " " + hex.EncodeToString(distribution[:])
}

// openSenderKey opens a group message with the key its sender has handed us (4).
func (b *Book) openSenderKey(o *Opened, body []byte) ([]byte, error) {
	m, err := wire.ParseSenderKey(body)
	if err != nil {
		return nil, err
	}
	name := theirGroupKey(o.From, o.Device, m.Distribution)
	raw, ok, err := b.tx.Get(store.SenderKeys, name)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refusal.Because(refusal.NoSession, "no sender key of %s", address(o.From, o.Device))
	}
	r, err := senderkey.UnmarshalReceiver(raw)
	if err != nil {
		return nil, err
	}
	plain, err := r.Decrypt(body)
	if err != nil {
		return nil, err
	}
	o.Distribution = &m.Distribution
	return plain, b.tx.Put(store.SenderKeys, name, r.Marshal())
}

// TakeSenderKey keeps a key that came in a pairwise message.
func (b *Book) TakeSenderKey(from string, device uint32, distribution []byte) error {
	d, err := wire.ParseDistribution(distribution)
	if err != nil {
		return err
	}
	name := theirGroupKey(from, device, d.Distribution)
	raw, ok, err := b.tx.Get(store.SenderKeys, name)
	if err != nil {
		return err
	}
	r := new(senderkey.Receiver)
	if ok {
		if r, err = senderkey.UnmarshalReceiver(raw); err != nil {
			return err
		}
	}
	r.Accept(d)
	p, err := b.Peer(from)
	if err != nil {
		return err
	}
	if !contains(p.Able, device) { // who hands one out can read others'
		p.Able = with(p.Able, device)
		if err := b.savePeer(from, p); err != nil {
			return err
		}
	}
	return b.tx.Put(store.SenderKeys, name, r.Marshal())
}

// Addressed is one device that a group message goes to.
type Addressed struct {
	Name           string
	Device         uint32
	RegistrationID uint32
}

// Handout is what a group needs before a message by sender key: our key's distribution, for these people, pairwise.
type Handout struct {
	Distribution []byte
	To           []string
	devices      map[string]string
}

// SealGroup encrypts a padded plaintext once for all devices of the members. Where somebody has not got our present key it encrypts nothing and says
// what to hand to whom; after Handed it can be called again. A device that had the key and is no member's any more makes a new one, so that
// who has left does not read on. Members we may not write to (held) or have no session with are errors of Seal, which handing out meets.
func (b *Book) SealGroup(group [16]byte, members []string, plaintext []byte) ([]byte, []Addressed, *Handout, error) {
	now, name := b.world.Now(), ownGroupKey(group)
	k, ok, err := store.Load[groupKey](b.tx, store.SenderKeys, name)
	if err != nil {
		return nil, nil, nil, err
	}
	to, want, err := b.groupDevices(members)
	if err != nil {
		return nil, nil, nil, err
	}
	var s *senderkey.Sender
	if ok {
		if s, err = senderkey.UnmarshalSender(k.Sender); err != nil {
			return nil, nil, nil, err
		}
	}
	if s == nil || s.Worn(now) || !within(k.Has, want) {
		id, err := senderkey.DistributionID(b.world.Rand)
		if err != nil {
			return nil, nil, nil, err
		}
		if s, err = senderkey.NewSender(id, now, b.world.Rand); err != nil {
			return nil, nil, nil, err
		}
		k = groupKey{Has: map[string]string{}}
	}
	lacking := map[string]bool{}
	for _, m := range members {
		lacking[m] = len(want) == 0
	}
	for _, a := range to {
		at := address(a.Name, a.Device)
		lacking[a.Name] = lacking[a.Name] || k.Has[at] != want[at]
	}
	for _, m := range members {
		if !slices.ContainsFunc(to, func(a Addressed) bool { return a.Name == m }) && m != b.own.Number {
			lacking[m] = true
		}
	}
	maps.DeleteFunc(lacking, func(_ string, l bool) bool { return !l })
	if len(lacking) > 0 {
		d := s.Distribution()
		k.Sender = s.Marshal()
		return nil, nil, &Handout{d.Encode(), slices.Sorted(maps.Keys(lacking)), want}, store.Save(b.tx, store.SenderKeys, name, k)
	}
	out, err := s.Encrypt(plaintext, b.world.Rand)
	if err != nil {
		return nil, nil, nil, err
	}
	k.Sender = s.Marshal()
	return out, to, nil, store.Save(b.tx, store.SenderKeys, name, k)
}

// groupDevices lists the devices of members that we have sessions with, and under which identity and registration each would hold our key.
func (b *Book) groupDevices(members []string) (to []Addressed, want map[string]string, err error) {
	want = map[string]string{}
	for _, m := range members {
		p, err := b.Peer(m)
		if err != nil {
			return nil, nil, err
		}
		if err := p.held(m); err != nil {
			return nil, nil, err
		}
		for _, d := range p.Devices {
			r, err := b.record(m, d)
			if err != nil {
				return nil, nil, err
			}
			id, ok := r.Remote()
			if !ok {
				continue
			}
			to = append(to, Addressed{m, d, id})
			want[address(m, d)] = keyName(id) + " " + hex.EncodeToString(p.Identity)
		}
	}
	return to, want, nil
}

// within tells whether everybody who has the key may have it.
func within(has, want map[string]string) bool {
	for at, id := range has {
		if want[at] != id {
			return false
		}
	}
	return true
}

// Handed notes that a member's devices, those we have sessions with now, have our key of a group.
func (b *Book) Handed(group [16]byte, h *Handout, name string) error {
	k, ok, err := store.Load[groupKey](b.tx, store.SenderKeys, ownGroupKey(group))
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("internal error: a sender key was handed out that is not there")
	}
	_, want, err := b.groupDevices([]string{name})
	if err != nil {
		return err
	}
	maps.Copy(k.Has, want)
	return store.Save(b.tx, store.SenderKeys, ownGroupKey(group), k)
}

// ForgetGroup makes the next message of a group start with a new key: a member has asked for it, or has left.
func (b *Book) ForgetGroup(group [16]byte) error {
	return b.tx.Delete(store.SenderKeys, ownGroupKey(group))
}
