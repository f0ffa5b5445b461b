package review

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// show prints a page as plain text: notes, then lines with their kind and numbers.
func show(d *Diff) string {
	var b strings.Builder
	for _, n := range d.Notes {
		fmt.Fprintf(&b, "! %s\n", n)
	}
	for _, h := range d.Hunks {
		fmt.Fprintf(&b, "@@ %d %d\n", h.OldStart, h.NewStart)
		for _, l := range h.Lines {
			fmt.Fprintf(&b, "%c%d,%d %s\n", l.Kind, l.Old, l.New, VisibleText(string(l.Text)))
		}
	}
	return b.String()
}

func TestPages(t *testing.T) {
	a := newAuthor(t)
	base := map[string]string{
		"a.go": "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "gone": "x\ny\n", "100644:run": "r\n", "end": "a\n", "crlf": "a\nb\n", "pic.png": "\x89PNG\x00old", "old": "moving\n",
		"traps": "--- a\n+++ b\n@@ -1 +1 @@\n-x\n", "trojan.go": "ok\n", "zero.go": "package x\n", "link": "file\n",
	}
	head := map[string]string{
		"a.go": "1\n2\n3\nfour\n5\n6\n7\n8\n9\n", "100755:run": "r\n", "end": "a\nb", "crlf": "a\r\nb\r\n", "pic.png": "\x89PNG\x00new", "new": "moving\n",
		"traps": "--- a\n+++ c\n@@ -1 +1 @@\n+x\n", "trojan.go": "ok\nif admin\u202e {\n\x1b]0;title\x07\n", "zero.go": "package x\n\x00evil()\n", "120000:link": "/etc/passwd",
		"160000:sub": strings.Repeat("ab", 20),
	}
	c := a.compare(base, head)
	for name, want := range map[string]string{
		"a.go":      "@@ 1 1\n 1,1 1\n 2,2 2\n 3,3 3\n-4,0 4\n+0,4 four\n 5,5 5\n 6,6 6\n 7,7 7\n",
		"gone":      "! removed: a plain file\n@@ 1 0\n-1,0 x\n-2,0 y\n",
		"run":       "! was a plain file, is a program (executable)\n",
		"end":       "! the last line has no line end\n@@ 1 1\n 1,1 a\n+0,2 b\n",
		"crlf":      "! lines end in CR LF now\n@@ 1 1\n-1,0 a\n-2,0 b\n+0,1 a<CR>\n+0,2 b<CR>\n",
		"new":       "! moved from old, every byte the same\n",
		"traps":     "@@ 1 1\n 1,1 --- a\n-2,0 +++ b\n+0,2 +++ c\n 3,3 @@ -1 +1 @@\n-4,0 -x\n+0,4 +x\n",
		"trojan.go": "! WARNING: characters that control, hide or turn text, spelled out below, in lines 2, 3\n@@ 1 1\n 1,1 ok\n+0,2 if admin<U+202E> {\n+0,3 <1b>]0;title<07>\n",
		"zero.go":   "! WARNING: characters that control, hide or turn text, spelled out below, in lines 2\n@@ 1 1\n 1,1 package x\n+0,2 <00>evil()\n",
		"link":      "! was a plain file, is a symbolic link; its text is the target\n! the last line has no line end\n@@ 1 1\n-1,0 file\n+0,1 /etc/passwd\n",
		"sub":       "! added: a submodule: a commit of another repository, whose files are not here\n@@ 0 1\n+0,1 commit " + strings.Repeat("ab", 20) + "\n",
	} {
		if got := show(a.page(c, name, 0)); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
	got := show(a.page(c, "pic.png", 0))
	for _, part := range []string{"! before: 8 bytes that are not shown as text, sha256 ", "! now: 8 bytes", "|.PNG.new|"} {
		if !strings.Contains(got, part) {
			t.Errorf("no %q in\n%s", part, got)
		}
	}
}

// A huge text is not shown line by line, and the page says so; a huge object is refused.
func TestHugeFiles(t *testing.T) {
	a := newAuthor(t)
	c := a.compare(map[string]string{"big.txt": "a\n"}, map[string]string{"big.txt": strings.Repeat("line\n", maxText/5+1)})
	got := show(a.page(c, "big.txt", 0))
	if !strings.Contains(got, fmt.Sprintf("now: %d bytes that are not shown as text", maxText/5*5+5)) || strings.Contains(got, "@@") {
		t.Errorf("%.500s", got)
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext":             "plain\ttext",
		"\x1b[31mred":             "<1b>[31mred",
		"a\u202eb\u2066c":         "a<U+202E>b<U+2066>c",
		"zero\u200bwidth":         "zero<U+200B>width",
		"nb\u00a0sp":              "nb<U+00A0>sp",
		"hangul\u3164x":           "hangul<U+3164>x",
		"\xff\xc3(":               "<ff><c3>(",
		"\x9b31m":                 "<9b>31m",
		"\u009b31m":               "<U+009B>31m",
		"tower\u0301\u0301\u0301": "tower\u0301\u0301<U+0301>",
		"grüße 日本":                "grüße 日本",
		"a\r":                     "a<CR>",
		"\x7f\x00":                "<7f><00>",
	} {
		if got := VisibleText(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzVisible(f *testing.F) {
	f.Add([]byte("\x1b[2J\u202e\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range Visible(b) {
			for _, r := range p.Text {
				if r != '\t' && strange(r, []byte(string(r)), 0) != "" {
					t.Fatalf("%q comes out of %q", p.Text, b)
				}
			}
		}
	})
}

func FuzzPatch(f *testing.F) {
	f.Add([]byte("diff --git a/x b/x\nindex 1111111111111111111111111111111111111111..2222222222222222222222222222222222222222 100644\n--- a/x\n+++ b/x\n@@ -1,2 +1 @@ f\n-a\n b\n\\ No newline at end of file\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for p := (patch{rest: b}); p.next(); {
			hunks, err := p.hunks()
			if err != nil {
				return
			}
			for _, h := range hunks {
				if len(h.Lines) > len(b) {
					t.Fatal("more lines than bytes")
				}
			}
		}
	})
}

func TestGeneratedFiles(t *testing.T) {
	a := newAuthor(t)
	c := a.compare(nil, map[string]string{
		"go.sum": "x\n", "web/package-lock.json": "{}\n",
		"pb/a.pb.go": "// Code generated by protoc-gen-go. DO NOT EDIT.\n\npackage pb\n", "pb/generate.sh": "protoc\n",
		"gen/b.go": "// Code generated by stringer; DO NOT EDIT.\npackage b\n", "gen/c.go": "package c\n// not Code generated by x DO NOT EDIT.\n",
		"vendored/lib.js": "js\n", "vendored/other.js": "evil\n",
		"vendored/SHA256SUMS": fmt.Sprintf("%x  lib.js\n%064d  other.js\n", sha256.Sum256([]byte("js\n")), 0),
	})
	got := map[string]string{}
	for _, i := range c.Items {
		if i.Generated != "" {
			got[i.Name] = i.Generated
		}
	}
	want := map[string]string{
		"go.sum": "go mod verify && go mod tidy -diff", "web/package-lock.json": "npm ci --ignore-scripts (in web/)", "pb/a.pb.go": "./pb/generate.sh --check",
		"gen/b.go": "go generate ./gen && git diff --exit-code", "vendored/lib.js": "sha256sum -c SHA256SUMS (in vendored/; the hash agrees), and compare the list with its origin",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestMechanicalEdits(t *testing.T) {
	a := newAuthor(t)
	base, head := map[string]string{}, map[string]string{}
	for i := range 5 {
		name := fmt.Sprintf("p%d.go", i)
		base[name] = strings.Repeat("//\n", i) + "import \"old/path\"\nfunc f() {}\n"
		head[name] = strings.Repeat("//\n", i) + "import \"new/path\"\nfunc f() {}\n"
	}
	head["p4.go"] += "evil()\n" // one more edit: not the same
	base["q1"], head["q1"], base["q2"], head["q2"] = "a\n", "b\n", "a\n", "b\n"
	c := a.compare(base, head)
	var grouped []string
	for _, i := range c.Items {
		if i.Mechanical > 0 {
			grouped = append(grouped, fmt.Sprint(i.Mechanical, " ", i.Name))
		}
	}
	if want := []string{"1 p0.go", "1 p1.go", "1 p2.go", "1 p3.go"}; !slices.Equal(grouped, want) {
		t.Errorf("got %q, want %q", grouped, want)
	}
}

func TestModules(t *testing.T) {
	a := newAuthor(t)
	oldSum := a.publish("example.org/lib", "v1.0.0", map[string]string{"go.mod": "module example.org/lib\n", "lib.go": "package lib\n", "gone.go": "package lib\n"})
	newSum := a.publish("example.org/lib", "v1.1.0", map[string]string{"go.mod": "module example.org/lib\n", "lib.go": "package lib\n\nfunc Evil() {}\n", "more.go": "package lib\n\nconst more = 1\n"})
	keep := a.publish("example.org/Keep", "v0.1.0", map[string]string{"k.go": "package keep\n"})
	dropped := a.publish("example.org/dropped", "v1.0.0", map[string]string{"d.go": "package d\n"})
	fresh := a.publish("example.org/fresh", "v1.0.0", map[string]string{"f ü.go": "package f\n"})
	unused := "example.org/unused v1.0.0 h1:x\n" // in go.mod, and no package of it is needed
	base := map[string]string{"go.mod": "module m\n\nrequire (\n\texample.org/lib v1.0.0\n\texample.org/Keep v0.1.0\n\texample.org/dropped v1.0.0\n)\n", "go.sum": oldSum + keep + dropped}
	head := map[string]string{"go.mod": "module m\n\nrequire (\n\texample.org/lib v1.1.0\n\texample.org/Keep v0.1.0\n\texample.org/fresh v1.0.0\n\texample.org/unused v1.0.0\n)\n", "go.sum": newSum + keep + fresh + unused}
	c := a.compare(base, head)
	want := []string{"M go.mod", "M go.sum", "D module example.org/dropped/", "A module example.org/fresh/", "M module example.org/lib/"}
	if got := names(c); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	lib := c.Items[4]
	if lib.Old.Version != "v1.0.0" || lib.New.Version != "v1.1.0" || lib.Pages() != 4 || lib.Lines != 1+2+3 {
		t.Errorf("%+v", lib)
	}
	if got := show(a.page(c, "5", 0)); got != "! module example.org/lib: v1.0.0 → v1.1.0\n! 1 files added, 1 removed, 1 changed, 0 moved\n" {
		t.Error(got)
	}
	if got := show(a.page(c, "5", 2)); got != "@@ 1 1\n 1,1 package lib\n+0,2 \n+0,3 func Evil() {}\n" {
		t.Error(got)
	}
	for line, n := range map[string]int{fmt.Sprintf("module M example.org/lib v1.0.0 %s v1.1.0 %s\n", lib.Old.Tree, lib.New.Tree): 1, "module D example.org/dropped v1.0.0 ": 1, "\t\"f \\303\\274.go\"\n": 1, "example.org/Keep": 0} {
		if got := strings.Count(string(c.Encode()), line); got != n {
			t.Errorf("%d times %q in\n%s", got, line, c.Encode())
		}
	}
	// The tree of a module is what git makes of its files.
	if got := a.tree(map[string]string{"go.mod": "module example.org/lib\n", "lib.go": "package lib\n\nfunc Evil() {}\n", "more.go": "package lib\n\nconst more = 1\n"}); got != lib.New.Tree {
		t.Errorf("git says tree %s", got)
	}
	// Other content under the same version is a change, whoever's go.sum allows it.
	other := a.publish("example.org/Keep", "v0.1.0", map[string]string{"k.go": "package evil\n"})
	c = a.compareSides(Side{EmptyTree, map[string]Module{}}, a.side(map[string]string{"go.mod": "module m\n\nrequire example.org/Keep v0.1.0\n", "go.sum": other}))
	if len(c.Items) != 3 || c.Items[2].Name != "module example.org/Keep/" {
		t.Errorf("%q", names(c))
	}
	tree := a.tree(head)
	a.commit(tree)
	for want, tar := range map[string]string{
		"module example.org/Keep@v0.1.0: the zip in the module tree has h1:": a.modulesTar(), // the one published last
		"archive": a.garbage(),
	} {
		_, err := ImportModules(t.Context(), a.reader, tree, tar, filepath.Join(t.TempDir(), "work"))
		var refused interface{ Refused() bool }
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &refused) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	delete(a.zips, "example.org/!keep/@v/v0.1.0.zip")
	bare := a.tree(map[string]string{"go.mod": head["go.mod"]})
	a.commit(bare)
	if _, err := ImportModules(t.Context(), a.reader, bare, a.modulesTar(), filepath.Join(t.TempDir(), "work")); err == nil || !strings.Contains(err.Error(), "go.sum does not name it") {
		t.Error(err)
	}
}
