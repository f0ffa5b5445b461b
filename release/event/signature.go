package event

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"fmt"
	"regexp"
	"sort"
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

// Authority is one set of people of whom a quorum must sign a role. A root that follows another has two:
// those of the root before, and its own (TUF 5.3.4).
type Authority struct {
	Name    string // "stable"; "root 3 (in force)"; "root 4 (proposed)"
	Quorum  int
	Holders []repo.Holder
	KeyIDs  []string // of Holders, in the same order
}

// Authorities returns who may sign a role of the event. A role whose keys the same event changes is
// signed by the new keys; for root the old ones must agree as well.
func (p *Proposal) Authorities(role string) []Authority { return p.authorities[role] }

// loadAuthorities reads the keys from the proposed metadata where it is proposed, else from the base.
func (p *Proposal) loadAuthorities() error {
	p.authorities = map[string][]Authority{}
	var oldRoot, root, targets []byte
	if n := len(p.Base.Roots); n > 0 {
		oldRoot, targets = p.Base.Roots[n-1], p.Base.Targets
		root = oldRoot
	}
	newRoot, changed := p.Metadata["root"]
	if changed {
		root = newRoot
	}
	if t, ok := p.Metadata["targets"]; ok {
		targets = t
	}
	for _, role := range p.Event.Roles() {
		above := targets
		if rank(role) < 2 {
			above = root
		}
		a, err := authority(above, role)
		if err != nil {
			return err
		}
		if role == "root" && oldRoot != nil {
			old, err := authority(oldRoot, role)
			if err != nil {
				return err
			}
			old.Name = fmt.Sprintf("root %d (in force)", p.Event.Base["root"])
			a.Name = fmt.Sprintf("root %d (proposed)", p.Event.Version("root"))
			p.authorities[role] = append(p.authorities[role], old)
		}
		p.authorities[role] = append(p.authorities[role], a)
	}
	return nil
}

// authority reads one role's keys from root or targets metadata.
func authority(metadata []byte, role string) (Authority, error) {
	info, err := repo.Inspect(metadata)
	if err != nil {
		return Authority{}, err
	}
	for _, r := range info.Roles {
		if r.Name == role {
			a := Authority{Name: role, Quorum: r.Quorum, Holders: r.Holders, KeyIDs: r.KeyIDs}
			sort.Sort(byName(a))
			return a, nil
		}
	}
	return Authority{}, refusef("role %q has no keys in the metadata above it", role)
}

// byName sorts an authority's people as they are shown.
type byName Authority

func (a byName) Len() int           { return len(a.Holders) }
func (a byName) Less(i, j int) bool { return a.Holders[i].Name < a.Holders[j].Name }
func (a byName) Swap(i, j int) {
	a.Holders[i], a.Holders[j] = a.Holders[j], a.Holders[i]
	a.KeyIDs[i], a.KeyIDs[j] = a.KeyIDs[j], a.KeyIDs[i]
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
	m, ok := p.Metadata[role]
	if !ok {
		return nil, refusef("event %s proposes no role %q, only %s", p.ID.Short(), clip(role), strings.Join(p.Event.Roles(), ", "))
	}
	return repo.Payload(m)
}

// CheckSignature accepts a signature only when it is for this event and a role of it, by a key of that
// role, and valid over the bytes derived here.
func (p *Proposal) CheckSignature(s Signature) error {
	if s.Event != p.ID {
		return refusef("signature is for event %s, not for %s; what is signed for one event counts for no other", s.Event.Short(), p.ID.Short())
	}
	metadata, ok := p.Metadata[s.Role]
	if !ok {
		return refusef("signature is for role %q, event %s proposes %s", s.Role, p.ID.Short(), strings.Join(p.Event.Roles(), ", "))
	}
	h, ok := p.holder(s.Role, s.KeyID)
	if !ok {
		return refusef("signature is by key %s, which does not sign %s; those that do are of %s", s.KeyID[:min(12, len(s.KeyID))], s.Role, p.holderNames(s.Role))
	}
	if err := repo.Verify(metadata, h, s.Signature); err != nil {
		return refusef("signature of %s on %s is not valid for event %s: %v", h.Name, s.Role, p.ID.Short(), err)
	}
	return nil
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
