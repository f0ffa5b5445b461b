package wire

import (
	"google.golang.org/protobuf/proto"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire/pb"
)

// maxProvision bounds what a new device reads before it trusts anybody.
const maxProvision = 8 << 10

// ProvisionEnvelope is what the new device receives (10.1, and as DeviceInit in 10.2): an ephemeral key and an encrypted body.
type ProvisionEnvelope struct {
	Ephemeral keys.Public // of the master
	Body      []byte      // encrypted
}

// Encode serialises e.
func (e ProvisionEnvelope) Encode() []byte {
	return marshal(nil, &pb.ProvisionEnvelope{PublicKey: e.Ephemeral.Bytes(), Body: e.Body})
}

// ParseProvisionEnvelope reads an envelope. DeviceInit of the seed's variant has the same shape.
func ParseProvisionEnvelope(b []byte) (ProvisionEnvelope, error) {
	var e ProvisionEnvelope
	if err := checkProvision("provisioning envelope", b); err != nil {
		return e, err
	}
	var p pb.ProvisionEnvelope
	if err := unmarshal("provisioning envelope", b, &p); err != nil {
		return e, err
	}
	var err error
	e.Ephemeral, err = keys.ParsePublic(p.PublicKey)
	e.Body = p.Body
	return e, err
}

// ProvisionMessage is the plaintext of an envelope's body (10.1). It holds the identity's private key: never log it.
type ProvisionMessage struct {
	IdentityPrivate keys.Secret
	IdentityPublic  []byte // 33 bytes as received, or nil from old masters; provision checks that it belongs to the private one
	Number          string // E.164
	Code            string // for PUT /v1/devices/{code}
	UserAgent       string
	ProfileKey      keys.SecretBytes
	ReadReceipts    bool
	UUID            string
	Version         uint32
	History         uint64 // so many messages come later (10.3)
}

// Encode serialises m. Empty fields are left out, as old masters do.
func (m ProvisionMessage) Encode() []byte {
	p := pb.ProvisionMessage{
		IdentityKeyPrivate: m.IdentityPrivate[:], IdentityKeyPublic: m.IdentityPublic,
		Number: proto.String(m.Number), ProvisioningCode: proto.String(m.Code), ProfileKey: m.ProfileKey,
	}
	if m.UserAgent != "" {
		p.UserAgent = &m.UserAgent
	}
	if m.ReadReceipts {
		p.ReadReceipts = &m.ReadReceipts
	}
	if m.UUID != "" {
		p.Uuid = &m.UUID
	}
	if m.Version != 0 {
		p.ProvisioningVersion = &m.Version
	}
	if m.History != 0 {
		p.History = &m.History
	}
	return marshal(nil, &p)
}

// ParseProvisionMessage reads a decrypted body.
func ParseProvisionMessage(b []byte) (ProvisionMessage, error) {
	var m ProvisionMessage
	if err := checkProvision("provisioning message", b); err != nil {
		return m, err
	}
	var p pb.ProvisionMessage
	if err := unmarshal("provisioning message", b, &p); err != nil {
		return m, err
	}
	if len(p.IdentityKeyPrivate) != 32 || p.Number == nil || p.ProvisioningCode == nil {
		return m, refusal.Because(refusal.InvalidMessage, "provisioning message lacks identity key, number or code")
	}
	copy(m.IdentityPrivate[:], p.IdentityKeyPrivate)
	m.IdentityPublic, m.Number, m.Code, m.UserAgent = p.IdentityKeyPublic, p.GetNumber(), p.GetProvisioningCode(), p.GetUserAgent()
	m.ProfileKey, m.ReadReceipts, m.UUID, m.Version = p.ProfileKey, p.GetReadReceipts(), p.GetUuid(), p.GetProvisioningVersion()
	m.History = p.GetHistory()
	return m, nil
}

// DeviceIdentity is the plaintext in the seed's variant (10.2). It holds the identity's private key.
type DeviceIdentity struct {
	IdentityPrivate   keys.Secret
	Number            string
	Server            string // where to register; the device checks it against its own list
	MasterSupportsSMS bool
	Code              uint32
}

// Encode serialises m.
func (m DeviceIdentity) Encode() []byte {
	return marshal(nil, &pb.DeviceIdentity{
		IdentityKey: m.IdentityPrivate[:], PhoneNumber: &m.Number, Server: &m.Server,
		MasterSupportsSms: &m.MasterSupportsSMS, ProvisioningCode: &m.Code,
	})
}

// ParseDeviceIdentity reads a decrypted identityKeyMessage.
func ParseDeviceIdentity(b []byte) (DeviceIdentity, error) {
	var m DeviceIdentity
	if err := checkProvision("device identity", b); err != nil {
		return m, err
	}
	var p pb.DeviceIdentity
	if err := unmarshal("device identity", b, &p); err != nil {
		return m, err
	}
	if len(p.IdentityKey) != 32 || p.PhoneNumber == nil || p.ProvisioningCode == nil {
		return m, refusal.Because(refusal.InvalidMessage, "device identity lacks identity key, number or code")
	}
	copy(m.IdentityPrivate[:], p.IdentityKey)
	m.Number, m.Server, m.MasterSupportsSMS, m.Code = p.GetPhoneNumber(), p.GetServer(), p.GetMasterSupportsSms(), p.GetProvisioningCode()
	return m, nil
}

func checkProvision(what string, b []byte) error {
	if len(b) > maxProvision {
		return refusal.Because(refusal.InvalidMessage, "%s: got %d bytes, want at most %d", what, len(b), maxProvision)
	}
	return nil
}
