package genuine

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/countersign-project/countersign/attest/proof"
)

// MaxPolicy is the largest policy.json that is read, in bytes.
const MaxPolicy = 256 << 10

const policyFormat = "countersign-policy-2"

// Policy says what a channel asks of a release, and who the people are whose word counts. It is a TUF
// target signed by the targets role (k of n auditors), and the same file is committed in the source as
// the floor below which a program never goes (see Stricter).
type Policy struct {
	Format   string   `json:"format"` // "countersign-policy-2"
	Channels []Rule   `json:"channels"`
	People   []Member `json:"people"`
}

// Rule is what one channel asks. A number of 0 asks nothing of that reason; Quorum is at least 1.
type Rule struct {
	Channel       string   `json:"channel"`
	Quorum        int      `json:"quorum"`        // distinct auditors who signed (reason 1)
	Jurisdictions int      `json:"jurisdictions"` // distinct countries among them (reason 2)
	Organisations int      `json:"organisations"` // distinct organisations among them (reason 2)
	Rebuilds      int      `json:"rebuilds"`      // distinct auditors who rebuilt these bytes (reason 4)
	Reviews       int      `json:"reviews"`       // distinct auditors who read each change (reason 5)
	Criteria      []string `json:"criteria"`      // what a review must state to count (reason 5); sorted
	Logged        bool     `json:"logged"`        // the anchor's log.policy must be met (reason 6)
	Withdrawals   int      `json:"withdrawals"`   // so many auditors' withdrawals stop a release (reason 7)
}

// Person is who somebody is. Jurisdiction is an ISO 3166 two-letter code.
type Person struct {
	Name         string `json:"name"`
	Organisation string `json:"organisation"`
	Jurisdiction string `json:"jurisdiction"`
}

func (p Person) String() string {
	if p.Organisation == "" && p.Jurisdiction == "" {
		return p.Name // a witness who is not among the policy's people
	}
	return fmt.Sprintf("%s (%s, %s)", p.Name, p.Organisation, p.Jurisdiction)
}

// Member is a person with the public keys their word is checked by. One key, one purpose.
type Member struct {
	Person
	Auditor   []byte `json:"auditor"`   // PKIX DER of the key that signs TUF roles, or empty
	Statement []byte `json:"statement"` // PKIX DER of the key that signs statements, or empty
	// Witness are note verifier keys ("name+hash+key") of the log's cosignatures: at most one Ed25519 and
	// one ML-DSA-44 key. They tell who a cosignature is by; whose are asked for is in log.policy.
	Witness []string `json:"witness"`
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

// byWitness returns the person who holds a witness key; somebody of that name where the policy has none.
func (p Policy) byWitness(key proof.Key) Person {
	for _, m := range p.People {
		for _, vkey := range m.Witness {
			if k, err := proof.ParseKey(vkey); err == nil && k.Same(key) {
				return m.Person
			}
		}
	}
	return Person{Name: key.Name}
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
	PKIX   []byte // DER, by which the log names it
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
		keys = append(keys, StatementKey{pub, m.Person, m.Statement})
	}
	return keys
}

// Stricter joins a rule with the floor built into the program: of each number the larger one counts, of
// withdrawals the smaller one that is not 0, of the criteria all. So a repository may ask for more at any
// time; asking for less takes a release that met the old rule.
func Stricter(a, floor Rule) Rule {
	a.Quorum = max(a.Quorum, floor.Quorum)
	a.Jurisdictions = max(a.Jurisdictions, floor.Jurisdictions)
	a.Organisations = max(a.Organisations, floor.Organisations)
	a.Rebuilds = max(a.Rebuilds, floor.Rebuilds)
	a.Reviews = max(a.Reviews, floor.Reviews)
	a.Criteria = unique(slices.Concat(a.Criteria, floor.Criteria))
	a.Logged = a.Logged || floor.Logged
	if a.Withdrawals == 0 || floor.Withdrawals != 0 && floor.Withdrawals < a.Withdrawals {
		a.Withdrawals = floor.Withdrawals
	}
	return a
}

// Encode prints the policy in its one canonical form.
func (p Policy) Encode() ([]byte, error) {
	p.Format = policyFormat
	p.Channels, p.People = slices.Clone(p.Channels), slices.Clone(p.People)
	for i := range p.Channels {
		if p.Channels[i].Criteria == nil {
			p.Channels[i].Criteria = []string{}
		}
	}
	for i := range p.People {
		if p.People[i].Witness == nil {
			p.People[i].Witness = []string{}
		}
	}
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
