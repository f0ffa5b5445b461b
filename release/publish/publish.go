package publish

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/trust"
)

// Result says what Publish did.
type Result struct {
	ID       event.ID         `json:"-"`
	Event    string           `json:"event"`
	Label    string           `json:"label"`
	Already  bool             `json:"already"`  // it was published before; at most evidence was added
	Versions map[string]int64 `json:"versions"` // what is served now, by role
}

// NotReady says that an event may not be published yet, or any more.
type NotReady struct{ Status event.Status }

func (e *NotReady) Error() string {
	return fmt.Sprintf("event %s (%s) cannot be published: %s", e.Status.ID.Short(), e.Status.Label, e.Status.Next())
}

// Refused is true: the answers were counted and do not suffice.
func (e *NotReady) Refused() bool { return true }

// Publish makes an event's roles what the repository serves. It counts every quorum, and asks the judge
// about every program of a release as users will, over the state that would come to be; only then does
// it write. Publishing what is published already completes the evidence and changes nothing else.
func (r *Repository) Publish(ctx context.Context, events event.Store, id event.ID, now time.Time) (Result, error) {
	unlock, err := r.lock()
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	p, err := event.Load(ctx, events, id)
	if err != nil {
		return Result{}, err
	}
	s, err := r.Load()
	if err != nil {
		return Result{}, err
	}
	var pending *Interrupted
	if errors.As(s.Pending, &pending) && pending.Event != id.String() {
		return Result{}, pending
	}
	replacing, err := event.Replacing(ctx, events, id)
	if err != nil {
		return Result{}, err
	}
	status := p.Status(s.Published, replacing)
	if status.Published {
		err := r.writeEvidence(p)
		return Result{id, id.String(), p.Event.Label, true, s.Published.Versions}, err
	}
	if err := mayPublish(status); err != nil {
		return Result{}, err
	}
	if err := sameDistribution(p, s); err != nil {
		return Result{}, err
	}
	if err := clockBack(s, now); err != nil {
		return Result{}, err
	}
	next, err := r.next(ctx, events, p, s, now)
	if err != nil {
		return Result{}, err
	}
	if err := r.write(ctx, events, p, next); err != nil {
		return Result{}, err
	}
	return Result{id, id.String(), p.Event.Label, false, next.Published.Versions}, nil
}

// sameDistribution refuses an event whose base is not our own history.
func sameDistribution(p *event.Proposal, s State) error {
	if s.Empty() != (p.Event.Kind == event.KindDistribution) {
		return refusef("event %s is of kind %s, and %d roots are published", p.ID.Short(), p.Event.Kind, len(s.Base.Roots))
	}
	if s.Empty() {
		return nil
	}
	if _, err := p.Base.Verify(s.Base.Roots[0]); err != nil {
		return fmt.Errorf("event %s builds on another distribution: %w", p.ID.Short(), err)
	}
	return nil
}

// mayPublish looks at the quorums alone; what a policy asks beyond them is for the judge, who gives the
// reason by its name.
func mayPublish(s event.Status) error {
	ok := s.Stale == "" && s.Superseded == ""
	for _, q := range s.Quorums {
		ok = ok && q.Met()
	}
	if !ok {
		return &NotReady{s}
	}
	return nil
}

// next makes the state that publishing p leads to, in memory, and lets the judge look at it.
func (r *Repository) next(ctx context.Context, events event.Store, p *event.Proposal, s State, now time.Time) (State, error) {
	b, err := r.advance(p, s)
	if err != nil {
		return State{}, err
	}
	x, err := expiryFor(ctx, events, p, s)
	if err != nil {
		return State{}, err
	}
	if err := r.online(&b, s.Published.Versions, false, now, x); err != nil {
		return State{}, err
	}
	set, err := b.Verify(nil)
	if err != nil {
		return State{}, fmt.Errorf("event %s: %w", p.ID.Short(), err)
	}
	next := State{Set: set, Base: b, Published: event.PublishedFrom(set)}
	for _, role := range set.Roles() {
		if err := countPeople(role); err != nil {
			return State{}, fmt.Errorf("event %s: %w", p.ID.Short(), err)
		}
	}
	return next, judge(p, s, next, now)
}

// countPeople makes sure that a quorum is one of people: one person with two keys counts once.
func countPeople(role trust.Role) error {
	people := map[string]bool{}
	var distinct []trust.Key
	for _, k := range role.Signers {
		if k.Holder == "" || !people[k.Holder] {
			distinct = append(distinct, k)
		}
		people[k.Holder] = true
	}
	if len(distinct) < role.Quorum {
		return &trust.QuorumError{Role: role.Name, Need: role.Quorum, Signers: distinct, Authorised: role.Authorised}
	}
	return nil
}

// advance puts the event's signed roles in the place of those served.
func (r *Repository) advance(p *event.Proposal, s State) (event.Base, error) {
	b := event.Base{Targets: s.Base.Targets, Policy: s.Base.Policy, Mirrors: s.Base.Mirrors, Channels: map[string][]byte{}}
	b.Roots = append(b.Roots, s.Base.Roots...)
	for name, raw := range s.Base.Channels {
		b.Channels[name] = raw
	}
	for _, role := range p.Event.Roles() {
		if s.Published.Events[role] == p.ID.String() {
			continue // its root stands there already, from an interrupted publication
		}
		if s.Published.Versions[role] != p.Event.Base[role] {
			return b, refusef("event %s builds on version %d of %s, and version %d is published", p.ID.Short(), p.Event.Base[role], role, s.Published.Versions[role])
		}
		signed, err := p.Signed(role)
		if err != nil {
			return b, err
		}
		switch role {
		case "root":
			if s.standing != nil {
				signed = s.standing // programs may have it already, with the signatures it had then
			}
			b.Roots = append(b.Roots, signed)
		case "targets":
			b.Targets = signed
		default:
			b.Channels[role] = signed
		}
	}
	if _, ok := p.Metadata["targets"]; ok {
		d, err := event.ParseDistribution(p.Distribution)
		if err != nil {
			return b, err
		}
		files, err := d.TargetFiles()
		if err != nil {
			return b, err
		}
		b.Policy, b.Mirrors = files["policy.json"], files["mirrors.json"]
	}
	return b, nil
}

