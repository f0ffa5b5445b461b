package review

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func (a *author) garbage() string {
	a.t.Helper()
	file := filepath.Join(a.t.TempDir(), "modules.tar")
	a.check(os.WriteFile(file, bytes.Repeat([]byte("x"), 2000), 0o600))
	return file
}

// invented is a change list of four files and a module of two.
func invented() *Changes {
	file := func(name string) Item {
		return Item{Name: name, What: Changed, Lines: 10, Files: []File{{What: Changed, Path: name, OldBlob: "1", Blob: name}}}
	}
	c := &Changes{Base: EmptyTree, Head: EmptyTree, Items: []Item{file("a"), file("b"), file("c"), file("go.sum"),
		{Name: "module m/", Module: "m", What: Changed, Lines: 100, Old: Module{"v1", "1"}, New: Module{"v2", "2"}, Files: []File{{What: Added, Path: "x"}, {What: Added, Path: "y"}}}}}
	c.Items[3].Generated = "go mod verify"
	for i := range 3 {
		c.Items[i].Mechanical = 1
	}
	return c
}

func TestCoverage(t *testing.T) {
	for _, test := range []struct {
		marks string // item or item.page, = mark
		want  string // items done, lines done, pages done; unread; generated; mechanical; questions
	}{
		{"", "0/5 0/140 0/7 [a b c go.sum module m/] [] [] []"},
		{"1=read", "1/5 10/140 1/7 [b c go.sum module m/] [] [] []"},
		{"1=question", "0/5 0/140 0/7 [a b c go.sum module m/] [] [] [a]"},
		{"1=read 2=mechanical 3=mechanical", "3/5 30/140 3/7 [go.sum module m/] [] [b c] []"},
		{"2=mechanical 3=mechanical", "0/5 0/140 0/7 [a b c go.sum module m/] [] [] []"},
		{"1=mechanical 2=mechanical 3=mechanical", "0/5 0/140 0/7 [a b c go.sum module m/] [] [] []"},
		{"4=generated", "1/5 10/140 1/7 [a b c module m/] [go.sum] [] []"},
		{"1=generated", "0/5 0/140 0/7 [a b c go.sum module m/] [] [] []"},
		{"5.1=read 5.2=read", "0/5 0/140 2/7 [a b c go.sum module m/] [] [] []"},
		{"5.1=read 5.2=read 5.3=read", "1/5 100/140 3/7 [a b c go.sum] [] [] []"},
		{"5.1=read 5.2=read 5.3=question", "0/5 0/140 2/7 [a b c go.sum module m/] [] [] [module m/]"},
		{"5.1=read 5.2=read 5.3=generated", "0/5 0/140 2/7 [a b c go.sum module m/] [] [] []"},
		{"1=read 2=read 3=read 4=read 5.1=read 5.2=read 5.3=read", "5/5 140/140 7/7 [] [] [] []"},
		{"1=read 2=read 3=read 4=generated 5.1=read 5.2=read 5.3=read 1=unread", "4/5 130/140 6/7 [a] [go.sum] [] []"},
	} {
		c, marks := invented(), map[Key]Mark{}
		for _, word := range strings.Fields(test.marks) {
			where, what, _ := strings.Cut(word, "=")
			item, page, err := c.Find(where)
			if err != nil {
				t.Fatal(err)
			}
			if marks[c.Items[item].Key(max(page, 0))], err = ParseMark(what); err != nil {
				t.Fatal(err)
			}
		}
		v := c.Cover(func(k Key) Mark { return marks[k] })
		got := fmt.Sprintf("%d/%d %d/%d %d/%d %v %v %v %v", v.ItemsDone, v.Items, v.LinesDone, v.Lines, v.PagesDone, v.Pages, v.Unread, v.Generated, v.Mechanical, v.Questions)
		if got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.marks, got, test.want)
		}
	}
}

func TestMarksAreAllowed(t *testing.T) {
	c := invented()
	if err := c.Items[0].Allows(Generated); err == nil || err.Error() != "a is not recognised as generated: it can be read, not taken on the word of a program" {
		t.Error(err)
	}
	if err := c.Items[3].Allows(Mechanical); err == nil || err.Error() != "go.sum is in no group of equal edits: there is nothing it could be a repetition of" {
		t.Error(err)
	}
	for _, m := range []Mark{Read, Unread, Question} {
		if err := c.Items[4].Allows(m); err != nil {
			t.Error(err)
		}
	}
	if _, err := ParseMark("seen"); err == nil || !strings.HasPrefix(err.Error(), `mark "seen", want read, unread,`) {
		t.Error(err)
	}
}

// A mark is for bytes: every part of a change gives another key, and another place the same one.
func TestKeys(t *testing.T) {
	c := invented()
	seen := map[Key]string{}
	note := func(what string, k Key) {
		if other, twice := seen[k]; twice {
			t.Errorf("%s has the key of %s", what, other)
		}
		seen[k] = what
	}
	for _, i := range c.Items {
		for n := range i.Pages() {
			note(i.Title(n), i.Key(n))
		}
	}
	a := c.Items[0]
	for what, change := range map[string]func(f *File){"blob": func(f *File) { f.Blob = "2" }, "old blob": func(f *File) { f.OldBlob = "2" }, "path": func(f *File) { f.Path = "z" },
		"old path": func(f *File) { f.OldPath = "z" }, "mode": func(f *File) { f.Mode = "100755" }, "old mode": func(f *File) { f.OldMode = "100755" }} {
		other := a
		other.Files = slices.Clone(a.Files)
		change(&other.Files[0])
		note(what, other.Key(0))
	}
	a.Lines, a.Name, a.Mechanical = 99, "elsewhere", 7
	if a.Key(0) != c.Items[0].Key(0) {
		t.Error("the same change has another key")
	}
}

