package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/publish/roomtest"
)

// room is a signing room in which a distribution is published, and auditors with homes of their own.
type room struct {
	*roomtest.World
	homes map[int]string // of members, inside one directory that outlives subtests
	base  string
}

func newRoom(t *testing.T) *room {
	w := roomtest.New(t)
	w.Distribute()
	return &room{w, map[int]string{}, t.TempDir()}
}

// auditor is a member at their machine: same home every time, all three keys, an honest builder.
func (r *room) auditor(member int) *Auditor {
	r.T.Helper()
	if r.homes[member] == "" {
		r.homes[member] = filepath.Join(r.base, fmt.Sprint("home", member))
	}
	p := r.People[member]
	return &Auditor{
		Home: r.homes[member], Store: r.Room.Events, Keys: signer.Ring{p.Auditor, p.Statement, p.Root},
		Now: func() time.Time { return r.Now }, Machine: "a test", Environ: []string{"PATH=" + os.Getenv("PATH")}, Build: r.honest,
		Published: r.Published(),
	}
}

// honest builds what the world says a version's artifacts are.
func (r *room) honest(_ context.Context, j Job) (Product, error) {
	for _, m := range r.manifests() {
		if m.Source.Commit == j.Commit {
			return product(j, m, roomtest.Artifacts(m.Version))
		}
	}
	return Product{}, errors.New("source.bundle does not hold commit " + j.Commit)
}

// manifests are those of every event in the room, as the source would give them.
func (r *room) manifests() []genuine.Manifest {
	entries, err := r.Room.Events.List(r.T.Context())
	r.check(err)
	var out []genuine.Manifest
	for _, e := range entries {
		b, err := r.Room.Events.Read(r.T.Context(), e.ID, event.FileRelease, genuine.MaxManifest)
		if err != nil {
			continue
		}
		m, err := genuine.ParseManifest(b)
		r.check(err)
		out = append(out, m)
	}
	return out
}

// product writes files as a builder does, and describes them from what was written.
func product(j Job, m genuine.Manifest, files map[string][]byte) (Product, error) {
	p := Product{Version: m.Version, Source: m.Source, Recipe: m.Recipe, Go: m.Toolchain.Go,
		ToolchainH1: "h1:" + strings.Repeat("B", 43) + "=", Modules: m.Modules, Env: []string{"GOENV=off"}}
	for _, a := range m.Artifacts {
		b, ok := files[a.Path]
		if !ok {
			continue
		}
		path := filepath.Join(j.Out, filepath.FromSlash(a.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return p, err
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return p, err
		}
		p.Artifacts = append(p.Artifacts, Built{a.Path, int64(len(b)), sha256.Sum256(b)})
	}
	return p, nil
}

// stage opens the event of a release whose artifacts are those of its version.
func (r *room) stage(version, channel string) event.ID {
	r.T.Helper()
	return r.stageAs(r.manifest(version, channel), nil)
}

// manifest is the world's, from a commit of its own for each version.
func (r *room) manifest(version, channel string) genuine.Manifest {
	m := r.Manifest(version, channel)
	sum := sha256.Sum256([]byte(version))
	m.Source.Commit = hex.EncodeToString(sum[:20])
	return m
}

// stageAs opens an event with a manifest of the test's own and changed artifacts.
func (r *room) stageAs(m genuine.Manifest, changed map[string][]byte) event.ID {
	r.T.Helper()
	files := roomtest.Files(m)
	for path, b := range changed {
		files["artifacts/"+path] = roomtest.Content(b)
		for i := range m.Artifacts {
			if m.Artifacts[i].Path == path {
				m.Artifacts[i].Length, m.Artifacts[i].SHA256 = int64(len(b)), sha256.Sum256(b)
			}
		}
	}
	id, err := r.Room.Events.OpenRelease(r.T.Context(), m, files, r.Base(), 90, r.Opening())
	r.check(err)
	return id
}

// rebuild makes a member rebuild an event and returns how it ended.
func (r *room) rebuild(id event.ID, member int) *Record {
	r.T.Helper()
	record, err := r.auditor(member).Rebuild(r.T.Context(), id, RebuildOptions{})
	r.check(err)
	return record
}

// decide checks an event for a member.
func (r *room) decide(id event.ID, member int) (*Decision, error) {
	return r.auditor(member).Check(r.T.Context(), id, Options{})
}

// sign checks and signs, which must work.
func (r *room) sign(id event.ID, member int) *Outcome {
	r.T.Helper()
	d, err := r.decide(id, member)
	r.check(err)
	out, err := r.auditor(member).Sign(r.T.Context(), d)
	r.check(err)
	return out
}

// release stages a version and takes it through three auditors to publication.
func (r *room) release(version, channel string) event.ID {
	r.T.Helper()
	id := r.stage(version, channel)
	for _, m := range []int{roomtest.Ana, roomtest.Ben, roomtest.Cleo} {
		r.rebuild(id, m)
		r.sign(id, m)
	}
	r.Publish(id)
	return id
}

func (r *room) check(err error) {
	r.T.Helper()
	if err != nil {
		r.T.Fatal(err)
	}
}

// refused wants a refusal with exactly that text, in which {id} stands for an event.
func refused(t *testing.T, err error, id event.ID, want string) {
	t.Helper()
	want = strings.ReplaceAll(strings.ReplaceAll(want, "{id}", id.Short()), "{full}", id.String())
	if err == nil {
		t.Fatalf("no refusal, want %q", want)
	}
	if err.Error() != want {
		t.Fatalf("got  %v\nwant %s", err, want)
	}
	if !isRefusal(err) {
		t.Fatalf("%v is not a refusal", err)
	}
}
