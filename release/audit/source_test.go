package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/builds/hermetic"
	"github.com/countersign-project/countersign/builds/rebuild"
	"github.com/countersign-project/countersign/builds/recipe"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/publish/roomtest"
)

// workshop is a publisher with a git repository of one tiny program, and a room.
type workshop struct {
	*room
	repo  string
	env   []string
	cache string
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		absent(t, "git is not installed")
	}
	own, err := os.ReadFile("../../builds/recipe.toml")
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse(own)
	if err != nil {
		t.Fatal(err)
	}
	goroot, err := hermetic.FindToolchain(os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	host := runtime.GOOS + "/" + runtime.GOARCH
	if runtime.Version() != r.Go || r.ToolchainH1[host] == "" {
		absent(t, fmt.Sprintf("the recipe has no hash of %s on %s", runtime.Version(), host))
	}
	w := &workshop{room: newRoom(t), repo: t.TempDir(), cache: filepath.Join(t.TempDir(), "cache"),
		env: []string{"PATH=" + os.Getenv("PATH"), "GOROOT=" + goroot, "HOME=" + t.TempDir()}}
	w.git("init", "-q", "-b", "main", ".")
	w.commit(map[string]string{
		"go.mod": "module example.org/hello\n\ngo 1.26.0\n", "VERSION": "1.0.0\n", "LICENSE": "free\n",
		"cmd/hello/main.go": "package main\n\nfunc main() { println(\"hello\") }\n",
		recipe.Path: fmt.Sprintf("version_file = \"VERSION\"\n[toolchain]\ngo = %q\n[toolchain.h1]\n%q = %q\n[[program]]\nname = \"hello\"\npackage = \"./cmd/hello\"\n[build]\nplatforms = [%q]\nldflags = [\"-s\", \"-w\"]\n[archive]\nname = \"greeting\"\nfiles = [\"LICENSE\"]\n",
			r.Go, host, r.ToolchainH1[host], host),
	})
	return w
}

