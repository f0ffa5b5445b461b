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

// Unlogged says that something is not in the log yet, or not under a head that enough witnesses cosigned:
// nothing was shown to be wrong, and what needs it is not published before. The next step tries again.
type Unlogged struct{ Err error }

func (e *Unlogged) Error() string { return "not in the log yet: " + e.Err.Error() }
func (e *Unlogged) Unwrap() error { return e.Err }

// unlogged makes an Unlogged of an error of the log, unless it is a refusal: a log that would fork.
func unlogged(err error) error {
	if err == nil || isRefusal(err) {
		return err
	}
	return &Unlogged{err}
}

// LogPolicyOf returns the log policy of the distribution that is served, or nil where it has no log or its
// event is no longer there.
func LogPolicyOf(ctx context.Context, events event.Store, published event.Published) ([]byte, error) {
	file, err := DistributionOf(ctx, events, published)
	if errors.Is(err, event.ErrNoEvent) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d, err := event.ParseDistribution(file)
	if err != nil {
		return nil, err
	}
	return d.LogPolicy()
}

// logOf opens the log of a policy. A publisher that keeps no log cannot publish what has to be in one.
func (r *Repository) logOf(ctx context.Context, text []byte) (Log, error) {
	if r.log != nil && bytes.Equal(r.logPolicy, text) {
		return r.log, nil
	}
	policy, err := proof.ParsePolicy(text)
	if err != nil {
		return nil, err
	}
	if r.OpenLog == nil {
		return nil, unlogged(&NoKey{"log", policy.Origin()})
	}
	opened, err := r.OpenLog(ctx, policy)
	if err != nil {
		return nil, unlogged(err)
	}
	r.log, r.logPolicy = opened, text
	return opened, nil
}

// proveRelease puts a release and what people state about it into the log of a policy, and returns the proof
// for the evidence file, or nil where the distribution has no log. A proof in hand that shows all of it is kept.
func (r *Repository) proveRelease(ctx context.Context, p *event.Proposal, policy, had []byte) ([]byte, error) {
	if policy == nil {
		return nil, nil
	}
	entries, err := ReleaseEntries(p)
	if err != nil || shows(had, policy, entries) {
		return had, err
	}
	l, err := r.logOf(ctx, policy)
	if err != nil {
		return nil, err
	}
	if err := l.Append(ctx, entries); err != nil {
		return nil, unlogged(err)
	}
	made, err := l.Prove(ctx, entries)
	if err != nil {
		return nil, unlogged(err)
	}
	return made.Encode()
}

// ReleaseEntries are the entries of the log that the judge asks for: the release and the statements about it.
func ReleaseEntries(p *event.Proposal) ([][]byte, error) {
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
// with what is logged. An error leaves entries without a public head until the next time. Without OpenLog
// it does nothing: whoever only looks at a room writes into no log.
func (r *Repository) logServed(ctx context.Context, events event.Store, s State) error {
	if r.OpenLog == nil {
		return nil
	}
	policy, err := LogPolicyOf(ctx, events, s.Published)
	if err != nil || policy == nil {
		return err
	}
	l, err := r.logOf(ctx, policy)
	if err != nil {
		return err
	}
	if err := l.Append(ctx, servedEntries(s)); err != nil {
		return unlogged(err)
	}
	_, err = l.Publish(ctx)
	return unlogged(err)
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
