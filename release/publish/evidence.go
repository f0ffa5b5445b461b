package publish

import (
	"errors"
	"io/fs"

	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
)

// writeEvidence joins the event's statements with those published before and puts the proof beside them, if
// that says anything new.
func (r *Repository) writeEvidence(p *event.Proposal, proof []byte) error {
	if p.Event.Kind != event.KindRelease {
		return nil
	}
	name := evidence.Path(p.ReleaseSHA256())
	var f genuine.File
	old, err := r.read(name)
	if err == nil {
		f, err = genuine.ParseFile(old)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	list := r.stillGood(p, f.Statements)
	for _, st := range p.Statements {
		if st.Withdrawal == nil { // these have a file of their own
			list = append(list, st.Bundle)
		}
	}
	b, err := genuine.File{Statements: onePer(p, list), Proof: proof}.Encode()
	if err != nil || string(b) == string(old) {
		return err
	}
	return r.disk().WriteFile(r.path(name), b)
}

// stillGood leaves out what lies in the file and does not hold: somebody wrote into the repository.
func (r *Repository) stillGood(p *event.Proposal, list [][]byte) [][]byte {
	var out [][]byte
	for _, b := range list {
		if _, err := p.CheckStatement(b); err == nil {
			out = append(out, b)
		}
	}
	return out
}

// onePer keeps the first bundle of each statement: an ECDSA signature made again is other bytes and says
// nothing new.
func onePer(p *event.Proposal, list [][]byte) [][]byte {
	seen := map[string]bool{}
	var out [][]byte
	for _, b := range list {
		s, err := p.CheckStatement(b)
		if err != nil || seen[s.Name()] {
			continue
		}
		seen[s.Name()] = true
		out = append(out, b)
	}
	return out
}
