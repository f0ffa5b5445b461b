package rebuild

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/builds/recipe"
	"github.com/countersign-project/countersign/builds/source"
)

// A commit becomes programs, their debug twins, an archive and a manifest that says so.
func TestBuild(t *testing.T) {
	w := newWorld(t)
	var steps []string
	o := w.options()
	o.Progress = func(step string, done, total int) {
		if total > 3 && done >= total {
			t.Errorf("step %q is number %d of %d", step, done, total)
		}
		steps = append(steps, step)
	}
	m, out := w.must(o)
	if got := run(t, out); got != "hello dep none" {
		t.Errorf("the program says %q", got)
	}
	r := ownRecipe(t)
	if m.Version != "1.4.0" || m.Source.Commit != w.git("rev-parse", "HEAD") || m.Source.Tree != w.git("rev-parse", "HEAD^{tree}") || m.Go != r.Go || m.ToolchainH1 != r.ToolchainH1[host()] {
		t.Errorf("manifest %+v", m)
	}
	text, err := os.ReadFile(filepath.Join(out, ManifestFile))
	check(t, err)
	if back, err := ParseManifest(text); err != nil || sums(back) != sums(m) {
		t.Errorf("build.json: %v", err)
	}
	for _, private := range []string{w.repo, out, w.cache, w.modules, goroot(t), os.TempDir()} {
		if bytes.Contains(text, []byte(private)) {
			t.Errorf("build.json names a place on this machine: %s", private)
		}
	}
	p, err := recipe.ParsePlatform(host())
	check(t, err)
	want := []string{"greeting-1.4.0-" + p.Dir() + ".tar", p.Dir() + "/" + p.File("hello"), p.Dir() + "/" + p.File("hello") + ".debug"}
	var got []string
	for _, a := range m.Artifacts {
		got = append(got, a.Path)
	}
	if !slices.Equal(got, want) {
		t.Errorf("artifacts %v, want %v", got, want)
	}
	if m.Artifacts[2].Length <= m.Artifacts[1].Length || m.Artifacts[2].Kind != KindDebug {
		t.Error("the debug twin is not larger than the stripped program")
	}
	if len(steps) != 6 || steps[0] != "exporting the source" || steps[5] != host()+": packing" {
		t.Errorf("steps %q", steps)
	}
	checkArchive(t, out, m)
}

// The archive holds the very program and the files the recipe names.
func checkArchive(t *testing.T, out string, m Manifest) {
	t.Helper()
	f, err := os.Open(filepath.Join(out, m.Artifacts[0].Path))
	check(t, err)
	defer f.Close()
	top := strings.TrimSuffix(m.Artifacts[0].Path, ".tar") + "/"
	var names []string
	for tr := tar.NewReader(f); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		check(t, err)
		names = append(names, strings.TrimPrefix(h.Name, top))
		body, err := io.ReadAll(tr)
		check(t, err)
		if strings.HasPrefix(h.Name, top+"hello") {
			program, err := os.ReadFile(filepath.Join(out, m.Artifacts[1].Path))
			check(t, err)
			if !bytes.Equal(body, program) || h.Mode != 0o755 {
				t.Error("the archive's program is another one")
			}
		}
	}
	if len(names) != 3 || names[0] != "" || names[1] != "LICENSE" {
		t.Errorf("archive holds %q", names)
	}
}

