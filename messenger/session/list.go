package session

import (
	"slices"

	"github.com/countersign-project/countersign/messenger/devicelist"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/store"
)

// SignList signs the list of our own devices: this one, and others as they are installed now. Only the first device does.
func (b *Book) SignList(others []devicelist.Device) (*api.DeviceList, error) {
	own := b.own
	own.ListSerial = max(own.ListSerial+1, uint64(b.world.Now().UnixMilli())) // above whatever an earlier installation of ours has signed
	list := devicelist.List{Serial: own.ListSerial, Made: uint64(b.world.Now().UnixMilli()), Devices: []devicelist.Device{{ID: own.Device, RegistrationID: own.RegistrationID}}}
	for _, d := range others {
		if d.ID != own.Device {
			list.Devices = append(list.Devices, d)
		}
	}
	slices.SortFunc(list.Devices, func(a, c devicelist.Device) int { return int(int64(a.ID) - int64(c.ID)) })
	signed, sig, err := list.Sign(b.identity, b.world.Rand)
	if err != nil {
		return nil, err
	}
	p, err := b.Peer(own.Number)
	if err != nil {
		return nil, err
	}
	if len(p.Identity) == 0 {
		p.Identity, p.Since, p.Trust = b.identity.Public().Bytes(), b.world.Now().UnixMilli(), Verified
	}
	p.List = &list
	for _, d := range p.Devices {
		if !inList(&list, d) {
			p.Devices = without(p.Devices, d)
		}
	}
	if err := b.savePeer(own.Number, p); err != nil {
		return nil, err
	}
	return &api.DeviceList{List: signed, Signature: sig[:]}, b.SaveOwn(own)
}

// SaveList keeps a list of our devices, signed by an earlier installation of ours, in an account that is being made.
func SaveList(tx *store.Tx, own Own, list *devicelist.List) error {
	p, err := LoadPeer(tx, own.Number)
	if err != nil {
		return err
	}
	p.List = list
	return store.Save(tx, store.Peers, own.Number, p)
}

// Listed returns the devices in the newest list of our own that we know of; nil if there is none.
func (b *Book) Listed() (*devicelist.List, error) {
	p, err := b.Peer(b.own.Number)
	return p.List, err
}

// Vouch adds devices of ours to the list this device goes by, before it is signed: sessions with them may be started, which checks that they hold
// the account's identity key.
func (b *Book) Vouch(others []devicelist.Device) error {
	p, err := b.Peer(b.own.Number)
	if err != nil || p.List == nil {
		return err
	}
	list := *p.List
	list.Devices = append([]devicelist.Device{{ID: b.own.Device, RegistrationID: b.own.RegistrationID}}, others...)
	p.List = &list
	return b.savePeer(b.own.Number, p)
}
