package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/countersign-project/countersign/release/review"
)

// read lets a person go through the items on a terminal.
func (v *reviewView) read() error {
	screen, err := v.app.Screen()
	if err != nil {
		return err
	}
	defer screen.Close()
	w := newReadWindow(v)
	w.goTo(w.next(place{0, -1}))
	for !w.quit {
		w.width, w.height = screen.Size()
		if err := w.load(); err != nil {
			return err
		}
		if err := screen.Draw(w.draw()); err != nil {
			return err
		}
		key, err := screen.Key()
		if err != nil {
			return err
		}
		if err := w.key(key); err != nil {
			return err
		}
	}
	return nil
}

// readWindow is what is on the screen: one page of one item, scrolled, or the list of items. It knows
// nothing of terminals.
type readWindow struct {
	v             *reviewView
	at            place
	loaded        place
	lines         []string // of the page, wrapped
	top           int      // first line shown
	width, height int
	wrapped       int // width that lines are wrapped for
	message       string
	ask           string // what is being typed: "note", "search", "jump", or "" for none
	input         []rune
	sought        string
	listing       bool // the list of items is shown in place of the page
	quit          bool
}

func newReadWindow(v *reviewView) *readWindow {
	return &readWindow{v: v, loaded: place{-1, -1}, width: 80, height: 24}
}

const readHelp = "n next unread  → ← pages  space/↓↑ scroll  r read  u unread  ? question  g generated  m mechanical  o note  / search  j jump  l list  x leave"

// load makes the lines of the page, when it is another one or the screen has another width.
func (w *readWindow) load() error {
	items := w.v.r.Changes.Items
	if len(items) == 0 || w.loaded == w.at && w.wrapped == w.width {
		return nil
	}
	item := items[w.at.item]
	d, err := w.v.r.Reader.Page(item, w.at.page, w.v.context)
	if err != nil {
		return err
	}
	w.lines = nil
	for _, l := range w.v.lines(w.at.item, w.at.page, d, w.v.app.Colours()) {
		w.lines = append(w.lines, wrapLine(l, w.width)...)
	}
	if w.loaded != w.at {
		w.top = 0
	}
	w.loaded, w.wrapped = w.at, w.width
	return nil
}

func (w *readWindow) body() int { return max(1, w.height-3) }

// draw returns the lines of the screen.
func (w *readWindow) draw() []string {
	out := make([]string, 0, w.height)
	for i := range w.body() {
		line := ""
		if w.top+i < len(w.lines) {
			line = w.lines[w.top+i]
		}
		out = append(out, line)
	}
	c := w.v.r.Changes.Cover(w.v.r.Journal.Mark)
	more := ""
	if left := len(w.lines) - w.top - w.body(); left > 0 {
		more = fmt.Sprintf("  %d lines below", left)
	}
	status := fmt.Sprintf("item %d of %d  %s%s", w.at.item+1, len(w.v.r.Changes.Items), coverText(c), more)
	prompt := readHelp
	if w.message != "" {
		prompt = w.message
	}
	if w.ask != "" {
		prompt = fmt.Sprintf("%s: %s_  (enter: done, escape: leave)", w.ask, review.VisibleText(string(w.input)))
	}
	below := append(wrapLine(prompt, w.width), "")
	return append(out, ansiReverse+cut(status, w.width)+ansiReset, below[0], below[1])[:w.height]
}

// key does what a key says.
func (w *readWindow) key(k string) error {
	w.message = ""
	if w.ask != "" {
		return w.type_(k)
	}
	if len(w.v.r.Changes.Items) == 0 {
		w.quit = k == "x" || k == "interrupt"
		return nil
	}
	if w.listing && !slices.Contains([]string{"down", "up", " ", "pgdown", "pgup", "home", "end"}, k) {
		w.listing, w.loaded.item = false, -1 // nobody marks a page that is not on the screen
		if !slices.Contains([]string{"x", "interrupt", "n", "j"}, k) {
			return nil
		}
	}
	switch k {
	case "x", "interrupt":
		w.quit = true
	case "n":
		w.goTo(w.next(w.at))
	case "right":
		w.goTo(w.step(1))
	case "left":
		w.goTo(w.step(-1))
	case "down":
		w.scroll(1)
	case "up":
		w.scroll(-1)
	case " ", "pgdown":
		w.scroll(w.body())
	case "pgup":
		w.scroll(-w.body())
	case "home":
		w.top = 0
	case "end":
		w.scroll(len(w.lines))
	case "r":
		return w.mark(review.Read)
	case "u":
		return w.mark(review.Unread)
	case "?":
		return w.mark(review.Question)
	case "g":
		return w.mark(review.Generated)
	case "m":
		return w.mark(review.Mechanical)
	case "o":
		w.ask, w.input = "note", []rune(w.entry().Note)
	case "/":
		w.ask, w.input = "search", []rune(w.sought)
	case "j":
		w.ask, w.input = "jump", nil
	case "l":
		w.list()
	}
	return nil
}

