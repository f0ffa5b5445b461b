package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/builds/rebuild"
	"github.com/countersign-project/countersign/builds/source"
	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/publish"
)

// maxNotes is the largest file of release notes, in bytes: notes are part of what people sign and users read.
const maxNotes = 64 << 10

type stageOptions struct {
	Room       string
	Build      string
	Channel    string
	Notes      string
	Minimum    string
	Source     string
	Rev        string
	Modules    string
	Toolchain  string
	Supersedes string
}

func newStageCommand(app *cli.App) *cobra.Command {
	var o stageOptions
	c := &cobra.Command{
		Use:     "stage",
		Short:   "Propose a release to the auditors",
		GroupID: groupPublisher,
		Long: `Propose a release to the auditors: open its event.

It takes what countersign build left (--build), compares every file with build.json, exports the commit
that build.json names from the source again, and lays all of it, with the source's history as a git
bundle and the modules it needs, into the room. The event's id is printed, and what each auditor runs.
Refused are a version that is not newer than the published one, files that are not what build.json
says, and a commit that is not the one that was built.

Staging twice gives two events. To replace one that people have not finished, name it with --supersedes:
what was signed for it does not count for the new one.

Example:

    countersign build --out out
    countersign stage --build out --channel stable --notes notes.txt --room room

` + cli.ExitHelp,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runStage(c.Context(), app, o) },
	}
	f := c.Flags()
	f.StringVar(&o.Room, "room", "room", "the publisher's directory of events and the repository")
	f.StringVar(&o.Build, "build", "", "directory with build.json and the artifacts")
	f.StringVar(&o.Channel, "channel", "stable", "channel to release in")
	f.StringVar(&o.Notes, "notes", "", "file with the release notes for users")
	f.StringVar(&o.Minimum, "minimum", "", "version below which nobody may go any more")
	f.StringVar(&o.Source, "source", ".", "git work tree or repository that has the commit")
	f.StringVar(&o.Rev, "rev", "", "commit that was built (default: the one build.json names)")
	f.StringVar(&o.Modules, "modules", "", "module tree, or a modules.tar of it (default: fetched, from the module cache where it has them)")
	f.StringVar(&o.Toolchain, "toolchain", "", "Go distribution that fetches the modules (default: the one in use)")
	f.StringVar(&o.Supersedes, "supersedes", "", "event that this one replaces")
	_ = c.MarkFlagRequired("build") // errors only for a flag that does not exist
	return c
}

// staging is a release on its way into the room.
type staging struct {
	o     stageOptions
	app   *cli.App
	room  *publish.Room
	state publish.State
	build rebuild.Manifest
	work  string // temporary directory
}

// stageResult is what stage prints.
type stageResult struct {
	Event    string   `json:"event"`
	Version  string   `json:"version"`
	Channel  string   `json:"channel"`
	Previous string   `json:"previous,omitempty"`
	Commit   string   `json:"commit"`
	Notices  []string `json:"notices"`
	Next     []string `json:"next"`
}

