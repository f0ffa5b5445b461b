package audit

import (
	"crypto/sha256"
	"strings"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/event"
)

// maxReason is how much of a build's complaint goes into an inconclusive statement, in bytes. Compilers
// can print megabytes; the start names the cause.
const maxReason = 2000

// maxMachine is the longest description of a building machine a statement takes, in bytes.
const maxMachine = 200

// maxInconclusive is how many inconclusive statements one person leaves on one event. A room takes a few
// statements of one key and no more, and there must be room for the one that matters.
const maxInconclusive = 3

// told reports whether the person has said as much about an attempt that failed already.
func (w *rebuilding) told(reason string) bool {
	n := 0
	for _, s := range w.p.Statements {
		if s.Inconclusive == nil || s.By != w.who {
			continue
		}
		if n++; s.Inconclusive.Reason == reason {
			return true
		}
	}
	return n >= maxInconclusive
}

// state makes the person's statement about a rebuild and signs it; nil when there is no key.
//
// A finished build is stated as what came out, and whoever reads it compares: there is no field that says
// yes. Only where the release and the build disagree in something a statement has no place for (the
// version in the tree) would those bytes read as agreement; then it is stated as inconclusive instead,
// with the disagreement as its reason.
func (w *rebuilding) state(r *Record, got Product) ([]byte, error) {
	if w.key == nil {
		return nil, nil
	}
	if r.Result == event.Inconclusive && w.told(r.Reason) {
		return nil, nil
	}
	payload, err := w.payload(r, got)
	if err != nil {
		return nil, err
	}
	b, err := bundle.Sign(payload, w.key)
	if err != nil {
		return nil, err
	}
	r.Person, r.Key, r.Statement = w.who.String(), keySum(w.key.Public()), hexSum(sha256.Sum256(payload))
	return b, nil
}

func (w *rebuilding) payload(r *Record, got Product) ([]byte, error) {
	if r.Result == event.Inconclusive {
		return w.inconclusive(r, r.Reason)
	}
	s := statement.Rebuild{
		Event: r.Event, Release: [32]byte(r.Release),
		SourceCommit: got.Source.Commit, SourceTree: got.Source.Tree, SourceH1: got.Source.H1,
		Recipe: got.Recipe, Go: got.Go, ToolchainH1: got.ToolchainH1, ModulesSum: got.Modules,
		Env: got.Env, Builder: oneLine(w.a.Machine, maxMachine), Started: r.Started, Finished: r.Finished,
	}
	for _, b := range got.Artifacts {
		s.Artifacts = append(s.Artifacts, statement.Artifact{Path: b.Path, SHA256: b.SHA256, Length: b.Length})
	}
	if r.Result == event.Differs && len(w.p.Differences(&s)) == 0 {
		var what []string
		for _, d := range r.Differences {
			what = append(what, d.String())
		}
		return w.inconclusive(r, oneLine(strings.Join(what, "; "), maxReason))
	}
	return s.Encode()
}

func (w *rebuilding) inconclusive(r *Record, reason string) ([]byte, error) {
	return statement.Inconclusive{
		Event: r.Event, Release: [32]byte(r.Release), SourceCommit: w.p.Manifest.Source.Commit, Reason: reason,
		Builder: oneLine(w.a.Machine, maxMachine), Started: r.Started, Finished: r.Finished,
	}.Encode()
}
