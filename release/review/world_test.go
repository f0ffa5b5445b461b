package review

import (
	"archive/zip"
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"

	"github.com/countersign-project/countersign/builds/rebuild"
	"github.com/countersign-project/countersign/builds/source"
)

// author is somebody with a git repository, and a reader with an empty one.
type author struct {
	t       *testing.T
	dir     string
	reader  *source.Repository
	readDir string
	zips    map[string][]byte // of modules, by the path in a module tree
}

func newAuthor(t *testing.T) *author {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is not installed")
		}
		t.Skip("git is not installed")
	}
	a := &author{t: t, dir: t.TempDir(), readDir: filepath.Join(t.TempDir(), "objects.git"), zips: map[string][]byte{}}
	a.git(nil, "init", "-q", "-b", "main", ".")
	r, err := source.OpenRepository(t.Context(), a.readDir, os.Environ())
	a.check(err)
	a.reader = r
	return a
}

func (a *author) check(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *author) git(in []byte, args ...string) string {
	a.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Pia", "-c", "user.email=pia@example.org", "-c", "commit.gpgsign=false", "-c", "core.protectNTFS=false"}, args...)...)
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		a.t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
	return strings.TrimSpace(string(out))
}

// tree makes a tree of files without touching the disk, so that any name will do. A name may start with a
// mode and a colon: "100755:run", "120000:link", "160000:sub".
func (a *author) tree(files map[string]string) string {
	a.t.Helper()
	var index bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(files)) {
		mode, path := "100644", name
		if len(name) > 7 && name[6] == ':' {
			mode, path = name[:6], name[7:]
		}
		id := files[name]
		if mode != modeModule {
			id = a.git([]byte(files[name]), "hash-object", "-w", "--stdin")
		}
		fmt.Fprintf(&index, "%s %s\t%s\x00", mode, id, path)
	}
	a.git(nil, "read-tree", "--empty")
	a.git(index.Bytes(), "update-index", "-z", "--index-info")
	return a.git(nil, "write-tree", "--missing-ok")
}

// commit makes a commit of a tree and hands all objects to the reader, in a bundle.
func (a *author) commit(tree string) string {
	a.t.Helper()
	id := a.git(nil, "commit-tree", "-m", "x", tree)
	a.git(nil, "update-ref", "refs/heads/"+id[:10], id)
	bundle := filepath.Join(a.t.TempDir(), "b")
	a.git(nil, "bundle", "create", "-q", bundle, "--all")
	a.check(a.reader.Unbundle(a.t.Context(), bundle))
	return id
}

// compare hands over two trees of files and returns the analysed change list. Nil is nothing.
func (a *author) compare(base, head map[string]string) *Changes {
	a.t.Helper()
	return a.compareSides(a.side(base), a.side(head))
}

func (a *author) side(files map[string]string) Side {
	a.t.Helper()
	if files == nil {
		return Side{Tree: EmptyTree}
	}
	tree := a.tree(files)
	a.commit(tree)
	modules, err := ImportModules(a.t.Context(), a.reader, tree, a.modulesTar(), filepath.Join(a.t.TempDir(), "work"))
	a.check(err)
	return Side{tree, modules}
}

func (a *author) compareSides(base, head Side) *Changes {
	a.t.Helper()
	c, err := Compare(a.t.Context(), a.reader, base, head)
	a.check(err)
	a.check(Analyse(a.t.Context(), a.reader, c))
	return c
}

// page reads one page.
func (a *author) page(c *Changes, name string, n int) *Diff {
	a.t.Helper()
	i, _, err := c.Find(name)
	a.check(err)
	r, err := NewReader(a.t.Context(), a.reader)
	a.check(err)
	defer r.Close()
	d, err := r.Page(c.Items[i], n, 3)
	a.check(err)
	return d
}

// publish makes the zip of a module version and returns its lines for go.sum.
func (a *author) publish(path, version string, files map[string]string) string {
	a.t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(path + "@" + version + "/" + name)
		a.check(err)
		_, err = w.Write([]byte(files[name]))
		a.check(err)
	}
	a.check(z.Close())
	file := filepath.Join(a.t.TempDir(), "m.zip")
	a.check(os.WriteFile(file, b.Bytes(), 0o600))
	h1, err := dirhash.HashZip(file, dirhash.Hash1)
	a.check(err)
	escaped, err := module.EscapePath(path)
	a.check(err)
	a.zips[escaped+"/@v/"+version+".zip"] = b.Bytes()
	return fmt.Sprintf("%s %s %s\n", path, version, h1)
}

// modulesTar is a modules.tar with all zips.
func (a *author) modulesTar() string {
	a.t.Helper()
	dir, file := a.t.TempDir(), filepath.Join(a.t.TempDir(), "modules.tar")
	for name, b := range a.zips {
		path := filepath.Join(dir, filepath.FromSlash(name))
		a.check(os.MkdirAll(filepath.Dir(path), 0o755))
		a.check(os.WriteFile(path, b, 0o644))
	}
	f, err := os.Create(file)
	a.check(err)
	defer f.Close()
	a.check(rebuild.PackModules(dir, f))
	return file
}

// names lists the items with what became of them.
func names(c *Changes) []string {
	var out []string
	for _, i := range c.Items {
		out = append(out, i.What+" "+i.Name)
	}
	return out
}
