package session

import (
	"fmt"

	"github.com/countersign-project/countersign/messenger/devicelist"
	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/xeddsa"
)

// GhostError says that the server names a device that its owner has not signed for.
type GhostError struct {
	Name   string
	Device uint32
	Why    string
}

func (e *GhostError) Error() string {
	return fmt.Sprintf("the server names a device %d of %s that %s; nothing was sent to it", e.Device, e.Name, e.Why)
}

// Refused is true.
func (e *GhostError) Refused() bool { return true }

// Start takes in fetched bundles and starts a session with each device. Everything is judged before anything is kept, but for a changed
// identity key: that is remembered, with a notice, even where it stops the rest (the result then has held set, and nothing was started).
func (b *Book) Start(name string, answer *api.BundlesV3) (notices []Notice, held error, err error) {
	p, err := b.Peer(name)
	if err != nil {
		return nil, nil, err
	}
	identity, err := keys.ParsePublic(answer.IdentityKey)
	if err != nil {
		return nil, nil, fmt.Errorf("identity key of %s: %w", name, err)
	}
	if self := name == b.own.Number; self != identity.Equal(b.identity.Public()) {
		return nil, nil, refusal.Because(refusal.InvalidKey, "the server's identity key of %q is our own for somebody else, or another's for us", name)
	}
	if notices, err = b.learn(name, &p, identity); err != nil {
		return nil, nil, err
	}
	if held := p.held(name); held != nil {
		return notices, held, nil
	}
	if err := b.judgeList(name, &p, identity, answer); err != nil {
		return notices, err, nil
	}
	for _, d := range answer.Devices {
		if name == b.own.Number && d.DeviceID == b.own.Device {
			continue
		}
		if err := b.start(name, &p, identity, d); err != nil {
			return nil, nil, fmt.Errorf("device %d of %s: %w", d.DeviceID, name, err)
		}
		if p.Able = without(p.Able, d.DeviceID); d.Capabilities.SenderKeys {
			p.Able = with(p.Able, d.DeviceID)
		}
		if !contains(p.Devices, d.DeviceID) {
			p.Devices = with(p.Devices, d.DeviceID)
			notices = append(notices, Notice{Kind: NewDevice, Name: name, Device: d.DeviceID})
		}
	}
	return notices, nil, b.savePeer(name, p)
}

func contains(list []uint32, n uint32) bool {
	for _, d := range list {
		if d == n {
			return true
		}
	}
	return false
}

// judgeList refuses devices that the owner has not signed for, once he has signed a list (14).
func (b *Book) judgeList(name string, p *Peer, identity keys.Public, answer *api.BundlesV3) error {
	list := p.List
	if answer.DeviceList != nil {
		fresh, err := devicelist.Open(identity, answer.DeviceList.List, answer.DeviceList.Signature)
		if err != nil {
			return fmt.Errorf("device list of %s: %w", name, err)
		}
		if list == nil || fresh.Serial >= list.Serial {
			list = &fresh
		}
	}
	if list == nil {
		return nil
	}
	for _, d := range answer.Devices {
		if name == b.own.Number && d.DeviceID == b.own.Device {
			continue
		}
		if !list.Lists(d.DeviceID, d.RegistrationID) {
			return &GhostError{name, d.DeviceID, "is not in the list its owner has signed"}
		}
	}
	p.List = list
	for _, d := range p.Devices { // whoever is off the list is off ours
		if !inList(list, d) {
			p.Devices = without(p.Devices, d)
		}
	}
	return nil
}

func inList(l *devicelist.List, id uint32) bool {
	for _, d := range l.Devices {
		if d.ID == id {
			return true
		}
	}
	return false
}

func (b *Book) start(name string, p *Peer, identity keys.Public, d api.BundleV3) error {
	bundle, err := parseBundle(identity, d)
	if err != nil {
		return err
	}
	r, err := b.record(name, d.DeviceID)
	if err != nil {
		return err
	}
	w, err := b.setting(name, *p, false)
	if err != nil {
		return err
	}
	if err := r.Initiate(w, bundle); err != nil {
		return err
	}
	return b.keep(name, d.DeviceID, r)
}

// parseBundle reads a bundle; Initiate checks the signatures.
func parseBundle(identity keys.Public, d api.BundleV3) (*handshake.Bundle, error) {
	out := &handshake.Bundle{RegistrationID: d.RegistrationID, Identity: identity, SPQR: d.Capabilities.SPQR}
	if d.SignedPreKey == nil {
		return nil, refusal.Because(refusal.InvalidKey, "bundle without a signed prekey")
	}
	var err error
	out.Signed.ID = d.SignedPreKey.KeyID
	if out.Signed.Key, err = keys.ParsePublic(d.SignedPreKey.PublicKey); err != nil {
		return nil, err
	}
	if out.Signed.Signature, err = signature(d.SignedPreKey.Signature); err != nil {
		return nil, err
	}
	if d.PreKey != nil {
		k, err := keys.ParsePublic(d.PreKey.PublicKey)
		if err != nil {
			return nil, err
		}
		out.OneTime = &handshake.OneTime{ID: d.PreKey.KeyID, Key: k}
	}
	if d.PQPreKey == nil {
		return out, nil
	}
	k, err := keys.ParseKyberPublic(d.PQPreKey.PublicKey)
	if err != nil {
		return nil, err
	}
	sig, err := signature(d.PQPreKey.Signature)
	out.Kyber = &handshake.Kyber{ID: d.PQPreKey.KeyID, Key: k, Signature: sig}
	return out, err
}

func signature(b []byte) (s xeddsa.Signature, err error) {
	if len(b) != len(s) {
		return s, refusal.Because(refusal.InvalidKey, "signature of %d bytes, want %d", len(b), len(s))
	}
	return xeddsa.Signature(b), nil
}
