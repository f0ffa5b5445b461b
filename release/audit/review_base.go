package audit

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/builds/source"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/review"
	"github.com/countersign-project/countersign/tuf/repo"
)

// ReviewBase is the release that a change is counted from. The zero value, but for Why, is none: the
// whole source is to be read.
type ReviewBase struct {
	Version string         `json:"version"`
	Release genuine.Digest `json:"release"` // sha256 of its release.json, which the channel names
	Commit  string         `json:"commit"`
	Tree    string         `json:"tree"`
	Why     string         `json:"why"` // how it was chosen, for people

	event *event.Proposal // where it came from; nil when the room has it no longer
	dir   string          // what this auditor kept of it
}

// NoBase asks for a review of the whole source.
const NoBase = "none"

// Done is a review this auditor finished.
type Done struct {
	Event   string         `json:"event"`
	Channel string         `json:"channel"`
	Version string         `json:"version"`
	Release genuine.Digest `json:"release"`
	Verdict string         `json:"verdict"`
	At      time.Time      `json:"at"`
}

type doneFile struct {
	Format  string `json:"format"` // "countersign-reviewed-1"
	Reviews []Done `json:"reviews"`
}

const doneFormat = "countersign-reviewed-1"

// Reviewed lists the reviews this auditor finished, oldest first.
func (a *Auditor) Reviewed() ([]Done, error) {
	var f doneFile
	path := filepath.Join(a.reviewDir(), "done.json")
	err := readJSON(path, maxMemory, &f)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && f.Format != doneFormat {
		err = fmt.Errorf("%s: format %q, want %q", path, f.Format, doneFormat)
	}
	return f.Reviews, err
}

// reviewBase chooses the base: the version that was asked for; or the newest one before this that this
// auditor passed, wholly or in part; or the one before this, when another auditor of the policy passed it
// wholly; or none.
func (a *Auditor) reviewBase(ctx context.Context, p *event.Proposal, asked string) (ReviewBase, error) {
	m := p.Manifest
	switch {
	case asked == NoBase:
		return ReviewBase{Why: "the whole source was asked for"}, nil
	case asked != "":
		if !anchor.ValidVersion(asked) || anchor.CompareVersions(asked, m.Version) >= 0 {
			return ReviewBase{}, refusef("base %q: want a version below %s, or %q", asked, m.Version, NoBase)
		}
		return a.findRelease(ctx, p, asked, "asked for")
	}
	done, err := a.Reviewed()
	if err != nil {
		return ReviewBase{}, err
	}
	own, best := Done{}, ""
	for _, d := range done {
		if d.Channel == m.Channel && (d.Verdict == statement.VerdictPass || d.Verdict == statement.VerdictPartial) &&
			anchor.CompareVersions(d.Version, m.Version) < 0 && (best == "" || anchor.CompareVersions(d.Version, best) >= 0) {
			own, best = d, d.Version
		}
	}
	if best != "" {
		b, err := a.findRelease(ctx, p, best, fmt.Sprintf("your review of %s (%s)", own.At.Format(time.DateOnly), own.Verdict))
		if err == nil && b.Release == own.Release {
			return b, nil
		}
		if ctx.Err() != nil {
			return ReviewBase{}, ctx.Err()
		}
		// what was reviewed was not published, or is not to be had any more
	}
	if m.Previous == "" {
		return ReviewBase{Why: "this is the first release of the channel"}, nil
	}
	b, err := a.findRelease(ctx, p, m.Previous, "")
	if err != nil {
		return ReviewBase{Why: fmt.Sprintf("you reviewed no release before, and: %v", err)}, ctx.Err()
	}
	if who := passedBy(p, b); who != "" {
		b.Why = "reviewed by " + who
		return b, nil
	}
	return ReviewBase{Why: fmt.Sprintf("nobody's complete review of %s is known here (--base %s reads only the change since then)", m.Previous, m.Previous)}, nil
}

