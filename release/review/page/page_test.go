package page

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/builds/source"
	"github.com/countersign-project/countersign/release/review"
)

const host = "127.0.0.1:4711"

// hostileText is a file that tries everything.
const hostileText = "<script>alert(1)</script>\n\x1b]0;x\x07 \u202e\" onload=\"x\n</td></table>{{.}}\n"

// desk is a server with two files to read, and a browser at it.
type desk struct {
	t      *testing.T
	s      *Server
	token  string
	cookie *http.Cookie
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is not installed")
		}
		t.Skip("git is not installed")
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := source.OpenRepository(t.Context(), filepath.Join(t.TempDir(), "objects.git"), os.Environ())
	check(err)
	git := func(in string, args ...string) string {
		t.Helper()
		out, err := r.Git(t.Context(), strings.NewReader(in), 1<<20, args...)
		check(err)
		return strings.TrimSpace(string(out))
	}
	long := git(strings.Repeat("line\n", linesAtOnce+10), "hash-object", "-w", "--stdin")
	bad := git(hostileText, "hash-object", "-w", "--stdin")
	tree := git(fmt.Sprintf("100644 blob %s\t<img src=x>.go\n100644 blob %s\tlong.txt\n", bad, long), "mktree")
	c, err := review.Compare(t.Context(), r, review.Side{Tree: review.EmptyTree}, review.Side{Tree: tree})
	check(err)
	check(review.Analyse(t.Context(), r, c))
	j, err := review.OpenJournal(filepath.Join(t.TempDir(), "marks"))
	check(err)
	reader, err := review.NewReader(context.WithoutCancel(t.Context()), r)
	check(err)
	t.Cleanup(reader.Close)
	d := &desk{t: t}
	d.s, d.token, err = New(Review{Title: "stable 1.4.0", Base: "everything", Notes: "<b>notes</b>", Changes: c, Journal: j, Reader: reader,
		Now: func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }}, []string{host})
	check(err)
	return d
}

