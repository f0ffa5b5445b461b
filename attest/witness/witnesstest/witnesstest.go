// Package witnesstest runs a log's key and its witnesses inside a test: real keys out of attest/signer, real
// witnesses of attest/witness behind HTTP on the loopback.
package witnesstest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/attest/witness"
)

// Time is when witnesses cosign.
var Time = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// Key makes a key and its verifier key.
func Key(t testing.TB, name, purpose string) (proof.Key, signer.Signer) {
	t.Helper()
	keys, err := signer.Generate([]string{purpose}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := keys[0].Signer()
	if err != nil {
		t.Fatal(err)
	}
	k, err := signer.NoteKey(name, purpose, s.Public())
	if err != nil {
		t.Fatal(err)
	}
	return k, s
}

// Person is a witness that runs.
type Person struct {
	Name    string
	Keys    []witness.Cosigner // Ed25519, then ML-DSA-44
	Witness *witness.Witness
	Server  *httptest.Server
}

// World is a log and its witnesses.
type World struct {
	Log    proof.Key
	Signer signer.Signer // the log's; nil when it is the caller's
	People []*Person
}

// New starts witnesses of these names, each with both kinds of keys, for a log of that origin.
func New(t testing.TB, origin string, names ...string) *World {
	t.Helper()
	key, s := Key(t, origin, "log")
	w := NewFor(t, key, names...)
	w.Signer = s
	return w
}

// NewFor starts witnesses for a log whose key is the caller's.
func NewFor(t testing.TB, log proof.Key, names ...string) *World {
	t.Helper()
	w := &World{Log: log}
	for _, name := range names {
		p := &Person{Name: name}
		for _, purpose := range []string{"witness", "witness-mldsa"} {
			k, s := Key(t, name+".example/w", purpose)
			p.Keys = append(p.Keys, witness.Cosigner{Key: k, Signer: s})
		}
		p.open(t, log)
		p.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { p.Witness.Handler(nil).ServeHTTP(rw, r) }))
		t.Cleanup(func() {
			p.Server.Close()
			p.Witness.Close()
		})
		w.People = append(w.People, p)
	}
	return w
}

func (p *Person) open(t testing.TB, log proof.Key) {
	t.Helper()
	var err error
	p.Witness, err = witness.Open(filepath.Join(t.TempDir(), p.Name), []witness.Log{{Key: log, Keys: p.Keys}}, func() time.Time { return Time })
	if err != nil {
		t.Fatal(err)
	}
}

// Forget lets every witness begin again with its old keys, as if it had seen nothing.
func (w *World) Forget(t testing.TB) {
	t.Helper()
	for _, p := range w.People {
		if err := p.Witness.Close(); err != nil {
			t.Fatal(err)
		}
		p.open(t, w.Log)
	}
}

// PolicyText prints the policy of which so many people are a quorum; a person's two keys count once.
func (w *World) PolicyText(quorum int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "log %s\n", w.Log)
	var names []string
	for _, p := range w.People {
		for i, k := range p.Keys {
			fmt.Fprintf(&b, "witness %s-%d %s %s\n", p.Name, i+1, k.Key, p.Server.URL)
		}
		fmt.Fprintf(&b, "group %s any %s-1 %s-2\n", p.Name, p.Name, p.Name)
		names = append(names, p.Name)
	}
	fmt.Fprintf(&b, "group all-people %d %s\nquorum all-people\n", quorum, strings.Join(names, " "))
	return []byte(b.String())
}

// Policy is PolicyText, read.
func (w *World) Policy(t testing.TB, quorum int) proof.Policy {
	t.Helper()
	p, err := proof.ParsePolicy(w.PolicyText(quorum))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Gatherer asks these witnesses, and waits for each: all of them answer, however busy the machine is.
func (w *World) Gatherer(t testing.TB, quorum int) *witness.Gatherer {
	const patience = 2 * time.Minute // only ends a test that hangs
	return &witness.Gatherer{Policy: w.Policy(t, quorum), Client: w.People[0].Server.Client(), Deadline: patience, Grace: patience}
}
