package roomtest

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
)

// Artifacts are the files of a version: two programs and an archive, all made from its name.
func Artifacts(version string) map[string][]byte {
	return map[string][]byte{
		"countersign-" + version + "-linux-amd64.tar": []byte("archive " + version),
		"linux-amd64/messenger":                       []byte("messenger " + version),
		"linux-amd64/messenger.debug":                 []byte("debug data of messenger " + version),
		"linux-amd64/messengerd":                      []byte("messengerd " + version),
	}
}

// Manifest is the release.json of a version, not yet encoded.
func (w *World) Manifest(version, channel string) genuine.Manifest {
	m := genuine.Manifest{
		Format: "countersign-release-1", Version: version, Channel: channel, Notes: "Notes of " + version + ".", Made: w.Now,
		Source:    genuine.Source{Commit: strings.Repeat("c", 40), Tree: strings.Repeat("d", 40), H1: "h1:" + strings.Repeat("A", 43) + "="},
		Recipe:    strings.Repeat("1", 64),
		Toolchain: genuine.Toolchain{Go: "go1.26.8"},
		Modules:   strings.Repeat("2", 64),
	}
	files := Artifacts(version)
	for _, a := range []genuine.Artifact{
		{Path: "countersign-" + version + "-linux-amd64.tar", OS: "linux", Arch: "amd64", Program: "countersign", Kind: genuine.KindArchive},
		{Path: "linux-amd64/messenger", OS: "linux", Arch: "amd64", Program: "messenger", Kind: genuine.KindProgram},
		{Path: "linux-amd64/messenger.debug", OS: "linux", Arch: "amd64", Program: "messenger", Kind: genuine.KindDebug},
		{Path: "linux-amd64/messengerd", OS: "linux", Arch: "amd64", Program: "messengerd", Kind: genuine.KindProgram},
	} {
		a.Length, a.SHA256 = int64(len(files[a.Path])), sha256.Sum256(files[a.Path])
		m.Artifacts = append(m.Artifacts, a)
	}
	return m
}

// Files are the contents a release's event needs.
func Files(m genuine.Manifest) map[string]event.Content {
	out := map[string]event.Content{
		"source.bundle": Content([]byte("git bundle of " + m.Version)),
		"modules.tar":   Content([]byte("modules of " + m.Version)),
	}
	for path, b := range Artifacts(m.Version) {
		out["artifacts/"+path] = Content(b)
	}
	return out
}

// Stage opens the event of a release.
func (w *World) Stage(version, channel string) event.ID {
	w.T.Helper()
	return w.StageAs(w.Manifest(version, channel), w.Opening())
}

// StageAs opens the event of a release with a manifest and an opening of the test's own.
func (w *World) StageAs(m genuine.Manifest, o event.Opening) event.ID {
	w.T.Helper()
	id, err := w.Room.Events.OpenRelease(w.ctx(), m, Files(m), w.Base(), 90, o)
	w.check(err)
	return id
}

// Rebuilt is the statement of a person who rebuilt an event's release and got exactly its bytes.
func (w *World) Rebuilt(id event.ID) statement.Rebuild {
	w.T.Helper()
	p := w.Load(id)
	m := p.Manifest
	r := statement.Rebuild{
		Event: id.String(), Release: p.ReleaseSHA256(), SourceCommit: m.Source.Commit, SourceTree: m.Source.Tree, SourceH1: m.Source.H1,
		Recipe: m.Recipe, Go: m.Toolchain.Go, ToolchainH1: "h1:" + strings.Repeat("B", 43) + "=", ModulesSum: m.Modules,
		Env: []string{"CGO_ENABLED=0", "GOENV=off"}, Builder: "a machine", Started: w.Now, Finished: w.Now,
	}
	for _, a := range m.Artifacts {
		r.Artifacts = append(r.Artifacts, statement.Artifact{Path: a.Path, SHA256: a.SHA256, Length: a.Length})
	}
	return r
}

// Bundle signs a statement by a member.
func (w *World) Bundle(member int, s interface{ Encode() ([]byte, error) }) []byte {
	w.T.Helper()
	payload, err := s.Encode()
	w.check(err)
	b, err := bundle.Sign(payload, w.People[member].Statement)
	w.check(err)
	return b
}

// Rebuild lets people state that they rebuilt a release and that it matched.
func (w *World) Rebuild(id event.ID, members ...int) {
	w.T.Helper()
	for _, i := range members {
		w.check(w.Room.Events.PutStatement(w.ctx(), id, w.Bundle(i, w.Rebuilt(id))))
	}
}

// Release stages, rebuilds, signs and publishes a version.
func (w *World) Release(version, channel string, members ...int) event.ID {
	w.T.Helper()
	id := w.Stage(version, channel)
	w.Rebuild(id, members...)
	w.SignAll(id, members...)
	w.Publish(id)
	return id
}

// String names the world in test output.
func (w *World) String() string { return fmt.Sprintf("room %s at %s", w.Dir, w.Now) }
