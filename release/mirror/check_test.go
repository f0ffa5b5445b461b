package mirror

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// without is a mirror that lacks what ends like this.
func without(files map[string][]byte, suffix string) map[string][]byte {
	for name := range files {
		if strings.HasSuffix(name, suffix) {
			delete(files, name)
		}
	}
	return files
}

// changed is a mirror in which what ends like this is other bytes of the same length.
func changed(files map[string][]byte, suffix string) map[string][]byte {
	for name, b := range files {
		if strings.HasSuffix(name, suffix) {
			files[name] = bytes.Repeat([]byte("x"), len(b))
		}
	}
	return files
}

func TestCheckTellsWhichMirrorsAreWrong(t *testing.T) {
	w := world(t)
	old := w.Files()
	w.Now = w.Now.Add(time.Hour)
	made := w.Release("1.1.0", programs("1.1.0"))
	less := w.Files()
	one, err := genuine.File{Statements: made.Statements[:1]}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	less[repotest.EvidencePath(made.Manifest)] = one
	shorter := w.Files()
	for name, b := range shorter {
		if strings.HasSuffix(name, ".messengerd") {
			shorter[name] = b[:len(b)-1]
		}
	}
	cases := []struct {
		name        string
		files       map[string][]byte
		quick, deep State
		problem     string // of the deep check, part of the first one
	}{
		{"good", w.Files(), Good, Good, ""},
		{"old", old, Lags, Lags, "snapshot is version 2, others have 3; stable is version 2, others have 3; timestamp is version 2, others have 3"},
		{"missing program", without(w.Files(), ".messenger"), Misses, Misses, ".messenger: not there"},
		{"missing metadata", without(w.Files(), "3.stable.json"), Misses, Misses, "metadata/3.stable.json: missing metadata: not there"},
		{"fewer statements", less, Misses, Misses, "statements for stable 1.1.0: 1, others have 3"},
		{"no statements", without(w.Files(), repotest.EvidencePath(made.Manifest)), Misses, Misses, "statements for stable 1.1.0: 0, others have 3"},
		{"swapped program", changed(w.Files(), ".messengerd"), Good, Lies, ": sha256 "},
		{"shorter program", shorter, Lies, Lies, " bytes, want "},
		{"swapped metadata", changed(w.Files(), "3.snapshot.json"), Lies, Lies, "snapshot: "},
		{"swapped timestamp", changed(w.Files(), "timestamp.json"), Lies, Lies, "timestamp: "},
		{"broken statements", changed(w.Files(), repotest.EvidencePath(made.Manifest)), Unreachable, Unreachable, "statements for stable 1.1.0: "},
		{"dead", nil, Unreachable, Unreachable, "connection refused"},
	}
	var places []Place
	for _, c := range cases {
		src := source(c.name, c.files)
		if c.files == nil {
			src = deadSource{}
		}
		places = append(places, Place{Source: src})
	}
	for _, deep := range []bool{false, true} {
		list, err := Check(t.Context(), CheckOptions{Anchor: anchor.Anchor{Root: w.Anchor()}, Places: places,
			Now: func() time.Time { return w.Now }, Scratch: t.TempDir(), Deep: deep})
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range cases {
			want := c.quick
			if deep {
				want = c.deep
			}
			if list[i].State != want {
				t.Errorf("deep %v: %s is %s, want %s: %q", deep, c.name, list[i].State, want, list[i].Problems)
			}
			if deep && !strings.Contains(fmt.Sprint(list[i].Problems), c.problem) {
				t.Errorf("%s: problems %q, want %q", c.name, list[i].Problems, c.problem)
			}
			if want == Good && len(list[i].Problems) != 0 {
				t.Errorf("%s: problems %q, want none", c.name, list[i].Problems)
			}
		}
	}
}

