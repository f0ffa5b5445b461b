package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/release/mirror"
	"github.com/countersign-project/countersign/release/publish/roomtest"
)

func (p *person) site(args ...string) (code int, out, errs string) {
	p.t.Helper()
	return p.run(append([]string{"site", "--repository", p.path("repository"), "--root", p.path("root.json"), "--policy", p.path("policy.json")}, args...)...)
}

func TestSiteCommand(t *testing.T) {
	p := newPerson(t)
	p.want(0, "stable 1.0.0: genuine", "")(p.site("--out", p.path("public")))
	p.want(0, "8 files, 0 changed", "")(p.site("--out", p.path("public")))
	p.want(0, `"outcome": "genuine"`, "")(p.site("--out", p.path("public"), "--json"))
	p.want(2, "", "--out is missing")(p.site())
	p.want(2, "", "want a relative path that ends in a slash")(p.site("--out", p.path("public"), "--link", "javascript:alert(1)/"))
	p.want(2, "", "want a time such as")(p.site("--out", p.path("public"), "--time", "tomorrow"))
	p.write("diary/diary.txt", nil)
	p.want(2, "", "is not empty and not a site made by this program")(p.site("--out", p.path("diary")))
	p.want(0, "stable 1.0.0: could not tell", "")(p.site("--out", p.path("public"), "--time", "2027-11-24T12:00:00Z"))
	p.now = p.now.AddDate(1, 0, 0)
	p.want(0, "missing: root: expired on ", "")(p.site("--out", p.path("public")))
}

// A mirror makes the pages again from what it verified: the same bytes from an honest publisher, and its own
// from one whose pages lie.
func TestMirrorMakesItsOwnPages(t *testing.T) {
	p := newPerson(t)
	p.want(0, "", "")(p.site("--out", p.path("repository/site"), "--link", "../"))
	honest, err := os.ReadFile(p.path("repository/site/stable/1.0.0.html"))
	if err != nil {
		t.Fatal(err)
	}
	p.write("repository/site/stable/1.0.0.html", []byte("<p>Rebuilt by everybody.</p>"))
	p.want(0, "is up to date", "")(p.sync("--from", p.path("repository")))
	got, err := os.ReadFile(p.path("mirror/site/stable/1.0.0.html"))
	if err != nil || string(got) != string(honest) {
		t.Errorf("the mirror's page is not what its metadata says: %v\n%s", err, got)
	}
	p.want(0, `"foreign": []`, "")(p.sync("--json", "--from", p.path("repository")))
	p.want(0, "good ", "")(p.run("mirror", "check", "--root", p.path("root.json"), "--deep", p.path("mirror"), p.path("repository")))

	srv := httptest.NewServer(mirror.Handler(p.path("mirror")))
	defer srv.Close()
	for path, want := range map[string]string{"/site/": "text/html; charset=utf-8", "/site/index.html": "text/html; charset=utf-8", "/site/style.css": "text/css; charset=utf-8", "/site/.lock": "", "/site": ""} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Content-Type"); want != "" && (resp.StatusCode != 200 || got != want || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'")) || want == "" && resp.StatusCode != 404 {
			t.Errorf("%s: %s, %s", path, resp.Status, got)
		}
	}
	p.want(0, "", "")(p.sync("--from", p.path("repository"), "--site=false", "--to", p.path("plain")))
	if _, err := os.Stat(p.path("plain/site")); err == nil {
		t.Error("pages were made though nobody wanted them")
	}
}

// The publisher's own pages are there after the step that published, and are its mirrors' to the byte.
func TestServeKeepsThePages(t *testing.T) {
	p := newPublisher(t)
	p.found(t)
	id := p.stageRelease(t, "1.0.0")
	members := []int{roomtest.Ana, roomtest.Ben, roomtest.Cleo}
	p.Rebuild(id, members...)
	p.SignAll(id, members...)
	out, errs := p.must(0, append([]string{"serve", "--once", "--room", p.World.Dir}, p.keys()...)...)
	contains(t, out, "1.0.0")
	page, err := os.ReadFile(filepath.Join(p.World.Dir, "repository", "site", "stable", "1.0.0.html"))
	if err != nil {
		t.Fatal(err, errs)
	}
	contains(t, string(page), "What is new in 1.0.0.", "genuine")
	root := filepath.Join(p.path("source"), "release", "anchor", "distribution")
	p.must(0, "mirror", "sync", "--from", filepath.Join(p.World.Dir, "repository"), "--to", p.path("mirror"), "--root", filepath.Join(root, "root.json"))
	copied, err := os.ReadFile(p.path("mirror", "site", "stable", "1.0.0.html"))
	if err != nil || string(copied) != string(page) {
		t.Errorf("the mirror's page differs: %v\n%s", err, copied)
	}
}
