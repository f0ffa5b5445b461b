package compare

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// workshop builds variants of one tiny program with a plain go build, for the explanation to find out.
type workshop struct {
	t     *testing.T
	dir   string
	files map[string]string
	env   []string
}

func newWorkshop(t *testing.T) *workshop {
	w := &workshop{t: t, dir: t.TempDir(), files: map[string]string{
		"go.mod": "module example.org/m\n\ngo 1.26.0\n\nrequire example.org/dep v1.0.0\n\nreplace example.org/dep => ./dep\n",
		"main.go": `package main

import "example.org/dep"

var word = "word"

//go:noinline
func double(n int) int { return 2 * n }

func main() { println(word, double(len(word)), dep.Name()) }
`,
		"tag.go":     "//go:build extra\n\npackage main\n",
		"dep/go.mod": "module example.org/dep\n\ngo 1.26.0\n",
		"dep/dep.go": "package dep\n\n//go:noinline\nfunc Name() string { return \"dep\" }\n",
	}}
	w.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "GOENV=off", "GOTOOLCHAIN=local", "GOCACHE=" + t.TempDir(), "GOPATH=" + w.dir, "GOPROXY=off",
		"GOWORK=off", "GOFLAGS=-trimpath -buildvcs=false", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64",
	}
	return w
}

