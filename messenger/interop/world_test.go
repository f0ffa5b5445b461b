package interop_test

import (
	"crypto/rand"
	"encoding/base64"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/ratchet"
	"github.com/countersign-project/countersign/messenger/wire"
)

// now is when the tests take place.
var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// us is our side of a conversation with a peer.
type us struct {
	t        testing.TB
	name     string
	identity *keys.Private
	oneTime  map[uint32]*keys.Private
	signed   *keys.Private
	kyber    *keys.KyberPrivate
	record   *ratchet.Record
	policy   handshake.Policy
}

func newUs(t testing.TB, name string) *us {
	t.Helper()
	kyber, err := keys.GenerateKyber(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &us{t: t, name: name, identity: newKey(t), oneTime: map[uint32]*keys.Private{31337: newKey(t)}, signed: newKey(t), kyber: kyber, record: new(ratchet.Record)}
}

func newKey(t testing.TB) *keys.Private {
	t.Helper()
	k, err := keys.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (u *us) setting() ratchet.Setting {
	return ratchet.Setting{Identity: u.identity, RegistrationID: 5, Peer: "peer", Policy: u.policy, Now: now, Rand: rand.Reader}
}

// bundle is what the peer fetches of us.
func (u *us) bundle(oneTime, kyber bool) map[string]any {
	signed, err := handshake.SignPrekey(u.identity, 22, u.signed.Public(), rand.Reader)
	if err != nil {
		u.t.Fatal(err)
	}
	b := map[string]any{"registrationId": 5, "identity": u.identity.Public().Bytes(), "signedId": 22,
		"signedKey": u.signed.Public().Bytes(), "signature": signed.Signature[:]}
	if oneTime {
		b["preKeyId"], b["preKey"] = 31337, u.oneTime[31337].Public().Bytes()
	}
	if kyber {
		k, err := handshake.SignKyber(u.identity, 77, u.kyber.Public(), rand.Reader)
		if err != nil {
			u.t.Fatal(err)
		}
		b["kyberId"], b["kyberKey"], b["kyberSignature"] = 77, u.kyber.Public().Bytes(), k.Signature[:]
	}
	return b
}

// theirs is a bundle as the peer hands it out.
type theirs struct {
	RegistrationID uint32 `json:"registrationId"`
	Identity       []byte
	SignedID       uint32 `json:"signedId"`
	SignedKey      []byte `json:"signedKey"`
	Signature      []byte
	PreKeyID       uint32 `json:"preKeyId"`
	PreKey         []byte `json:"preKey"`
	KyberID        uint32 `json:"kyberId"`
	KyberKey       []byte `json:"kyberKey"`
	KyberSignature []byte `json:"kyberSignature"`
}

func (b theirs) bundle(t testing.TB, spqr bool) *handshake.Bundle {
	t.Helper()
	parse := func(b []byte) keys.Public {
		k, err := keys.ParsePublic(b)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	out := &handshake.Bundle{RegistrationID: b.RegistrationID, Identity: parse(b.Identity), SPQR: spqr,
		Signed: handshake.Signed{ID: b.SignedID, Key: parse(b.SignedKey), Signature: [64]byte(b.Signature)}}
	if b.PreKey != nil {
		out.OneTime = &handshake.OneTime{ID: b.PreKeyID, Key: parse(b.PreKey)}
	}
	if b.KyberKey != nil {
		k, err := keys.ParseKyberPublic(b.KyberKey)
		if err != nil {
			t.Fatal(err)
		}
		out.Kyber = &handshake.Kyber{ID: b.KyberID, Key: k, Signature: [64]byte(b.KyberSignature)}
	}
	return out
}

// letter is a message of the peer.
type letter struct {
	Type ratchet.Kind
	Body []byte
}

// open decrypts a message of the peer.
func (u *us) open(m letter) (string, error) {
	if m.Type == ratchet.Whisper {
		o, err := u.record.Decrypt(u.setting(), m.Body)
		return string(o.Plaintext), err
	}
	p, err := wire.ParsePreKey(m.Body)
	if err != nil {
		return "", err
	}
	o, err := u.record.DecryptPreKey(u.setting(), p, handshake.Prekeys{OneTime: u.oneTime[p.PreKeyID], Signed: u.signed, Kyber: u.kyber})
	if err == nil && o.Started && p.OneTime {
		delete(u.oneTime, p.PreKeyID)
	}
	return string(o.Plaintext), err
}

func (u *us) seal(text string) letter {
	u.t.Helper()
	m, err := u.record.Encrypt(u.setting(), []byte(text))
	if err != nil {
		u.t.Fatal(err)
	}
	return letter{m.Kind, m.Body}
}

// read gives the peer a message of ours.
func (p *peer) open(from string, m letter) (string, error) {
	p.t.Helper()
	b, err := try[[]byte](p, "decrypt", map[string]any{"peer": from, "type": m.Type, "body": m.Body})
	return string(b), err
}

func (p *peer) seal(to, text string) letter {
	p.t.Helper()
	return ask[letter](p, "encrypt", map[string]any{"peer": to, "text": []byte(text)})
}

func (p *peer) process(from string, bundle map[string]any) {
	p.t.Helper()
	for k, v := range bundle {
		if b, is := v.([]byte); is {
			bundle[k] = base64.StdEncoding.EncodeToString(b)
		}
	}
	ask[bool](p, "process", map[string]any{"peer": from, "bundle": bundle})
}

func (p *peer) bundle(oneTime, kyber bool) theirs {
	p.t.Helper()
	return ask[theirs](p, "bundle", map[string]any{"oneTime": oneTime, "kyber": kyber})
}
