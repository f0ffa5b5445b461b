package page

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/countersign-project/countersign/release/review"
	"github.com/countersign-project/countersign/release/review/colour"
)

// linesAtOnce is how many lines of a diff one page shows; a browser grows slow with more.
const linesAtOnce = 3000

// around is how many unchanged lines stand around each change.
const around = 6

// row is one page of an item in a list.
type row struct {
	Link      string // relative to the secret path
	Name      string
	What      string // added, …
	Lines     int
	Mark      review.Mark
	Note      bool
	Detail    string
	Generated string
	ID        string // of the row
}

// Done reports whether nothing is left to do with the row.
func (r row) Done() bool { return r.Mark != review.Unread && r.Mark != review.Question }

// section is a part of the list.
type section struct {
	Title, Hint string
	Rows        []row
	Done        int
}

type listData struct {
	Root, Title, Base, Event, Notes, ChangesSHA256 string
	Coverage                                       review.Coverage
	Sections                                       []section
	Next                                           string
}

var words = map[string]string{review.Added: "added", review.Removed: "removed", review.Changed: "changed", review.Retyped: "other kind", review.Moved: "moved"}

// list shows all items.
func (s *Server) list(w http.ResponseWriter, _ *http.Request) {
	c := s.r.Changes
	sections := []section{
		{Title: "Source"},
		{Title: "Equal edits", Hint: "The same lines removed and added in several files. Read one of a group; the others may be marked as mechanical."},
		{Title: "Modules", Hint: "Code of others that the programs are built with."},
		{Title: "Generated", Hint: "Made by a program. Read them, or run the command and mark them as generated."},
	}
	for n, i := range c.Items {
		at := 0
		switch {
		case i.Module != "":
			at = 2
		case i.Generated != "":
			at = 3
		case i.Mechanical > 0:
			at = 1
		}
		r := s.row(n, i)
		sections[at].Rows = append(sections[at].Rows, r)
		if r.Done() {
			sections[at].Done++
		}
	}
	s.render(w, "list.html", listData{
		Root: s.secret, Title: s.r.Title, Base: s.r.Base, Event: s.r.Event, Notes: s.r.Notes, ChangesSHA256: fmt.Sprintf("%x", c.SHA256()),
		Coverage: c.Cover(s.r.Journal.Mark), Sections: sections, Next: s.next(-1, 0),
	})
}

func (s *Server) row(n int, i review.Item) row {
	r := row{Link: link(n, 0), Name: i.Name, What: words[i.What], Lines: i.Lines, Mark: i.Mark(s.r.Journal.Mark), Generated: i.Generated, ID: fmt.Sprint("i", n+1)}
	for p := range i.Pages() {
		r.Note = r.Note || s.r.Journal.Get(i.Key(p)).Note != ""
	}
	if i.Module != "" {
		r.Name = i.Module
		r.Detail = strings.TrimSpace(i.Old.Version + " → " + i.New.Version)
		read := 0
		for p := range i.Pages() {
			if s.r.Journal.Mark(i.Key(p)) == review.Read {
				read++
			}
		}
		r.Detail += fmt.Sprintf(", %d of %d pages", read, i.Pages())
	}
	if i.Mechanical > 0 {
		r.Detail = fmt.Sprint("group ", i.Mechanical)
	}
	return r
}

func link(item, page int) string { return fmt.Sprintf("item/%d/%d", item+1, page+1) }

// next is the link of the first unread page behind that one, or from the start; "" for none.
func (s *Server) next(item, page int) string {
	first := ""
	for n, i := range s.r.Changes.Items {
		for p := range i.Pages() {
			if s.r.Journal.Mark(i.Key(p)) != review.Unread || n == item && p == page {
				continue
			}
			if n > item || n == item && p > page {
				return link(n, p)
			}
			if first == "" {
				first = link(n, p)
			}
		}
	}
	return first
}

type itemData struct {
	Root, Name, What, Link, Previous, Following, Next, Note, Detail string
	Number, Of                                                      int
	Mark                                                            review.Mark
	Marks                                                           []review.Mark
	Notes, Warnings                                                 []string
	Hunks                                                           []hunk
	Pages                                                           []row // of a module, on its first page
	From, Shown, Lines                                              int
	Earlier, Later                                                  string
	Coverage                                                        review.Coverage
}

type hunk struct {
	Head  string
	Lines []line
}

type line struct {
	Class    string // add, del or same
	Sign     string
	Old, New string
	Pieces   []piece
}

type piece struct {
	Class string
	Text  string
}

// place reads item and page from the path.
func (s *Server) place(q *http.Request) (item review.Item, n, page int, ok bool) {
	n, err1 := strconv.Atoi(q.PathValue("item"))
	page, err2 := strconv.Atoi(q.PathValue("page"))
	if err1 != nil || err2 != nil || n < 1 || n > len(s.r.Changes.Items) {
		return item, 0, 0, false
	}
	item = s.r.Changes.Items[n-1]
	return item, n - 1, page - 1, page >= 1 && page <= item.Pages()
}

