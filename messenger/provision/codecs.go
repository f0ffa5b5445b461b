package provision

import (
	"fmt"
	"io"
	"strconv"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Shipped is the codec of 10.1, which all clients speak: ProvisionEnvelope and ProvisionMessage.
type Shipped struct{}

func (Shipped) body(agreement keys.Secret, _ keys.Public) body {
	return newBody(0x01, nil, agreement, "TextSecure Provisioning Message")
}

// Seal implements Codec.
func (c Shipped) Seal(scanned keys.Public, a Account, rand io.Reader) ([]byte, string, error) {
	m := wire.ProvisionMessage{IdentityPrivate: a.Identity.Scalar(), IdentityPublic: a.Identity.Public().Bytes(), Number: a.Number, Code: a.Code,
		UserAgent: a.UserAgent, ProfileKey: a.ProfileKey, ReadReceipts: a.ReadReceipts, UUID: a.UUID, History: a.History}
	plaintext := m.Encode()
	defer clear(plaintext)
	return sealTo(scanned, plaintext, rand, c.body)
}

// Open implements Codec. Old masters send no public identity key; one that does not belong to the private one is refused.
func (c Shipped) Open(own *keys.Private, envelope []byte) (Account, string, error) {
	plaintext, digits, err := openFrom(own, envelope, c.body)
	if err != nil {
		return Account{}, "", err
	}
	defer clear(plaintext)
	m, err := wire.ParseProvisionMessage(plaintext)
	if err != nil {
		return Account{}, "", err
	}
	a := Account{Number: m.Number, Code: m.Code, UserAgent: m.UserAgent, ProfileKey: m.ProfileKey, ReadReceipts: m.ReadReceipts, UUID: m.UUID, History: m.History}
	if a.Identity, err = keys.NewPrivate(m.IdentityPrivate); err != nil {
		return Account{}, "", err
	}
	if m.IdentityPublic != nil {
		p, err := keys.ParsePublic(m.IdentityPublic)
		if err != nil {
			return Account{}, "", err
		}
		if !p.Equal(a.Identity.Public()) {
			return Account{}, "", refusal.Because(refusal.InvalidKey, "the identity's public key does not belong to its private key")
		}
	}
	return a, digits, nil
}

// Draft is the codec of 10.2, the seed text's variant: DeviceInit with a version byte, a salted derivation, and the full MAC.
type Draft struct{}

func (Draft) body(agreement keys.Secret, master keys.Public) body {
	return newBody(0x33, master.Bytes(), agreement, "WhisperDeviceInit")
}

// Seal implements Codec. The code must be a number.
func (c Draft) Seal(scanned keys.Public, a Account, rand io.Reader) ([]byte, string, error) {
	code, err := strconv.ParseUint(a.Code, 10, 32)
	if err != nil {
		return nil, "", fmt.Errorf("provisioning code %q is not a number", a.Code)
	}
	m := wire.DeviceIdentity{IdentityPrivate: a.Identity.Scalar(), Number: a.Number, Server: a.Server, MasterSupportsSMS: a.MasterSMS, Code: uint32(code)}
	plaintext := m.Encode()
	defer clear(plaintext)
	return sealTo(scanned, plaintext, rand, c.body)
}

// Open implements Codec.
func (c Draft) Open(own *keys.Private, envelope []byte) (Account, string, error) {
	plaintext, digits, err := openFrom(own, envelope, c.body)
	if err != nil {
		return Account{}, "", err
	}
	defer clear(plaintext)
	m, err := wire.ParseDeviceIdentity(plaintext)
	if err != nil {
		return Account{}, "", err
	}
	a := Account{Number: m.Number, Code: fmt.Sprintf("%06d", m.Code), Server: m.Server, MasterSMS: m.MasterSupportsSMS}
	a.Identity, err = keys.NewPrivate(m.IdentityPrivate)
	return a, digits, err
}
