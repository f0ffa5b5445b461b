package main

import (
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/release/review"
	"github.com/countersign-project/countersign/release/review/colour"
)

// Escape sequences of ours. Nothing from a file can make one: review.Visible spells them out.
const (
	ansiReset   = "\x1b[0m"
	ansiBold    = "\x1b[1m"
	ansiDim     = "\x1b[2m"
	ansiReverse = "\x1b[7m"
	ansiRed     = "\x1b[31m"
	ansiGreen   = "\x1b[32m"
	ansiYellow  = "\x1b[33m"
	ansiBlue    = "\x1b[34m"
	ansiMagenta = "\x1b[35m"
	ansiCyan    = "\x1b[36m"
)

var classColour = map[colour.Class]string{colour.Keyword: ansiMagenta, colour.Name: ansiBlue, colour.String: ansiYellow, colour.Number: ansiCyan, colour.Comment: ansiDim}

// shownPage is one page in the JSON of --show.
type shownPage struct {
	Item  string      `json:"item"`
	Page  string      `json:"page"`
	Mark  string      `json:"mark"`
	Note  string      `json:"note,omitempty"`
	Notes []string    `json:"notes"`
	Lines []shownLine `json:"lines"`
}

type shownLine struct {
	Kind string `json:"kind"` // " ", "+", "-" or "@"
	Old  int    `json:"old,omitempty"`
	New  int    `json:"new,omitempty"`
	Text string `json:"text"` // made safe to show
}

// show prints items one after the other.
func (v *reviewView) show(names []string) error {
	places, err := v.find(names)
	if err != nil {
		return err
	}
	var pages []shownPage
	for _, p := range places {
		item := v.r.Changes.Items[p.item]
		first, last := p.page, p.page+1
		if p.page < 0 {
			first, last = 0, item.Pages()
		}
		for n := first; n < last; n++ {
			d, err := v.r.Reader.Page(item, n, v.context)
			if err != nil {
				return err
			}
			if v.app.JSON {
				pages = append(pages, v.shown(item, n, d))
				continue
			}
			if _, err := fmt.Fprintln(v.app.Out, strings.Join(v.lines(p.item, n, d, v.app.Colours()), "\n")); err != nil {
				return err
			}
		}
	}
	if v.app.JSON {
		return v.app.Print(pages, "")
	}
	return nil
}

func (v *reviewView) shown(item review.Item, n int, d *review.Diff) shownPage {
	e := v.r.Journal.Get(item.Key(n))
	s := shownPage{Item: item.Name, Page: item.Title(n), Mark: e.Mark.String(), Note: e.Note, Notes: d.Notes, Lines: []shownLine{}}
	for _, h := range d.Hunks {
		s.Lines = append(s.Lines, shownLine{Kind: "@", Old: h.OldStart, New: h.NewStart, Text: review.VisibleText(h.Head)})
		for _, l := range h.Lines {
			s.Lines = append(s.Lines, shownLine{string(rune(l.Kind)), l.Old, l.New, review.VisibleText(string(l.Text))})
		}
	}
	return s
}

// lines is one page as lines for a terminal, with colours or without.
func (v *reviewView) lines(number, page int, d *review.Diff, colours bool) []string {
	paint := func(code, s string) string {
		if !colours || code == "" || s == "" {
			return s
		}
		return code + s + ansiReset
	}
	item := v.r.Changes.Items[number]
	e := v.r.Journal.Get(item.Key(page))
	head := fmt.Sprintf("%d %s", number+1, item.Name)
	if item.Module != "" {
		head = fmt.Sprintf("%d.%d %s", number+1, page+1, item.Name)
		if page > 0 {
			head += item.Title(page)
		}
	}
	out := []string{paint(ansiBold, head) + "  [" + e.Mark.String() + "]"}
	for _, n := range d.Notes {
		code := ansiCyan
		if strings.HasPrefix(n, "WARNING") {
			code = ansiReverse
		}
		out = append(out, "  "+paint(code, n))
	}
	if e.Note != "" {
		out = append(out, "  your note: "+paint(ansiYellow, review.VisibleText(strings.ReplaceAll(e.Note, "\n", " / "))))
	}
	old, now := colour.Lines(d.Path, d.Old), colour.Lines(d.Path, d.New)
	for _, h := range d.Hunks {
		out = append(out, paint(ansiCyan, fmt.Sprintf("@@ %d → %d  %s", h.OldStart, h.NewStart, review.VisibleText(h.Head))))
		for _, l := range h.Lines {
			spans := colour.Of(l.Text, l.Kind == '-', l.Old, l.New, old, now)
			code := map[byte]string{'+': ansiGreen, '-': ansiRed}[l.Kind]
			var b strings.Builder
			b.WriteString(paint(ansiDim, fmt.Sprintf("%5s %5s ", lineNumber(l.Old), lineNumber(l.New))) + paint(code, string(rune(l.Kind))) + " ")
			for _, s := range spans {
				for _, p := range review.Visible([]byte(s.Text)) {
					switch {
					case p.Strange:
						b.WriteString(paint(ansiReverse, p.Text))
					default:
						b.WriteString(paint(classColour[s.Class], strings.ReplaceAll(p.Text, "\t", "    ")))
					}
				}
			}
			out = append(out, b.String())
		}
	}
	return out
}

func lineNumber(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}