func expiryFor(ctx context.Context, events event.Store, p *event.Proposal, s State) (event.Expiry, error) {
	if p.Event.Kind == event.KindRelease {
		return ExpiryOf(ctx, events, s.Published)
	}
	d, err := event.ParseDistribution(p.Distribution)
	return d.Expiry, err
}

// judge asks about every program of a release what every user's program will ask. The policy in force
// before counts as the floor, as it does for users who have seen it.
func judge(p *event.Proposal, s, next State, now time.Time) error {
	if p.Event.Kind != event.KindRelease {
		return nil
	}
	a := anchor.Anchor{Root: next.Base.Roots[0], Policy: s.Base.Policy}
	ev := genuine.Evidence{Metadata: next.Base.Metadata(), Policy: next.Base.Policy, Release: p.Release}
	for _, st := range p.Statements {
		ev.Statements = append(ev.Statements, st.Bundle)
	}
	for _, art := range p.Manifest.Artifacts {
		if art.Kind != genuine.KindProgram {
			continue
		}
		subject := genuine.Subject{Channel: p.Manifest.Channel, Program: art.Program, OS: art.OS, Arch: art.Arch, Length: art.Length, SHA256: art.SHA256}
		if err := genuine.Judge(a, ev, subject, genuine.Seen{}, now).Err(); err != nil {
			return fmt.Errorf("event %s would be refused by its users: %w", p.ID.Short(), err)
		}
	}
	return nil
}

// write puts everything on disk, in the order of the package comment.
func (r *Repository) write(ctx context.Context, events event.Store, p *event.Proposal, next State) error {
	if err := r.writeTargets(ctx, events, p, next); err != nil {
		return err
	}
	if err := r.writeEvidence(p); err != nil {
		return err
	}
	b, v := next.Base, next.Published.Versions
	for _, role := range p.Event.Roles() {
		switch role {
		case "root":
		case "targets":
			if err := r.writeMetadata(role, v[role], b.Targets); err != nil {
				return err
			}
		default:
			if err := r.writeMetadata(role, v[role], b.Channels[role]); err != nil {
				return err
			}
		}
	}
	if err := r.writeMetadata("snapshot", v["snapshot"], b.Snapshot); err != nil {
		return err
	}
	if _, ok := p.Metadata["root"]; ok {
		if err := r.writeMetadata("root", v["root"], b.Roots[len(b.Roots)-1]); err != nil {
			return err
		}
	}
	return r.disk().WriteFile(r.path("metadata/timestamp.json"), b.Timestamp)
}

func (r *Repository) writeMetadata(role string, version int64, b []byte) error {
	return r.disk().WriteFile(r.path(fmt.Sprintf("metadata/%d.%s.json", version, role)), b)
}

// writeTargets copies what the new metadata names out of the event, each file checked as it passes. Nothing
// names them yet.
func (r *Repository) writeTargets(ctx context.Context, events event.Store, p *event.Proposal, next State) error {
	if _, ok := p.Metadata["targets"]; ok {
		for name, content := range map[string][]byte{"mirrors.json": next.Base.Mirrors, "policy.json": next.Base.Policy} {
			if err := r.disk().WriteFile(r.path(TargetPath(name, sha256.Sum256(content))), content); err != nil {
				return err
			}
		}
	}
	if p.Event.Kind != event.KindRelease {
		return nil
	}
	for _, a := range p.Manifest.Artifacts {
		to := r.path(TargetPath(p.Manifest.TargetPath(a), a.SHA256))
		if err := r.copyFile(ctx, events, p, "artifacts/"+a.Path, to); err != nil {
			return err
		}
	}
	name := genuine.ManifestPath(p.Manifest.Channel, p.Manifest.Version)
	return r.disk().WriteFile(r.path(TargetPath(name, sha256.Sum256(p.Release))), p.Release)
}

func (r *Repository) copyFile(ctx context.Context, events event.Store, p *event.Proposal, name, to string) error {
	from, err := events.Open(ctx, p.ID, name, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return &event.HalfWritten{Name: p.ID.String(), Reason: name + " is missing"}
	}
	if err != nil {
		return err
	}
	defer from.Close()
	checked, err := p.Reader(name, from)
	if err != nil {
		return err
	}
	if err := r.disk().Copy(to, checked); err != nil {
		return fmt.Errorf("%s: %w", path.Base(name), err)
	}
	return nil
}

// writeEvidence joins the event's statements with those published before, if that says anything new.
func (r *Repository) writeEvidence(p *event.Proposal) error {
	if p.Event.Kind != event.KindRelease {
		return nil
	}
	name := evidence.Path(p.ReleaseSHA256())
	var list [][]byte
	old, err := r.read(name)
	if err == nil {
		list, err = evidence.Parse(old)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	list = r.stillGood(p, list)
	for _, st := range p.Statements {
		list = append(list, st.Bundle)
	}
	b, err := evidence.Format(onePer(p, list))
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
