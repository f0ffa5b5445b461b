package session

import (
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
)

// TakeVerified takes in what another device of ours says: that the person has compared the safety number that is made with this key of name (9.4). Where
// no key of that name is here yet, this is the one from now on: whatever key the server shows then is held against it. Where another one is here that the person
// has not compared, it is a changed key, for whichever is the newer, it is not the one that was compared.
func (b *Book) TakeVerified(name string, key keys.Public) ([]Notice, error) {
	if name == b.own.Number {
		return nil, refusal.Because(refusal.InvalidMessage, "nobody verifies himself")
	}
	p, err := b.Peer(name)
	if err != nil {
		return nil, err
	}
	if len(p.Identity) == 0 {
		p.Identity, p.Since, p.Trust = key.Bytes(), b.world.Now().UnixMilli(), Verified
		notices, err := b.hold(name, &p, anybody, true)
		if err != nil {
			return nil, err
		}
		return notices, b.savePeer(name, p)
	}
	if have, err := p.Key(); err != nil {
		return nil, err
	} else if have.Equal(key) {
		return nil, b.SetVerified(name, key, true)
	}
	if p.Trust != Unverified {
		return nil, nil
	}
	p.Trust = Changed
	return []Notice{{Kind: KeyChanged, Name: name, Was: Verified}}, b.savePeer(name, p)
}
