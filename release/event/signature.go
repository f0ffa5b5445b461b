package event

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"github.com/countersign-project/countersign/tuf/repo"
)

// Signature is one key's signature on one role of one event. On disk it is JSON, in canonical form:
//
//	{"event": "<64 hex>", "role": "stable", "keyid": "<64 hex>", "sig": "<hex>"}
//
// under signatures/<role>.<keyid>.json. It is worthless for any other event, since the signed metadata
// carries the event id; the field here is only for naming the mistake.
type Signature struct {
	Event ID
	repo.Signature
	Role string
}

// signatureFile is Signature as written.
type signatureFile struct {
	Event string `json:"event"`
	Role  string `json:"role"`
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"`
}

// Name is the path of a signature below its event.
func (s Signature) Name() string { return dirSignatures + s.Role + "." + s.KeyID + ".json" }

// Encode prints the signature in its one canonical form.
func (s Signature) Encode() ([]byte, error) {
	return canonical(signatureFile{s.Event.String(), s.Role, s.KeyID, hex.EncodeToString(s.Sig)})
}

var keyID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ParseSignature reads a signature file. The result is not verified: see Proposal.CheckSignature.
func ParseSignature(b []byte) (Signature, error) {
	var f signatureFile
	if err := parseCanonical(b, maxSignature, &f); err != nil {
		return Signature{}, refusef("signature file: %v", err)
	}
	id, err := ParseID(f.Event)
	if err != nil {
		return Signature{}, refusef("signature file: %v", err)
	}
	sig, err := hex.DecodeString(f.Sig)
	switch {
	case !roleName.MatchString(f.Role):
		return Signature{}, refusef("signature file: role %q is not a role's name", clip(f.Role))
	case !keyID.MatchString(f.KeyID):
		return Signature{}, refusef("signature file: keyid %q, want 64 lower case hex digits", clip(f.KeyID))
	case err != nil || len(sig) == 0 || hex.EncodeToString(sig) != f.Sig:
		return Signature{}, refusef("signature file: sig is not lower case hex digits")
	}
	return Signature{id, repo.Signature{KeyID: f.KeyID, Sig: sig}, f.Role}, nil
}

// Signer is what signs: attest/signer's keys are ones.
type Signer interface {
	Public() crypto.PublicKey
	Sign(message []byte) ([]byte, error)
}

// Sign signs one role with one key: one signature for each id that key has among the authorities (two
// only where a root changes how it names a person). It is an error when the key does not sign this role.
func (p *Proposal) Sign(role string, s Signer) ([]Signature, error) {
	payload, err := p.Payload(role)
	if err != nil {
		return nil, err
	}
	var out []Signature
	seen := map[string]bool{}
	for _, a := range p.authorities[role] {
		for i, h := range a.Holders {
			if seen[a.KeyIDs[i]] || !bytes.Equal(pkix(h.Public), pkix(s.Public())) {
				continue
			}
			seen[a.KeyIDs[i]] = true
			sig, err := s.Sign(payload)
			if err != nil {
				return nil, err
			}
			made := Signature{p.ID, repo.Signature{KeyID: a.KeyIDs[i], Sig: sig}, role}
			if err := p.CheckSignature(made); err != nil {
				return nil, fmt.Errorf("key store gave a signature that does not verify: %w", err)
			}
			out = append(out, made)
		}
	}
	if out == nil {
		return nil, refusef("this key does not sign %s; those that do are of %s", role, p.holderNames(role))
	}
	return out, nil
}

// Payload returns the exact bytes a signature on a role of this event signs.
func (p *Proposal) Payload(role string) ([]byte, error) {
	payload, ok := p.payloads[role]
	if !ok {
		return nil, refusef("event %s proposes no role %q, only %s", p.ID.Short(), clip(role), strings.Join(p.Event.Roles(), ", "))
	}
	return payload, nil
}

// loadPayloads makes the bytes to be signed once, since every answer is checked against them.
func (p *Proposal) loadPayloads() error {
	p.payloads = map[string][]byte{}
	for role, metadata := range p.Metadata {
		payload, err := repo.Payload(metadata)
		if err != nil {
			return err
		}
		p.payloads[role] = payload
	}
	return nil
}

// CheckSignature accepts a signature only when it is for this event and a role of it, by a key of that
// role, and valid over the bytes derived here.
func (p *Proposal) CheckSignature(s Signature) error {
	if s.Event != p.ID {
		return refusef("signature is for event %s, not for %s; what is signed for one event counts for no other", s.Event.Short(), p.ID.Short())
	}
	payload, ok := p.payloads[s.Role]
	if !ok {
		return refusef("signature is for role %q, event %s proposes %s", s.Role, p.ID.Short(), strings.Join(p.Event.Roles(), ", "))
	}
	h, ok := p.holder(s.Role, s.KeyID)
	if !ok {
		return refusef("signature is by key %s, which does not sign %s; those that do are of %s", s.KeyID[:min(12, len(s.KeyID))], s.Role, p.holderNames(s.Role))
	}
	if !valid(h.Public, payload, s.Sig) {
		return refusef("signature of %s on %s is not valid for event %s", h.Name, s.Role, p.ID.Short())
	}
	return nil
}

// valid checks a signature by one of the two key types metadata may name (tuf/repo).
func valid(pub crypto.PublicKey, payload, sig []byte) bool {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(k, payload, sig)
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(payload)
		return ecdsa.VerifyASN1(k, sum[:], sig)
	}
	return false
}

func (p *Proposal) holder(role, keyid string) (repo.Holder, bool) {
	for _, a := range p.authorities[role] {
		for i, id := range a.KeyIDs {
			if id == keyid {
				return a.Holders[i], true
			}
		}
	}
	return repo.Holder{}, false
}

func (p *Proposal) holderNames(role string) string {
	var names []string
	seen := map[string]bool{}
	for _, a := range p.authorities[role] {
		for _, h := range a.Holders {
			if !seen[h.Name] {
				seen[h.Name] = true
				names = append(names, h.Name)
			}
		}
	}
	return strings.Join(names, ", ")
}

// Signed returns a role's proposed metadata with every valid signature in it, by however many people.
func (p *Proposal) Signed(role string) ([]byte, error) {
	m, ok := p.Metadata[role]
	if !ok {
		return nil, refusef("event %s proposes no role %q", p.ID.Short(), role)
	}
	var sigs []repo.Signature
	for _, s := range p.Signatures {
		if s.Role == role {
			sigs = append(sigs, s.Signature)
		}
	}
	return repo.Attach(m, sigs)
}
