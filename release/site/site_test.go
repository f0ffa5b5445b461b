package site_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/countersign-project/countersign/release/site"
)

// element is one element of a page with the text directly in it.
type element struct {
	name  string
	attrs map[string]string
	text  string
}

// elements reads a page as strict XML, which our templates keep to: a page that two parsers could read
// in two ways is a bug.
func elements(t *testing.T, name string, b []byte) []element {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(b))
	dec.Strict = true
	var list []element
	var open []int
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			e := element{name: x.Name.Local, attrs: map[string]string{}}
			for _, a := range x.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			list, open = append(list, e), append(open, len(list))
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			for _, i := range open {
				list[i].text += string(x)
			}
		}
	}
}

func TestPagesSayWhatWasSaid(t *testing.T) {
	w := world(t)
	files := render(t, gather(t, w, repository(w), w.Now), site.Links{Repository: "../"})
	if got, want := strings.Join(slices.Sorted(maps.Keys(files)), " "), "beta/index.html check.html index.html people.html policy.html stable/1.0.0.html stable/1.1.0.html stable/index.html style.css"; got != want {
		t.Errorf("pages %s\nwant %s", got, want)
	}
	for page, want := range map[string][]string{
		"index.html":        {"stable", "1.1.0 genuine", "rebuilt by 3 · 1 got other bytes", "3 of 5 auditors signed, 3 needed: Ana Sousa (Tejo Labs, PT)", "timestamp 3 23 November 2026, 12:00 UTC Pia Publisher (1 needed)"},
		"people.html":       {"Ana Sousa Tejo Labs, PT signs releases rebuilt 2", "Daiki Mori Fuji Kenkyu, JP signs releases rebuilt 0 got other bytes for 1"},
		"policy.html":       {"At least 3 of the 5 auditors must sign exactly these bytes.", "At least 3 auditors must have rebuilt every file"},
		"check.html":        {"countersign verify messenger --repository https://mirror.example/", "git checkout c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"},
		"stable/1.0.0.html": {"stable 1.0.0 genuine", "Ana Sousa Tejo Labs, PT · the same bytes"},
		"stable/1.1.0.html": {
			"Faster start.\nSmaller downloads.", "follows 1.0.0", "Daiki Mori Fuji Kenkyu, JP · other bytes", "Nobody has stated that they read the change.",
			"linux-amd64/messenger released d457f39fd3e1b4806ae4409a8e4a7fff49c01074b0bf36e6254fc723b4737c67 they got c3420ec912ab2334dea505dd56bb33c8d4bab1e420c48625b9d6e3f878f31c78",
		},
		"beta/index.html": {"beta: all releases"},
	} {
		text := words(elements(t, page, files[page])[0].text)
		for _, s := range want {
			if !strings.Contains(text, words(s)) {
				t.Errorf("%s does not say %q; it says %s", page, s, text)
			}
		}
	}
}

func words(s string) string { return strings.Join(strings.Fields(s), " ") }

// The headings of a release with everything in it, in their order.
func TestOutline(t *testing.T) {
	files := render(t, full(t, "text"), site.Links{})
	outline := func(page string) string {
		var list []string
		for _, e := range elements(t, page, files[page]) {
			if len(e.name) == 2 && e.name[0] == 'h' && e.name != "hr" {
				list = append(list, e.name+" "+words(e.text))
			}
		}
		return strings.Join(list, "\n")
	}
	for page, want := range map[string]string{
		"index.html":        "h1 text\nh2 Not all of the record is here\nh2 stable\nh3 1.1.0 genuine\nh3 1.0.0 genuine\nh2 beta\nh2 The log\nh2 Valid until",
		"stable/1.0.0.html": "h1 stable 1.0.0 genuine\nh2 Withdrawals\nh2 The seven reasons\nh2 Notes\nh2 Signed\nh2 Rebuilt\nh2 Reviewed\nh2 Files\nh2 Made from",
		"log.html":          "h1 The log\nh2 Witnesses of this head",
		"policy.html":       "h1 Policy\nh2 stable\nh2 beta\nh2 Who signed what, and until when it holds\nh2 What this does not show",
	} {
		if got := outline(page); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", page, got, want)
		}
	}
}

// The same repository gives the same bytes, whoever reads it and whenever, unless another time is asked for.
func TestSameRepositorySameBytes(t *testing.T) {
	w := world(t)
	one := render(t, gather(t, w, repository(w), w.Now), site.Links{Repository: "../"})
	two := render(t, gather(t, w, repository(w), w.Now.Add(23*time.Hour)), site.Links{Repository: "../"})
	if !maps.EqualFunc(one, two, bytes.Equal) {
		t.Error("two readings of one repository differ")
	}
	w.Now = w.Now.Add(time.Hour)
	w.Refresh()
	if three := render(t, gather(t, w, repository(w), w.Now), site.Links{Repository: "../"}); maps.EqualFunc(one, three, bytes.Equal) {
		t.Error("a newer timestamp changes nothing")
	}
}

