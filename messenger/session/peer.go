package session

import (
	"fmt"

	"github.com/countersign-project/countersign/messenger/devicelist"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/store"
)

// Trust is what the person knows of a contact's identity key (5).
type Trust string

// States of trust.
const (
	Unverified Trust = ""
	Verified   Trust = "verified"
	// Changed: another key than the one that was verified. Nothing is sent until the person has verified the new one or accepted it.
	Changed Trust = "changed"
)

// Rule says what happens when a contact's key changes. It is for programs that nobody watches.
type Rule string

// Rules.
const (
	// RuleNotify tells, and goes on, unless the contact was verified.
	RuleNotify Rule = ""
	// RuleAsk holds whatever changes, verified or not, until the key is accepted.
	RuleAsk Rule = "ask"
	// RuleVerified sends to a verified key only.
	RuleVerified Rule = "verified-only"
)

// Peer is a name with its identity key and devices. Our own number is a peer too: our other devices.
type Peer struct {
	Identity []byte // serialised, 33 bytes; empty: never seen
	Since    int64  // when it was first seen, milliseconds
	Trust    Trust
	Rule     Rule
	Held     bool // nothing is sent until the person accepts the key: it has changed, and the rule wants that, or for the Doubt
	// Doubt is who has introduced this contact by another key than the one here; empty: nobody, or the person has decided.
	Doubt string
	// Downgrade: the person has agreed to an older protocol than this contact was known to speak (1).
	Downgrade bool
	Devices   []uint32 // whom we write to
	Able      []uint32 // those of them that read sender keys
	// List is the newest list of devices the owner has signed; nil if none was ever seen.
	List *devicelist.List
}

// Key parses the identity key.
func (p Peer) Key() (keys.Public, error) { return keys.ParsePublic(p.Identity) }

// SenderKeys tells whether all devices of a contact read sender keys.
func (p Peer) SenderKeys() bool {
	for _, d := range p.Devices {
		if !contains(p.Able, d) {
			return false
		}
	}
	return len(p.Devices) > 0
}

// Peer returns what is known of a name; the zero value if nothing is.
func (b *Book) Peer(name string) (Peer, error) { return LoadPeer(b.tx, name) }

// LoadPeer is Peer without a Book.
func LoadPeer(tx *store.Tx, name string) (Peer, error) {
	p, _, err := store.Load[Peer](tx, store.Peers, name)
	return p, err
}

// Peers calls f for everybody whose key is known.
func Peers(tx *store.Tx, f func(name string, p Peer) error) error {
	return store.All(tx, store.Peers, f)
}

func (b *Book) savePeer(name string, p Peer) error { return store.Save(b.tx, store.Peers, name, p) }

// HeldError says that nothing is sent to a contact until the person has decided about his key.
type HeldError struct {
	Name  string
	Trust Trust
	Rule  Rule
	Doubt string
}

func (e *HeldError) Error() string {
	switch {
	case e.Trust == Changed:
		return fmt.Sprintf("the safety number of %s has changed since it was verified: verify it again, or accept it, before anything is sent", e.Name)
	case e.Doubt != "":
		return fmt.Sprintf("the safety number of %s is not that of the key by which %s was introduced by %s: verify it, or accept it, before anything is sent", e.Name, e.Name, e.Doubt)
	case e.Rule == RuleVerified:
		return fmt.Sprintf("%s is not verified, and is set to be written to only when verified", e.Name)
	}
	return fmt.Sprintf("the safety number of %s has changed: accept it before anything is sent", e.Name)
}

// Unwrap returns refusal.UntrustedIdentity.
func (e *HeldError) Unwrap() error { return refusal.UntrustedIdentity }

// Refused is true.
func (e *HeldError) Refused() bool { return true }

// held says why nothing may be sent, nil if it may.
func (p Peer) held(name string) error {
	if p.Trust == Changed || p.Held || p.Rule == RuleVerified && p.Trust != Verified {
		return &HeldError{name, p.Trust, p.Rule, p.Doubt}
	}
	return nil
}

