// Package devicelist is the list of an account's devices under the signature of its identity key (14, ghost devices): without it a server could
// add a device of its own to an account, and nobody would notice, since all devices of an account share one identity key.
//
// The account's first device signs a new list whenever a device comes or goes, and once in a while so that it is fresh. A contact who has seen a
// list refuses to write to a device that is not in it, and never takes a list with a lower serial. Somebody who holds the identity's private
// key can sign any list; so can a removed device, which had it: removing a device that was stolen needs a new identity.
//
// The signed bytes, integers big-endian: "CSDL1" ‖ serial 8 ‖ made 8, milliseconds since 1970 ‖ count 4 ‖ count × (id 4 ‖ registration id 4), ids
// ascending. What is signed is "Countersign device list" ‖ 0 ‖ those bytes. There is one encoding of a list: Parse refuses others.
package devicelist

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/xeddsa"
)

const (
	magic   = "CSDL1"
	context = "Countersign device list\x00"
	header  = len(magic) + 8 + 8 + 4
	// MaxDevices bounds a list; servers allow far fewer.
	MaxDevices = 100
)

// Device is one entry.
type Device struct {
	ID             uint32
	RegistrationID uint32 // changes when the device is installed again
}

// List is what is signed.
type List struct {
	Serial  uint64   // grows with every list
	Made    uint64   // milliseconds since 1970
	Devices []Device // by id, ascending, each once
}

// Encode serialises l.
func (l List) Encode() []byte {
	b := append(make([]byte, 0, header+8*len(l.Devices)), magic...)
	b = binary.BigEndian.AppendUint64(b, l.Serial)
	b = binary.BigEndian.AppendUint64(b, l.Made)
	b = binary.BigEndian.AppendUint32(b, uint32(len(l.Devices)))
	for _, d := range l.Devices {
		b = binary.BigEndian.AppendUint32(b, d.ID)
		b = binary.BigEndian.AppendUint32(b, d.RegistrationID)
	}
	return b
}

// Sign returns the encoded list and the identity's signature over it.
func (l List) Sign(identity *keys.Private, rand io.Reader) (list []byte, sig xeddsa.Signature, err error) {
	list = l.Encode()
	if _, err := parse(list); err != nil {
		return nil, sig, err
	}
	sig, err = xeddsa.Sign(identity, append([]byte(context), list...), rand)
	return list, sig, err
}

// Open checks the signature, and then reads the list.
func Open(identity keys.Public, list, sig []byte) (List, error) {
	if len(list) > header+8*MaxDevices || !xeddsa.Verify(identity, append([]byte(context), list...), sig) {
		return List{}, refusal.Because(refusal.InvalidKey, "the device list is not signed by the identity key")
	}
	return parse(list)
}

// parse reads the one encoding of a list.
func parse(b []byte) (l List, err error) {
	if len(b) < header || !bytes.HasPrefix(b, []byte(magic)) {
		return l, refusal.Because(refusal.InvalidMessage, "device list: no list of the form CSDL1")
	}
	l.Serial, l.Made = binary.BigEndian.Uint64(b[5:]), binary.BigEndian.Uint64(b[13:])
	n := binary.BigEndian.Uint32(b[21:])
	if n > MaxDevices || len(b) != header+8*int(n) {
		return l, refusal.Because(refusal.InvalidMessage, "device list: %d devices in %d bytes", n, len(b))
	}
	last := uint32(0)
	for b = b[header:]; len(b) > 0; b = b[8:] {
		d := Device{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
		if d.ID <= last {
			return l, refusal.Because(refusal.InvalidMessage, "device list: device %d after device %d", d.ID, last)
		}
		last = d.ID
		l.Devices = append(l.Devices, d)
	}
	return l, nil
}

// Lists tells whether the device is in the list as it is installed now.
func (l List) Lists(id, registrationID uint32) bool {
	for _, d := range l.Devices {
		if d.ID == id {
			return d.RegistrationID == registrationID
		}
	}
	return false
}
