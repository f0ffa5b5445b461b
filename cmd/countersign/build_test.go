package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/builds/compare"
	"github.com/countersign-project/countersign/builds/hermetic"
	"github.com/countersign-project/countersign/builds/rebuild"
	"github.com/countersign-project/countersign/builds/recipe"
	"github.com/countersign-project/countersign/cmd/cli"
)

// buildWorld runs the command's inner function with an environment of its own and returns its exit code
// and error.
func buildWorld(t *testing.T, o buildOptions, environ ...string) (int, error) {
	t.Helper()
	var out, errs bytes.Buffer
	app := &cli.App{Name: "countersign", Out: &out, Err: &errs, Now: time.Now, Getenv: func(string) string { return "" }}
	o.Out = filepath.Join(t.TempDir(), "out")
	err := runBuild(t.Context(), app, o, append([]string{"PATH=" + os.Getenv("PATH")}, environ...))
	if _, statErr := os.Stat(o.Out); statErr == nil {
		t.Error("a build that did not happen left its output directory")
	}
	return cli.Code(err), err
}

// Refused, wrong usage and could not tell keep their exit codes apart.
func TestBuildExitCodes(t *testing.T) {
	repo := t.TempDir()
	for _, args := range [][]string{{"init", "-q", "."}, {"add", "-A"}, {"-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "x"}} {
		if args[0] == "add" {
			own, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(recipe.Path)))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(repo, "builds"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(repo, filepath.FromSlash(recipe.Path)), own, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command("git", args...)
		cmd.Dir = repo
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, text)
		}
	}
	for name, c := range map[string]struct {
		o    buildOptions
		env  string
		code int
		want string
	}{
		"leak":       {buildOptions{Source: repo}, "GOFLAGS=-tags=evil", cli.ExitRefused, `environment has GOFLAGS="-tags=evil", which can change what go build makes or what it runs; unset it`},
		"no version": {buildOptions{Source: repo}, "A=", cli.ExitRefused, "the source has no release/anchor/VERSION"},
		"platform":   {buildOptions{Source: repo, Platforms: []string{"plan9/386"}}, "A=", cli.ExitUsage, `--platform: platform "plan9/386" is not in builds/recipe.toml, which has darwin/arm64, linux/amd64`},
		"no source":  {buildOptions{Source: t.TempDir()}, "A=", cli.ExitUnknown, "not a git repository"},
		"no commit":  {buildOptions{Source: repo, Rev: "v9"}, "A=", cli.ExitUnknown, `revision "v9": no such commit`},
	} {
		code, err := buildWorld(t, c.o, c.env)
		if code != c.code || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: exit %d, %v; want %d, %s", name, code, err, c.code, c.want)
		}
	}
	if err := os.WriteFile(filepath.Join(repo, "stray.go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, err := buildWorld(t, buildOptions{Source: repo}); code != cli.ExitRefused || !strings.Contains(err.Error(), `is not clean: untracked "stray.go"`) {
		t.Errorf("a dirty tree: exit %d, %v", code, err)
	}
}

// A hint does not change what kind of error it is attached to.
func TestBuildHint(t *testing.T) {
	err := buildHint(&hermetic.ToolchainError{Goroot: "/go", What: "version", Got: "go1.27.0", Want: "go1.26.8"})
	if cli.Code(err) != cli.ExitRefused || err.Error() != `toolchain /go is "go1.27.0", want "go1.26.8"` {
		t.Errorf("exit %d, %v", cli.Code(err), err)
	}
	if err := buildHint(hermetic.ErrDiskFull); cli.Code(err) != cli.ExitUnknown {
		t.Errorf("a full disk has exit code %d", cli.Code(err))
	}
}

func TestBuildTable(t *testing.T) {
	m := rebuild.Manifest{Version: "1.4.0", Go: "go1.26.8", Host: "linux/amd64", Network: "settings only", Artifacts: []rebuild.Artifact{
		{Path: "linux-amd64/messenger", Length: 123, SHA256: compare.Sum{0xab}},
	}}
	want := "artifact                    bytes  sha256\n" +
		"linux-amd64/messenger         123  ab" + strings.Repeat("0", 62) + "\n"
	if got := buildTable(m, "out"); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "kept off the network by: settings only\nin out\n") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
