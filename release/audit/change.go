package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/repo"
)

// Change is everything a signature on an event would approve, for people. It is made from bytes that were
// derived here, never from what the publisher says about them.
type Change struct {
	Event     string            `json:"event"`
	Kind      event.Kind        `json:"kind"`
	Label     string            `json:"label"`
	Made      time.Time         `json:"made"`
	Roles     []RoleChange      `json:"roles"`
	Release   *genuine.Manifest `json:"release,omitempty"`
	Source    *SourceChange     `json:"source,omitempty"` // known once this auditor fetched the source
	Rebuilds  []event.Rebuilt   `json:"rebuilds,omitempty"`
	Withdrawn []event.Withdrawn `json:"withdrawn,omitempty"` // who has spoken against the release since, or for it again
	People    []string          `json:"people,omitempty"`    // people, quorums and policy in words, of kinds distribution and roles
	Warnings  []string          `json:"warnings,omitempty"`
}

// RoleChange is what becomes of one role.
type RoleChange struct {
	Role    string         `json:"role"`
	From    int64          `json:"from"` // 0: there was none
	To      int64          `json:"to"`
	Expires time.Time      `json:"expires"`
	Changes []repo.Change  `json:"changes"`
	Quorums []event.Quorum `json:"quorums"`
}

// Show makes the change of an event without judging whether this auditor may sign it.
func (a *Auditor) Show(ctx context.Context, id event.ID) (*Change, error) {
	p, err := event.Load(ctx, a.Store, id)
	if err != nil {
		return nil, err
	}
	t, err := a.trust(p)
	if err != nil {
		return nil, err
	}
	c, err := a.change(ctx, p, t)
	if err != nil {
		return nil, err
	}
	if t.How != TrustRemembered && t.How != TrustGiven {
		c.Warnings = append(c.Warnings, t.Text())
	}
	return c, nil
}

func (a *Auditor) change(ctx context.Context, p *event.Proposal, t Trust) (*Change, error) {
	c := &Change{Event: p.ID.String(), Kind: p.Event.Kind, Label: p.Event.Label, Made: p.Event.Made}
	status := p.Status(a.Published, "")
	c.Rebuilds = status.Rebuilds
	c.Withdrawn = status.Withdrawn
	for _, role := range p.Event.Roles() {
		diff, err := repo.Diff(published(p.Base, role), p.Metadata[role])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", role, err)
		}
		r := RoleChange{Role: role, From: p.Event.Base[role], To: p.Event.Version(role), Expires: p.Event.Expires[role], Changes: diff}
		for _, q := range status.Quorums {
			if q.Role == role {
				r.Quorums = append(r.Quorums, q)
			}
		}
		c.Roles = append(c.Roles, r)
	}
	if p.Event.Kind == event.KindRelease {
		return c, c.release(a, p)
	}
	var err error
	if c.People, err = inWords(p); err != nil {
		return nil, err
	}
	weaker, err := weakened(p)
	c.Warnings = append(c.Warnings, weaker...)
	return c, err
}

// published is the metadata a role has now, nil for none.
func published(b event.Base, role string) []byte {
	switch {
	case len(b.Roots) == 0:
		return nil
	case role == "root":
		return b.Roots[len(b.Roots)-1]
	case role == "targets":
		return b.Targets
	}
	return b.Channels[role]
}

// release adds what is particular to a release.
func (c *Change) release(a *Auditor, p *event.Proposal) error {
	m := p.Manifest
	c.Release = &m
	record, have, err := a.hasRecord(p.ID)
	if err != nil {
		return err
	}
	if have {
		c.Source = record.Source
	}
	info, err := repo.Inspect(p.Base.Channels[m.Channel])
	if err != nil {
		return err
	}
	newest := ""
	for _, v := range releases(info, m.Channel) {
		if newest == "" || anchor.CompareVersions(v, newest) > 0 {
			newest = v
		}
	}
	switch {
	case newest == "":
	case anchor.CompareVersions(m.Version, newest) < 0:
		c.Warnings = append(c.Warnings, fmt.Sprintf("version %s is older than %s, which channel %s has already", m.Version, newest, m.Channel))
	case m.Previous != newest:
		c.Warnings = append(c.Warnings, fmt.Sprintf("release.json says it follows %q, and the newest in channel %s is %s", m.Previous, m.Channel, newest))
	}
	for _, r := range c.Rebuilds {
		if r.Result == event.Differs {
			c.Warnings = append(c.Warnings, fmt.Sprintf("%s got other bytes: %s", plain(r.Person.String()), plain(strings.Join(r.Differs, ", "))))
		}
	}
	return nil
}

// releases lists the versions a channel has.
func releases(info repo.Info, channel string) []string {
	var out []string
	for _, f := range info.Files {
		rest, ok := strings.CutPrefix(f.Path, channel+"/")
		version, name, _ := strings.Cut(rest, "/")
		if ok && name == "release.json" && anchor.ValidVersion(version) {
			out = append(out, version)
		}
	}
	return out
}
