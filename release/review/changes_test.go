package review

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var hostileNames = []string{"a b", "tab\there", "new\nline", "esc\x1b[2Jape", "quo\"te", `back\slash`, "bidi\u202eog.txt", "bad\xffutf8", "ünïcode", "-rf", "module x", "del\x7f", "bell\a\b\v\f\r", "$(id)", "'", "a;b"}

func TestChangeList(t *testing.T) {
	a := newAuthor(t)
	base := map[string]string{"same": "s", "gone": "bye\n", "edit": "1\n2\n", "old/place.go": "package place\n", "100755:run": "#!/bin/sh\n", "kind": "file", "twin1": "twin", "twin2": "twin"}
	head := map[string]string{"same": "s", "newer": "hello\n", "edit": "1\n3\n", "new/place.go": "package place\n", "run": "#!/bin/sh\n", "120000:kind": "target", "twin3": "twin"}
	c := a.compare(base, head)
	want := []string{"M edit", "D gone", "T kind", "R new/place.go", "A newer", "M run", "D twin1", "D twin2", "A twin3"}
	if got := names(c); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	text := string(c.Encode())
	for _, line := range []string{
		"countersign changes 1\nbase " + c.Base + "\nhead " + c.Head + "\n:100644 100644 1191247b6d9a206f6ba3d8ac79e26d041dd86941 ",
		":100755 100644 1a2485251c33a70432394c93fb89330ef214bfc9 1a2485251c33a70432394c93fb89330ef214bfc9 M\trun\n",
		" R\told/place.go\tnew/place.go\n",
		":000000 100644 0000000000000000000000000000000000000000 ",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
	if files, modules, lines := c.Counts(); files != 9 || modules != 0 || lines != 2+1+2+1+1+1+1 {
		t.Errorf("%d files, %d modules, %d lines", files, modules, lines)
	}
}

// The shell script of the package comment, run with plain git, prints the same bytes.
func TestAnyoneCanComputeTheChangeList(t *testing.T) {
	a := newAuthor(t)
	script := scriptOf(t)
	head := map[string]string{"120000:link": "/etc/passwd", "160000:sub": strings.Repeat("ab", 20), "100755:run": "x", "empty": "", "d/e/f": "deep", "d.e": "1", "d-e": "2", "moved": "moving"}
	base := map[string]string{"d": "a file where a directory will be", "moving": "moving", "link": "was a file", "same1": "same", "same2": "same"}
	for i, name := range hostileNames {
		head[name] = fmt.Sprint(i)
		head["dir "+name+"/x"] = "in"
		if i%2 == 0 {
			base[name] = "before"
		} else {
			base[name+" before"] = fmt.Sprint(i) // moved between hostile names
		}
	}
	for what, c := range map[string]*Changes{"change": a.compare(base, head), "back": a.compare(head, base), "whole": a.compare(nil, head), "nothing": a.compare(head, head)} {
		cmd := exec.Command("sh", "-c", script, "sh", c.Base, c.Head)
		cmd.Dir = a.dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
		a.git(nil, "mktree") // plain git wants the empty tree to exist
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(c.Encode()); got != string(out) {
			t.Errorf("%s: we print\n%s\ngit and awk print\n%s", what, got, out)
		}
		if what != "nothing" && !slices.ContainsFunc(c.Items, func(i Item) bool { return strings.Contains(i.Name, `\033`) }) {
			t.Errorf("%s: no hostile name in %q", what, names(c))
		}
	}
}

// scriptOf cuts the script out of the package comment, as a reader would.
func scriptOf(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?s)(//\tprintf 'countersign changes.*?)\n//\n`).FindSubmatch(b)
	if m == nil {
		t.Fatal("the package comment has no script")
	}
	return strings.ReplaceAll("\n"+string(m[1]), "\n//\t", "\n")
}

// Every item's name is one printable line, unique, and free of anything a terminal obeys.
func TestNamesAreSafe(t *testing.T) {
	a := newAuthor(t)
	head := map[string]string{}
	for _, name := range hostileNames {
		head[name] = name
	}
	seen := map[string]bool{}
	for _, i := range a.compare(nil, head).Items {
		if regexp.MustCompile(`[^\x20-\x7e]`).MatchString(i.Name) || seen[i.Name] {
			t.Errorf("%q", i.Name)
		}
		seen[i.Name] = true
		if n, page, err := a.compare(nil, head).Find(i.Name); err != nil || page != -1 || n < 0 {
			t.Errorf("%s is not found: %v", i.Name, err)
		}
	}
}

// A tree object can name one path twice; git's own diff would then show one of them.
func TestMalformedTreesAreRefused(t *testing.T) {
	a := newAuthor(t)
	good := a.git([]byte("good"), "hash-object", "-w", "--stdin")
	evil := a.git([]byte("evil"), "hash-object", "-w", "--stdin")
	entry := func(name, id string) string {
		raw := make([]byte, 20)
		fmt.Sscanf(id, "%x", &raw)
		return "100644 " + name + "\x00" + string(raw)
	}
	for name, body := range map[string]string{
		"twice":        entry("a.go", good) + entry("a.go", evil),
		"out of order": entry("b.go", good) + entry("a.go", evil),
	} {
		tree := a.git([]byte(body), "hash-object", "-w", "--stdin", "-t", "tree", "--literally")
		a.copyObjects()
		_, err := Compare(t.Context(), a.reader, Side{Tree: EmptyTree}, Side{Tree: tree})
		if err == nil || !strings.HasPrefix(err.Error(), "tree "+tree+" is malformed: a.go comes after ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// copyObjects puts loose objects past the checks of a bundle.
func (a *author) copyObjects() {
	a.t.Helper()
	root, err := os.OpenRoot(filepath.Join(a.dir, ".git", "objects"))
	a.check(err)
	defer root.Close()
	dirs, err := os.ReadDir(root.Name())
	a.check(err)
	for _, d := range dirs {
		if len(d.Name()) != 2 {
			continue
		}
		files, err := os.ReadDir(filepath.Join(root.Name(), d.Name()))
		a.check(err)
		for _, f := range files {
			b, err := root.ReadFile(filepath.Join(d.Name(), f.Name()))
			a.check(err)
			a.check(os.MkdirAll(filepath.Join(a.readDir, "objects", d.Name()), 0o755))
			a.check(os.WriteFile(filepath.Join(a.readDir, "objects", d.Name(), f.Name()), b, 0o644))
		}
	}
}

func TestQuoteIsGits(t *testing.T) {
	a := newAuthor(t)
	for _, name := range append(hostileNames, "plain", "dir/file.go", "\x01\x80\xff") {
		tree := a.tree(map[string]string{name: "x"})
		_, got, _ := strings.Cut(a.git(nil, "-c", "core.quotePath=true", "ls-tree", "-r", tree), "\t")
		if Quote(name) != got {
			t.Errorf("%q: %s, git says %s", name, Quote(name), got)
		}
	}
}
