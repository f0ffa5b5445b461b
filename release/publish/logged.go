package publish

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/trust"
)

// Log is the public log as publishing uses it; attest/log has the real one.
type Log interface {
	// Append puts entries into the log, once each and for ever.
	Append(ctx context.Context, entries [][]byte) error
	// Prove shows entries under a head that is public and that enough witnesses cosigned.
	Prove(ctx context.Context, entries [][]byte) (proof.Proof, error)
	// Publish makes the newest head public, cosigned by enough witnesses.
	Publish(ctx context.Context) (proof.Head, error)
}

// Unwitnessed says that something is in the log and too few witnesses have said so: nothing was shown to be
// wrong, and nothing is published before they answer. The next step asks them again.
type Unwitnessed struct{ Err error }

func (e *Unwitnessed) Error() string { return "waiting for the log's witnesses: " + e.Err.Error() }
func (e *Unwitnessed) Unwrap() error { return e.Err }

// delayed makes an Unwitnessed of an error of the log, unless it is a refusal: a log that would fork.
func delayed(err error) error {
	if err == nil || isRefusal(err) {
		return err
	}
	var no *NoKey
	if errors.As(err, &no) {
		return err
	}
	return &Unwitnessed{err}
}

// logOf opens the log of a distribution file: nil where it has none. A publisher that keeps no log cannot
// publish for a distribution that has one.
func (r *Repository) logOf(ctx context.Context, distribution []byte) (Log, []byte, error) {
	d, err := event.ParseDistribution(distribution)
	if err != nil {
		return nil, nil, err
	}
	text, err := d.LogPolicy()
	if err != nil || text == nil {
		return nil, nil, err
	}
	if r.log != nil && bytes.Equal(r.logPolicy, text) {
		return r.log, text, nil
	}
	policy, err := proof.ParsePolicy(text)
	if err != nil {
		return nil, nil, err
	}
	if r.OpenLog == nil {
		return nil, nil, &NoKey{"log", policy.Origin()}
	}
	if r.log, err = r.OpenLog(ctx, policy); err != nil {
		return nil, nil, err
	}
	r.logPolicy = text
	return r.log, text, nil
}

// logInForce opens the log of what is served.
func (r *Repository) logInForce(ctx context.Context, events event.Store, s State) (Log, []byte, error) {
	file, err := DistributionOf(ctx, events, s.Published)
	if errors.Is(err, event.ErrNoEvent) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil // founded by other means, or the event is gone
	}
	if err != nil {
		return nil, nil, err
	}
	return r.logOf(ctx, file)
}

// proveRelease puts a release and what people state about it into the log, and returns the proof for the
// evidence file, or nil where the distribution has no log. A proof in hand that shows all of it is kept.
func (r *Repository) proveRelease(ctx context.Context, events event.Store, p *event.Proposal, s State, had []byte) ([]byte, error) {
	l, text, err := r.logInForce(ctx, events, s)
	if err != nil || l == nil {
		return nil, err
	}
	entries, err := releaseEntries(p)
	if err != nil || shows(had, text, entries) {
		return had, err
	}
	if err := l.Append(ctx, entries); err != nil {
		return nil, delayed(err)
	}
	made, err := l.Prove(ctx, entries)
	if err != nil {
		return nil, delayed(err)
	}
	return made.Encode()
}

// releaseEntries are the entries that the judge asks for: the release and the statements about it.
func releaseEntries(p *event.Proposal) ([][]byte, error) {
	policy, err := p.Base.ParsedPolicy()
	if err != nil {
		return nil, err
	}
	entries := [][]byte{proof.ReleaseLeaf(p.Manifest.Channel, p.Manifest.Version, p.ReleaseSHA256())}
	for _, st := range p.Statements {
		entry, err := statementEntry(policy, st)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

func statementEntry(policy genuine.Policy, st event.Statement) ([]byte, error) {
	for _, k := range policy.StatementKeys() {
		if k.Person != st.By {
			continue
		}
		payload, _, err := bundle.Open(st.Bundle, []crypto.PublicKey{k.Public})
		return proof.StatementLeaf(sha256.Sum256(k.PKIX), sha256.Sum256(payload)), err
	}
	return nil, fmt.Errorf("internal error: a checked statement by %s, who has no statement key", st.By)
}

// shows reports whether a proof is good by a log policy and shows all these entries.
func shows(had, policy []byte, entries [][]byte) bool {
	p, err := proof.Parse(had)
	if err != nil {
		return false
	}
	pol, err := proof.ParsePolicy(policy)
	if err != nil {
		return false
	}
	_, in, err := p.Verify(pol, entries)
	for _, there := range in {
		if !there {
			return false
		}
	}
	return err == nil
}

// logServed puts every role that is served now, and the list of withdrawals, into the log and publishes its
// head. It comes after the writing, since nobody's verdict waits for it: monitors compare what is served
// with what is logged. An error leaves entries without a public head until the next time.
func (r *Repository) logServed(ctx context.Context, events event.Store, s State) error {
	l, _, err := r.logInForce(ctx, events, s)
	if err != nil || l == nil {
		return err
	}
	if err := l.Append(ctx, servedEntries(s)); err != nil {
		return delayed(err)
	}
	_, err = l.Publish(ctx)
	return delayed(err)
}

func servedEntries(s State) [][]byte {
	b := s.Base
	files := map[string][]byte{trust.Root: b.Roots[len(b.Roots)-1], trust.Targets: b.Targets, trust.Snapshot: b.Snapshot, trust.Timestamp: b.Timestamp}
	for name, raw := range b.Channels {
		files[name] = raw
	}
	var entries [][]byte
	for _, role := range s.Set.Roles() { // in one order
		entries = append(entries, proof.MetadataLeaf(role.Name, role.Version, sha256.Sum256(files[role.Name])))
	}
	if f, ok := s.Set.Withdrawn(); ok {
		entries = append(entries, proof.MetadataLeaf(trust.Withdrawn, f.Version, f.SHA256))
	}
	return entries
}

// publishedProof reads the proof that lies in a release's evidence file; nil when there is none.
func (r *Repository) publishedProof(p *event.Proposal) ([]byte, error) {
	b, err := r.read(evidence.Path(p.ReleaseSHA256()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f, err := genuine.ParseFile(b)
	return f.Proof, err
}
