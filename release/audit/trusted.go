package audit

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/tuf/repo"
	"github.com/countersign-project/countersign/tuf/trust"
)

// Trust says on what grounds this auditor takes an event's base for real.
type Trust struct {
	Name   string    `json:"name"`             // the distribution's name, as it calls itself
	How    string    `json:"how"`              // one of the words below
	Root   int64     `json:"root"`             // version of the root that was trusted beforehand
	SHA256 string    `json:"sha256"`           // of that root's signed part, hex
	Since  time.Time `json:"since,omitzero"`   // since when it is remembered
	Others []string  `json:"others,omitempty"` // other distributions of the same name that are remembered

	memory *memory    // what is remembered, or a fresh one that is not saved yet
	set    *trust.Set // the verified base; nil for a new distribution
	sums   map[int64]string
}

// The grounds of trust.
const (
	TrustGiven      = "given"      // a root.json of the source tree, or given by hand
	TrustRemembered = "remembered" // verified before, by this auditor
	TrustFirstUse   = "first use"  // the event's own
	TrustNew        = "new"        // the event makes a new distribution; there is nothing before it
)

// Text is one line for people.
func (t Trust) Text() string {
	name := fmt.Sprintf("distribution %q, root %d, sha256 of its signed part %s", plain(t.Name), t.Root, t.SHA256)
	switch t.How {
	case TrustNew:
		name = "new " + name + ": nothing vouches for it but the people who sign it now"
	case TrustFirstUse:
		name += ": trusted on first use; compare this hash with what the others have, since it is remembered from now on"
	case TrustRemembered:
		name += ": remembered since " + t.Since.UTC().Format(time.DateOnly)
	default:
		name += ": given"
	}
	if len(t.Others) > 0 {
		name += "; another distribution of this name is remembered: " + strings.Join(t.Others, ", ")
	}
	return name
}

// trust verifies an event's base against what this auditor trusts. Nothing is remembered by it.
//
// event.Load has shown that the base is consistent in itself, from its own first root; anybody can make
// such a base. Here it is verified again from the roots this auditor has, and the roots it brings must
// be the very ones known, version by version: a base with a forged copy of a root whose successors are
// real would otherwise show forged people as those in force.
func (a *Auditor) trust(p *event.Proposal) (Trust, error) {
	roots := p.Base.Roots
	if p.Event.Kind == event.KindDistribution {
		roots = [][]byte{p.Metadata["root"]}
	}
	t := Trust{How: TrustFirstUse, Root: 1, sums: map[int64]string{}}
	for i, r := range roots {
		sum, err := payloadSum(r)
		if err != nil {
			return t, fmt.Errorf("root %d of the event: %w", i+1, err)
		}
		t.sums[int64(i+1)] = sum
	}
	known, err := a.memories()
	if err != nil {
		return t, err
	}
	if t.memory, err = recognise(known, t.sums); err != nil {
		return t, err
	}
	if p.Event.Kind == event.KindDistribution {
		err = t.startNew(p)
	} else {
		err = t.verifyBase(p, a.Anchor)
	}
	if err != nil {
		return t, err
	}
	t.SHA256 = t.sums[t.Root]
	if t.memory == nil {
		for _, m := range known {
			if m.Name == t.Name {
				t.Others = append(t.Others, fmt.Sprintf("since %s, %s", m.Since.UTC().Format(time.DateOnly), filepath.Base(m.dir)))
			}
		}
		t.memory = a.newMemory(t)
	}
	return t, nil
}

// recognise finds the remembered distribution that shares a root with these.
func recognise(known []*memory, sums map[int64]string) (*memory, error) {
	var found *memory
	for _, m := range known {
		same, other := int64(0), int64(0)
		for v, sum := range m.Roots {
			switch {
			case sums[v] == sum:
				same = v
			case sums[v] != "":
				other = v
			}
		}
		switch {
		case same == 0:
		case other != 0:
			return nil, refusef("root %d of the event is not the root %d you know of distribution %q, although its root %d is", other, other, plain(m.Name), same)
		case found != nil:
			return nil, refusef("the event's roots are those of two distributions you know, %q and %q", plain(found.Name), plain(m.Name))
		default:
			found = m
		}
	}
	return found, nil
}

