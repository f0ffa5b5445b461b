package session

import (
	"cmp"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/messenger/store"
)

// Rename calls somebody by another number, to whom the same key belongs: his new one, or ours. What is known of his key, and of his devices, goes along.
//
// A contact's sessions stay where they are: they still open what he sent under the number before, and those under the new one begin anew. Ours
// with our other devices go along, on every one of them.
func (b *Book) Rename(old, to string) error {
	self := old == b.own.Number
	p, err := b.Peer(old)
	if err != nil {
		return err
	}
	now, err := b.Peer(to)
	if err != nil {
		return err
	}
	if !self {
		p = p.with(now)
	}
	if err := b.tx.Delete(store.Peers, old); err != nil {
		return err
	}
	if len(p.Identity) > 0 {
		if err := b.savePeer(to, p); err != nil {
			return err
		}
	}
	if !self {
		return b.renameIntroductions(old, to)
	}
	for _, bucket := range []store.Bucket{store.Sessions, store.SenderKeys} {
		if err := b.renameKeys(bucket, old, to); err != nil {
			return err
		}
	}
	own := b.own
	own.Number = to
	return b.SaveOwn(own)
}

// renameIntroductions is about what he has said of others, and others of him.
func (b *Book) renameIntroductions(old, to string) error {
	err := store.All(b.tx, store.Introductions, func(name string, list []Introduction) error {
		about, by := name == old, false
		for n := range list {
			if list[n].By == old {
				list[n].By, by = to, true
			}
		}
		if !about {
			if !by {
				return nil
			}
			return SaveIntroductions(b.tx, name, list)
		}
		if err := b.tx.Delete(store.Introductions, old); err != nil {
			return err
		}
		have, err := LoadIntroductions(b.tx, to)
		if err != nil {
			return err
		}
		for _, i := range list {
			if len(have) < maxIntroducers && !slices.ContainsFunc(have, func(h Introduction) bool { return h.By == i.By }) {
				have = append(have, i)
			}
		}
		return SaveIntroductions(b.tx, to, have)
	})
	if err != nil {
		return err
	}
	return Peers(b.tx, func(name string, p Peer) error {
		if p.Doubt != old {
			return nil
		}
		p.Doubt = to
		return b.savePeer(name, p)
	})
}

// with is what is known of one key under two numbers, of which now is the present one.
func (p Peer) with(now Peer) Peer {
	if len(p.Identity) == 0 {
		return now
	}
	p.Devices = now.Devices
	if now.List != nil && (p.List == nil || now.List.Serial > p.List.Serial) {
		p.List = now.List
	}
	p.Held, p.Doubt, p.Downgrade, p.Rule = p.Held || now.Held, cmp.Or(p.Doubt, now.Doubt), p.Downgrade || now.Downgrade, cmp.Or(p.Rule, now.Rule)
	switch {
	case p.Trust == Verified || now.Trust == Verified: // the key is
		p.Trust, p.Held, p.Doubt = Verified, false, ""
	case now.Trust == Changed:
		p.Trust = Changed
	}
	return p
}

// Forget drops what is known of a number, but for the sessions: its owner has another one.
func (b *Book) Forget(name string) error { return b.tx.Delete(store.Peers, name) }

// renameKeys moves what is kept for a name's devices.
func (b *Book) renameKeys(bucket store.Bucket, old, to string) error {
	prefix := map[store.Bucket]string{store.Sessions: "", store.SenderKeys: "of "}[bucket]
	return b.tx.Each(bucket, func(name string, value []byte) error {
		rest, his := strings.CutPrefix(name, prefix+old+".")
		if !his {
			return nil
		}
		if err := b.tx.Delete(bucket, name); err != nil {
			return err
		}
		return b.tx.Put(bucket, prefix+to+"."+rest, value)
	})
}
