package main

import (
	"fmt"
	"testing"
	"testing/fstest"
	"time"
)

// statLine is what Linux writes, with a name that tries to confuse.
func statLine(pid int, name string, parent, user, system, started, pages int) string {
	return fmt.Sprintf("%d (%s) S %d 1 1 0 -1 4194304 100 0 0 0 %d %d 7 7 20 0 9 0 %d 1000000 %d 18446744073709551615 1 1 0 0", pid, name, parent, user, system, started, pages)
}

func TestParseStat(t *testing.T) {
	s, err := parseStat([]byte(statLine(42, ") S 1 (x y)", 7, 150, 50, 999, 3)))
	if want := (stat{parent: 7, cpu: 2 * time.Second, started: 999, pages: 3}); err != nil || s != want {
		t.Errorf("%+v, %v; want %+v", s, err, want)
	}
	for _, bad := range []string{"", "42 no brackets 1 2 3", "42 (x) S 7 1 1", "42 (x) S 7 1 1 0 -1 1 1 0 0 0 many 1 7 7 20 0 9 0 1 1 1 1"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestTree(t *testing.T) {
	proc := fstest.MapFS{}
	add := func(pid, parent, cpu, pages int) {
		proc[fmt.Sprintf("%d/io", pid)] = &fstest.MapFile{Data: fmt.Appendf(nil, "rchar: 1\nwchar: 2\nread_bytes: 3\nwrite_bytes: %d\ncancelled_write_bytes: 9\n", 4096*pages)}
		proc[fmt.Sprintf("%d/stat", pid)] = &fstest.MapFile{Data: []byte(statLine(pid, "beam.smp", parent, cpu, 0, 1, pages))}
	}
	add(1, 0, 100_000, 100)
	add(10, 1, 100, 1) // the server
	add(11, 10, 200, 2)
	add(12, 11, 400, 4) // below its child
	add(13, 1, 800, 8)  // somebody else
	proc["self/stat"] = &fstest.MapFile{Data: []byte("nothing to look at")}
	proc["14/stat"] = &fstest.MapFile{Data: nil} // just ended
	all, err := tree(proc, 10)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sum(proc, all, 4096), (usage{cpu: 7 * time.Second, rss: 7 * 4096, written: 7 * 4096}); len(all) != 3 || got != want {
		t.Errorf("%d processes, %+v; want 3 and %+v", len(all), got, want)
	}
	for _, hidden := range []*fstest.MapFile{nil, {Data: []byte("rchar: 1\nwrite_bytes: many\n")}} {
		delete(proc, "11/io")
		if hidden != nil {
			proc["11/io"] = hidden
		}
		if got := sum(proc, all, 4096); got.written != -1 || got.rss != 7*4096 {
			t.Errorf("one of them does not tell what it wrote: %+v", got)
		}
	}
	if _, err := tree(proc, 99); err == nil {
		t.Error("a process that is not there was measured")
	}
}

// Processes that are each other's parents, which a torn reading could show, end the search.
func TestTreeWithALoop(t *testing.T) {
	all := map[int]stat{2: {parent: 3}, 3: {parent: 2}}
	if descends(all, 2, 1) {
		t.Error("a loop descends from somebody outside")
	}
}