func runStage(ctx context.Context, app *cli.App, o stageOptions) (err error) {
	room, err := publisherOptions{Room: o.Room}.open(app)
	if err != nil {
		return err
	}
	s := staging{o: o, app: app, room: room}
	if s.state, err = room.Repository.Load(); err != nil {
		return err
	}
	if s.state.Empty() {
		return cli.Hint(cli.Usagef("nothing is published in %s yet", o.Room), "found the distribution first with countersign init")
	}
	if s.state.Pending != nil {
		return s.state.Pending
	}
	if s.build, err = readBuild(o.Build); err != nil {
		return err
	}
	m, err := s.manifest()
	if err != nil {
		return err
	}
	if s.work, err = os.MkdirTemp("", "countersign-stage-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.work)) }()
	return s.stage(ctx, m)
}

// readBuild reads build.json and compares every artifact with it.
func readBuild(dir string) (rebuild.Manifest, error) {
	f, err := os.Open(filepath.Join(dir, rebuild.ManifestFile))
	if err != nil {
		return rebuild.Manifest{}, cli.Usagef("--build %s: %v", dir, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, rebuild.MaxManifest+1))
	if err != nil {
		return rebuild.Manifest{}, err
	}
	m, err := rebuild.ParseManifest(b)
	if err != nil {
		return m, err
	}
	differences, err := rebuild.Compare(m.Artifacts, "", dir)
	if err != nil {
		return m, err
	}
	if len(differences) > 0 {
		return m, cli.Hint(cli.Refusef("%s is not what build.json says: %s (%d differences)", dir, differences[0].Path, len(differences)), "build it again")
	}
	return m, nil
}

// manifest makes the release.json, and refuses a version that is not newer than what is published.
func (s *staging) manifest() (genuine.Manifest, error) {
	notes, err := readNotes(s.o.Notes)
	if err != nil {
		return genuine.Manifest{}, err
	}
	if _, ok := s.state.Base.Channels[s.o.Channel]; !ok {
		return genuine.Manifest{}, cli.Usagef("--channel %s: the distribution has no such channel", s.o.Channel)
	}
	b := s.build
	m := genuine.Manifest{
		Format: "countersign-release-1", Version: b.Version, Channel: s.o.Channel, Minimum: s.o.Minimum, Notes: notes,
		Made:   s.app.Now().UTC().Truncate(time.Second),
		Source: genuine.Source{Commit: b.Source.Commit, Tree: b.Source.Tree, H1: b.Source.H1},
		Recipe: b.Recipe, Toolchain: genuine.Toolchain{Go: b.Go}, Modules: b.Modules,
	}
	for _, a := range b.Artifacts {
		m.Artifacts = append(m.Artifacts, genuine.Artifact{Path: a.Path, OS: a.OS, Arch: a.Arch, Program: a.Program, Kind: a.Kind, Length: a.Length, SHA256: genuine.Digest(a.SHA256)})
	}
	if published := evidence.Versions(s.state.Set, s.o.Channel); len(published) > 0 {
		m.Previous = published[len(published)-1]
		if anchor.CompareVersions(m.Version, m.Previous) <= 0 {
			return m, cli.Hint(cli.Refusef("version %s is not newer than %s, which is published in %s", m.Version, m.Previous, m.Channel),
				"raise the version in the source, commit and build again")
		}
	}
	if _, err := m.Encode(); err != nil {
		return m, cli.Usagef("%v", err)
	}
	return m, nil
}

func readNotes(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", cli.Usagef("--notes: %v", err)
	}
	if len(b) > maxNotes || !utf8.Valid(b) {
		return "", cli.Usagef("--notes %s: want at most %d bytes of UTF-8 text", path, maxNotes)
	}
	return strings.TrimSpace(string(b)), nil
}

// stage gathers the source and the modules and opens the event.
func (s *staging) stage(ctx context.Context, m genuine.Manifest) error {
	opening := event.Opening{Now: s.app.Now(), Rand: rand.Reader}
	rivals, err := s.rivals(ctx, &opening)
	if err != nil {
		return err
	}
	bar := s.app.Progress("exporting the source", 4, false)
	tree := filepath.Join(s.work, "tree")
	if err := s.export(ctx, tree); err != nil {
		return err
	}
	notices := append(rivals, s.anchorNotice(tree)...)
	bar.Describe("bundling the source's history")
	bar.Set(1)
	bundle := filepath.Join(s.work, event.FileSource)
	if err := makeBundle(ctx, s.o.Source, m.Source.Commit, s.work, bundle); err != nil {
		return err
	}
	bar.Describe("gathering the modules")
	bar.Set(2)
	modules, err := s.modules(ctx, tree)
	if err != nil {
		return err
	}
	bar.Describe("writing the event")
	bar.Set(3)
	files := map[string]event.Content{event.FileSource: event.FromFile(bundle), event.FileModules: event.FromFile(modules)}
	for _, a := range m.Artifacts {
		files["artifacts/"+a.Path] = event.FromFile(filepath.Join(s.o.Build, filepath.FromSlash(a.Path)))
	}
	x, err := publish.ExpiryOf(ctx, s.room.Events, s.state.Published)
	if err != nil {
		return err
	}
	id, err := s.room.Events.OpenRelease(ctx, m, files, s.state.Base, x.ChannelDays, opening)
	if err != nil {
		return err
	}
	bar.Done()
	return s.print(m, id, notices)
}

// rivals names the open events for the same channel, of which at most one can be published.
func (s *staging) rivals(ctx context.Context, opening *event.Opening) ([]string, error) {
	if s.o.Supersedes != "" {
		id, err := findEvent(ctx, s.room.Events, s.o.Supersedes)
		if err != nil {
			return nil, err
		}
		p, err := event.Load(ctx, s.room.Events, id)
		if err != nil {
			return nil, err
		}
		if p.Event.Kind != event.KindRelease || p.Manifest.Channel != s.o.Channel {
			return nil, cli.Usagef("--supersedes %s: that event proposes %s, this one is for channel %s", id.Short(), p.Event.Label, s.o.Channel)
		}
		if st := p.Status(s.state.Published, ""); st.Published {
			return nil, cli.Refusef("event %s (%s) is published already and cannot be replaced", id.Short(), st.Label)
		}
		opening.Supersedes = id
	}
	statuses, _, err := event.Survey(ctx, s.room.Events, s.state.Published, nil)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, st := range statuses {
		if st.Open() && st.ID != opening.Supersedes && len(st.Quorums) > 0 && st.Quorums[0].Role == s.o.Channel {
			out = append(out, fmt.Sprintf("event %s (%s) is open for %s as well: only one of them can be published", st.ID.Short(), st.Label, s.o.Channel))
		}
	}
	return out, nil
}

