package record

import (
	"crypto/sha256"
	"encoding/base64"
)

// auditors counts what each person of the policy did in the releases shown.
func (r *Record) auditors() {
	for _, m := range r.Policy.People {
		a := Auditor{Person: m.Person, Signs: len(m.Auditor) > 0, Keys: []Key{}}
		for _, k := range []struct {
			purpose string
			der     []byte
		}{{"auditor", m.Auditor}, {"statement", m.Statement}} {
			if len(k.der) > 0 {
				a.Keys = append(a.Keys, Key{k.purpose, fingerprint(k.der)})
			}
		}
		for _, k := range m.Witness {
			a.Keys = append(a.Keys, Key{"witness", k})
		}
		for _, ch := range r.Channels {
			for _, rel := range ch.Releases {
				a.count(rel)
			}
		}
		r.People = append(r.People, a)
	}
}

// count adds what this person said about a release, each kind of word at most once.
func (a *Auditor) count(r Release) {
	same, differed, reviewed, withdrew := 0, 0, 0, 0
	for _, b := range r.Rebuilds {
		if b.Person == a.Person && b.Same() {
			same = 1
		}
		if b.Person == a.Person && !b.Same() {
			differed = 1
		}
	}
	for _, v := range r.Reviews {
		if v.Person == a.Person {
			reviewed = 1
		}
	}
	for _, w := range r.Withdrawals {
		if w.Person == a.Person && w.Latest && w.State == "withdrawn" {
			withdrew = 1
		}
	}
	a.Rebuilds, a.Differed, a.Reviews, a.Withdrew = a.Rebuilds+same, a.Differed+differed, a.Reviews+reviewed, a.Withdrew+withdrew
}

// fingerprint is the sha256 of a key's PKIX DER, in base64, as a sigstore bundle's hint has it.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return "SHA256:" + base64.StdEncoding.EncodeToString(sum[:])
}