// type_ takes a key of a line that is being typed. A note is kept with every key.
func (w *readWindow) type_(k string) error {
	switch {
	case k == "backspace":
		w.input = w.input[:max(0, len(w.input)-1)]
	case k == "enter" || k == "escape" || k == "interrupt":
		ask, text := w.ask, string(w.input)
		w.ask, w.input = "", nil
		if k == "enter" && ask == "search" {
			w.search(text)
		}
		if k == "enter" && ask == "jump" {
			w.jump(text)
		}
		w.loaded.item = -1 // the note is on the page
		return nil
	case utf8.RuneCountInString(k) == 1 && len(string(w.input)) < review.MaxNote-utf8.UTFMax:
		w.input = append(w.input, []rune(k)...)
	}
	if w.ask != "note" {
		return nil
	}
	e := w.entry()
	e.Note = string(w.input)
	return w.v.r.Journal.Put(e)
}

func (w *readWindow) entry() review.Entry {
	item := w.v.r.Changes.Items[w.at.item]
	e := w.v.r.Journal.Get(item.Key(w.at.page))
	e.Key, e.Title, e.At = item.Key(w.at.page), item.Title(w.at.page), w.v.app.Now()
	return e
}

// mark marks the page, and goes on to the next unread one when it is done with.
func (w *readWindow) mark(m review.Mark) error {
	if err := w.v.r.Changes.Items[w.at.item].Allows(m); err != nil {
		w.message = err.Error()
		return nil
	}
	e := w.entry()
	e.Mark = m
	if err := w.v.r.Journal.Put(e); err != nil {
		return err
	}
	w.loaded.item = -1 // the mark is on the page
	if m == review.Read || m == review.Generated || m == review.Mechanical {
		w.goTo(w.next(w.at))
	}
	return nil
}

func (w *readWindow) scroll(by int) {
	w.top = max(0, min(w.top+by, len(w.lines)-w.body()))
}

func (w *readWindow) goTo(p place) { w.at = p }

// step is the page before or after.
func (w *readWindow) step(by int) place {
	items, p := w.v.r.Changes.Items, w.at
	p.page += by
	switch {
	case p.page < 0 && p.item == 0:
		return w.at
	case p.page < 0:
		return place{p.item - 1, items[p.item-1].Pages() - 1}
	case p.page < items[p.item].Pages():
		return p
	case p.item+1 < len(items):
		return place{p.item + 1, 0}
	}
	return w.at
}

// next is the first page that is unread, after p and around; p itself, with a message, when all are read.
func (w *readWindow) next(p place) place {
	var first *place
	for i, item := range w.v.r.Changes.Items {
		for n := range item.Pages() {
			if w.v.r.Journal.Mark(item.Key(n)) != review.Unread {
				continue
			}
			here := place{i, n}
			if i > p.item || i == p.item && n > p.page {
				return here
			}
			if first == nil {
				first = &here
			}
		}
	}
	if first != nil {
		return *first
	}
	w.message = "nothing is unread: leave, then review --finish"
	return place{p.item, max(0, p.page)}
}

func (w *readWindow) jump(text string) {
	i, n, err := w.v.r.Changes.Find(strings.TrimSpace(text))
	if err != nil {
		w.message = review.VisibleText(err.Error())
		return
	}
	w.goTo(place{i, max(0, n)})
}

// search finds text below on this page, else in the names of the pages behind it.
func (w *readWindow) search(text string) {
	w.sought = text
	for n := w.top + 1; n < len(w.lines); n++ {
		if strings.Contains(w.lines[n], text) {
			w.top = n
			return
		}
	}
	for p, last := w.step(1), w.at; p != last; {
		item := w.v.r.Changes.Items[p.item]
		if strings.Contains(item.Name+item.Title(p.page), text) {
			w.goTo(p)
			return
		}
		w2 := *w
		w2.at = p
		last, p = p, w2.step(1)
	}
	w.message = strconv.Quote(text) + " is neither below nor in the name of a page behind this"
}

// list shows the items in place of the page.
func (w *readWindow) list() {
	w.lines, w.top, w.listing = nil, 0, true
	for n, i := range w.v.r.Changes.Items {
		item := w.v.item(n, i)
		w.lines = append(w.lines, wrapLine(fmt.Sprintf("%4d %s %s %s  %s", n+1, markSign(i.Mark(w.v.r.Journal.Mark)), i.What, i.Name, itemDetail(item)), w.width)...)
	}
	w.message = "j and a number goes to an item, n to the next unread"
}
