package main

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/audit"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/review"
)

// reviewView is a review on one terminal.
type reviewView struct {
	app     *cli.App
	r       *audit.Reviewing
	id      event.ID
	context int
}

// reviewItem is one item in the JSON of --list.
type reviewItem struct {
	Number     int      `json:"number"`
	Name       string   `json:"name"`
	What       string   `json:"what"`
	Lines      int      `json:"lines"`
	Pages      int      `json:"pages"`
	PagesRead  int      `json:"pages_read"`
	Mark       string   `json:"mark"`
	Note       string   `json:"note,omitempty"`
	Generated  string   `json:"generated,omitempty"`
	Mechanical int      `json:"mechanical,omitempty"`
	Notes      []string `json:"notes,omitempty"`
}

type reviewList struct {
	Event   string           `json:"event"`
	Version string           `json:"version"`
	Base    audit.ReviewBase `json:"base"`
	Head    string           `json:"head"`
	Changes string           `json:"changes"` // sha256 of the change list
	Items   []reviewItem     `json:"items"`
	Done    int              `json:"items_done"`
	Lines   int              `json:"lines"`
	Read    int              `json:"lines_done"`
	Minutes int              `json:"minutes"` // of work, as far as marks show it
}

func (v *reviewView) list() error {
	sum := v.r.Changes.SHA256()
	c := v.r.Changes.Cover(v.r.Journal.Mark)
	_, _, work, err := v.r.Journal.Span(v.r.Changes)
	if err != nil {
		return err
	}
	l := reviewList{Event: v.id.String(), Version: v.r.Proposal.Manifest.Version, Base: v.r.Base, Head: v.r.Changes.Head, Changes: hex.EncodeToString(sum[:]),
		Items: []reviewItem{}, Done: c.ItemsDone, Lines: c.Lines, Read: c.LinesDone, Minutes: int(work / time.Minute)}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", v.title(), v.baseText())
	for n, i := range v.r.Changes.Items {
		item := v.item(n, i)
		l.Items = append(l.Items, item)
		fmt.Fprintf(&b, "%4d %s %s %s  %s\n", n+1, markSign(i.Mark(v.r.Journal.Mark)), i.What, i.Name, itemDetail(item))
		if item.Note != "" {
			fmt.Fprintf(&b, "         note: %s\n", review.VisibleText(strings.ReplaceAll(item.Note, "\n", " / ")))
		}
	}
	fmt.Fprintf(&b, "\n%s\nchange list %s\n", coverText(c), l.Changes)
	return v.app.Print(l, b.String())
}

func (v *reviewView) item(n int, i review.Item) reviewItem {
	item := reviewItem{Number: n + 1, Name: i.Name, What: i.What, Lines: i.Lines, Pages: i.Pages(), Mark: i.Mark(v.r.Journal.Mark).String(),
		Note: v.r.Journal.Get(i.Key(0)).Note, Generated: i.Generated, Mechanical: i.Mechanical, Notes: i.Notes}
	for p := range i.Pages() {
		if m := v.r.Journal.Mark(i.Key(p)); m != review.Unread && m != review.Question {
			item.PagesRead++
		}
	}
	return item
}

func itemDetail(i reviewItem) string {
	d := fmt.Sprintf("%d lines", i.Lines)
	if i.Pages > 1 {
		d += fmt.Sprintf(", %d of %d pages", i.PagesRead, i.Pages)
	}
	if i.Generated != "" {
		d += ", generated"
	}
	if i.Mechanical > 0 {
		d += fmt.Sprintf(", group %d", i.Mechanical)
	}
	return d
}

// markSign is a mark in one column.
func markSign(m review.Mark) string {
	switch m {
	case review.Read:
		return "✓"
	case review.Question:
		return "?"
	case review.Generated:
		return "g"
	case review.Mechanical:
		return "="
	}
	return "·"
}

func (v *reviewView) title() string {
	m := v.r.Proposal.Manifest
	return fmt.Sprintf("%s %s (event %s), tree %s", m.Channel, m.Version, v.id.Short(), m.Source.Tree)
}

func (v *reviewView) baseText() string {
	b := v.r.Base
	if b.Version == "" {
		return "the whole source: " + review.VisibleText(b.Why)
	}
	return fmt.Sprintf("change since %s (%s), tree %s", b.Version, review.VisibleText(b.Why), b.Tree)
}

func coverText(c review.Coverage) string {
	s := fmt.Sprintf("%d of %d items, %d of %d lines", c.ItemsDone, c.Items, c.LinesDone, c.Lines)
	if len(c.Questions) > 0 {
		s += fmt.Sprintf("; %d with a question", len(c.Questions))
	}
	return s
}

// place is an item and a page of it; page -1 is all of them.
type place struct{ item, page int }

// find resolves what a person named; "all" is every item.
func (v *reviewView) find(names []string) ([]place, error) {
	var out []place
	for _, name := range names {
		if name == "all" {
			for i := range v.r.Changes.Items {
				out = append(out, place{i, -1})
			}
			continue
		}
		i, p, err := v.r.Changes.Find(name)
		if err != nil {
			return nil, cli.Usagef("%v", err)
		}
		out = append(out, place{i, p})
	}
	return out, nil
}

// mark sets marks and notes, all or none.
func (v *reviewView) mark(names []string, mark, note string, setMark, setNote bool) error {
	places, err := v.find(names)
	if err != nil {
		return err
	}
	m := review.Unread
	if setMark {
		if m, err = review.ParseMark(mark); err != nil {
			return cli.Usagef("%v", err)
		}
	}
	var entries []review.Entry
	for _, p := range places {
		item := v.r.Changes.Items[p.item]
		if err := item.Allows(m); setMark && err != nil {
			return cli.Refusef("%v", err)
		}
		first, last := p.page, p.page+1
		if p.page < 0 {
			first, last = 0, item.Pages()
		}
		for n := first; n < last; n++ {
			e := v.r.Journal.Get(item.Key(n))
			e.Key, e.Title, e.At = item.Key(n), item.Title(n), v.app.Now()
			if setMark {
				e.Mark = m
			}
			if setNote && n == first {
				e.Note = note
			}
			entries = append(entries, e)
		}
	}
	if err := v.r.Journal.Put(entries...); err != nil {
		return err
	}
	c := v.r.Changes.Cover(v.r.Journal.Mark)
	return v.app.Print(map[string]int{"items_done": c.ItemsDone, "items": c.Items, "lines_done": c.LinesDone, "lines": c.Lines}, coverText(c))
}