// absent skips for a person and fails in CI, where everything must be there.
func absent(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func (w *workshop) git(args ...string) string {
	w.T.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Pia", "-c", "user.email=pia@example.org", "-c", "commit.gpgsign=false"}, args...)...)
	cmd.Dir = w.repo
	cmd.Env = append(slices.Clone(w.env), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_AUTHOR_DATE=2026-11-21T12:00:00Z", "GIT_COMMITTER_DATE=2026-11-21T12:00:00Z")
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.T.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes files ("" removes one) and returns the commit.
func (w *workshop) commit(files map[string]string) string {
	w.T.Helper()
	for name, text := range files {
		path := filepath.Join(w.repo, filepath.FromSlash(name))
		w.check(os.MkdirAll(filepath.Dir(path), 0o755))
		if text == "" {
			w.check(os.Remove(path))
			continue
		}
		w.check(os.WriteFile(path, []byte(text), 0o644))
	}
	w.git("add", "-A")
	w.git("commit", "-q", "-m", "change")
	return w.git("rev-parse", "HEAD")
}

// built is what the publisher made of a commit: a manifest, and where the files are.
type built struct {
	manifest genuine.Manifest
	dir      string
}

func (w *workshop) build(previous string) built {
	w.T.Helper()
	b := built{dir: filepath.Join(w.T.TempDir(), "out")}
	m, err := rebuild.Build(w.T.Context(), rebuild.Options{Source: w.repo, Modules: w.T.TempDir(), Out: b.dir, Cache: w.cache, Environ: w.env})
	w.check(err)
	b.manifest = genuine.Manifest{
		Format: "countersign-release-1", Version: m.Version, Channel: "stable", Previous: previous, Notes: "Hello.", Made: w.Now,
		Source: genuine.Source{Commit: m.Source.Commit, Tree: m.Source.Tree, H1: m.Source.H1},
		Recipe: m.Recipe, Toolchain: genuine.Toolchain{Go: m.Go}, Modules: m.Modules,
	}
	for _, a := range m.Artifacts {
		b.manifest.Artifacts = append(b.manifest.Artifacts, genuine.Artifact{Path: a.Path, OS: a.OS, Arch: a.Arch, Program: a.Program, Kind: a.Kind, Length: a.Length, SHA256: genuine.Digest(a.SHA256)})
	}
	return b
}

// open opens the event of a build, with the whole history of the repository as its source.
func (w *workshop) open(b built) event.ID {
	w.T.Helper()
	bundle := filepath.Join(w.T.TempDir(), "source.bundle")
	w.git("bundle", "create", "-q", bundle, "HEAD")
	var modules bytes.Buffer
	w.check(rebuild.PackModules(w.T.TempDir(), &modules))
	files := map[string]event.Content{event.FileSource: event.FromFile(bundle), event.FileModules: event.Bytes(modules.Bytes())}
	for _, a := range b.manifest.Artifacts {
		files["artifacts/"+a.Path] = event.FromFile(filepath.Join(b.dir, filepath.FromSlash(a.Path)))
	}
	id, err := w.Room.Events.OpenRelease(w.T.Context(), b.manifest, files, w.Base(), 90, w.Opening())
	w.check(err)
	return id
}

// ana rebuilds with the real builder and her own cache.
func (w *workshop) ana(id event.ID) *Record {
	w.T.Helper()
	a := w.auditor(roomtest.Ana)
	a.Build, a.Environ = Hermetic, w.env
	record, err := a.Rebuild(w.T.Context(), id, RebuildOptions{Cache: filepath.Join(a.Home, "cache")})
	w.check(err)
	return record
}

func TestRealBuilds(t *testing.T) {
	w := newWorkshop(t)
	first := w.open(w.build(""))
	record := w.ana(first)
	if record.Result != event.Matched || len(record.Artifacts) != 3 || record.Source.Note != "this is the first release of the channel" {
		t.Fatalf("%s\n%+v", record.Text(), record.Source)
	}
	w.sign(first, roomtest.Ana)
	w.Rebuild(first, roomtest.Ben, roomtest.Cleo)
	w.SignAll(first, roomtest.Ben, roomtest.Cleo)
	w.Publish(first)

	w.commit(map[string]string{"VERSION": "1.1.0\n", "cmd/hello/main.go": "package main\n\nfunc main() { println(greeting) }\n", "cmd/hello/text.go": "package main\n\nconst greeting = \"hello, world\"\n", "LICENSE": "as before\n"})
	good := w.build("1.0.0")
	second := w.open(good)
	record = w.ana(second)
	if record.Result != event.Matched {
		t.Fatal(record.Text())
	}
	d, err := w.decide(second, roomtest.Ana)
	w.check(err)
	want := fmt.Sprintf("  source change since 1.0.0: commits %s..%s, 4 files\n    ~ LICENSE\n    ~ VERSION\n    ~ cmd/hello/main.go\n    + cmd/hello/text.go\n    no module changes\n", w.Load(first).Manifest.Source.Commit[:12], good.manifest.Source.Commit[:12])
	if got := d.Change.Text(); !strings.Contains(got, want) {
		t.Errorf("no\n%sin\n%s", want, got)
	}

	t.Run("other program", func(t *testing.T) {
		w.T = t
		bad := good
		bad.dir = t.TempDir()
		w.check(os.CopyFS(bad.dir, os.DirFS(good.dir)))
		bad.manifest.Artifacts = slices.Clone(good.manifest.Artifacts)
		for i, a := range bad.manifest.Artifacts {
			if a.Kind != genuine.KindProgram {
				continue
			}
			path := filepath.Join(bad.dir, filepath.FromSlash(a.Path))
			b, err := os.ReadFile(path)
			w.check(err)
			b = bytes.Replace(b, []byte("hello, world"), []byte("hello, w0rld"), 1)
			w.check(os.Remove(path))
			w.check(os.WriteFile(path, b, 0o755))
			bad.manifest.Artifacts[i].SHA256 = sha256.Sum256(b)
		}
		id := w.open(bad)
		record := w.ana(id)
		if record.Result != event.Differs || len(record.Differences) != 1 || !strings.HasSuffix(record.Differences[0].What, "/hello") || record.Differences[0].Explain == "" {
			t.Errorf("%s", record.Text())
		}
		if s := w.Load(id).Status(event.Published{}, "").Rebuilds[roomtest.Ana]; s.Result != event.Differs {
			t.Errorf("public word: %+v", s)
		}
	})
	for name, c := range map[string]struct {
		change func(m *genuine.Manifest)
		want   string
	}{
		"tree":    {func(m *genuine.Manifest) { m.Source.Tree = strings.Repeat("e", 40) }, "source tree"},
		"h1":      {func(m *genuine.Manifest) { m.Source.H1 = "h1:" + strings.Repeat("A", 43) + "=" }, "source h1"},
		"recipe":  {func(m *genuine.Manifest) { m.Recipe = strings.Repeat("e", 64) }, "recipe"},
		"go.sum":  {func(m *genuine.Manifest) { m.Modules = strings.Repeat("e", 64) }, "go.sum"},
		"version": {func(m *genuine.Manifest) { m.Version = "1.2.0" }, "version"},
		"missing": {func(m *genuine.Manifest) { m.Artifacts = m.Artifacts[:2] }, good.manifest.Artifacts[2].Path},
	} {
		t.Run(name, func(t *testing.T) {
			w.T = t
			bad := good
			bad.manifest.Artifacts = slices.Clone(good.manifest.Artifacts)
			c.change(&bad.manifest)
			id := w.open(bad)
			record := w.ana(id)
			if record.Result != event.Differs || len(record.Differences) != 1 || record.Differences[0].What != c.want {
				t.Errorf("%s", record.Text())
			}
			_, err := w.decide(id, roomtest.Ana)
			var no *NotRebuilt
			if !errors.As(err, &no) {
				t.Errorf("may be signed: %v", err)
			}
		})
	}
	t.Run("commit not there", func(t *testing.T) {
		w.T = t
		bad := good
		bad.manifest.Source.Commit = strings.Repeat("e", 40)
		if record := w.ana(w.open(bad)); record.Result != event.Inconclusive || !strings.Contains(record.Reason, "no such commit") {
			t.Errorf("%s", record.Text())
		}
	})
	t.Run("does not compile", func(t *testing.T) {
		w.T = t
		bad := good
		bad.manifest.Source.Commit = w.commit(map[string]string{"cmd/hello/text.go": ""})
		record := w.ana(w.open(bad))
		if record.Result != event.Inconclusive || !strings.Contains(record.Reason, "undefined: greeting") {
			t.Errorf("%s", record.Text())
		}
	})
}
