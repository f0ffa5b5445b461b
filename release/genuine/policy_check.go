package genuine

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/countersign-project/countersign/attest/proof"
)

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
		if len(m.Auditor)+len(m.Statement)+len(m.Witness) == 0 {
			return fmt.Errorf("person %q has no key", m.Name)
		}
		held, err := m.keys()
		if err != nil {
			return fmt.Errorf("person %q: %w", m.Name, err)
		}
		for _, k := range held {
			if other, ok := keys[k]; ok {
				return fmt.Errorf("person %q has a key that is already there for %q: one key, one purpose, one person", m.Name, other)
			}
			keys[k] = m.Name
		}
	}
	return p.checkRules()
}

// keys returns a person's keys as bytes that are equal when the keys are, whatever they are used for.
func (m Member) keys() ([]string, error) {
	var list []string
	for _, der := range [][]byte{m.Auditor, m.Statement} {
		if len(der) == 0 {
			continue
		}
		raw, err := checkKey(der)
		if err != nil {
			return nil, err
		}
		list = append(list, raw)
	}
	if m.Witness == nil {
		return nil, errors.New("witness is null, want a list")
	}
	kinds := map[proof.Algorithm]bool{}
	for _, vkey := range m.Witness {
		k, err := proof.ParseKey(vkey)
		if err != nil {
			return nil, fmt.Errorf("witness %w", err)
		}
		if k.Algorithm != proof.Ed25519Cosi && k.Algorithm != proof.MLDSA44 {
			return nil, fmt.Errorf("witness key %s is of kind %v, want a cosignature key", k.Name, k.Algorithm)
		}
		if kinds[k.Algorithm] {
			return nil, errors.New("two witness keys of one kind, want at most one Ed25519 and one ML-DSA-44 key")
		}
		kinds[k.Algorithm] = true
		list = append(list, k.Public)
	}
	return list, nil
}

func (p Policy) checkRules() error {
	if len(p.Channels) == 0 {
		return errors.New("no channels")
	}
	auditors, speakers := 0, 0
	for _, m := range p.People {
		auditors += min(1, len(m.Auditor))
		speakers += min(1, len(m.Statement))
	}
	for i, r := range p.Channels {
		if !plainName.MatchString(r.Channel) {
			return fmt.Errorf("channel %q is not a plain name", r.Channel)
		}
		if i > 0 && p.Channels[i-1].Channel >= r.Channel {
			return fmt.Errorf("channel %q is out of order or there twice", r.Channel)
		}
		if err := r.check(auditors, speakers); err != nil {
			return fmt.Errorf("channel %q: %w", r.Channel, err)
		}
	}
	return nil
}

// check compares a rule's numbers with how many people there are to meet them.
func (r Rule) check(auditors, speakers int) error {
	if r.Quorum < 1 || r.Quorum > auditors {
		return fmt.Errorf("quorum %d, want 1 to %d, the number of auditors", r.Quorum, auditors)
	}
	if r.Jurisdictions < 0 || r.Jurisdictions > r.Quorum || r.Organisations < 0 || r.Organisations > r.Quorum {
		return fmt.Errorf("%d jurisdictions and %d organisations, want 0 to %d, the quorum", r.Jurisdictions, r.Organisations, r.Quorum)
	}
	for _, n := range []struct {
		what  string
		value int
	}{{"rebuilds", r.Rebuilds}, {"reviews", r.Reviews}, {"withdrawals", r.Withdrawals}} {
		if n.value < 0 || n.value > speakers {
			return fmt.Errorf("%d %s, want 0 to %d, the number of people with a statement key", n.value, n.what, speakers)
		}
	}
	if r.Criteria == nil {
		return errors.New("criteria is null, want a list")
	}
	for i, c := range r.Criteria {
		if !plainName.MatchString(c) {
			return fmt.Errorf("criterion %q is not a plain name", c)
		}
		if i > 0 && r.Criteria[i-1] >= c {
			return fmt.Errorf("criterion %q is out of order or there twice", c)
		}
	}
	if len(r.Criteria) > 0 && r.Reviews == 0 {
		return errors.New("criteria without reviews: nobody would be asked to meet them")
	}
	return nil
}

// checkKey takes the PKIX DER of an Ed25519 or P-256 key, and only its one canonical encoding, so that
// one key cannot appear under two spellings. It returns the bytes by which keys are told apart: of an
// Ed25519 key the 32 bytes a witness key would have too.
func checkKey(der []byte) (string, error) {
	pub, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return "", fmt.Errorf("unreadable key: %v", err)
	}
	raw := string(der)
	switch k := pub.(type) {
	case ed25519.PublicKey:
		raw = string(k)
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return "", errors.New("an ECDSA key that is not P-256")
		}
	default:
		return "", fmt.Errorf("a key of type %T, want Ed25519 or P-256", pub)
	}
	again, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil || !bytes.Equal(again, der) {
		return "", errors.New("a key that is not in canonical encoding")
	}
	return raw, nil
}