func TestCheckOfExpiredMirror(t *testing.T) {
	w := world(t)
	list, err := Check(t.Context(), CheckOptions{Anchor: anchor.Anchor{Root: w.Anchor()}, Places: []Place{{Source: source("m", w.Files())}},
		Now: func() time.Time { return w.Now.Add(49 * time.Hour) }, Scratch: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	want := "timestamp: expired on 2026-11-22T12:00:00Z, now is 2026-11-23T13:00:00Z"
	if list[0].State != Lags || len(list[0].Problems) != 1 || list[0].Problems[0] != want {
		t.Errorf("%s %q, want lags: %s", list[0].State, list[0].Problems, want)
	}
	if list[0].Versions["stable"] != 2 {
		t.Errorf("versions %v, want all to be told", list[0].Versions)
	}
}

func TestCheckOfADirectoryFindsForeignFiles(t *testing.T) {
	w, dir := world(t), t.TempDir()
	sync(t, options(w, dir))
	if err := os.WriteFile(filepath.Join(dir, "targets", "extra"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	list, err := Check(t.Context(), CheckOptions{Anchor: anchor.Anchor{Root: w.Anchor()}, Now: func() time.Time { return w.Now }, Scratch: t.TempDir(),
		Places: []Place{{fetch.Dir(os.DirFS(dir), dir), dir}}})
	if err != nil {
		t.Fatal(err)
	}
	if list[0].State != Good || len(list[0].Foreign) != 1 || list[0].Foreign[0] != "targets/extra" {
		t.Errorf("%+v, want good with one foreign file", list[0])
	}
}

func TestCheckComparesLogs(t *testing.T) {
	l := newLogged(t)
	fork := l.fork(250)
	with := func(files map[string][]byte, name string, b []byte) map[string][]byte {
		files[name] = b
		return files
	}
	newest := l.files(l.log, 700)
	cases := []struct {
		name        string
		files       map[string][]byte
		quick, deep State
		problem     string // of the deep check, part of all of them
	}{
		{"good", newest, Good, Good, ""},
		{"short", l.files(l.log, 300), Lags, Lags, "log: 300 entries, others have 700"},
		{"no log", current(l.World), Misses, Misses, "log: log/checkpoint: mirror 2: not there"},
		{"no witnesses", with(l.files(l.log, 700), "log/checkpoint", l.log.CheckpointAt(700)), Lies, Lies, "log: too few witnesses cosigned"},
		{"rubbish", with(l.files(l.log, 700), "log/checkpoint", []byte("<html>")), Lies, Lies, "log: checkpoint: want three lines"},
		{"no entries", without(l.files(l.log, 700), "entries/001"), Good, Misses, "log/tile/entries/001: mirror 5: not there"},
		{"swapped tile", with(l.files(l.log, 700), "log/tile/0/001", newest["log/tile/0/000"]), Good, Lies, "does not lead to the log's head"},
		{"cut bundle", with(l.files(l.log, 700), "log/tile/entries/002.p/188", []byte{0}), Lies, Lies, "does not lead to the log's head"},
		{"wrong edge", with(l.files(l.log, 700), "log/tile/0/002.p/188", newest["log/tile/0/001"][:188*32]), Lies, Lies, "right edge of 700 entries: does not lead to the log's head"},
	}
	check := func(deep bool, files ...map[string][]byte) []Status {
		t.Helper()
		o := CheckOptions{Anchor: l.options("").Anchor, Now: func() time.Time { return l.Now }, Scratch: t.TempDir(), Deep: deep}
		for i, f := range files {
			o.Places = append(o.Places, Place{Source: source(fmt.Sprintf("mirror %d", i), f)})
		}
		list, err := Check(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	for _, deep := range []bool{false, true} {
		var all []map[string][]byte
		for _, c := range cases {
			all = append(all, c.files)
		}
		list := check(deep, all...)
		for i, c := range cases {
			want := c.quick
			if deep {
				want = c.deep
			}
			if list[i].State != want || deep && !strings.Contains(fmt.Sprint(list[i].Problems), c.problem) || want == Good && len(list[i].Problems) > 0 {
				t.Errorf("deep %v: %s is %s, want %s: %q, want %s", deep, c.name, list[i].State, want, list[i].Problems, c.problem)
			}
		}
	}
	for _, size := range []int{300, 700, 900} {
		list := check(false, newest, l.files(fork, size), l.files(l.log, 200))
		for i, want := range []State{Forks, Forks, Good} { // the third is the beginning of both
			if list[i].State != want || want == Forks && !strings.Contains(fmt.Sprint(list[i].Problems), "are not of one log") {
				t.Errorf("a fork of %d entries: mirror %d is %s, want %s: %q", size, i, list[i].State, want, list[i].Problems)
			}
		}
	}
}
