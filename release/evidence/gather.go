package evidence

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io/fs"
	"slices"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/genuine"
)

// Wanted is a release whose evidence file is wanted.
type Wanted struct {
	Channel, Version string
	Release          [32]byte       // sha256 of release.json
	Policy           genuine.Policy // the signed one
	Anchor           anchor.Anchor  // its floor and its log.policy, if it has them
}

// Gather returns the union of the statements about a release that are in hand already and of those that
// the mirrors hold, sorted and each once, without what nobody in the policy signed; and of the proofs the
// one that shows most. Those in hand are kept as they are: the policy may have changed since they were
// gathered. When no mirror has any, the result is what was in hand.
func Gather(ctx context.Context, w Wanted, have genuine.File, c Courier) (genuine.File, error) {
	g := gathering{Wanted: w, all: slices.Clone(have.Statements), seen: map[string]bool{}, rebuilt: map[string]bool{}, reviewed: map[string]bool{}}
	for _, k := range w.Policy.StatementKeys() {
		g.keys = append(g.keys, k.Public)
	}
	g.rule, _ = w.Policy.Rule(w.Channel)
	if floor, err := genuine.ParsePolicy(w.Anchor.Policy); err == nil {
		least, _ := floor.Rule(w.Channel)
		g.rule = genuine.Stricter(g.rule, least)
	}
	for _, s := range have.Statements {
		g.take(s)
	}
	g.consider(have.Proof)
	err := c.FetchEach(ctx, Path(w.Release), genuine.MaxFile, func(b []byte) (bool, error) {
		f, err := genuine.ParseFile(b)
		if err != nil {
			return false, err
		}
		for _, s := range f.Statements {
			if g.take(s) {
				g.all = append(g.all, s)
			}
		}
		g.consider(f.Proof)
		return g.enough(), nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return genuine.File{}, err
	}
	slices.SortFunc(g.all, bytes.Compare)
	return genuine.File{Statements: g.all[:min(len(g.all), genuine.MaxStatements)], Proof: g.best()}, nil
}

// gathering is what was brought so far.
type gathering struct {
	Wanted
	rule              genuine.Rule
	keys              []crypto.PublicKey
	all               [][]byte
	seen              map[string]bool // by identity
	entries           [][]byte        // of the log, of the statements seen
	rebuilt, reviewed map[string]bool // authors
	partial           bool            // some review left something unread, so more of them may be needed
	proofs            []proof.Proof   // that may be believed
	poor              []byte          // the first that may not: the judge says what is wrong with it
}

// take notes a statement and reports whether it is a new one that may count.
func (g *gathering) take(raw []byte) bool {
	s, ok := identify(raw, g.Release, g.keys)
	if !ok || g.seen[s.id()] {
		return false
	}
	g.seen[s.id()] = true
	g.entries = append(g.entries, proof.StatementLeaf(sha256.Sum256([]byte(s.author)), s.payload))
	switch v := s.what.(type) {
	case *statement.Rebuild:
		g.rebuilt[s.author] = true
	case *statement.Review:
		g.reviewed[s.author] = true
		g.partial = g.partial || len(v.Unread) > 0
	}
	return true
}

// consider keeps a proof that shows the release to be in the log. Without a log.policy to go by any sound
// one will do: whoever has one judges it.
func (g *gathering) consider(b []byte) {
	p, err := proof.Parse(b)
	if err != nil {
		return
	}
	if g.sound(p) {
		g.proofs = append(g.proofs, p)
	} else if g.poor == nil {
		g.poor = b
	}
}

func (g *gathering) sound(p proof.Proof) bool {
	if _, ok := p.Find(g.entry()); !ok {
		return false
	}
	pol, err := proof.ParsePolicy(g.Anchor.LogPolicy)
	if err != nil {
		return true
	}
	_, _, err = p.Verify(pol, nil)
	return err == nil
}

func (g *gathering) entry() []byte { return proof.ReleaseLeaf(g.Channel, g.Version, g.Release) }

// enough reports whether no more mirrors need to be asked.
func (g *gathering) enough() bool {
	if len(g.rebuilt) < g.rule.Rebuilds || len(g.reviewed) < g.rule.Reviews || g.rule.Reviews > 0 && g.partial {
		return false
	}
	return !g.rule.Logged || slices.ContainsFunc(g.proofs, func(p proof.Proof) bool { return g.shows(p) == len(g.entries) })
}

// best returns the proof that shows most of the statements, the first of equals.
func (g *gathering) best() []byte {
	best, most := g.poor, -1
	for _, p := range g.proofs {
		if n := g.shows(p); n > most {
			if b, err := p.Encode(); err == nil {
				best, most = b, n
			}
		}
	}
	return best
}

func (g *gathering) shows(p proof.Proof) int {
	n := 0
	for _, e := range g.entries {
		if _, ok := p.Find(e); ok {
			n++
		}
	}
	return n
}

// identified is a statement that opened.
type identified struct {
	author  string // PKIX DER of the key
	payload [32]byte
	what    any
}

func (s identified) id() string { return s.author + string(s.payload[:]) }

// identify opens a statement when it is about this release. Its identity is made of the payload and the
// key, not of the bundle: ECDSA signatures and JSON have many spellings, and a mirror that sent one
// statement in ten thousand of them, or all that was ever said about other releases, would otherwise push
// out the others.
func identify(raw []byte, release [32]byte, keys []crypto.PublicKey) (identified, bool) {
	payload, by, err := bundle.Open(raw, keys)
	if err != nil {
		return identified{}, false
	}
	parsed, err := statement.Parse(payload)
	if err != nil {
		return identified{}, false
	}
	ok := false
	switch s := parsed.(type) {
	case *statement.Rebuild:
		ok = s.Release == release
	case *statement.Inconclusive:
		ok = s.Release == release
	case *statement.Review:
		ok = s.Release == release
	case *statement.Withdrawal:
		ok = release == [32]byte{} || s.Release == release
	}
	der, err := x509.MarshalPKIXPublicKey(by)
	if err != nil || !ok {
		return identified{}, false
	}
	return identified{string(der), sha256.Sum256(payload), parsed}, true
}
