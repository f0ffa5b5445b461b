package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/release/audit"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/review"
)

// newReader is Ana with a staged release of some files to read.
func newReader(t *testing.T) (*shell, event.ID) {
	t.Helper()
	s := newShell(t).founded()
	s.write(filepath.Join("source", "a.go"), "package a\n\nfunc A() {}\n")
	s.write(filepath.Join("source", "evil.go"), "package a // \u202e\x1b]0;title\x07\n")
	return s, s.stageRelease(t, "1.0.0")
}

func (s *shell) review(want int, args ...string) (out, errs string) {
	s.T.Helper()
	return s.audit(want, append([]string{"review"}, args...)...)
}

// number finds an item of --list.
func (s *shell) number(id event.ID, name string) string {
	s.T.Helper()
	out, _ := s.review(0, id.Short(), "--list", "--json")
	var l reviewList
	if err := json.Unmarshal([]byte(out), &l); err != nil {
		s.T.Fatal(err)
	}
	for _, i := range l.Items {
		if i.Name == name {
			return fmt.Sprint(i.Number)
		}
	}
	s.T.Fatalf("no item %s in\n%s", name, out)
	return ""
}

func TestReviewByScript(t *testing.T) {
	s, id := newReader(t)
	out, _ := s.review(0, id.Short())
	contains(t, out, "stable 1.0.0 (event "+id.Short()+")", "the whole source: this is the first release of the channel", " · A a.go  3 lines", "0 of ", "change list ")
	sum := regexp.MustCompile(`change list ([0-9a-f]{64})`).FindStringSubmatch(out)
	list, _ := s.review(0, id.Short(), "--changes")
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(list))); sum == nil || got != sum[1] {
		t.Errorf("the list has sha256 %s, said is %v", got, sum)
	}
	out, _ = s.review(0, id.Short(), "--show", "a.go")
	contains(t, out, "a.go  [unread]", "added: a plain file", "          1 + package a\n          2 + \n          3 + func A() {}")
	out, _ = s.review(0, id.Short(), "--show", "all")
	if bytes.ContainsAny([]byte(out), "\x1b\x07") || strings.Contains(out, "\u202e") {
		t.Errorf("a file reached the terminal: %q", out)
	}
	contains(t, out, "WARNING: characters that control, hide or turn text", "package a // <U+202E><1b>]0;title<07>")

	out, _ = s.review(0, id.Short(), "--mark", "read", "a.go", s.number(id, "evil.go"))
	contains(t, out, "2 of ")
	s.review(0, id.Short(), "--mark", "question", "--note", "what\nis this?", "evil.go")
	out, _ = s.review(0, id.Short(), "--list")
	contains(t, out, " ✓ A a.go", " ? A evil.go", "note: what / is this?", "; 1 with a question")
	finish := []string{id.Short(), "--finish", "--yes", "--keys", s.path("ana.key"), "--minutes", "12", "--criteria", "notes-match,read-every-change", "--tools", "none", "--independence", "none"}
	_, errs := s.review(1, append(finish, "--verdict", "pass")...)
	contains(t, errs, "countersign: refused: verdict pass, and ", "→ what is read: countersign audit review --list "+id.Short())
	out, errs = s.review(0, append(finish, "--publish-notes")...)
	contains(t, errs, "you sign, as Ana Sousa (Alpha, PT):", "not read: evil.go", "verdict partial after 12 minutes", "notes: evil.go: what is this?", "as these bytes:\n{\"_type\":")
	contains(t, out, "partial, stated by Ana Sousa (Alpha, PT) (1 of ")
	s.review(0, id.Short(), "--mark", "read", "all")
	out, _ = s.review(0, append(finish, "--json")...)
	contains(t, out, `"verdict": "pass"`, `"changes": "`+sum[1]+`"`)
	var verdicts []string
	for _, st := range s.Load(id).Statements {
		verdicts = append(verdicts, st.By.Name+" "+st.Review.Verdict)
	}
	if len(verdicts) != 2 || !strings.Contains(strings.Join(verdicts, ","), "Ana Sousa pass") {
		t.Errorf("%q", verdicts)
	}
	out, _ = s.review(0, id.Short(), "--send")
	contains(t, out, "the review of event "+id.Short()+" is in ")
}

func TestReviewCommandLine(t *testing.T) {
	s, id := newReader(t)
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "name the items, by number or name, or all (see --list)", []string{"--show"}},
		{2, "name the items, by number or name, or all", []string{"--mark", "read"}},
		{2, `items are for --show, --mark and --note; got ["a.go"]`, []string{"a.go"}},
		{2, `no item is named "none.go"`, []string{"--show", "none.go"}},
		{2, `mark "seen", want read, unread, question, generated or mechanical`, []string{"--mark", "seen", "a.go"}},
		{1, "a.go is not recognised as generated", []string{"--mark", "generated", "a.go"}},
		{2, "--finish needs --keys", []string{"--finish"}},
		{2, "belong to --finish", []string{"--list", "--verdict", "pass"}},
		{2, "if any flags in the group", []string{"--list", "--show", "a.go"}},
		{2, "--context -1, want 0 to 100000", []string{"--show", "--context", "-1", "a.go"}},
		{1, `base "9.9.9": want a version below 1.0.0`, []string{"--list", "--base", "9.9.9"}},
		{1, "there is no signed review of event", []string{"--send"}},
		{1, `criterion "good" is neither one of`, []string{"--finish", "--yes", "--verdict", "fail", "--notes", "x", "--criteria", "good", "--tools", "none", "--independence", "none", "--keys", s.path("ana.key")}},
	} {
		_, errs := s.review(c.code, append([]string{id.Short()}, c.args...)...)
		contains(t, errs, c.want)
	}
	if n := len(s.Load(id).Statements); n != 0 {
		t.Errorf("%d statements", n)
	}
	// Whoever does not type the verdict has not signed.
	app, _, errs := s.app()
	app.In = strings.NewReader("yes\n")
	code := app.Run(newRoot(app), []string{"audit", "review", "--room", s.World.Dir, "--home", s.path("home"), "--keys", s.path("ana.key"), id.Short(), "--finish", "--verdict", "fail", "--notes", "it reads all files", "--tools", "none", "--independence", "none"})
	if code != 2 || len(s.Load(id).Statements) != 0 {
		t.Errorf("exit %d, %s", code, errs)
	}
	contains(t, errs.String(), `type "fail" to sign: `, `not signed: "yes" is not "fail"`)
}

