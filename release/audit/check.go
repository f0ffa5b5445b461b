package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/countersign-project/countersign/release/event"
)

// Decision is an event that may be signed, with everything a person must see before it is. It is made by
// Check and used by Sign; nothing is remembered or written in between.
type Decision struct {
	Proposal *event.Proposal
	Trust    Trust
	Change   *Change
	Will     []Signing // what Sign makes
	Rivals   []Rival   // other open events for a version of the same role
	Warnings []string  // what is allowed and should make one think
}

// Rival is another event for the same version of a role. At most one of them can be published.
type Rival struct {
	Event string `json:"event"`
	Label string `json:"label"`
	Role  string `json:"role"`
}

// Options are a person's answers to what Check refuses otherwise.
type Options struct {
	Supersede bool // this event takes the place of another that was signed for the same version
}

// Check holds everything that must be true before this auditor signs an event, in this order: the event
// is whole and its metadata derived again; it builds on metadata this auditor trusts and is not older than
// what they saw; their keys sign it; for a release, they rebuilt it themselves; they signed nothing else
// for the same version. The first rule that fails is the error.
func (a *Auditor) Check(ctx context.Context, id event.ID, o Options) (*Decision, error) {
	p, err := event.Load(ctx, a.Store, id)
	if err != nil {
		return nil, err
	}
	d := &Decision{Proposal: p}
	absent, err := a.checkFiles(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", id.Short(), err)
	}
	if d.Trust, err = a.trust(p); err != nil {
		return nil, err
	}
	if err := d.Trust.notLower(p.Event); err != nil {
		return nil, err
	}
	if err := a.alive(ctx, p); err != nil {
		return nil, err
	}
	if d.Will = a.signings(p); len(d.Will) == 0 {
		return nil, a.noKey(p)
	}
	if p.Event.Kind == event.KindRelease {
		for _, s := range d.Will {
			if _, err := a.ownRebuild(p, s.Key); err != nil {
				return nil, err
			}
		}
	}
	if err := a.conflicts(d, o.Supersede); err != nil {
		return nil, err
	}
	if d.Change, err = a.change(ctx, p, d.Trust); err != nil {
		return nil, err
	}
	if d.Rivals, err = a.rivals(ctx, p); err != nil {
		return nil, err
	}
	d.warn(absent)
	return d, nil
}

// checkFiles compares every file of a room on disk with event.json. Files that a light copy left behind
// are named. Over a network nothing is read twice: what a rebuild fetched was checked when it came, and
// the publisher's artifacts do not matter to somebody who has the same bytes from the source.
func (a *Auditor) checkFiles(ctx context.Context, p *event.Proposal) (absent []string, err error) {
	dir, ok := a.Store.(*event.DirStore)
	if !ok {
		return nil, nil
	}
	if err := dir.CheckNothingElse(p); err != nil {
		return nil, err
	}
	for _, name := range p.FileNames("") {
		r, err := dir.Open(ctx, p.ID, name, 0)
		if errors.Is(err, fs.ErrNotExist) {
			absent = append(absent, name)
			continue
		}
		if err != nil {
			return nil, err
		}
		want := p.Event.Files[name]
		h := sha256.New()
		n, err := io.Copy(h, io.LimitReader(r, want.Length+1))
		r.Close()
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		case n != want.Length:
			return nil, refusef("%s does not have the %d bytes event.json says: it was changed after the event was opened", name, want.Length)
		case [32]byte(h.Sum(nil)) != [32]byte(want.SHA256):
			return nil, refusef("%s has sha256 %x, event.json says %s: it was changed after the event was opened", name, h.Sum(nil), want.SHA256)
		}
	}
	return absent, ctx.Err()
}

// alive refuses what could not be published any more; a signature on it could only do harm.
func (a *Auditor) alive(ctx context.Context, p *event.Proposal) error {
	by, err := event.Replacing(ctx, a.Store, p.ID)
	if err != nil {
		return err
	}
	if by != "" {
		return refusef("event %s is superseded by event %s", p.ID.Short(), by[:12])
	}
	now := a.Now()
	for _, role := range p.Event.Roles() {
		if at := p.Event.Expires[role]; !at.After(now) {
			return refusef("event %s: its %s would have expired on %s", p.ID.Short(), role, at.Format(time.DateOnly))
		}
	}
	if s := p.Status(a.Published, ""); s.Published {
		return refusef("event %s is published already", p.ID.Short())
	} else if s.Stale != "" {
		return refusef("event %s %s", p.ID.Short(), s.Stale)
	}
	return nil
}

