package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"
)

// repo is a small git repository that a test can commit to.
type repo struct {
	t   *testing.T
	dir string
	env []string
}

func newRepo(t *testing.T, files map[string]string) *repo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is needed")
		}
		t.Skip("git is not installed")
	}
	r := &repo{t: t, dir: t.TempDir()}
	r.env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	r.git("", "init", "-q", "-b", "main", ".")
	r.write(files)
	r.commit()
	return r
}

func (r *repo) git(stdin string, args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin = r.dir, r.env, strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

func (r *repo) write(files map[string]string) {
	r.t.Helper()
	for name, body := range files {
		p := filepath.Join(r.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(body), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *repo) commit() string {
	r.git("", "add", "-A")
	r.git("", "commit", "-q", "--allow-empty", "-m", "change")
	return r.git("", "rev-parse", "HEAD")
}

// commitTree makes a commit of a tree given as "mode type id\tname" lines, which git itself would not
// let a user add.
func (r *repo) commitTree(lines string) string {
	tree := r.git(lines, "mktree", "--missing")
	return r.git("", "commit-tree", "-m", "made by hand", tree)
}

func export(t *testing.T, from, rev string) (Source, string, error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "export")
	s, err := Export(context.Background(), from, rev, dir, os.Environ())
	return s, dir, err
}

// refused wants a refusal with that text in it.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	var r interface{ Refused() bool }
	if !errors.As(err, &r) || !r.Refused() {
		t.Fatalf("err = %v, want a refusal saying %q", err, want)
	}
	if !strings.Contains(err.Error(), want) {
		t.Fatalf("refused with %q, want %q", err, want)
	}
}

var plain = map[string]string{"a.txt": "a\n", "b/c.txt": "c\r\n", "b-c/d": "", "run.sh": "#!/bin/sh\n"}

func TestExport(t *testing.T) {
	r := newRepo(t, plain)
	r.git("", "update-index", "--chmod=+x", "run.sh")
	r.git("", "commit", "-q", "-m", "run")
	r.git("", "checkout", "-q", "-f", "HEAD")
	head := r.git("", "rev-parse", "HEAD")
	s, dir, err := export(t, r.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	h1, err := dirhash.HashDir(dir, "", dirhash.Hash1)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Source{head, r.git("", "rev-parse", "HEAD^{tree}"), h1}); s != want {
		t.Errorf("got %+v, want %+v", s, want)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "b", "c.txt")); string(b) != "c\r\n" {
		t.Errorf("c.txt = %q, want its bytes as committed", b)
	}
	if info, _ := os.Stat(filepath.Join(dir, "run.sh")); runtime.GOOS != "windows" && info.Mode().Perm() != 0o755 {
		t.Errorf("run.sh has mode %v", info.Mode())
	}
	again, _, err := export(t, filepath.Join(r.dir, "b"), "")
	if err != nil || again != s {
		t.Errorf("from a folder inside the work tree: %+v, %v", again, err)
	}
	if _, err := Export(context.Background(), r.dir, "", dir, os.Environ()); err == nil || !strings.Contains(err.Error(), "is not empty: it holds") {
		t.Errorf("into a full directory: %v", err)
	}
}

// A work tree that differs from its commit in any way is refused with the file's name.
func TestDirty(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *repo)
		want   string
	}{
		"changed":   {func(r *repo) { r.write(map[string]string{"a.txt": "x"}) }, `is not clean: modified "a.txt"`},
		"staged":    {func(r *repo) { r.write(map[string]string{"a.txt": "x"}); r.git("", "add", "-A") }, `is not clean: modified "a.txt"`},
		"untracked": {func(r *repo) { r.write(map[string]string{"b/new file.go": "x"}) }, `is not clean: untracked "b/new file.go"`},
		"added":     {func(r *repo) { r.write(map[string]string{"n.go": "x"}); r.git("", "add", "-A") }, `is not clean: added "n.go"`},
		"deleted":   {func(r *repo) { _ = os.Remove(filepath.Join(r.dir, "a.txt")) }, `is not clean: deleted "a.txt"`},
		"crlf": {func(r *repo) {
			r.git("", "config", "core.autocrlf", "true")
			r.write(map[string]string{"a.txt": "a\r\n"})
		}, `is not clean: modified "a.txt"`},
		"many": {func(r *repo) {
			for i := range 7 {
				r.write(map[string]string{fmt.Sprintf("n%d", i): ""})
			}
		}, `untracked "n4" and 2 more`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t, plain)
			c.change(r)
			_, _, err := export(t, r.dir, "")
			refused(t, err, c.want)
			if _, _, err := export(t, r.dir, "HEAD"); err != nil {
				t.Errorf("a commit named by the person: %v", err)
			}
		})
	}
}