// ask makes a request as the browser would; edit may change it.
func (d *desk) ask(method, path string, form url.Values, edit func(*http.Request)) *httptest.ResponseRecorder {
	d.t.Helper()
	q := httptest.NewRequest(method, "http://"+host+path, strings.NewReader(form.Encode()))
	if form != nil {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	q.Header.Set("Sec-Fetch-Site", "same-origin")
	if d.cookie != nil {
		q.AddCookie(d.cookie)
	}
	if edit != nil {
		edit(q)
	}
	w := httptest.NewRecorder()
	d.s.Handler().ServeHTTP(w, q)
	return w
}

func (d *desk) login() *desk {
	d.t.Helper()
	w := d.ask("POST", "/login", url.Values{"token": {d.token}}, nil)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != d.s.secret {
		d.t.Fatalf("%d %s", w.Code, w.Body)
	}
	d.cookie = w.Result().Cookies()[0]
	return d
}

func TestLogin(t *testing.T) {
	d := newDesk(t)
	if w := d.ask("GET", d.s.secret, nil, nil); w.Code != http.StatusUnauthorized {
		t.Errorf("without a session: %d", w.Code)
	}
	for _, wrong := range []string{"", "x", strings.ToLower(d.token)} {
		if w := d.ask("POST", "/login", url.Values{"token": {wrong}}, nil); w.Code != http.StatusUnauthorized || len(w.Result().Cookies()) != 0 {
			t.Errorf("token %q: %d", wrong, w.Code)
		}
	}
	d.login()
	if c := d.cookie; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != d.s.secret || c.Domain != "" {
		t.Errorf("cookie %v", c)
	}
	if w := d.ask("GET", d.s.secret, nil, nil); w.Code != http.StatusOK {
		t.Errorf("with a session: %d", w.Code)
	}
	if w := d.ask("POST", "/login", url.Values{"token": {d.token}}, nil); w.Code != http.StatusUnauthorized {
		t.Errorf("the token was taken twice: %d", w.Code)
	}
	d.cookie.Value += "x"
	if w := d.ask("GET", d.s.secret, nil, nil); w.Code != http.StatusUnauthorized {
		t.Errorf("with a wrong cookie: %d", w.Code)
	}
}

func TestStrangersAreKeptOut(t *testing.T) {
	d := newDesk(t).login()
	mark := url.Values{"mark": {"read"}}
	for name, c := range map[string]struct {
		edit func(*http.Request)
		want int
	}{
		"rebound name":         {func(q *http.Request) { q.Host = "evil.example:4711" }, http.StatusMisdirectedRequest},
		"other port":           {func(q *http.Request) { q.Host = "127.0.0.1:4712" }, http.StatusMisdirectedRequest},
		"no port":              {func(q *http.Request) { q.Host = "127.0.0.1" }, http.StatusMisdirectedRequest},
		"other site":           {func(q *http.Request) { q.Header.Set("Sec-Fetch-Site", "cross-site") }, http.StatusForbidden},
		"same site, no origin": {func(q *http.Request) { q.Header.Set("Sec-Fetch-Site", "same-site") }, http.StatusForbidden},
		"old browser": {func(q *http.Request) {
			q.Header.Del("Sec-Fetch-Site")
			q.Header.Set("Origin", "http://127.0.0.1:9999")
		}, http.StatusForbidden},
		"no session": {func(q *http.Request) { q.Header.Del("Cookie") }, http.StatusUnauthorized},
	} {
		if w := d.ask("POST", d.s.secret+"item/1/1", mark, c.edit); w.Code != c.want {
			t.Errorf("%s: %d, want %d", name, w.Code, c.want)
		}
	}
	for _, path := range []string{"item/1/1?mark=read", "item/0/1", "item/3/1", "item/1/2", "item/x/1", "item/1/0", "item/99999999999999999999/1"} {
		if w := d.ask("GET", d.s.secret+path, nil, nil); (w.Code == http.StatusOK) != strings.Contains(path, "?") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := d.ask("POST", d.s.secret+"item/1/1", url.Values{"note": {strings.Repeat("x", 100<<10)}}, nil); w.Code != http.StatusBadRequest {
		t.Errorf("a large body: %d", w.Code)
	}
	if v := d.s.r.Changes.Cover(d.s.r.Journal.Mark); v.PagesDone != 0 {
		t.Errorf("somebody marked %d pages", v.PagesDone)
	}
}

func TestHostileContentIsText(t *testing.T) {
	d := newDesk(t).login()
	for _, path := range []string{"", "item/1/1"} {
		w := d.ask("GET", d.s.secret+path, nil, nil)
		body := w.Body.String()
		if w.Code != http.StatusOK || strings.ContainsAny(body, "\x1b\x07\u202e") || strings.Contains(body, "<script>") || strings.Contains(body, "<img") || strings.Contains(body, "<b>") {
			t.Errorf("%s: %d\n%s", path, w.Code, body)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self';") || strings.Contains(csp, "unsafe") {
			t.Error(csp)
		}
		for h, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
			if got := w.Header().Get(h); got != want {
				t.Errorf("%s %q", h, got)
			}
		}
	}
	body := d.ask("GET", d.s.secret+"item/1/1", nil, nil).Body.String()
	for _, want := range []string{"&lt;script&gt;", `<span class="strange">&lt;1b&gt;</span>`, "&lt;U&#43;202E&gt;", "characters that control, hide or turn text, spelled out below, in lines 2"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}

func TestMarksAndNotes(t *testing.T) {
	d := newDesk(t).login()
	j, items := d.s.r.Journal, d.s.r.Changes.Items
	w := d.ask("POST", d.s.secret+"item/1/1", url.Values{"mark": {"read"}, "then": {"next"}}, nil)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != d.s.secret+"item/2/1" || j.Mark(items[0].Key(0)) != review.Read {
		t.Errorf("%d to %s", w.Code, w.Header().Get("Location"))
	}
	w = d.ask("POST", d.s.secret+"item/2/1", url.Values{"note": {"why\r\nso?"}}, func(q *http.Request) { q.Header.Set("X-Script", "1") })
	if e := j.Get(items[1].Key(0)); w.Code != http.StatusOK || e.Note != "why\nso?" || e.Mark != review.Unread || !strings.HasPrefix(w.Body.String(), "1 2 3 ") {
		t.Errorf("%d %q, %+v", w.Code, w.Body, e)
	}
	w = d.ask("POST", d.s.secret+"item/2/1", url.Values{"mark": {"question"}, "back": {"list"}, "whole": {"1"}}, nil)
	if e := j.Get(items[1].Key(0)); e.Note != "why\nso?" || e.Mark != review.Question || w.Header().Get("Location") != d.s.secret+"#i2" {
		t.Errorf("%+v, %s", e, w.Header().Get("Location"))
	}
	for _, bad := range []string{"seen", "generated", "mechanical", ""} {
		if w := d.ask("POST", d.s.secret+"item/1/1", url.Values{"mark": {bad}}, nil); w.Code != http.StatusBadRequest || j.Mark(items[0].Key(0)) != review.Read {
			t.Errorf("mark %q: %d", bad, w.Code)
		}
	}
}

// A long file comes in parts, and no line of it is left out.
func TestLongFilesComeInParts(t *testing.T) {
	d := newDesk(t).login()
	lines := 0
	for _, query := range []string{"", fmt.Sprint("?from=", linesAtOnce)} {
		body := d.ask("GET", d.s.secret+"item/2/1"+query, nil, nil).Body.String()
		lines += strings.Count(body, `<tr class="add">`)
		if strings.Contains(body, "lines shown: go on") != (query == "") {
			t.Errorf("%q: wrong links", query)
		}
	}
	if lines != linesAtOnce+10 {
		t.Errorf("%d lines", lines)
	}
}
