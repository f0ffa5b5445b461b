package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// git is one repository seen through a git program that cannot be influenced by the user's settings.
type git struct {
	program string
	dir     string // -C
	env     []string
}

// pins are settings that a repository's own config file could otherwise bring: programs to run, bytes
// to convert, files to hide.
var pins = []string{
	"core.fsmonitor=false", "core.hooksPath=" + os.DevNull, "core.attributesFile=" + os.DevNull, "core.excludesFile=" + os.DevNull,
	"core.autocrlf=false", "core.quotePath=false", "core.untrackedCache=false", "core.commitGraph=false",
	"protocol.allow=never", "submodule.recurse=false", "gc.auto=0", "maintenance.auto=false",
}

// passed are the ambient variables git gets: where programs and temporary files are.
var passed = []string{"PATH", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "COMSPEC", "PATHEXT"}

func newGit(dir string, environ []string) (git, error) {
	env := []string{
		"HOME=" + os.DevNull, "XDG_CONFIG_HOME=" + os.DevNull, "LC_ALL=C", "TZ=UTC",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_ATTR_NOSYSTEM=1",
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0",
	}
	path := ""
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		for _, p := range passed {
			if strings.EqualFold(name, p) {
				env = append(env, kv)
			}
		}
		if strings.EqualFold(name, "PATH") {
			path = value
		}
	}
	for _, d := range filepath.SplitList(path) {
		if !filepath.IsAbs(d) { // never a program out of the current directory
			continue
		}
		if p, err := exec.LookPath(filepath.Join(d, "git")); err == nil {
			return git{p, dir, env}, nil
		}
	}
	return git{}, errors.New("git is not in PATH; it is needed to read the source")
}

func (g git) command(ctx context.Context, args ...string) *exec.Cmd {
	all := []string{"-C", g.dir}
	for _, p := range pins {
		all = append(all, "-c", p)
	}
	cmd := exec.CommandContext(ctx, g.program, append(all, args...)...)
	cmd.Env = g.env
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run returns what git printed; its complaint becomes the error.
func (g git) run(ctx context.Context, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := g.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if text := strings.TrimSpace(stderr.String()); text != "" {
			return "", fmt.Errorf("git %s in %s: %s", args[0], g.dir, text)
		}
		return "", fmt.Errorf("git %s in %s: %w", args[0], g.dir, err)
	}
	return stdout.String(), nil
}

// commit resolves a revision to the hash of a commit.
func (g git) commit(ctx context.Context, rev string) (string, error) {
	if rev == "" {
		rev = "HEAD"
	}
	if strings.HasPrefix(rev, "-") || strings.ContainsAny(rev, "\n\x00") {
		return "", fmt.Errorf("revision %q: not a revision", rev)
	}
	out, err := g.run(ctx, "rev-parse", "--verify", "--quiet", rev+"^{commit}")
	if err != nil {
		if ctx.Err() != nil {
			return "", err
		}
		if _, notRepo := g.run(ctx, "rev-parse", "--git-dir"); notRepo != nil {
			return "", notRepo
		}
		return "", fmt.Errorf("revision %q: no such commit in %s", rev, g.dir)
	}
	id := strings.TrimSpace(out)
	if !commitID.MatchString(id) {
		return "", fmt.Errorf("revision %q is %q, want a SHA-1 commit (40 hex digits)", rev, id)
	}
	return id, nil
}

// unbundle unpacks a bundle into a bare repository in a temporary directory. Git hashes what it unpacks,
// and so do we when reading it.
func (g git) unbundle(ctx context.Context, file, rev string) (git, func(), error) {
	if !commitID.MatchString(rev) {
		return git{}, nil, fmt.Errorf("source %s is a file: a git bundle needs its commit as 40 hex digits, got %q", file, rev)
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return git{}, nil, err
	}
	dir, err := os.MkdirTemp("", "countersign-bundle-")
	if err != nil {
		return git{}, nil, err
	}
	done := func() { _ = os.RemoveAll(dir) }
	g.dir = dir
	if _, err := g.run(ctx, "init", "--quiet", "--bare", "--object-format=sha1", "--template=", "."); err != nil {
		done()
		return git{}, nil, err
	}
	if _, err := g.run(ctx, "bundle", "unbundle", file); err != nil {
		done()
		if ctx.Err() != nil {
			return git{}, nil, err
		}
		return git{}, nil, refusef("source bundle: %v", err)
	}
	return g, done, nil
}