// A release whose files a mirror withholds is shown as not known, and the rest as usual.
func TestWithheldReleaseIsShown(t *testing.T) {
	w := world(t)
	files := repository(w)
	for name := range files {
		if strings.HasPrefix(name, "targets/stable/1.1.0/") && strings.HasSuffix(name, "release.json") {
			delete(files, name)
		}
	}
	pages := render(t, gather(t, w, files, w.Now), site.Links{})
	index := words(elements(t, "index.html", pages["index.html"])[0].text)
	if !strings.Contains(index, "Not all of the record is here stable 1.1.0: targets/stable/1.1.0/") || !strings.Contains(index, "1.1.0 could not tell") || !strings.Contains(index, "1.0.0 genuine") {
		t.Errorf("index says %s", index)
	}
}

// Text of other people stays text: no element, attribute or character of it comes through.
func TestHostileText(t *testing.T) {
	const evil = "</p><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\u202ekcatta\u202c\u2066\u200b\x07\x1b[2J {{.}} javascript:alert(1) ]]><!-- "
	allowed := strings.Fields("html head meta title link body header p a span nav ul li main h1 h2 h3 strong section code ol bdi abbr time table thead tr th td tbody footer blockquote dl div dt dd details summary pre em")
	files := render(t, full(t, evil), site.Links{Repository: "../"})
	harmless := render(t, full(t, "text"), site.Links{Repository: "../"})
	for page, b := range files {
		if page == "style.css" {
			continue
		}
		list, same := elements(t, page, b), elements(t, page, harmless[page])
		if len(list) != len(same) {
			t.Errorf("%s has %d elements, %d with harmless text", page, len(list), len(same))
		}
		for i, e := range list {
			if !slices.Contains(allowed, e.name) || i < len(same) && e.name != same[i].name {
				t.Errorf("%s: element %s", page, e.name)
			}
			for a, v := range e.attrs {
				if strings.HasPrefix(a, "on") || a == "style" || strings.Contains(v, "alert") {
					t.Errorf("%s: %s %s=%q", page, e.name, a, v)
				}
			}
		}
		if i := bytes.IndexFunc(b, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%s: %q does not print", page, b[max(0, i-20):i+8])
		}
	}
	if text := elements(t, "stable/1.1.0.html", files["stable/1.1.0.html"])[0].text; !strings.Contains(text, "<script>alert(1)</script>") {
		t.Error("the notes were not shown at all")
	}
}

// Every link leads to a page of the site or a file of the repository, by a relative path; nothing is
// loaded but the style sheet, which loads nothing.
func TestLinksResolve(t *testing.T) {
	w := world(t)
	record := full(t, "text")
	all := map[string]bool{}
	for name := range w.Files() {
		all[name] = true
	}
	files := render(t, record, site.Links{Repository: "../"})
	for name := range files {
		all["site/"+name] = true
	}
	linked := map[string]bool{}
	for page, b := range files {
		if page == "style.css" {
			continue
		}
		for _, e := range elements(t, page, b) {
			if e.name == "link" && e.attrs["rel"] != "stylesheet" || e.attrs["src"] != "" {
				t.Errorf("%s loads something: %v", page, e)
			}
			to, ok := e.attrs["href"]
			if !ok {
				continue
			}
			u, err := url.Parse(to)
			if err != nil || u.IsAbs() || u.Host != "" || strings.HasPrefix(to, "/") {
				t.Errorf("%s: link to %q, want a relative one (%v)", page, to, err)
				continue
			}
			target := path.Join("site", path.Dir(page), u.Path)
			if !all[target] {
				t.Errorf("%s: %q leads to %s, which is not there", page, to, target)
			}
			linked[target] = true
		}
	}
	for name := range files {
		if !linked["site/"+name] && name != "index.html" && !(path.Base(name) == "index.html") {
			t.Errorf("no page links to %s", name)
		}
	}
	for name := range w.Files() {
		if strings.HasPrefix(name, "targets/stable/") && !linked[name] {
			t.Errorf("no page links to %s", name)
		}
	}
	for _, word := range []string{"url(", "@import", "http", "expression"} {
		if bytes.Contains(files["style.css"], []byte(word)) {
			t.Errorf("the style sheet has %q", word)
		}
	}
	for page, b := range render(t, record, site.Links{}) {
		if bytes.Contains(b, []byte(`href="targets`)) || bytes.Contains(b, []byte("../targets")) || bytes.Contains(b, []byte("../evidence")) {
			t.Errorf("%s links to a repository whose place is not known", page)
		}
	}
}