// build makes the program with changes: "file=text" for a file that has a dot or is "text",
// "NAME=value" for the environment, "-flag" for go build.
func (w *workshop) build(changes ...string) []byte {
	w.t.Helper()
	dir := w.t.TempDir()
	files, env, flags := map[string]string{}, slices.Clone(w.env), []string{"build", "-o", filepath.Join(dir, "out")}
	for name, text := range w.files {
		files[name] = text
	}
	for _, c := range changes {
		name, value, _ := strings.Cut(c, "=")
		switch {
		case strings.HasPrefix(c, "-"):
			flags = append(flags, c)
		case strings.Contains(name, ".") || name == "text":
			files[name] = value
		default:
			env = append(env, c)
		}
	}
	for name, text := range files {
		p := filepath.Join(dir, "src", name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	cmd := exec.Command("go", flags...)
	cmd.Dir, cmd.Env = filepath.Join(dir, "src"), env
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("go %v: %v\n%s", flags, err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "out"))
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// For each leak of research 1.2 the cause is named.
func TestExplainProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	w := newWorkshop(t)
	const strip = "-ldflags=-s -w"
	good := w.build(strip)
	if d := Bytes("x", good, w.build(strip)); d != nil {
		t.Fatalf("the same program twice: %s", d.Text())
	}
	arm := slices.Clone(good)
	arm[18], arm[19] = 183, 0 // e_machine
	if d := Bytes("x", good, arm); d == nil || d.Cause != "built for another processor: want EM_X86_64, got EM_AARCH64" {
		t.Errorf("got %+v", d)
	}
	const embed = "embed.go=package main\n\nimport _ \"embed\"\n\n//go:embed text\nvar text string\n\nfunc init() { println(text) }\n"
	d := Bytes("x", w.build(strip, embed, "text=some text\n"), w.build(strip, embed, "text=same text\n"))
	if d == nil || d.Cause != "data differs, code is equal (a constant, a linker's -X, an embedded file): .rodata" || !strings.Contains(d.Text(), "some text") {
		t.Errorf("an embedded file: %+v", d)
	}
	main := w.files["main.go"]
	for name, c := range map[string]struct {
		change []string
		cause  string
		detail string
	}{
		"tags":         {[]string{strip, "-tags=extra"}, `build setting -tags: want none, got "extra"`, ""},
		"GOAMD64":      {[]string{strip, "GOAMD64=v3"}, `build setting GOAMD64: want "v1", got "v3"`, ""},
		"GOEXPERIMENT": {[]string{strip, "GOEXPERIMENT=nodwarf5"}, `Go version: want "go1.26.8", got "go1.26.8-X:nodwarf5"`, "GOEXPERIMENT"},
		"GOFIPS140":    {[]string{strip, "GOFIPS140=latest"}, `build setting DefaultGODEBUG: want none, got "fips140=on"`, `build setting GOFIPS140: want none, got "latest"`},
		"gcflags":      {[]string{strip, "-gcflags=-N"}, `build setting -gcflags: want none, got "-N"`, ""},
		"trimpath":     {[]string{strip, "GOFLAGS=-buildvcs=false"}, `build setting -ldflags: want none, got "-s -w"`, ""},
		"unknown -X":   {[]string{"-ldflags=-s -w -X main.nothing=1"}, "only the build id differs: other flags or another toolchain, same code and data", ""},
		"-X":           {[]string{"-ldflags=-s -w -X main.word=evil"}, "code or data differs: all functions have the same names and lengths", `evil\x00`},
		"not stripped": {nil, "not stripped as wanted (linker flags -s, -w): extra sections .debug_abbrev", ""},
		"code":         {[]string{strip, "main.go=" + strings.Replace(main, "2 * n", "3 * n", 1)}, "code differs: .text", "main.double"},
		"new function": {[]string{strip, "main.go=" + main + "\n//go:noinline\nfunc evil() { println(1) }\n\nfunc init() { evil() }\n"}, "code differs: .text", "functions extra: main.evil, main.init.0"},
		"module":       {[]string{strip, "go.mod=" + strings.Replace(w.files["go.mod"], "v1.0.0", "v1.1.0", 1)}, `module example.org/dep: want "v1.0.0 => ./dep (devel)", got "v1.1.0 => ./dep (devel)"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := Bytes("x", good, w.build(c.change...))
			if d == nil {
				t.Fatal("equal")
			}
			if !strings.HasPrefix(d.Cause, c.cause) {
				t.Errorf("cause %q, want %q", d.Cause, c.cause)
			}
			if !strings.Contains(strings.Join(d.Details, "\n"), c.detail) {
				t.Errorf("details lack %q:\n%s", c.detail, d.Text())
			}
		})
	}
}

// An external linker leaves no trace in Go's build information, but in the sections.
func TestExplainExternalLinker(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("gcc is missing, and CI must test against it")
		}
		t.Skip("gcc is not installed: no test with an external linker")
	}
	w := newWorkshop(t)
	d := Bytes("x", w.build("-ldflags=-s -w"), w.build("-ldflags=-s -w", "GO_EXTLINK_ENABLED=1"))
	if d == nil || !strings.HasPrefix(d.Cause, "another linker was used: ") {
		t.Errorf("got %+v", d)
	}
}

// The other formats are understood as well.
func TestExplainOtherSystems(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	w := newWorkshop(t)
	main := w.files["main.go"]
	for _, target := range [][]string{{"GOOS=darwin", "GOARCH=arm64"}, {"GOOS=windows", "GOARCH=amd64"}} {
		good := w.build(append(target, "-ldflags=-s -w")...)
		for cause, change := range map[string]string{
			"only the build id differs": "-ldflags=-s -w -X main.nothing=1",
			"code differs: ":            "main.go=" + strings.Replace(main, "2 * n", "3 * n", 1),
			"build setting -tags: ":     "-tags=extra",
		} {
			args := append(slices.Clone(target), change)
			if !strings.HasPrefix(change, "-ldflags") {
				args = append(args, "-ldflags=-s -w")
			}
			d := Bytes("x", good, w.build(args...))
			if d == nil || !strings.HasPrefix(d.Cause, cause) {
				t.Errorf("%v: got %+v, want %s", target, d, cause)
				continue
			}
			if strings.HasPrefix(cause, "code") && !strings.Contains(d.Text(), "main.double") {
				t.Errorf("%v: the function is not named:\n%s", target, d.Text())
			}
		}
	}
}

// BenchmarkExplain measures the explanation of a one-line change in a program the size of go itself.
func BenchmarkExplain(b *testing.B) {
	p, err := exec.LookPath("go")
	if err != nil {
		b.Skip(err)
	}
	want, err := os.ReadFile(p)
	if err != nil {
		b.Fatal(err)
	}
	m, err := parseImage(want)
	if err != nil {
		b.Fatal(err)
	}
	got := slices.Clone(want)
	for _, s := range m.sections {
		if s.code {
			got[s.offset+s.size/2] ^= 1
		}
	}
	b.SetBytes(int64(len(want)))
	for b.Loop() {
		if d := Bytes("go", want, got); d == nil {
			b.Fatal("equal")
		}
	}
}