// passedBy names an auditor of the policy who read the whole of a base.
func passedBy(p *event.Proposal, b ReviewBase) string {
	policy, err := p.Base.ParsedPolicy()
	if err != nil || b.event == nil {
		return ""
	}
	for _, k := range policy.StatementKeys() {
		for _, s := range b.event.Statements {
			payload, _, err := bundle.Open(s.Bundle, []crypto.PublicKey{k.Public})
			if err != nil {
				continue
			}
			parsed, err := statement.Parse(payload)
			if r, ok := parsed.(*statement.Review); err == nil && ok && r.Verdict == statement.VerdictPass && r.Release == b.Release {
				return k.Person.String()
			}
		}
	}
	return ""
}

// findRelease finds an older release of the channel, by the hash under which the channel names it, in the
// room or in this auditor's home.
func (a *Auditor) findRelease(ctx context.Context, p *event.Proposal, version, why string) (ReviewBase, error) {
	b := ReviewBase{Version: version, Why: why}
	want, err := channelRelease(p, version)
	if err != nil {
		return b, err
	}
	b.Release = want.SHA256
	raw, err := a.keptRelease(want, &b)
	if err != nil {
		return b, err
	}
	entries, err := a.Store.List(ctx)
	if err != nil {
		return b, err
	}
	for _, e := range entries {
		h, err := a.head(ctx, e.ID)
		if err != nil || h.Files[event.FileRelease] != want {
			continue
		}
		if b.event, err = event.Load(ctx, a.Store, e.ID); err == nil {
			raw = b.event.Release
			break
		}
	}
	if raw == nil {
		return b, fmt.Errorf("release %s is neither in %s nor in the room", version, a.Home)
	}
	m, err := genuine.ParseManifest(raw)
	b.Commit, b.Tree = m.Source.Commit, m.Source.Tree
	return b, err
}

// channelRelease is what the channel's signed metadata says of a version's release.json.
func channelRelease(p *event.Proposal, version string) (event.File, error) {
	m := p.Manifest
	info, err := repo.Inspect(p.Base.Channels[m.Channel])
	if err != nil {
		return event.File{}, err
	}
	for _, f := range info.Files {
		if f.Path == genuine.ManifestPath(m.Channel, version) {
			return event.File{Length: f.Length, SHA256: f.SHA256}, nil
		}
	}
	return event.File{}, refusef("channel %s has no release %s; it has %v", m.Channel, version, slices.Sorted(slices.Values(releases(info, m.Channel))))
}

// keptRelease looks for a release.json among those of the events this auditor worked on.
func (a *Auditor) keptRelease(want event.File, b *ReviewBase) ([]byte, error) {
	kept, _ := filepath.Glob(filepath.Join(a.Home, "*", event.FileRelease)) // the pattern is well formed
	for _, path := range kept {
		info, err := os.Stat(path)
		if err != nil || info.Size() != want.Length {
			continue
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if event.FileOf(raw) == want {
			b.dir = filepath.Dir(path)
			return raw, nil
		}
	}
	return nil, nil
}

// baseSide brings the base into the repository. Its commit is usually in the history that came with the
// release; its modules are in the event it was published from, or in what was kept of that.
func (a *Auditor) baseSide(ctx context.Context, repository *source.Repository, b ReviewBase) (review.Side, error) {
	if b.event != nil {
		return a.side(ctx, repository, b.event, b.Commit, b.Tree)
	}
	side := review.Side{Tree: b.Tree}
	got, err := repository.Tree(ctx, b.Commit)
	if err != nil {
		return side, fmt.Errorf("base %s: %w", b.Version, err)
	}
	if got != b.Tree {
		return side, refusef("base %s: commit %s has tree %s, its release.json says %s", b.Version, b.Commit, got, b.Tree)
	}
	archive := filepath.Join(b.dir, event.FileModules)
	if _, err := os.Stat(archive); err != nil {
		return side, fmt.Errorf("base %s: its modules are neither in the room nor kept: %w", b.Version, err)
	}
	side.Modules, err = a.importModules(ctx, repository, b.Tree, archive)
	return side, err
}
