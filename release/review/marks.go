package review

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Mark is what a reader says of a page.
type Mark string

// The marks.
const (
	Unread     Mark = ""           // not looked at yet, or not to the end
	Read       Mark = "read"       // read, change by change
	Question   Mark = "question"   // looked at; something is open. Counts as unread
	Generated  Mark = "generated"  // taken on the word of the command that checks it
	Mechanical Mark = "mechanical" // not read, since the very same edit was read in another file of its group
)

// ParseMark reads a mark as people write it; "unread" takes one away.
func ParseMark(s string) (Mark, error) {
	switch m := Mark(s); m {
	case Read, Question, Generated, Mechanical:
		return m, nil
	case "unread":
		return Unread, nil
	}
	return "", fmt.Errorf("mark %q, want read, unread, question, generated or mechanical", s)
}

func (m Mark) String() string {
	if m == Unread {
		return "unread"
	}
	return string(m)
}

// Key names a page by what it shows, not by where it is shown: the path and the bytes before and after.
// So a mark holds for the same change in a later event, or counted from another base, and never for
// another one.
type Key string

// Key returns the key of page n of an item.
func (i Item) Key(n int) Key {
	text := fmt.Sprintf("module %q %s %s", i.Module, i.Old, i.New)
	if f := i.Page(n); f != nil {
		text = fmt.Sprintf("file %q %q %q %s %s %s %s", i.Module, f.OldPath, f.Path, f.OldMode, f.Mode, f.OldBlob, f.Blob)
	}
	sum := sha256.Sum256([]byte(text))
	return Key(hex.EncodeToString(sum[:16]))
}

// Allows tells why an item cannot have a mark, nil when it can.
func (i Item) Allows(m Mark) error {
	switch {
	case m == Generated && i.Generated == "":
		return fmt.Errorf("%s is not recognised as generated: it can be read, not taken on the word of a program", i.Name)
	case m == Mechanical && i.Mechanical == 0:
		return fmt.Errorf("%s is in no group of equal edits: there is nothing it could be a repetition of", i.Name)
	}
	return nil
}

// Coverage is what was read of a change list, computed from the marks of its pages.
type Coverage struct {
	Pages, PagesDone int      // of all items
	Items, ItemsDone int      // read, generated or mechanical
	Lines, LinesDone int      // of items
	Unread           []string // names of items, sorted; those with questions among them
	Generated        []string
	Mechanical       []string
	Questions        []string // names of items with a question
}

// Cover computes the coverage. A mechanical mark counts only while some file of the group is marked read.
func (c *Changes) Cover(mark func(Key) Mark) Coverage {
	groupRead := map[int]bool{}
	for _, i := range c.Items {
		if i.Mechanical > 0 && mark(i.Key(0)) == Read {
			groupRead[i.Mechanical] = true
		}
	}
	var v Coverage
	for _, i := range c.Items {
		m := i.Mark(mark)
		if m == Mechanical && !groupRead[i.Mechanical] || m == Generated && i.Generated == "" {
			m = Unread
		}
		v.Items++
		v.Lines += i.Lines
		v.Pages += i.Pages()
		for n := range i.Pages() {
			switch p := mark(i.Key(n)); {
			case p == Read, p != Unread && p != Question && m == p:
				v.PagesDone++
			}
		}
		switch m {
		case Unread, Question:
			v.Unread = append(v.Unread, i.Name)
			if m == Question {
				v.Questions = append(v.Questions, i.Name)
			}
			continue
		case Generated:
			v.Generated = append(v.Generated, i.Name)
		case Mechanical:
			v.Mechanical = append(v.Mechanical, i.Name)
		}
		v.ItemsDone++
		v.LinesDone += i.Lines
	}
	for _, list := range [][]string{v.Unread, v.Generated, v.Mechanical, v.Questions} {
		slices.Sort(list)
	}
	return v
}

// Mark is that of the whole item: of its one page; of a module, read when all pages are, a question when
// one page is, unread otherwise.
func (i Item) Mark(mark func(Key) Mark) Mark {
	if i.Module == "" {
		return mark(i.Key(0))
	}
	out := Read
	for n := range i.Pages() {
		switch mark(i.Key(n)) {
		case Question:
			return Question
		case Read:
		default:
			out = Unread
		}
	}
	return out
}

// Find returns the item and page a person means: an item by its number (from 1) or name, a page of a
// module as number.page, name and path, or the path alone where it is the only one. Page is -1 for the
// whole item.
func (c *Changes) Find(s string) (item, page int, err error) {
	var n, p int
	if count, _ := fmt.Sscanf(s+" ", "%d.%d ", &n, &p); count == 2 && s == fmt.Sprintf("%d.%d", n, p) {
		if n < 1 || n > len(c.Items) || p < 1 || p > c.Items[n-1].Pages() {
			return 0, 0, fmt.Errorf("there is no page %s: want 1.1 to %d.%d", s, len(c.Items), c.Items[max(0, len(c.Items)-1)].Pages())
		}
		return n - 1, p - 1, nil
	}
	if count, _ := fmt.Sscanf(s+" ", "%d ", &n); count == 1 && s == fmt.Sprint(n) {
		if n < 1 || n > len(c.Items) {
			return 0, 0, fmt.Errorf("there is no item %s: want 1 to %d", s, len(c.Items))
		}
		return n - 1, -1, nil
	}
	var near []string
	for n, i := range c.Items {
		if i.Name == s || i.Name == Quote(s) || i.Module != "" && i.Module == s {
			return n, -1, nil
		}
		for p := range i.Pages() {
			if i.Module != "" && p > 0 && i.Name+i.Title(p) == s {
				return n, p, nil
			}
		}
		if strings.Contains(i.Name, s) && len(near) < 5 {
			near = append(near, fmt.Sprintf("%d %s", n+1, i.Name))
		}
	}
	if near != nil {
		return 0, 0, fmt.Errorf("no item is named %q; near it: %s", s, strings.Join(near, ", "))
	}
	return 0, 0, fmt.Errorf("no item is named %q", s)
}