// Notice is what a person should be told because of what has come or was fetched.
type Notice struct {
	Kind NoticeKind
	Name string
	// Was is the trust before a key changed.
	Was    Trust
	Device uint32
	By     string // of an introduction: whose word it is
	Held   bool   // of one that differs: nothing is sent until the person decides
}

// NoticeKind says what a notice is about.
type NoticeKind string

// Kinds of notices.
const (
	KeyChanged NoticeKind = "key changed"
	NewDevice  NoticeKind = "new device"
	// Introduced: By has named the key that is here.
	Introduced NoticeKind = "introduced"
	// IntroductionKept: By has named a key, and none is here yet.
	IntroductionKept NoticeKind = "introduction kept"
	// IntroductionDiffers: By has named another key than the one that is here. Was is the trust in that one.
	IntroductionDiffers NoticeKind = "introduction differs"
)

// learn takes in the identity key that a name has shown. A changed one puts away the sessions with all devices of that name (3.8).
func (b *Book) learn(name string, p *Peer, key keys.Public) ([]Notice, error) {
	if len(p.Identity) == 0 {
		p.Identity, p.Since = key.Bytes(), b.world.Now().UnixMilli()
		notices, err := b.hold(name, p, anybody, true)
		if err != nil {
			return nil, err
		}
		return notices, b.savePeer(name, *p)
	}
	old, err := p.Key()
	if err != nil {
		return nil, err
	}
	if old.Equal(key) {
		return nil, nil
	}
	n := Notice{Kind: KeyChanged, Name: name, Was: p.Trust}
	for _, d := range p.Devices {
		if err := b.archive(name, d); err != nil {
			return nil, err
		}
	}
	p.Identity, p.Since, p.Devices, p.List = key.Bytes(), b.world.Now().UnixMilli(), nil, nil
	if p.Trust == Verified {
		p.Trust = Changed
	}
	p.Held = p.Rule != RuleNotify || p.Doubt != "" // a doubt stays until the person decides
	notices, err := b.hold(name, p, anybody, false)
	if err != nil {
		return nil, err
	}
	return append([]Notice{n}, notices...), b.savePeer(name, *p)
}

// Accept says that the person takes the present key of a contact, without having verified it.
func (b *Book) Accept(name string) error {
	return b.change(name, func(p *Peer) {
		p.Held, p.Doubt = false, ""
		if p.Trust == Changed {
			p.Trust = Unverified
		}
	})
}

// SetVerified says that the person has compared the safety number made with that key, or (verified false) does not vouch any more. Another key than
// the present one is refused: it changed under the person's eyes.
func (b *Book) SetVerified(name string, key keys.Public, verified bool) error {
	p, err := b.Peer(name)
	if err != nil {
		return err
	}
	if len(p.Identity) == 0 {
		return refusal.Because(refusal.NoSession, "no key of %q is known yet", name)
	}
	if have, err := p.Key(); err != nil {
		return err
	} else if !have.Equal(key) {
		return &refusal.UntrustedIdentityError{Name: name, Key: key}
	}
	p.Trust, p.Held, p.Doubt = Unverified, false, ""
	if verified {
		p.Trust = Verified
	}
	return b.savePeer(name, p)
}

// SetRule sets what happens when a contact's key changes.
func (b *Book) SetRule(name string, r Rule) error {
	return b.change(name, func(p *Peer) { p.Rule = r })
}

// AllowDowngrade says that the person has agreed to an older protocol with this contact.
func (b *Book) AllowDowngrade(name string, allow bool) error {
	return b.change(name, func(p *Peer) { p.Downgrade = allow })
}

func (b *Book) change(name string, f func(*Peer)) error {
	p, err := b.Peer(name)
	if err != nil {
		return err
	}
	f(&p)
	return b.savePeer(name, p)
}
