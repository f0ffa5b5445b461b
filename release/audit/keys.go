package audit

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
)

// Signing is one signature this auditor can make.
type Signing struct {
	Role      string         `json:"role"`
	Version   int64          `json:"version"`
	Person    genuine.Person `json:"person"`
	Key       string         `json:"key"`                  // sha256 of the key's PKIX DER, hex
	Done      bool           `json:"done"`                 // the event has it already
	InsteadOf string         `json:"instead_of,omitempty"` // event this auditor signed for that version before

	signer signer.Signer
}

// signings lists the roles of an event for which the ring holds an authorised key: root keys for root,
// auditor keys for targets and channels.
func (a *Auditor) signings(p *event.Proposal) []Signing {
	var out []Signing
	for _, role := range p.Event.Roles() {
		seen := map[string]bool{}
		for _, authority := range p.Authorities(role) {
			for i, h := range authority.Holders {
				key := keySum(h.Public)
				if at := index(out, role, key); at >= 0 { // the old and the new root name the same person
					out[at].Done = out[at].Done && signed(p, role, authority.KeyIDs[i])
					continue
				}
				s, ok := a.Keys.Find(h.Public)
				if !ok || seen[key] {
					continue
				}
				seen[key] = true
				out = append(out, Signing{
					Role: role, Version: p.Event.Version(role), Key: key, signer: s, Done: signed(p, role, authority.KeyIDs[i]),
					Person: genuine.Person{Name: h.Name, Organisation: h.Organisation, Jurisdiction: h.Jurisdiction},
				})
			}
		}
	}
	return out
}

func index(list []Signing, role, key string) int {
	for i, s := range list {
		if s.Role == role && s.Key == key {
			return i
		}
	}
	return -1
}

func signed(p *event.Proposal, role, keyID string) bool {
	for _, s := range p.Signatures {
		if s.Role == role && s.KeyID == keyID {
			return true
		}
	}
	return false
}

// noKey is the refusal for a ring that signs nothing of an event.
func (a *Auditor) noKey(p *event.Proposal) error {
	var who []string
	for _, role := range p.Event.Roles() {
		var names []string
		for _, authority := range p.Authorities(role) {
			for _, h := range authority.Holders {
				if !contains(names, h.Name) {
					names = append(names, h.Name)
				}
			}
		}
		who = append(who, fmt.Sprintf("%s is signed by %s", role, strings.Join(names, ", ")))
	}
	return refusef("none of the %d keys given signs anything of this event: %s; given: %s", len(a.Keys), strings.Join(who, "; "), a.ringText())
}

func (a *Auditor) ringText() string {
	var names []string
	for _, s := range a.Keys {
		names = append(names, s.String())
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}

// statementSigner finds the one statement key of the event's policy that is in the ring.
func (a *Auditor) statementSigner(p *event.Proposal) (signer.Signer, genuine.Person, error) {
	policy, err := p.Base.ParsedPolicy()
	if err != nil {
		return nil, genuine.Person{}, err
	}
	var found signer.Signer
	var who genuine.Person
	var names []string
	for _, k := range policy.StatementKeys() {
		names = append(names, k.Person.Name)
		s, ok := a.Keys.Find(k.Public)
		if !ok {
			continue
		}
		if found != nil {
			return nil, who, refusef("the keys given are the statement keys of two people, %s and %s: a rebuild is one person's word", who.Name, k.Person.Name)
		}
		found, who = s, k.Person
	}
	if found == nil {
		return nil, who, refusef("none of the %d keys given is a statement key of this event's policy, which has those of %s; given: %s", len(a.Keys), strings.Join(names, ", "), a.ringText())
	}
	return found, who, nil
}

// statementKeyOf returns the statement key of the person who holds an auditor key, by the policy that
// the quorum signed: whose rebuild counts for a signature is not for the ring to say.
func statementKeyOf(p *event.Proposal, auditor string) (crypto.PublicKey, genuine.Person, error) {
	policy, err := p.Base.ParsedPolicy()
	if err != nil {
		return nil, genuine.Person{}, err
	}
	for _, m := range policy.People {
		sum := sha256.Sum256(m.Auditor)
		if len(m.Auditor) == 0 || hex.EncodeToString(sum[:]) != auditor {
			continue
		}
		if len(m.Statement) == 0 {
			return nil, m.Person, refusef("the policy has no statement key for %s: without one there is no rebuild of yours to rely on, and a release is not signed without it", m.Person)
		}
		pub, err := x509.ParsePKIXPublicKey(m.Statement)
		return pub, m.Person, err
	}
	return nil, genuine.Person{}, refusef("the policy names nobody with your auditor key: its people and the channel's keys do not agree")
}

// keySum names a key where its length does not matter to people: sha256 of its PKIX DER, hex.
func keySum(pub crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		panic("internal error: a public key that cannot be encoded: " + err.Error())
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}
