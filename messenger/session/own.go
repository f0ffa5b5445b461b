package session

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/signaling"
	"github.com/countersign-project/countersign/messenger/store"
)

const ownName = "own"

// Own is this device, with all its secrets. It is only ever written into the store.
type Own struct {
	Server         string
	Number         string
	Account        string // what the server calls the account whatever its number; empty: not known yet
	Device         uint32
	RegistrationID uint32
	Password       string
	IdentityKey    []byte // the private one, 32 bytes, shared with our other devices
	SignalingKey   []byte
	ProfileKey     []byte // 32 bytes, shared with our other devices and with people we write to
	Install        uint64 // of this installation, for transcripts
	ListSerial     uint64 // of the newest device list we have signed or seen
	NextPrekey     uint32
	NextSigned     uint32
	NextKyber      uint32
	SignedMade     int64 // when the signed prekeys were made, milliseconds
}

// String prints no secret.
func (o Own) String() string { return fmt.Sprintf("%s.%d", o.Number, o.Device) }

// Format keeps every verb from printing what is inside.
func (o Own) Format(f fmt.State, _ rune) { io.WriteString(f, o.String()) }

// Identity returns the identity key.
func (o Own) Identity() (*keys.Private, error) {
	if len(o.IdentityKey) != 32 {
		return nil, fmt.Errorf("stored identity key of %d bytes, want 32", len(o.IdentityKey))
	}
	return keys.NewPrivate(keys.Secret(o.IdentityKey))
}

// Login is the user name for the server (6).
func (o Own) Login() string {
	if o.Device == Master {
		return o.Number
	}
	return fmt.Sprintf("%s.%d", o.Number, o.Device)
}

// StableLogin is a user name that stays when the number changes; empty: none is known.
func (o Own) StableLogin() string {
	if o.Account == "" {
		return ""
	}
	o.Number = o.Account
	return o.Login()
}

// NewOwn draws what a device draws for itself: everything but the server, number and device id, which registration gives. Identity and
// profile key are nil on an account's first device.
func NewOwn(identity *keys.Private, profileKey []byte, random io.Reader) (o Own, err error) {
	if identity == nil {
		if identity, err = keys.Generate(random); err != nil {
			return o, err
		}
	}
	scalar := identity.Scalar()
	o.IdentityKey = scalar[:]
	var b [18 + 32 + 8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return o, err
	}
	o.Password = base64.RawStdEncoding.EncodeToString(b[:18])
	o.ProfileKey = append([]byte(nil), b[18:50]...)
	if len(profileKey) == 32 {
		o.ProfileKey = append([]byte(nil), profileKey...)
	}
	o.Install = binary.BigEndian.Uint64(b[50:])
	key, err := signaling.NewKey(random)
	if err != nil {
		return o, err
	}
	o.SignalingKey = append([]byte(nil), key[:]...)
	for _, n := range []struct {
		to   *uint32
		most int64
	}{{&o.RegistrationID, 16380}, {&o.NextPrekey, maxKeyID}, {&o.NextSigned, maxKeyID}, {&o.NextKyber, maxKeyID}} {
		v, err := rand.Int(random, big.NewInt(n.most))
		if err != nil {
			return o, err
		}
		*n.to = uint32(v.Int64()) + 1 // 2.2
	}
	return o, nil
}

// SaveOwn writes this device down.
func SaveOwn(tx *store.Tx, o Own) error { return store.Save(tx, store.Own, ownName, o) }

// SaveOwn writes this device down after a change.
func (b *Book) SaveOwn(o Own) error {
	b.own = o
	return SaveOwn(b.tx, o)
}