// What a user or a repository can configure does not change a byte.
func TestSettingsDoNotMatter(t *testing.T) {
	r := newRepo(t, plain)
	want, _, err := export(t, r.dir, "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	touched := filepath.Join(t.TempDir(), "touched")
	r.write(map[string]string{".git/info/attributes": "* text eol=crlf filter=evil ident export-subst\n"})
	for _, kv := range []string{"core.autocrlf=true", "core.eol=crlf", "filter.evil.smudge=touch " + touched, "core.fsmonitor=touch " + touched, "core.hooksPath=/"} {
		k, v, _ := strings.Cut(kv, "=")
		r.git("", "config", k, v)
	}
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[core]\n\tautocrlf = true\n\tfsmonitor = touch "+touched+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	env := append(os.Environ(), "HOME="+home, "GIT_DIR="+other, "GIT_WORK_TREE="+other, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.autocrlf", "GIT_CONFIG_VALUE_0=true")
	for _, rev := range []string{"HEAD", ""} {
		dir := filepath.Join(t.TempDir(), "export")
		got, err := Export(context.Background(), r.dir, rev, dir, env)
		if err != nil || got != want {
			t.Errorf("rev %q: got %+v, %v, want %+v", rev, got, err, want)
		}
		// Attributes may make git's status look at converted files; the rest must not touch even that.
		if err := os.Remove(filepath.Join(r.dir, ".git", "info", "attributes")); err != nil && rev == "HEAD" {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(touched); err == nil {
		t.Error("a program named by git's settings ran")
	}
}

// A replaced object is not what its hash names; the hash wins.
func TestReplacedObject(t *testing.T) {
	r := newRepo(t, plain)
	evil := r.git("evil\n", "hash-object", "-w", "--stdin")
	r.git("", "replace", r.git("", "rev-parse", "HEAD:a.txt"), evil)
	_, dir, err := export(t, r.dir, "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "a.txt")); string(b) != "a\n" {
		t.Errorf("a.txt = %q, want the committed bytes", b)
	}
}

// An object store that hands out other bytes than the hash names is refused.
func TestLyingObject(t *testing.T) {
	r := newRepo(t, plain)
	good := r.git("", "rev-parse", "HEAD:a.txt")
	evil := r.git("evil\n", "hash-object", "-w", "--stdin")
	object := func(id string) string { return filepath.Join(r.dir, ".git", "objects", id[:2], id[2:]) }
	b, err := os.ReadFile(object(evil))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(object(good)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(object(good), b, 0o444); err != nil {
		t.Fatal(err)
	}
	_, _, err = export(t, r.dir, "HEAD")
	refused(t, err, "git object "+good+" hashes to "+evil+": the repository is damaged or lies")
}

// Trees that would not be the same plain files everywhere are refused with the culprit's name.
func TestHostileTrees(t *testing.T) {
	r := newRepo(t, plain)
	blob := r.git("", "rev-parse", "HEAD:a.txt")
	dir := r.git("", "rev-parse", "HEAD:b")
	link := func(target string) string { return r.git(target, "hash-object", "-w", "--stdin") }
	head := r.git("", "rev-parse", "HEAD")
	for name, c := range map[string]struct{ tree, want string }{
		"submodule":       {"160000 commit " + head + "\tmod\n", `source has a submodule "mod"`},
		"link out":        {"120000 blob " + link("../secret") + "\tl\n", `source has a link "l" that leaves the tree: it points to "../secret"`},
		"link absolute":   {"120000 blob " + link("/etc/passwd") + "\tl\n", `source has a link "l" that leaves the tree: it points to "/etc/passwd"`},
		"link to folder":  {"120000 blob " + link("b") + "\tl\n040000 tree " + dir + "\tb\n", `source has a link "l" to "b", which is not a plain file of the tree`},
		"link to link":    {"120000 blob " + link("m") + "\tl\n120000 blob " + link("a") + "\tm\n100644 blob " + blob + "\ta\n", `source has a link "l" to "m", which is not a plain file of the tree`},
		"link to nothing": {"120000 blob " + link("gone") + "\tl\n", `source has a link "l" to "gone", which is not a plain file of the tree`},
		"control":         {"100644 blob " + blob + "\ta\x1b[2J\n", `source has a file name with a control character or bad UTF-8: "a\x1b[2J"`},
		"case":            {"100644 blob " + blob + "\tMain.go\n100644 blob " + blob + "\tmain.go\n", `source has both "Main.go" and "main.go", which are one file on some systems`},
		"folder case":     {"100644 blob " + blob + "\tB\n040000 tree " + dir + "\tb\n", `source has both "B" and "b", which are one file on some systems`},
		"reserved":        {"100644 blob " + blob + "\taux.go\n", `source has a file name that not every system can hold: malformed file path "aux.go"`},
		"backslash":       {"100644 blob " + blob + "\ta\\b\n", `source has a file name that not every system can hold: malformed file path "a\\b"`},
		"git folder":      {"040000 tree " + dir + "\t.GIT\n", `source has a file named ".GIT"`},
		"parent":          {"040000 tree " + dir + "\t..\n", `source has a file name that not every system can hold: malformed file path ".."`},
		"missing":         {"100644 blob 1111111111111111111111111111111111111111\ta\n", `git object 1111111111111111111111111111111111111111: missing`},
		"wrong kind":      {"040000 tree " + r.git("", "mktree", "--missing") + "\tempty\n", "exported files hash to tree"},
	} {
		t.Run(name, func(t *testing.T) {
			commit := r.commitTree(c.tree)
			_, _, err := export(t, r.dir, commit)
			refused(t, err, c.want)
		})
	}
	ok := r.commitTree("120000 blob " + link("a") + "\tl\n100644 blob " + blob + "\ta\n")
	if _, _, err := export(t, r.dir, ok); err != nil {
		t.Errorf("a link inside the tree: %v", err)
	}
}

func TestBundle(t *testing.T) {
	r := newRepo(t, plain)
	want, _, err := export(t, r.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "source.bundle")
	r.git("", "bundle", "create", "-q", file, "main")
	if got, _, err := export(t, file, want.Commit); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, _, err := export(t, file, "main"); err == nil || !strings.Contains(err.Error(), `a git bundle needs its commit as 40 hex digits, got "main"`) {
		t.Errorf("bundle without a hash: %v", err)
	}
	if _, _, err := export(t, file, strings.Repeat("1", 40)); err == nil || !strings.Contains(err.Error(), "no such commit") {
		t.Errorf("bundle without that commit: %v", err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-30] ^= 1
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err = export(t, file, want.Commit)
	refused(t, err, "source bundle: git bundle")
}

func TestNoSource(t *testing.T) {
	r := newRepo(t, plain)
	empty := t.TempDir()
	for name, c := range map[string]struct{ from, rev, want string }{
		"missing":       {filepath.Join(empty, "gone"), "", "no such file"},
		"no repository": {empty, "HEAD", "not a git repository"},
		"no commit":     {r.dir, "v9", `revision "v9": no such commit in`},
		"an option":     {r.dir, "--all", `revision "--all": not a revision`},
	} {
		_, _, err := export(t, c.from, c.rev)
		var ref interface{ Refused() bool }
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &ref) {
			t.Errorf("%s: err = %v, want a plain error saying %q", name, err, c.want)
		}
	}
	if _, err := Export(context.Background(), r.dir, "HEAD", filepath.Join(empty, "x"), []string{"PATH=" + empty}); err == nil || !strings.Contains(err.Error(), "git is not in PATH") {
		t.Errorf("without git: %v", err)
	}
}

// Anything on the disk that is not in the tree changes the tree's hash.
func TestHashTree(t *testing.T) {
	r := newRepo(t, plain)
	s, dir, err := export(t, r.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func() error{
		"stray file": func() error { return os.WriteFile(filepath.Join(dir, "b", "z"), nil, 0o644) },
		"one byte":   func() error { return os.WriteFile(filepath.Join(dir, "a.txt"), []byte("b\n"), 0o644) },
		"removed":    func() error { return os.Remove(filepath.Join(dir, "a.txt")) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if got, err := hashTree(dir, nil); err != nil || got == s.Tree {
			t.Errorf("%s: tree %s, %v; want another one", name, got, err)
		}
	}
}

func FuzzParseTree(f *testing.F) {
	f.Add([]byte("100644 a\x00aaaaaaaaaaaaaaaaaaaa40000 b\x00bbbbbbbbbbbbbbbbbbbb"))
	f.Add([]byte("100644 \x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := parseTree("x", b)
		if err != nil {
			return
		}
		for _, e := range entries {
			if strings.Contains(e.path, "/") || e.path == "" || len(e.id) != 40 {
				t.Fatalf("entry %+v came through", e)
			}
		}
	})
}
