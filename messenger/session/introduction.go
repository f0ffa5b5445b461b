package session

import (
	"bytes"
	"slices"
	"time"

	"github.com/countersign-project/countersign/messenger/introduction"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Introductions (5). A contact whom the person has verified says which key somebody else has. His word is kept under that somebody's name, whether a key of
// his is known yet or not, and is looked at whenever it matters: it counts for as long as the introducer is verified, with the key that he signed with. So
// "introduced by Alice" is no state that is stored anywhere; it ends by itself when either key changes or Alice is verified no more, and it never becomes
// "verified".
//
// A key that his word contradicts is told of loudly. Where it is the first key of that name here, or was taken on the server's word before, nothing more is
// sent to it until the person has decided (Peer.Doubt). A key that changes later is told of, and not held: that is what verifying is for.

const (
	// maxIntroducers bounds how many people's word about one name is kept, maxIntroduced about how many names.
	maxIntroducers = 8
	maxIntroduced  = 2_000
	// aheadOfUs is how far an introducer's clock may be ahead of ours. One that is dated further would keep all later ones away.
	aheadOfUs = 24 * time.Hour
)

// Introduction is one introducer's word about a name.
type Introduction struct {
	By        string // the introducer
	ByKey     []byte // with which it is signed
	Key       []byte // of the one whom it is about
	Time      uint64 // when he said so, by his clock, milliseconds
	Statement []byte // as it was signed
	Signature []byte
	Told      []byte // which other key of that name the person has been told of
}

// LoadIntroductions returns what is kept about a name.
func LoadIntroductions(tx *store.Tx, name string) ([]Introduction, error) {
	list, _, err := store.Load[[]Introduction](tx, store.Introductions, name)
	return list, err
}

// SaveIntroductions keeps it.
func SaveIntroductions(tx *store.Tx, name string, list []Introduction) error {
	return store.Save(tx, store.Introductions, name, list)
}

// Introduce makes our own word about other, for recipient. Both must be verified: their keys are all that it says.
func (b *Book) Introduce(recipient, other string, at uint64) (*wire.Introduction, error) {
	s := introduction.Statement{Time: at, Recipient: introduction.Person{Address: recipient}, Other: introduction.Person{Address: other}}
	for _, p := range []*introduction.Person{&s.Recipient, &s.Other} {
		have, err := b.Peer(p.Address)
		if err != nil {
			return nil, err
		}
		if have.Trust != Verified {
			return nil, refusal.Because(refusal.UntrustedIdentity, "%s is not verified: compare your safety numbers first", p.Address)
		}
		if p.Key, err = have.Key(); err != nil {
			return nil, err
		}
	}
	statement, sig, err := s.Sign(b.identity, b.world.Rand)
	return &wire.Introduction{Statement: statement, Signature: sig[:]}, err
}

// TakeIntroduction takes in what somebody says about other to us; the caller has turned the addresses into names and seen that it is meant for us. It is
// refused, with the reason, unless by is verified and all is in order; one we have already is no news. From another device of ours it is taken whether by is
// verified here or not, and counts once he is. Room is asked before one that is new is kept; its error is returned.
func (b *Book) TakeIntroduction(i wire.Introduced, other string, room func() error) ([]Notice, error) {
	own := i.Introducer == b.own.Number
	by, err := b.Peer(i.Introducer)
	if err != nil {
		return nil, err
	}
	s, err := introduction.Open(i.Identity, i.Statement, i.Signature)
	if err != nil {
		return nil, err
	}
	switch ahead := b.world.Now().Add(aheadOfUs).UnixMilli(); {
	case own || other == i.Introducer || other == b.own.Number:
		return nil, refusal.Because(refusal.InvalidMessage, "nobody introduces himself, or somebody to himself")
	case !s.Recipient.Key.Equal(b.identity.Public()):
		return nil, refusal.Because(refusal.InvalidKey, "the key it names for you is not yours")
	case s.Time > uint64(ahead):
		return nil, refusal.Because(refusal.InvalidMessage, "it is dated %s, which is still to come", time.UnixMilli(int64(min(s.Time, 1<<52))).UTC().Format(time.DateOnly))
	}
	list, err := LoadIntroductions(b.tx, other)
	if err != nil {
		return nil, err
	}
	fresh := Introduction{By: i.Introducer, ByKey: i.Identity.Bytes(), Key: s.Other.Key.Bytes(), Time: s.Time, Statement: i.Statement, Signature: i.Signature}
	at := slices.IndexFunc(list, func(have Introduction) bool { return have.By == fresh.By })
	switch {
	case at >= 0 && bytes.Equal(list[at].Statement, fresh.Statement):
		return nil, nil
	case at >= 0 && list[at].Time >= fresh.Time:
		return nil, refusal.Because(refusal.Duplicate, "it is older than one that is here")
	case at >= 0:
		if bytes.Equal(list[at].Key, fresh.Key) { // said again: what the person has decided about it stays decided
			fresh.Told = list[at].Told
		}
		list[at] = fresh
	case len(list) >= maxIntroducers:
		return nil, refusal.Because(refusal.InvalidMessage, "%d others have introduced the same person, and no more are kept", len(list))
	default:
		if n, err := b.tx.Count(store.Introductions); err != nil {
			return nil, err
		} else if len(list) == 0 && n >= maxIntroduced {
			return nil, refusal.Because(refusal.InvalidMessage, "introductions of %d people are here, and no more are kept", n)
		}
		list = append(list, fresh)
	}
	if err := room(); err != nil {
		return nil, err
	}
	if err := SaveIntroductions(b.tx, other, list); err != nil || !by.signs(fresh) {
		return nil, err
	}
	p, err := b.Peer(other)
	if err != nil {
		return nil, err
	}
	if len(p.Identity) == 0 {
		return []Notice{{Kind: IntroductionKept, Name: other, By: fresh.By}}, nil
	}
	notices, err := b.hold(other, &p, func(i Introduction) bool { return i.By == fresh.By }, true)
	if err != nil {
		return nil, err
	}
	return notices, b.savePeer(other, p)
}

// signs tells whether the word of this peer counts: he is verified, with the key that it is signed with.
func (p Peer) signs(i Introduction) bool {
	return p.Trust == Verified && bytes.Equal(p.Identity, i.ByKey)
}

// hold holds the key of a name against what those say who introduced it, of whom which picks some. Doubt says that a contradiction stops what is sent. The
// caller saves the peer.
func (b *Book) hold(name string, p *Peer, which func(Introduction) bool, doubt bool) (notices []Notice, err error) {
	list, err := LoadIntroductions(b.tx, name)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	for n, i := range list {
		by, err := b.Peer(i.By)
		if err != nil {
			return nil, err
		}
		switch {
		case !which(i) || !by.signs(i) || bytes.Equal(i.Told, p.Identity):
		case bytes.Equal(i.Key, p.Identity):
			notices = append(notices, Notice{Kind: Introduced, Name: name, By: i.By})
		default:
			list[n].Told = p.Identity
			if doubt && p.Trust == Unverified {
				p.Held, p.Doubt = true, i.By
			}
			notices = append(notices, Notice{Kind: IntroductionDiffers, Name: name, By: i.By, Was: p.Trust, Held: p.held(name) != nil})
		}
	}
	return notices, SaveIntroductions(b.tx, name, list)
}

// anybody picks all introductions of a name.
func anybody(Introduction) bool { return true }

// IntroducedBy returns the newest word, of somebody whose word counts now, that a name has the key which is known now; ok says whether there is one.
func (b *Book) IntroducedBy(name string) (newest Introduction, ok bool, err error) {
	p, err := b.Peer(name)
	if err != nil || len(p.Identity) == 0 {
		return newest, false, err
	}
	list, err := LoadIntroductions(b.tx, name)
	if err != nil {
		return newest, false, err
	}
	for _, i := range list {
		if !bytes.Equal(i.Key, p.Identity) || ok && i.Time <= newest.Time {
			continue
		}
		by, err := b.Peer(i.By)
		if err != nil {
			return newest, false, err
		}
		if by.signs(i) {
			newest, ok = i, true
		}
	}
	return newest, ok, nil
}

// Vouched is for when somebody has become verified, or is no more: it names those whom he has introduced, and holds the keys they have here against what
// he has said and a device of ours has told us before he was verified here.
func (b *Book) Vouched(by string) (names []string, notices []Notice, err error) {
	err = store.All(b.tx, store.Introductions, func(name string, list []Introduction) error {
		if !slices.ContainsFunc(list, func(i Introduction) bool { return i.By == by }) {
			return nil
		}
		names = append(names, name)
		p, err := b.Peer(name)
		if err != nil || len(p.Identity) == 0 {
			return err
		}
		more, err := b.hold(name, &p, func(i Introduction) bool { return i.By == by }, true)
		if err != nil {
			return err
		}
		notices = append(notices, slices.DeleteFunc(more, func(n Notice) bool { return n.Kind == Introduced })...)
		return b.savePeer(name, p)
	})
	return names, notices, err
}