// startNew is trust in an event that has no base.
func (t *Trust) startNew(p *event.Proposal) error {
	d, err := event.ParseDistribution(p.Distribution)
	t.Name, t.How = d.Name, TrustNew
	return err
}

// verifyBase verifies the base from what is remembered and from what is given; both must agree.
func (t *Trust) verifyBase(p *event.Proposal, given []byte) (err error) {
	name, _, err := anchor.ParseMirrors(p.Base.Mirrors)
	if err != nil {
		return fmt.Errorf("base: %w", err)
	}
	t.Name = name
	if given != nil {
		info, err := repo.Inspect(given)
		if err != nil {
			return fmt.Errorf("root.json given: %w", err)
		}
		sum, err := payloadSum(given)
		if err != nil {
			return fmt.Errorf("root.json given: %w", err)
		}
		t.How = TrustGiven
		if err := t.verifyFrom(p, info.Version, sum, "root you trust"); err != nil {
			return err
		}
	}
	if m := t.memory; m != nil {
		t.How, t.Since = TrustRemembered, m.Since
		if err := t.verifyFrom(p, m.newest(), m.Roots[m.newest()], "root you remember"); err != nil {
			return err
		}
	}
	if t.set == nil {
		t.set, err = p.Base.Verify(nil)
	}
	return err
}

// verifyFrom verifies the base as a client that trusts the root of that version and signed part.
func (t *Trust) verifyFrom(p *event.Proposal, version int64, sum, what string) (err error) {
	if version < 1 || version > int64(len(p.Base.Roots)) {
		return refusef("the event builds on root %d, the %s is version %d: it was staged on an old state, or somebody hides the new one", len(p.Base.Roots), what, version)
	}
	if t.sums[version] != sum {
		return refusef("root %d of the event is not the %s: this is another distribution, or a forged one", version, what)
	}
	if t.set, err = p.Base.Verify(p.Base.Roots[version-1]); err != nil {
		return fmt.Errorf("seen from the %s, version %d: %w", what, version, err)
	}
	t.Root = max(t.Root, version)
	return nil
}

// newMemory starts to remember a distribution; nothing is written yet.
func (a *Auditor) newMemory(t Trust) *memory {
	return &memory{
		Name: t.Name, Since: a.Now().UTC().Truncate(time.Second), How: t.How,
		Roots: map[int64]string{}, Seen: map[string]int64{}, Events: map[string]string{},
		dir: filepath.Join(a.distributions(), t.sums[t.Root][:16]),
	}
}

// notLower refuses a base older than what this auditor has seen: somebody who brings yesterday's state
// could have it signed a second time, without what was decided since. Channels that the event does not
// touch may be older, since each is released on its own.
func (t Trust) notLower(e event.Event) error {
	roles := append([]string{"root", "targets"}, e.Roles()...)
	for _, role := range roles {
		if seen := t.memory.Seen[role]; e.Base[role] < seen {
			return refusef("the event builds on version %d of %s, and you have seen version %d published: it must be staged again on the newest state", e.Base[role], role, seen)
		}
	}
	for _, role := range e.Roles() {
		if s, ok := t.memory.highest(role); ok && e.Version(role) < s.Version {
			return refusef("the event proposes version %d of %s, and you have signed version %d already (event %s, on %s): versions never go back", e.Version(role), role, s.Version, s.Event[:12], s.At.UTC().Format(time.DateOnly))
		}
	}
	return nil
}

// learn adds what a verified base shows. Of the roots only those at and above the trusted one are known
// to be real.
func (t Trust) learn() {
	m := t.memory
	for v, sum := range t.sums {
		if v >= t.Root {
			m.Roots[v] = sum
		}
	}
	if t.set == nil {
		return // a new distribution: nothing is published
	}
	for _, r := range t.set.Roles() {
		if r.Name == trust.Snapshot || r.Name == trust.Timestamp || r.Version < m.Seen[r.Name] {
			continue
		}
		m.Seen[r.Name], m.Events[r.Name] = r.Version, r.Event
	}
}
