package rebuild

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/builds/recipe"
)

// TestOwnRepository builds this repository's countersign for this machine, twice, from two clones in two
// places with two compilers' places, each with a fresh cache.
func TestOwnRepository(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles countersign twice")
	}
	ownRecipe(t)
	first := cloneOwn(t, t.TempDir(), "HEAD")
	commit := first.git("rev-parse", "HEAD^") // before the recipe was limited; the original may move on meanwhile
	o := ownOptions(t, first)
	a, theirs := first.must(o)

	second := cloneOwn(t, filepath.Join(t.TempDir(), "another place"), commit)
	o = ownOptions(t, second)
	o.Toolchain = filepath.Join(t.TempDir(), "go")
	linkTree(t, goroot(t), o.Toolchain)
	o.Environ = append(o.Environ, "TZ=Asia/Kathmandu", "LC_ALL=tr_TR.UTF-8", "GOMAXPROCS=1")
	umask(t, &o)
	b, ours := second.must(o)
	if a.Source != b.Source {
		t.Fatalf("two clones have other sources: %+v and %+v", a.Source, b.Source)
	}
	diffs, err := Compare(a.Artifacts, theirs, ours)
	check(t, err)
	for _, d := range diffs {
		t.Error(d.Text())
	}
}

// cloneOwn clones this repository at a commit and limits its recipe to one program and this machine.
func cloneOwn(t testing.TB, dir, commit string) *world {
	t.Helper()
	if out, err := exec.Command("git", "clone", "-q", "../..", dir).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no clone of this repository: %v\n%s", err, out)
		}
		t.Skipf("this is not a git repository: %s", out)
	}
	w := &world{t: t, repo: dir}
	w.git("checkout", "-q", "--detach", commit)
	text := w.read(recipe.Path)
	start, end := strings.Index(text, "[[program]]"), strings.Index(text, "[build]")
	text = text[:start] + "[[program]]\nname = \"countersign\"\npackage = \"./cmd/countersign\"\n\n" + text[end:]
	line := text[strings.Index(text, "platforms = "):]
	line, _, _ = strings.Cut(line, "\n")
	w.write(map[string]string{recipe.Path: strings.Replace(text, line, `platforms = ["`+host()+`"]`, 1)})
	w.commit()
	return w
}

func ownOptions(t testing.TB, w *world) Options {
	return Options{Source: w.repo, Out: filepath.Join(t.TempDir(), "out"), Environ: append(os.Environ(), "GOFLAGS=", "GOROOT="+goroot(t))}
}
