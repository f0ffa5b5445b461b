package site

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/record"
	"github.com/countersign-project/countersign/tuf/trust"
)

//go:embed page
var pages embed.FS

// Links says where the pages lie in relation to the repository.
type Links struct {
	Repository string // from the site's folder to the repository, "../", or "": files are named and not linked
}

// view is what a template sees.
type view struct {
	record.Record
	Links
	Site, Title string
	File, Up    string // the page, and the way from it to the site's folder
	Nav         []link
	Stamp       record.Role    // timestamp
	Channel     record.Channel // of channel pages
	Release     record.Release // of release pages
	Mirror      string         // first of the mirrors
	Commit      string         // of the newest release
}

type link struct{ Name, File string }

// Render prints the pages: name → content. It is pure, and the same record gives the same bytes.
func Render(r record.Record, l Links) (map[string][]byte, error) {
	v := view{Record: r, Links: l, Site: plain(r.Name), Nav: []link{{"Releases", "index.html"}, {"People", "people.html"}, {"Policy", "policy.html"}}}
	if v.Site == "" {
		v.Site = "Countersign"
	}
	if r.Log != nil {
		v.Nav = append(v.Nav, link{"Log", "log.html"})
	}
	v.Nav = append(v.Nav, link{"Check", "check.html"})
	for _, role := range r.Roles {
		if role.Name == trust.Timestamp {
			v.Stamp = role
		}
	}
	v.Mirror, v.Commit = "URL", "COMMIT"
	if len(r.Mirrors) > 0 {
		v.Mirror = r.Mirrors[0]
	}
	for _, ch := range slices.Backward(r.Channels) {
		if len(ch.Releases) > 0 && ch.Releases[0].Problem == "" {
			v.Commit = ch.Releases[0].Manifest.Source.Commit
		}
	}
	return v.all()
}

// all prints every page.
func (v view) all() (map[string][]byte, error) {
	css, err := pages.ReadFile("page/style.css")
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{"style.css": css}
	add := func(kind, file, title string, v view) error {
		v.File, v.Title, v.Up = file, title, strings.Repeat("../", strings.Count(file, "/"))
		b, err := v.print(kind)
		out[file] = b
		return err
	}
	for _, l := range v.Nav {
		if err := add(strings.TrimSuffix(l.File, ".html"), l.File, l.Name, v); err != nil {
			return nil, err
		}
	}
	for _, ch := range v.Channels {
		v.Channel = ch
		if err := add("channel", ch.Name+"/index.html", ch.Name, v); err != nil {
			return nil, err
		}
		for _, r := range ch.Releases {
			v.Release = r
			if err := add("release", pageOf(r), ch.Name+" "+r.Version, v); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// print fills one kind of page.
func (v view) print(kind string) ([]byte, error) {
	t, err := template.New(kind).Funcs(functions()).ParseFS(pages, "page/layout.html", "page/index.html", "page/"+kind+".html")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", v); err != nil {
		return nil, fmt.Errorf("%s: %w", v.File, err)
	}
	return b.Bytes(), nil
}

func pageOf(r record.Release) string { return r.Channel + "/" + r.Version + ".html" }

// functions are the words templates may use.
func functions() template.FuncMap {
	return template.FuncMap{
		"plain": plain, "size": size, "page": pageOf, "ruleWords": ruleWords,
		"rfc3339": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"when":    func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") },
		"day":     func(t time.Time) string { return t.UTC().Format("2 January 2006") },
		"short":   func(s string) string { return s[:min(len(s), 12)] },
		"join":    func(s []string) string { return strings.Join(s, ", ") },
		"expired": func(r record.Role, at time.Time) bool { return at.After(r.Expires) },
		"head":    func(list []record.Release, n int) []record.Release { return list[:min(len(list), n)] },
		"signers": signers,
		"seenBy":  seenBy,
		"reasonPeople": func(r record.Release, name string) []genuine.Person {
			return genuine.Verdict{Reasons: r.Reasons}.Reason(name).People
		},
		"outcomeClass": func(o genuine.Outcome) string {
			return map[genuine.Outcome]string{genuine.Genuine: "good", genuine.Refused: "bad"}[o] + map[bool]string{true: "open"}[o == genuine.Unknown]
		},
		"stateClass": func(s genuine.State) string {
			return map[genuine.State]string{genuine.Held: "good", genuine.Failed: "bad", genuine.Open: "open", genuine.NotRequired: "none", genuine.NotJudged: "none"}[s]
		},
		"mark": func(s genuine.State) string {
			return map[genuine.State]string{genuine.Held: "✓", genuine.Failed: "✗", genuine.Open: "?", genuine.NotRequired: "–", genuine.NotJudged: "–"}[s]
		},
		"verdictClass": func(v string) string {
			return map[string]string{"pass": "good", "partial": "good", "fail": "bad", "inconclusive": "open"}[v]
		},
		"verdictMark": func(v string) string {
			return map[string]string{"pass": "✓", "partial": "✓", "fail": "✗", "inconclusive": "?"}[v]
		},
	}
}