// What is wrong with the source is refused before anything is compiled, by name.
func TestSourceRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		want   string
	}{
		"no recipe":   {func(w *world) { w.git("rm", "-q", recipe.Path) }, "the source has no builds/recipe.toml"},
		"no version":  {func(w *world) { w.git("rm", "-q", "VERSION") }, "the source has no VERSION"},
		"no go.mod":   {func(w *world) { w.git("rm", "-q", "go.mod") }, "the source has no go.mod"},
		"no licence":  {func(w *world) { w.git("rm", "-q", "LICENSE") }, "the source has no LICENSE"},
		"bad version": {func(w *world) { w.write(map[string]string{"VERSION": "next\n"}) }, `version_file: VERSION holds "next\n"`},
		"bad recipe": {func(w *world) {
			w.write(map[string]string{recipe.Path: strings.Replace(w.read(recipe.Path), `"-w"`, `"-X main.version=evil"`, 1)})
		}, `build.ldflags: "-X main.version=evil", want "-s" or "-w"`},
		"other go": {func(w *world) {
			w.write(map[string]string{recipe.Path: strings.Replace(w.read(recipe.Path), "go1.26.8", "go1.26.7", 1)})
		}, `is "go1.26.8", want "go1.26.7"`},
		"other toolchain": {func(w *world) {
			w.write(map[string]string{recipe.Path: strings.Replace(w.read(recipe.Path), ownRecipe(w.t).ToolchainH1[host()], "h1:"+strings.Repeat("A", 43)+"=", 1)})
		}, "want h1:" + strings.Repeat("A", 43) + "=: it is not the one in the Go checksum database"},
		"unknown host": {func(w *world) {
			w.write(map[string]string{recipe.Path: strings.Replace(w.read(recipe.Path), `"`+host()+`" = "h1`, `"freebsd/arm64" = "h1`, 1)})
		}, "no toolchain hash is known for building on " + host()},
		"replaced outside": {func(w *world) {
			w.write(map[string]string{"go.mod": w.read("go.mod") + "\nreplace example.org/dep => ../dep\n"})
		}, `go.mod replaces example.org/dep by "../dep", which is outside the source tree`},
		"replaced by root": {func(w *world) {
			w.write(map[string]string{"go.mod": w.read("go.mod") + "\nreplace example.org/dep => /dep\n"})
		}, `go.mod replaces example.org/dep by "/dep", which is outside the source tree`},
		"sum missing": {func(w *world) { w.git("rm", "-q", "go.sum") }, "missing go.sum entry"},
		"sum cut": {func(w *world) {
			_, rest, _ := strings.Cut(w.read("go.sum"), "\n")
			w.write(map[string]string{"go.sum": rest})
		}, "missing go.sum entry"},
		"sum wrong": {func(w *world) {
			w.write(map[string]string{"go.sum": strings.Replace(w.read("go.sum"), "v1.0.0 h1:", "v1.0.0 h1:AAAA", 1)})
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.change(w)
			w.commit()
			o := w.options()
			_, err := w.build(o)
			if c.want == "" {
				if err == nil {
					t.Fatal("built")
				}
			} else {
				refused(t, err, c.want)
			}
			if _, err := os.Stat(o.Out); err == nil {
				t.Error("a refused build left its output directory")
			}
		})
	}
}

func TestDirtyRefused(t *testing.T) {
	w := newWorld(t)
	w.write(map[string]string{"cmd/hello/extra.go": "package main\n"})
	_, err := w.build(w.options())
	refused(t, err, `is not clean: untracked "cmd/hello/extra.go"`)
	var dirty *source.DirtyError
	if !errors.As(err, &dirty) {
		t.Errorf("%T is not told apart", err)
	}
}

func TestWrongUse(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Platforms = []string{"plan9/386"}
	_, err := w.build(o)
	var p *recipe.PlatformError
	if !errors.As(err, &p) {
		t.Errorf("err = %v", err)
	}
	o = w.options()
	o.Out = w.repo
	_, err = w.build(o)
	plainError(t, err, "and is no earlier build; give a new directory")
	o = w.options()
	o.Modules = filepath.Join(w.repo, "gone")
	_, err = w.build(o)
	plainError(t, err, "module tree: open")
	o = w.options()
	o.Toolchain = w.repo
	_, err = w.build(o)
	refused(t, err, `is "1.4.0", want "go1.26.8"`)
}

// An earlier build is replaced as a whole; anybody else's file keeps it from being.
func TestOutput(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	first, out := w.must(o)
	w.write(map[string]string{"VERSION": "1.5.0\n"})
	w.commit()
	second, _ := w.must(o)
	files, err := listFiles(out)
	check(t, err)
	if len(files) != 4 || first.Version == second.Version || !slices.Contains(files, second.Artifacts[0].Path) {
		t.Errorf("after the second build: %q", files)
	}
	if entries, err := os.ReadDir(filepath.Dir(out)); err != nil || len(entries) != 1 {
		t.Errorf("something was left beside the output: %v, %v", entries, err)
	}
	check(t, os.WriteFile(filepath.Join(out, "mine.txt"), nil, 0o644))
	_, err = w.build(o)
	plainError(t, err, `holds "mine.txt", which is not of the earlier build`)
}

// When the person gives up, everything stops and nothing is left.
func TestCancel(t *testing.T) {
	w := newWorld(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("TMP", temp)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o := w.options()
	o.Cache = ""
	o.Progress = func(step string, _, _ int) {
		if strings.HasSuffix(step, "compiling and linking") {
			cancel()
		}
	}
	if _, err := Build(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want canceled", err)
	}
	for _, dir := range []string{temp, filepath.Dir(o.Out)} {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
			t.Errorf("%s holds %v, %v", dir, entries, err)
		}
	}
}
