package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/countersign-project/countersign/builds/source"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/repo"
)

// SourceChange is how the source of a release differs from that of the release before it in the channel.
// Both trees are exported by hash, so nothing in a repository's settings can hide a file from it.
type SourceChange struct {
	Version string       `json:"version"` // of the release before, or ""
	From    string       `json:"from"`    // its commit
	To      string       `json:"to"`
	Files   []FileChange `json:"files"`
	Modules []string     `json:"modules"`        // "+ path v1", "- path v1", "~ path v1 → v2"
	Note    string       `json:"note,omitempty"` // why there is nothing to compare
}

// FileChange is one changed file.
type FileChange struct {
	What string `json:"what"` // "+" added, "-" removed, "~" changed
	Path string `json:"path"`
}

// maxShown is how many changed files Text lists; all are in the JSON.
const maxShown = 40

// Text is the change for people.
func (c SourceChange) Text() string {
	if c.Note != "" {
		return "  source change: " + plain(c.Note) + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "  source change since %s: commits %s..%s, %d files\n", plain(c.Version), c.From[:12], c.To[:12], len(c.Files))
	for i, f := range c.Files {
		if i == maxShown {
			fmt.Fprintf(&b, "    and %d more\n", len(c.Files)-maxShown)
			break
		}
		fmt.Fprintf(&b, "    %s %s\n", f.What, plain(f.Path))
	}
	for _, m := range c.Modules {
		fmt.Fprintf(&b, "    module %s\n", plain(m))
	}
	if len(c.Modules) == 0 {
		b.WriteString("    no module changes\n")
	}
	return b.String()
}

// sourceChange compares the trees of a release and of the one before it, both from the bundle that came
// with the event. Whatever keeps it from comparing is a note and no error: the signature does not rest on
// it, and a first release has nothing to be compared with.
func (a *Auditor) sourceChange(ctx context.Context, p *event.Proposal, bundle, work string) (*SourceChange, error) {
	c := &SourceChange{To: p.Manifest.Source.Commit, Version: p.Manifest.Previous}
	if c.Version == "" {
		c.Note = "this is the first release of the channel"
		return c, nil
	}
	previous, err := a.previousRelease(ctx, p)
	if err != nil {
		c.Note = err.Error()
		return c, ctx.Err()
	}
	c.From = previous.Source.Commit
	old, now := filepath.Join(work, "before"), filepath.Join(work, "after")
	defer os.RemoveAll(old)
	defer os.RemoveAll(now)
	for dir, commit := range map[string]string{old: c.From, now: c.To} {
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
		got, err := source.Export(ctx, bundle, commit, dir, a.Environ)
		if err != nil {
			c.Note = fmt.Sprintf("commit %s cannot be compared: %v", commit[:12], err)
			return c, ctx.Err()
		}
		if commit == c.From && got.H1 != previous.Source.H1 {
			c.Note = fmt.Sprintf("commit %s in this bundle is not the source of %s: it has %s instead of %s", commit[:12], c.Version, got.H1, previous.Source.H1)
			return c, nil
		}
	}
	if c.Files, err = compareTrees(old, now); err != nil {
		return nil, err
	}
	c.Modules, err = compareModules(old, now)
	return c, err
}

// previousRelease finds the release.json of the previous version. The channel names it by hash, so it
// does not matter where it comes from: this auditor's home, or another event of the room.
func (a *Auditor) previousRelease(ctx context.Context, p *event.Proposal) (genuine.Manifest, error) {
	m := p.Manifest
	info, err := repo.Inspect(p.Base.Channels[m.Channel])
	if err != nil {
		return genuine.Manifest{}, err
	}
	var want event.File
	for _, f := range info.Files {
		if f.Path == genuine.ManifestPath(m.Channel, m.Previous) {
			want = event.File{Length: f.Length, SHA256: f.SHA256}
		}
	}
	if want.Length == 0 {
		return genuine.Manifest{}, fmt.Errorf("channel %s has no release %s to compare with", m.Channel, m.Previous)
	}
	kept, _ := filepath.Glob(filepath.Join(a.Home, "*", "release.json")) // the pattern is well formed
	for _, path := range kept {
		if b, err := os.ReadFile(path); err == nil && event.FileOf(b) == want {
			return genuine.ParseManifest(b)
		}
	}
	entries, err := a.Store.List(ctx)
	if err != nil {
		return genuine.Manifest{}, err
	}
	for _, e := range entries {
		h, err := a.head(ctx, e.ID)
		if err != nil || h.Files[event.FileRelease] != want {
			continue
		}
		if b, err := a.Store.Read(ctx, e.ID, event.FileRelease, want.Length); err == nil && event.FileOf(b) == want {
			return genuine.ParseManifest(b)
		}
	}
	return genuine.Manifest{}, fmt.Errorf("the release.json of %s is neither in %s nor in the room: the source change cannot be shown", m.Previous, a.Home)
}

// compareTrees lists files that differ in content or kind.
func compareTrees(old, now string) ([]FileChange, error) {
	before, err := treeSums(old)
	if err != nil {
		return nil, err
	}
	after, err := treeSums(now)
	if err != nil {
		return nil, err
	}
	out := []FileChange{}
	for path, sum := range after {
		was, had := before[path]
		switch {
		case !had:
			out = append(out, FileChange{"+", path})
		case was != sum:
			out = append(out, FileChange{"~", path})
		}
	}
	for path := range before {
		if _, has := after[path]; !has {
			out = append(out, FileChange{"-", path})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out, nil
}

// treeSums maps each file to its mode and hash, or a link to its target.
func treeSums(dir string) (map[string]string, error) {
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			out[name] = "link " + target
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		out[name] = fmt.Sprintf("%v %x", info.Mode()&0o100, h.Sum(nil))
		return nil
	})
	return out, err
}

// compareModules lists the modules that come, go or change version between two go.mod files.
func compareModules(old, now string) ([]string, error) {
	before, err := modules(old)
	if err != nil {
		return nil, err
	}
	after, err := modules(now)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for path, v := range after {
		switch was, had := before[path]; {
		case !had:
			out = append(out, "+ "+path+" "+v)
		case was != v:
			out = append(out, "~ "+path+" "+was+" → "+v)
		}
	}
	for path, v := range before {
		if _, has := after[path]; !has {
			out = append(out, "- "+path+" "+v)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i][2:] < out[j][2:] })
	return out, nil
}

// modules reads what a go.mod requires and replaces.
func modules(dir string) (map[string]string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	f, err := modfile.Parse("go.mod", b, nil)
	if err != nil {
		return nil, fmt.Errorf("source: %v", err)
	}
	out := map[string]string{}
	for _, r := range f.Require {
		out[r.Mod.Path] = r.Mod.Version
	}
	for _, r := range f.Replace {
		out["replace "+r.Old.String()] = r.New.String()
	}
	return out, nil
}
