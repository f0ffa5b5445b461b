package trust

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"
)

// Fields of a key object that say whose key it is. They are part of what the
// key id hashes, and signed in root or targets.
const (
	holderField       = "x-countersign-holder"
	organisationField = "x-countersign-organisation"
	jurisdictionField = "x-countersign-jurisdiction"
)

var jurisdictionForm = regexp.MustCompile(`^[A-Z]{2}$`)

// verifyKey is a key and how it verifies.
type verifyKey struct {
	Key
	scheme string
}

// readKeys reads the "keys" object of root or of delegations, by key id.
func (p *parser) readKeys(a at) map[string]verifyKey {
	keys := map[string]verifyKey{}
	a.members(func(id string, m at) {
		keys[id] = p.readKey(id, m)
	})
	return keys
}

func (p *parser) readKey(id string, a at) verifyKey {
	k := verifyKey{Key: Key{ID: id}}
	if !a.object("keytype", "scheme", "keyval", holderField, organisationField, jurisdictionField) {
		return k
	}
	keytype := a.field("keytype").text()
	k.scheme = a.field("scheme").text()
	keyval := a.field("keyval")
	if !keyval.object("public") {
		return k
	}
	k.Public = p.readPublic(keytype, k.scheme, keyval.field("public"))
	if a.failed() {
		return k
	}
	if k.Public != nil {
		raw, err := x509.MarshalPKIXPublicKey(k.Public)
		if err != nil {
			a.refuse("%v", err)
			return k
		}
		k.Raw = raw
	}
	if p.mode == Strict {
		p.readHolder(&k, a)
		// A key id is free text to stock clients; here it must be the hash of
		// the key object, so that nobody can list one key under two ids.
		sum := sha256.Sum256(canonical(a.v))
		if want := hex.EncodeToString(sum[:]); id != want {
			a.refuse("key id is not the sha256 of the key, which is %s", want)
		}
	}
	return k
}

func (p *parser) readHolder(k *verifyKey, a at) {
	if m, ok := a.maybe(holderField); ok {
		k.Holder = m.text()
	}
	if m, ok := a.maybe(organisationField); ok {
		k.Organisation = m.text()
	}
	if m, ok := a.maybe(jurisdictionField); ok {
		if k.Jurisdiction = m.text(); !jurisdictionForm.MatchString(k.Jurisdiction) {
			m.refuse("%.20q, want two capital letters (ISO 3166)", k.Jurisdiction)
		}
	}
}

// readPublic returns nil when Standard mode meets a key it cannot use: such a
// key never counts, others of its role may. Strict mode refuses it.
func (p *parser) readPublic(keytype, scheme string, a at) crypto.PublicKey {
	text := a.text()
	if a.failed() {
		return nil
	}
	k, want := p.decodePublic(keytype, scheme, text)
	if k == nil && p.mode == Strict {
		a.refuse("%s", want)
	}
	return k
}

// decodePublic returns nil and what was wanted instead.
func (p *parser) decodePublic(keytype, scheme, text string) (crypto.PublicKey, string) {
	switch {
	case keytype == "ed25519" && scheme == "ed25519":
		b, err := hex.DecodeString(text)
		if err == nil && len(b) == ed25519.PublicKeySize && (p.mode == Standard || text == strings.ToLower(text)) {
			if weakEd25519(b) {
				return nil, "a key that signs for everybody, or spelled in two ways"
			}
			return ed25519.PublicKey(b), ""
		}
		return nil, "want 64 small hexadecimal digits"
	case (keytype == "ecdsa" || keytype == "ecdsa-sha2-nistp256") && scheme == "ecdsa-sha2-nistp256":
		if k, ok := p.readPEM(text).(*ecdsa.PublicKey); ok && k.Curve == elliptic.P256() {
			return k, ""
		}
		return nil, "want a P-256 key in PEM"
	case p.mode == Standard && keytype == "rsa" && scheme == "rsassa-pss-sha256":
		if k, ok := p.readPEM(text).(*rsa.PublicKey); ok {
			return k, ""
		}
	case p.mode == Standard && keytype == "ecdsa" && scheme == "ecdsa-sha2-nistp384":
		if k, ok := p.readPEM(text).(*ecdsa.PublicKey); ok && k.Curve == elliptic.P384() {
			return k, ""
		}
	}
	return nil, fmt.Sprintf("key type %.40q with scheme %.40q, want ed25519 or ecdsa with ecdsa-sha2-nistp256", keytype, scheme)
}

// readPEM takes a PEM block of type PUBLIC KEY. In Strict mode nothing else
// may stand around it and it must print back the same, line breaks aside.
func (p *parser) readPEM(text string) crypto.PublicKey {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "PUBLIC KEY" || len(block.Headers) != 0 || len(bytes.TrimSpace(rest)) != 0 {
		return nil
	}
	k, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil
	}
	if p.mode == Strict && strings.TrimSpace(text) != strings.TrimSpace(string(pem.EncodeToMemory(block))) {
		return nil
	}
	return k
}

// valid verifies one signature over message.
func (k verifyKey) valid(message, sig []byte) bool {
	switch pub := k.Public.(type) {
	case ed25519.PublicKey:
		return len(pub) == ed25519.PublicKeySize && ed25519.Verify(pub, message, sig)
	case *ecdsa.PublicKey:
		if pub.Curve == elliptic.P384() {
			sum := sha512.Sum384(message)
			return ecdsa.VerifyASN1(pub, sum[:], sig)
		}
		sum := sha256.Sum256(message)
		return ecdsa.VerifyASN1(pub, sum[:], sig)
	case *rsa.PublicKey:
		sum := sha256.Sum256(message)
		return rsa.VerifyPSS(pub, crypto.SHA256, sum[:], sig, nil) == nil
	}
	return false
}
