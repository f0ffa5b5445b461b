package event

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"

	"github.com/countersign-project/countersign/release/genuine"
)

// Proposal is an event in hand, checked as far as small files go: its id, every small file against
// event.json, its metadata derived again and equal byte for byte, its base consistent in itself, and only
// valid answers kept. The large files are checked by Fetch and CheckFiles.
//
// What it does not say: whether the base is that of a distribution the caller trusts (Base.Verify with
// the caller's own root), nor whether the release is good.
type Proposal struct {
	ID           ID
	Event        Event
	Raw          []byte           // event.json
	Release      []byte           // release.json, of a release
	Manifest     genuine.Manifest // parsed from Release
	Distribution []byte           // distribution.toml, of the other kinds
	Base         Base
	Metadata     map[string][]byte // role to proposed metadata, unsigned, derived here
	Signatures   []Signature       // valid ones, by role and key id
	Statements   []Statement       // valid ones, by name
	Bad          []error           // answers that were found and do not hold; they count for nothing
	authorities  map[string][]Authority
	payloads     map[string][]byte // role to the bytes that are signed
}

// Load reads an event from a store and checks it. An error that is not a refusal (HalfWritten, network,
// disk) means that nothing was shown to be wrong.
func Load(ctx context.Context, s Store, id ID) (*Proposal, error) {
	p, err := loadProposal(ctx, s, id)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", id.Short(), err)
	}
	return p, nil
}

func loadProposal(ctx context.Context, s Store, id ID) (*Proposal, error) {
	raw, err := s.Read(ctx, id, fileEvent, MaxEvent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &HalfWritten{id.String(), "has no event.json"}
	}
	if err != nil {
		return nil, err
	}
	small := map[string][]byte{}
	e, err := openEvent(raw, id)
	if err != nil {
		return nil, err
	}
	for _, name := range sortedNames(e.Files) {
		if isBig(name) {
			continue
		}
		b, err := s.Read(ctx, id, name, limit(name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &HalfWritten{id.String(), name + " is missing"}
		}
		if err != nil {
			return nil, err
		}
		if err := e.Files[name].check(name, b); err != nil {
			return nil, err
		}
		small[name] = b
	}
	p, err := assemble(id, raw, e, small)
	if err != nil {
		return nil, err
	}
	for role, derived := range p.Metadata {
		name := dirMetadata + role + ".json"
		got, err := s.Read(ctx, id, name, limit(name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &HalfWritten{id.String(), name + " is missing"}
		}
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(got, derived) {
			return nil, refusef("%s is not what event.json and its files derive to: it was changed after the event was opened", name)
		}
	}
	return p, p.loadAnswers(ctx, s)
}

// openEvent checks an event.json against the id it goes by.
func openEvent(raw []byte, id ID) (Event, error) {
	if got := IDOf(raw); got != id {
		return Event{}, refusef("its event.json has the id %s: it was changed after the event was opened, or put under a wrong name", got)
	}
	return Parse(raw)
}

// check compares a file's content with what event.json says.
func (f File) check(name string, b []byte) error {
	if int64(len(b)) != f.Length {
		return refusef("%s has %d bytes, event.json says %d", name, len(b), f.Length)
	}
	if sum := genuine.Digest(sha256.Sum256(b)); sum != f.SHA256 {
		return refusef("%s has sha256 %s, event.json says %s", name, sum, f.SHA256)
	}
	return nil
}

// assemble derives everything from checked small files.
func assemble(id ID, raw []byte, e Event, small map[string][]byte) (*Proposal, error) {
	p := &Proposal{ID: id, Event: e, Raw: raw, Release: small[FileRelease], Distribution: small[FileDistribution]}
	if e.Kind != KindDistribution {
		p.Base = baseFrom(e, small)
		if err := p.checkBase(); err != nil {
			return nil, err
		}
	}
	var err error
	if p.Metadata, err = Derive(id, e, Inputs{p.Release, p.Distribution, p.Base}); err != nil {
		return nil, err
	}
	if e.Kind == KindRelease {
		if p.Manifest, err = genuine.ParseManifest(p.Release); err != nil {
			return nil, err
		}
	}
	if err := p.loadPayloads(); err != nil {
		return nil, err
	}
	return p, p.loadAuthorities()
}

// checkBase makes sure that the base is consistent and has the versions event.json says.
func (p *Proposal) checkBase() error {
	set, err := p.Base.Verify(nil)
	if err != nil {
		return err
	}
	for _, r := range set.Roles() {
		if r.Name == "snapshot" || r.Name == "timestamp" {
			continue
		}
		if want := p.Event.Base[r.Name]; r.Version != want {
			return refusef("base has version %d of %s, event.json says %d", r.Version, r.Name, want)
		}
	}
	for role := range p.Event.Base {
		if _, ok := set.Role(role); !ok {
			return refusef("base has no %s, event.json says version %d", role, p.Event.Base[role])
		}
	}
	return nil
}

// loadAnswers reads signatures and statements; one that does not hold is named in Bad and not counted.
func (p *Proposal) loadAnswers(ctx context.Context, s Store) error {
	names, err := s.Answers(ctx, p.ID)
	if err != nil {
		return err
	}
	if len(names) > maxAnswers {
		return refusef("%d signatures and statements, at most %d allowed", len(names), maxAnswers)
	}
	sort.Strings(names)
	for _, name := range names {
		if limit(name) == 0 {
			p.Bad = append(p.Bad, refusef("%s is not a name of a signature or statement", clip(name)))
			continue
		}
		b, err := s.Read(ctx, p.ID, name, limit(name))
		if err != nil && !isRefusal(err) {
			return err
		}
		if err == nil {
			err = p.add(name, b)
		}
		if err != nil {
			p.Bad = append(p.Bad, refusal{fmt.Errorf("%s: %w", name, err)})
		}
	}
	return nil
}

// add verifies one answer and keeps it. Adding the same one twice changes nothing.
func (p *Proposal) add(name string, b []byte) error {
	if strings.HasPrefix(name, dirSignatures) {
		s, err := ParseSignature(b)
		if err != nil {
			return err
		}
		if err := p.CheckSignature(s); err != nil {
			return err
		}
		if name != s.Name() {
			return refusef("holds the signature that belongs under %s", path.Base(s.Name()))
		}
		for _, have := range p.Signatures {
			if have.Name() == name {
				return nil
			}
		}
		p.Signatures = append(p.Signatures, s)
		return nil
	}
	s, err := p.CheckStatement(b)
	if err != nil {
		return err
	}
	if name != s.Name() {
		return refusef("holds the statement that belongs under %s", path.Base(s.Name()))
	}
	for _, have := range p.Statements {
		if have.Name() == name {
			return nil
		}
	}
	p.Statements = append(p.Statements, s)
	return nil
}

func isRefusal(err error) bool {
	var r interface{ Refused() bool }
	return errors.As(err, &r) && r.Refused()
}

func sortedNames(files map[string]File) []string {
	names := make([]string, 0, len(files))
	for n := range files {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
