package genuine

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// MaxPolicy is the largest policy.json that is read, in bytes.
const MaxPolicy = 256 << 10

const policyFormat = "countersign-policy-1"

// Policy says what a channel asks of a release, and who the people are whose word counts. It is a TUF
// target signed by the targets role (k of n auditors), and the same file is committed in the source as
// the floor below which a program never goes (see Stricter).
type Policy struct {
	Format   string   `json:"format"` // "countersign-policy-1"
	Channels []Rule   `json:"channels"`
	People   []Member `json:"people"`
}

// Rule is what one channel asks. A number of 0 asks nothing of that reason; Quorum is at least 1.
type Rule struct {
	Channel       string `json:"channel"`
	Quorum        int    `json:"quorum"`        // distinct auditors who signed (reason 1)
	Jurisdictions int    `json:"jurisdictions"` // distinct countries among them (reason 2)
	Organisations int    `json:"organisations"` // distinct organisations among them (reason 2)
	Rebuilds      int    `json:"rebuilds"`      // distinct auditors who rebuilt these bytes (reason 4)
}

// Person is who somebody is. Jurisdiction is an ISO 3166 two-letter code.
type Person struct {
	Name         string `json:"name"`
	Organisation string `json:"organisation"`
	Jurisdiction string `json:"jurisdiction"`
}

func (p Person) String() string {
	return fmt.Sprintf("%s (%s, %s)", p.Name, p.Organisation, p.Jurisdiction)
}

// Member is a person with the public keys their word is checked by. One key, one purpose.
type Member struct {
	Person
	Auditor   []byte `json:"auditor"`   // PKIX DER of the key that signs TUF roles, or empty
	Statement []byte `json:"statement"` // PKIX DER of the key that signs statements, or empty
}

// Rule returns the rule of a channel.
func (p Policy) Rule(channel string) (Rule, bool) {
	for _, r := range p.Channels {
		if r.Channel == channel {
			return r, true
		}
	}
	return Rule{}, false
}

// byAuditorKey returns the member who holds a TUF key.
func (p Policy) byAuditorKey(pkix []byte) (Member, bool) {
	for _, m := range p.People {
		if len(m.Auditor) > 0 && bytes.Equal(m.Auditor, pkix) {
			return m, true
		}
	}
	return Member{}, false
}

// StatementKey is a statement key with the person who holds it.
type StatementKey struct {
	Public crypto.PublicKey
	Person Person
}

// StatementKeys returns every statement key of the policy, in the order of its people.
func (p Policy) StatementKeys() []StatementKey {
	var keys []StatementKey
	for _, m := range p.People {
		if len(m.Statement) == 0 {
			continue
		}
		pub, err := x509.ParsePKIXPublicKey(m.Statement)
		if err != nil {
			panic("internal error: a checked policy holds an unreadable key")
		}
		keys = append(keys, StatementKey{pub, m.Person})
	}
	return keys
}

// Stricter joins a rule with the floor built into the program: of each number the larger one counts.
// So a repository may ask for more at any time; asking for less takes a release that met the old rule.
func Stricter(a, floor Rule) Rule {
	a.Quorum = max(a.Quorum, floor.Quorum)
	a.Jurisdictions = max(a.Jurisdictions, floor.Jurisdictions)
	a.Organisations = max(a.Organisations, floor.Organisations)
	a.Rebuilds = max(a.Rebuilds, floor.Rebuilds)
	return a
}

// Encode prints the policy in its one canonical form.
func (p Policy) Encode() ([]byte, error) {
	p.Format = policyFormat
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("policy.json: %w", err)
	}
	return canonical(p)
}

// ParsePolicy reads a policy.json and refuses anything Encode would not have written.
func ParsePolicy(b []byte) (Policy, error) {
	var p Policy
	if err := parseCanonical(b, MaxPolicy, &p); err != nil {
		return Policy{}, fmt.Errorf("policy.json: %w", err)
	}
	if err := p.check(); err != nil {
		return Policy{}, fmt.Errorf("policy.json: %w", err)
	}
	return p, nil
}

var country = regexp.MustCompile(`^[A-Z]{2}$`)

// check holds the rules of the fields. No key and no name may count twice, whatever the numbers say.
func (p Policy) check() error {
	if p.Format != policyFormat {
		return fmt.Errorf("format %q, want %q", p.Format, policyFormat)
	}
	var names []string
	keys := map[string]string{}
	for _, m := range p.People {
		if m.Name == "" || m.Organisation == "" || !country.MatchString(m.Jurisdiction) {
			return fmt.Errorf("person %q: organisation %q and jurisdiction %q: want all three, the last as a two-letter country code", m.Name, m.Organisation, m.Jurisdiction)
		}
		if slices.Contains(names, m.Name) {
			return fmt.Errorf("person %q is there twice", m.Name)
		}
		names = append(names, m.Name)
		if len(m.Auditor)+len(m.Statement) == 0 {
			return fmt.Errorf("person %q has no key", m.Name)
		}
		for _, k := range [][]byte{m.Auditor, m.Statement} {
			if len(k) == 0 {
				continue
			}
			if err := checkKey(k); err != nil {
				return fmt.Errorf("person %q: %w", m.Name, err)
			}
			if other, ok := keys[string(k)]; ok {
				return fmt.Errorf("person %q has a key that is already there for %q: one key, one purpose, one person", m.Name, other)
			}
			keys[string(k)] = m.Name
		}
	}
	return p.checkRules()
}

func (p Policy) checkRules() error {
	if len(p.Channels) == 0 {
		return errors.New("no channels")
	}
	auditors, rebuilders := 0, 0
	for _, m := range p.People {
		auditors += min(1, len(m.Auditor))
		rebuilders += min(1, len(m.Statement))
	}
	for i, r := range p.Channels {
		if !plainName.MatchString(r.Channel) {
			return fmt.Errorf("channel %q is not a plain name", r.Channel)
		}
		if i > 0 && p.Channels[i-1].Channel >= r.Channel {
			return fmt.Errorf("channel %q is out of order or there twice", r.Channel)
		}
		if r.Quorum < 1 || r.Quorum > auditors {
			return fmt.Errorf("channel %q: quorum %d, want 1 to %d, the number of auditors", r.Channel, r.Quorum, auditors)
		}
		if r.Jurisdictions < 0 || r.Jurisdictions > r.Quorum || r.Organisations < 0 || r.Organisations > r.Quorum {
			return fmt.Errorf("channel %q: %d jurisdictions and %d organisations, want 0 to %d, the quorum", r.Channel, r.Jurisdictions, r.Organisations, r.Quorum)
		}
		if r.Rebuilds < 0 || r.Rebuilds > rebuilders {
			return fmt.Errorf("channel %q: %d rebuilds, want 0 to %d, the number of people with a statement key", r.Channel, r.Rebuilds, rebuilders)
		}
	}
	return nil
}

// checkKey takes the PKIX DER of an Ed25519 or P-256 key, and only its one canonical encoding, so that
// one key cannot appear under two spellings.
func checkKey(der []byte) error {
	pub, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return fmt.Errorf("unreadable key: %v", err)
	}
	switch k := pub.(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return errors.New("an ECDSA key that is not P-256")
		}
	default:
		return fmt.Errorf("a key of type %T, want Ed25519 or P-256", pub)
	}
	again, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil || !bytes.Equal(again, der) {
		return errors.New("a key that is not in canonical encoding")
	}
	return nil
}