// export takes the commit out of the source again and compares it with build.json.
func (s *staging) export(ctx context.Context, tree string) error {
	rev := s.o.Rev
	if rev == "" {
		rev = s.build.Source.Commit
	}
	got, err := source.Export(ctx, s.o.Source, rev, tree, os.Environ())
	if err != nil {
		return err
	}
	if want := s.build.Source; got != want {
		return cli.Refusef("%s has commit %s with tree %s, build.json says commit %s with tree %s", s.o.Source, got.Commit, got.Tree, want.Commit, want.Tree)
	}
	return nil
}

// anchorNotice says when the programs about to be released would not believe this distribution.
func (s *staging) anchorNotice(tree string) []string {
	root, err := os.ReadFile(filepath.Join(tree, "release", "anchor", "distribution", "root.json"))
	if err != nil {
		return []string{"this source has no trust anchor (release/anchor/distribution/root.json): programs built from it do not update themselves"}
	}
	for _, r := range s.state.Base.Roots {
		if bytes.Equal(r, root) {
			return nil
		}
	}
	return []string{"the trust anchor in this source is that of another distribution: programs built from it will refuse to update from this one"}
}

// makeBundle packs the history of a commit. It is made from a bare repository that borrows the objects,
// since git bundles only what has a name, and the source's own names are left as they are.
func makeBundle(ctx context.Context, from, commit, work, out string) error {
	objects, err := git(ctx, from, "rev-parse", "--git-path", "objects")
	if err != nil {
		return err
	}
	if !filepath.IsAbs(objects) {
		objects = filepath.Join(from, objects)
	}
	if objects, err = filepath.Abs(objects); err != nil {
		return err
	}
	if shallow, err := git(ctx, from, "rev-parse", "--is-shallow-repository"); err != nil || shallow == "true" {
		return cli.Hint(errors.Join(err, cli.Refusef("%s is a shallow clone: auditors need the history", from)), "run git fetch --unshallow there")
	}
	bare := filepath.Join(work, "bundle.git")
	if _, err := git(ctx, work, "init", "--quiet", "--bare", bare); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(bare, "objects", "info", "alternates"), []byte(objects+"\n"), 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"update-ref", "refs/heads/release", commit},
		{"bundle", "create", "--quiet", out, "refs/heads/release"},
	} {
		if _, err := git(ctx, bare, args...); err != nil {
			return err
		}
	}
	return nil
}

// git runs git without the settings of the person or the machine.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_NO_REPLACE_OBJECTS=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// modules returns the path of a modules.tar: the one given, or packed from a tree given or fetched.
func (s *staging) modules(ctx context.Context, tree string) (string, error) {
	dir := s.o.Modules
	if dir == "" {
		dir = filepath.Join(s.work, "modules")
		if err := (rebuild.Fetch{Toolchain: s.o.Toolchain, Environ: os.Environ()}).Modules(ctx, tree, dir); err != nil {
			return "", err
		}
	} else if info, err := os.Stat(dir); err != nil {
		return "", cli.Usagef("--modules: %v", err)
	} else if !info.IsDir() {
		return dir, nil
	}
	packed := filepath.Join(s.work, event.FileModules)
	f, err := os.Create(packed)
	if err != nil {
		return "", err
	}
	return packed, errors.Join(rebuild.PackModules(dir, f), f.Close())
}

func (s *staging) print(m genuine.Manifest, id event.ID, notices []string) error {
	r := stageResult{id.String(), m.Version, m.Channel, m.Previous, m.Source.Commit, append([]string{}, notices...), []string{
		fmt.Sprintf("each auditor: countersign audit rebuild --room %s %s", s.o.Room, id.Short()),
		fmt.Sprintf("each auditor: countersign audit sign --room %s %s", s.o.Room, id.Short()),
	}}
	var b strings.Builder
	fmt.Fprintf(&b, "event %s proposes %s in %s, from commit %s\n", id, m.Version, m.Channel, m.Source.Commit)
	for _, n := range notices {
		fmt.Fprintf(&b, "notice: %s\n", n)
	}
	for _, n := range r.Next {
		fmt.Fprintf(&b, "next: %s\n", n)
	}
	return s.app.Print(r, b.String())
}