// item shows one page.
func (s *Server) item(w http.ResponseWriter, q *http.Request) {
	i, n, p, ok := s.place(q)
	if !ok {
		http.NotFound(w, q)
		return
	}
	s.read.Lock()
	d, err := s.r.Reader.Page(i, p, around)
	s.read.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	e := s.r.Journal.Get(i.Key(p))
	data := itemData{Root: s.secret, Name: i.Title(p), What: words[i.What], Link: link(n, p), Number: n + 1, Of: len(s.r.Changes.Items), Mark: e.Mark, Note: e.Note,
		Marks: []review.Mark{review.Unread, review.Read, review.Question}, Next: s.next(n, p), Coverage: s.r.Changes.Cover(s.r.Journal.Mark)}
	data.Previous, data.Following = s.neighbours(n, p)
	if f := i.Page(p); f != nil && i.Module != "" {
		data.Detail, data.What = fmt.Sprintf("%s, page %d of %d", i.Name, p+1, i.Pages()), words[f.What]
	}
	if i.Generated != "" {
		data.Marks = append(data.Marks, review.Generated)
	}
	if i.Mechanical > 0 {
		data.Marks = append(data.Marks, review.Mechanical)
	}
	for _, note := range d.Notes {
		if text, warning := strings.CutPrefix(note, "WARNING: "); warning {
			data.Warnings = append(data.Warnings, text)
		} else {
			data.Notes = append(data.Notes, note)
		}
	}
	if i.Module != "" && p == 0 {
		for m := 1; m < i.Pages(); m++ {
			f := i.Page(m)
			data.Pages = append(data.Pages, row{Link: link(n, m), Name: i.Title(m), What: words[f.What], Mark: s.r.Journal.Mark(i.Key(m)), Note: s.r.Journal.Get(i.Key(m)).Note != "", ID: fmt.Sprintf("p%d", m+1)})
		}
	}
	from, _ := strconv.Atoi(q.FormValue("from")) // whatever is no number is the start
	data.part(d, from)
	s.render(w, "item.html", data)
}

func (s *Server) neighbours(n, p int) (before, after string) {
	items := s.r.Changes.Items
	switch {
	case p > 0:
		before = link(n, p-1)
	case n > 0:
		before = link(n-1, items[n-1].Pages()-1)
	}
	switch {
	case p+1 < items[n].Pages():
		after = link(n, p+1)
	case n+1 < len(items):
		after = link(n+1, 0)
	}
	return before, after
}

// part puts the lines from a number on into the page, and links to those before and behind them.
func (data *itemData) part(d *review.Diff, from int) {
	old, now := colour.Lines(d.Path, d.Old), colour.Lines(d.Path, d.New)
	for _, h := range d.Hunks {
		data.Lines += len(h.Lines)
	}
	from = max(0, min(from, data.Lines-1))
	data.From = from
	seen := 0
	for _, h := range d.Hunks {
		out := hunk{Head: fmt.Sprintf("%d → %d  %s", h.OldStart, h.NewStart, review.VisibleText(h.Head))}
		for _, l := range h.Lines {
			if seen++; seen <= from || seen > from+linesAtOnce {
				continue
			}
			data.Shown++
			out.Lines = append(out.Lines, lineOf(l, old, now))
		}
		if len(out.Lines) > 0 {
			data.Hunks = append(data.Hunks, out)
		}
	}
	if from > 0 {
		data.Earlier = fmt.Sprintf("?from=%d", max(0, from-linesAtOnce))
	}
	if from+linesAtOnce < data.Lines {
		data.Later = fmt.Sprintf("?from=%d", from+linesAtOnce)
	}
}

func lineOf(l review.Line, old, now [][]colour.Span) line {
	out := line{Class: map[byte]string{'+': "add", '-': "del", ' ': "same"}[l.Kind], Sign: string(rune(l.Kind)), Old: number(l.Old), New: number(l.New)}
	for _, span := range colour.Of(l.Text, l.Kind == '-', l.Old, l.New, old, now) {
		for _, p := range review.Visible([]byte(span.Text)) {
			class := string(span.Class)
			if p.Strange {
				class = "strange"
			}
			out.Pieces = append(out.Pieces, piece{class, p.Text})
		}
	}
	return out
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// mark saves a mark, a note, or both. A form sends the browser back; the script wants no answer but the
// new coverage.
func (s *Server) mark(w http.ResponseWriter, q *http.Request) {
	i, n, p, ok := s.place(q)
	if !ok {
		http.NotFound(w, q)
		return
	}
	if err := q.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	entries, err := s.entries(i, p, q)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := s.r.Journal.Put(entries...); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if q.Header.Get("X-Script") != "" {
		c := s.r.Changes.Cover(s.r.Journal.Mark)
		fmt.Fprintf(w, "%d %d %d %d %s", c.ItemsDone, c.Items, c.LinesDone, c.Lines, s.next(n, p))
		return
	}
	back := s.secret + link(n, p)
	switch {
	case q.PostForm.Get("back") == "list":
		back = s.secret + "#i" + strconv.Itoa(n+1)
	case q.PostForm.Get("back") == "module":
		back = s.secret + link(n, 0) + "#p" + strconv.Itoa(p+1)
	case q.PostForm.Get("then") == "next" && s.next(n, p) != "":
		back = s.secret + s.next(n, p)
	}
	http.Redirect(w, q, back, http.StatusSeeOther)
}

// entries are what a form changes: one page, or with "whole" every page of the item.
func (s *Server) entries(i review.Item, p int, q *http.Request) ([]review.Entry, error) {
	first, last := p, p+1
	if q.PostForm.Get("whole") != "" {
		first, last = 0, i.Pages()
	}
	var out []review.Entry
	for n := first; n < last; n++ {
		e := s.r.Journal.Get(i.Key(n))
		e.Key, e.Title, e.At = i.Key(n), i.Title(n), s.r.Now()
		if q.PostForm.Has("mark") {
			m, err := review.ParseMark(q.PostForm.Get("mark"))
			if err == nil {
				err = i.Allows(m)
			}
			if err != nil {
				return nil, err
			}
			e.Mark = m
		}
		if q.PostForm.Has("note") && n == p {
			e.Note = strings.ReplaceAll(q.PostForm.Get("note"), "\r\n", "\n")
		}
		out = append(out, e)
	}
	return out, nil
}