// conflicts refuses to sign two proposals for one version of a role, and a key of one distribution in
// another: channel metadata does not say to which root it belongs, so a forged distribution that names
// real people could collect signatures that count in the real one.
func (a *Auditor) conflicts(d *Decision, supersede bool) error {
	p := d.Proposal
	for i, s := range d.Will {
		if last, ok := d.Trust.memory.last(s.Role, s.Version); ok && last.Event != p.ID.String() {
			if !supersede {
				return &Conflict{s.Role, s.Version, last.Event, last.At.UTC().Format(time.DateOnly), p.ID.String()}
			}
			d.Will[i].InsteadOf = last.Event
		}
	}
	if d.Trust.How != TrustFirstUse && d.Trust.How != TrustNew {
		return nil
	}
	known, err := a.memories()
	if err != nil {
		return err
	}
	for _, m := range known {
		for _, old := range m.signed {
			for i, s := range d.Will {
				if s.Key != old.Key || m.dir == d.Trust.memory.dir {
					continue
				}
				if d.Trust.How == TrustNew && supersede {
					d.Will[i].InsteadOf = old.Event
					continue
				}
				return refusef("your key for %s signs for distribution %q since %s, and this event is of another distribution, %q: one key, one distribution", s.Role, plain(m.Name), m.Since.UTC().Format(time.DateOnly), plain(d.Trust.Name))
			}
		}
	}
	return nil
}

// rivals finds other events of the room for the same version of a role.
func (a *Auditor) rivals(ctx context.Context, p *event.Proposal) ([]Rival, error) {
	entries, err := a.Store.List(ctx)
	if err != nil {
		return nil, err
	}
	var out []Rival
	for _, e := range entries {
		if e.ID == (event.ID{}) || e.ID == p.ID {
			continue
		}
		other, err := a.head(ctx, e.ID)
		if err != nil || p.Event.Supersedes == e.ID.String() {
			continue // a broken neighbour cannot be published, nor one that this event replaces
		}
		for _, role := range p.Event.Roles() {
			if _, both := other.Expires[role]; both && other.Version(role) == p.Event.Version(role) {
				out = append(out, Rival{e.ID.String(), other.Label, role})
			}
		}
	}
	return out, nil
}

// warn says in words what is allowed and worth a thought.
func (d *Decision) warn(absent []string) {
	for _, r := range d.Rivals {
		d.Warnings = append(d.Warnings, fmt.Sprintf("event %s (%s) proposes the same version of %s; only one of the two can be published", r.Event[:12], plain(r.Label), r.Role))
	}
	for _, s := range d.Will {
		if s.InsteadOf != "" {
			d.Warnings = append(d.Warnings, fmt.Sprintf("you have signed event %s for version %d of %s; signing this one as well means that you stand by both until one is published", s.InsteadOf[:12], s.Version, s.Role))
		}
	}
	if len(absent) > 0 {
		d.Warnings = append(d.Warnings, fmt.Sprintf("this copy of the event is without %s", strings.Join(absent, ", ")))
	}
	if len(d.Trust.Others) > 0 || d.Trust.How == TrustFirstUse {
		d.Warnings = append(d.Warnings, d.Trust.Text())
	}
	d.Warnings = append(d.Warnings, d.Change.Warnings...)
	for _, bad := range d.Proposal.Bad {
		d.Warnings = append(d.Warnings, "not counted: "+plain(bad.Error()))
	}
}

// Word is what a person types to show that they know what they sign.
func (d *Decision) Word() string {
	if d.Proposal.Event.Kind == event.KindRelease {
		return d.Proposal.Manifest.Version
	}
	return fmt.Sprintf("%s %d", d.Will[0].Role, d.Will[0].Version)
}