func TestFindItems(t *testing.T) {
	c := invented()
	for s, want := range map[string]string{"1": "0 -1", "5": "4 -1", "5.3": "4 2", "go.sum": "3 -1", "module m/": "4 -1", "m": "4 -1", "module m/y": "4 2",
		"0": "there is no item 0: want 1 to 5", "6": "there is no item 6: want 1 to 5", "1.2": "there is no page 1.2", "5.4": "there is no page 5.4",
		"go.s": `no item is named "go.s"; near it: 4 go.sum`, "nothing": `no item is named "nothing"`, "": `no item is named ""; near it: 1 a`, "-1": "there is no item -1", "01": `no item is named "01"`} {
		i, p, err := c.Find(s)
		got := fmt.Sprint(i, " ", p)
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "home", "marks.jsonl")
	open := func() *Journal {
		t.Helper()
		j, err := OpenJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	j, other := open(), open()
	put := func(j *Journal, e ...Entry) {
		t.Helper()
		if err := j.Put(e...); err != nil {
			t.Fatal(err)
		}
	}
	put(j, Entry{At: noon, Key: "k1", Title: "a", Mark: Read, Note: "why\nso?"}, Entry{At: noon, Key: "k2", Mark: Question})
	put(other, Entry{At: noon, Key: "k1", Mark: Unread, Note: "later"}) // by another program, which had read nothing of it
	put(j, Entry{At: noon, Key: "k3", Mark: Read})
	for _, j := range []*Journal{j, open()} {
		if e := j.Get("k1"); e.Mark != Unread || e.Note != "later" || j.Mark("k2") != Question || j.Mark("k3") != Read || j.Mark("k4") != Unread {
			t.Errorf("%+v", e)
		}
	}
	if err := j.Put(Entry{Key: "k", Note: strings.Repeat("x", MaxNote+1)}); err == nil || !strings.Contains(err.Error(), "4097 bytes, want at most 4096") {
		t.Error(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append([]byte("nonsense\n"), good...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(path); err == nil || !strings.Contains(err.Error(), path+": byte 0: ") {
		t.Error(err)
	}
	if err := os.WriteFile(path, good[:10], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := j.Put(Entry{Key: "k"}); err == nil || !strings.Contains(err.Error(), "has 10 bytes, want ") {
		t.Error(err)
	}
}

// A kill leaves any part of the last append on the disk. Whatever it is, everything before it is there,
// and the next mark is written as if nothing had happened.
func TestJournalSurvivesAKillAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	j, err := OpenJournal(whole)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := j.Put(Entry{At: noon, Key: Key(fmt.Sprint("k", i)), Title: "t", Mark: Read, Note: "ü"}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(b) + 1 {
		path := filepath.Join(dir, fmt.Sprint("cut", cut))
		if err := os.WriteFile(path, b[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		lines := bytes.Count(b[:cut], []byte("\n"))
		j, err := OpenJournal(path)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if err := j.Put(Entry{At: noon, Key: "next", Mark: Question}); err != nil {
			t.Fatal(err)
		}
		if j, err = OpenJournal(path); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if want := i < lines; (j.Mark(Key(fmt.Sprint("k", i))) == Read) != want {
				t.Fatalf("cut at %d: mark %d is %q", cut, i, j.Mark(Key(fmt.Sprint("k", i))))
			}
		}
		if j.Mark("next") != Question {
			t.Fatalf("cut at %d: the next mark is lost", cut)
		}
	}
}

func TestJournalOfManyWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "marks")
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			j, err := OpenJournal(path)
			for i := range 10 {
				if err == nil {
					err = j.Put(Entry{At: noon, Key: Key(fmt.Sprint(w, " ", i)), Mark: Read})
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	j, err := OpenJournal(path)
	if err != nil || len(j.last) != 40 {
		t.Errorf("%d marks, %v", len(j.last), err)
	}
}

func TestSpan(t *testing.T) {
	c := invented()
	j, err := OpenJournal(filepath.Join(t.TempDir(), "marks"))
	if err != nil {
		t.Fatal(err)
	}
	for i, minutes := range []int{0, 10, 14, 100, 105} {
		if err := j.Put(Entry{At: noon.Add(time.Duration(minutes) * time.Minute), Key: c.Items[i].Key(0), Mark: Read}, Entry{At: noon.AddDate(-1, 0, 0), Key: "of another review"}); err != nil {
			t.Fatal(err)
		}
	}
	first, last, work, err := j.Span(c)
	if err != nil || !first.Equal(noon) || !last.Equal(noon.Add(105*time.Minute)) || work != 19*time.Minute {
		t.Errorf("%v %v %v %v", first, last, work, err)
	}
}