// newWindow is Ana's terminal, without one.
func newWindow(t *testing.T, s *shell, id event.ID) *readWindow {
	t.Helper()
	app, _, _ := s.app()
	a, err := auditOptions{Room: s.World.Dir, Home: s.path("home")}.open(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.OpenReview(t.Context(), id, audit.NoBase)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	w := newReadWindow(&reviewView{app: app, r: r, id: id, context: 5})
	w.goTo(w.next(place{0, -1}))
	return w
}

// press sends keys, and returns what is on the screen then.
func (w *readWindow) press(t *testing.T, keys ...string) string {
	t.Helper()
	for _, k := range keys {
		if err := w.key(k); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.load(); err != nil {
		t.Fatal(err)
	}
	lines := w.draw()
	if len(lines) != w.height {
		t.Errorf("%d lines on a screen of %d", len(lines), w.height)
	}
	return strings.Join(lines, "\n")
}

func TestReadingWindow(t *testing.T) {
	s, id := newReader(t)
	w := newWindow(t, s, id)
	total := len(w.v.r.Changes.Items)
	first := w.v.r.Changes.Items[0].Name
	contains(t, w.press(t), "1 "+first+"  [unread]", fmt.Sprintf("item 1 of %d", total), "n next unread")
	contains(t, w.press(t, "r"), fmt.Sprintf("item 2 of %d  1 of %d items", total, total))
	contains(t, w.press(t, "left"), "1 "+first+"  [read]")
	contains(t, w.press(t, "left"), "1 "+first)
	contains(t, w.press(t, "u"), "[unread]")
	contains(t, w.press(t, "?"), "[question]", "1 with a question")
	contains(t, w.press(t, "g"), "is not recognised as generated")
	keys := strings.Split("jevil.go", "")
	contains(t, w.press(t, append(keys, "enter")...), "evil.go  [unread]", "<U+202E>")
	contains(t, w.press(t, "j", "9", "9", "9", "enter"), "there is no item 999")
	contains(t, w.press(t, "/", "n", "o", "p", "e", "enter"), `"nope" is neither below`)
	contains(t, w.press(t, "o", "h", "i", "x", "backspace"), "note: hi_")
	// A kill now loses nothing: the note is on the disk with every key.
	other := newWindow(t, s, id)
	i, _, _ := other.v.r.Changes.Find("evil.go")
	if e := other.v.r.Journal.Get(other.v.r.Changes.Items[i].Key(0)); e.Note != "hi" || e.Mark != review.Unread {
		t.Errorf("%+v", e)
	}
	contains(t, w.press(t, "enter"), "your note: hi")
	contains(t, w.press(t, "l"), "· A evil.go", "j and a number goes to an item")
	if w.press(t, "r"); w.v.r.Journal.Mark(w.v.r.Changes.Items[i].Key(0)) == review.Read {
		t.Error("a page that is not on the screen was marked")
	}
	for range total {
		w.press(t, "n", "r")
	}
	w.press(t, "j", "1", "enter", "r")
	contains(t, w.press(t, "n"), "nothing is unread: leave, then review --finish")
	w.height, w.width = 5, 20
	w.press(t, "end", "home", "pgdown", "pgup", "up", "down", " ")
	if w.press(t, "x"); !w.quit {
		t.Error("it does not leave")
	}
}

func TestWrap(t *testing.T) {
	for line, want := range map[string]string{
		"":                             "",
		"abc":                          "abc",
		"abcdefg":                      "abcd" + ansiReset + "|efg",
		ansiRed + "abcdef" + ansiReset: ansiRed + "abcd" + ansiReset + "|" + ansiRed + "ef" + ansiReset,
		"日本語":                          "日本" + ansiReset + "|語",
		"e\u0301abc":                   "e\u0301abc",
	} {
		if got := strings.Join(wrapLine(line, 4), "|"); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// The marks of a program that is killed while it writes are there up to the last whole one.
func TestReviewResumesAfterATornWrite(t *testing.T) {
	s, id := newReader(t)
	s.review(0, id.Short(), "--mark", "read", "a.go")
	marks := s.path("home", "review", "marks.jsonl")
	b, err := os.ReadFile(marks)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(marks, append(b, []byte(`{"at":"2026-11-21T12:00:00Z","key":"12`)...), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := s.review(0, id.Short(), "--list")
	contains(t, out, " ✓ A a.go", " · A evil.go")
	s.review(0, id.Short(), "--mark", "read", "evil.go")
	out, _ = s.review(0, id.Short(), "--list")
	contains(t, out, " ✓ A a.go", " ✓ A evil.go")
}
