package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"strconv"
	"time"
)

// ticksPerSecond is USER_HZ, which Linux has fixed at 100 for every program outside the kernel (proc(5)).
const ticksPerSecond = 100

// usage is what a process and all its descendants have used.
type usage struct {
	cpu     time.Duration // user and system, in steps of 10 ms
	rss     int64         // bytes of memory now, pages shared between the processes counted in each
	written int64         // bytes given to disks, counted when pages become dirty; -1 when the system does not tell
}

// stat is the part of /proc/PID/stat that we need.
type stat struct {
	parent  int
	cpu     time.Duration
	started int64 // ticks after the machine's start: with the id it names a process for ever
	pages   int64
}

// parseStat reads one /proc/PID/stat. The second field, the program's name, may hold blanks and brackets: what counts is the last bracket.
func parseStat(b []byte) (stat, error) {
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return stat{}, fmt.Errorf("stat %.40q: no closing bracket", b)
	}
	f := bytes.Fields(b[end+1:]) // f[0] is field 3
	if len(f) < 22 {
		return stat{}, fmt.Errorf("stat %.40q: %d fields after the name, want at least 22", b, len(f))
	}
	var n [5]int64
	for i, field := range []int{4, 14, 15, 22, 24} { // parent, user time, system time, start, resident pages
		v, err := strconv.ParseInt(string(f[field-3]), 10, 64)
		if err != nil {
			return stat{}, fmt.Errorf("stat %.40q: field %d: %v", b, field, err)
		}
		n[i] = v
	}
	return stat{parent: int(n[0]), cpu: time.Duration(n[1]+n[2]) * time.Second / ticksPerSecond, started: n[3], pages: n[4]}, nil
}

// statOf reads one process; proc is /proc.
func statOf(proc fs.FS, pid int) (stat, error) {
	b, err := fs.ReadFile(proc, strconv.Itoa(pid)+"/stat")
	if err != nil {
		return stat{}, fmt.Errorf("%w (the load tool reads Linux's /proc)", err)
	}
	return parseStat(b)
}

// tree returns a process and its descendants. What ends while we look is left out.
func tree(proc fs.FS, pid int) (map[int]stat, error) {
	if _, err := statOf(proc, pid); err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(proc, ".")
	if err != nil {
		return nil, err
	}
	all := map[int]stat{}
	for _, e := range entries {
		if id, err := strconv.Atoi(e.Name()); err == nil {
			if s, err := statOf(proc, id); err == nil {
				all[id] = s
			}
		}
	}
	below := map[int]stat{}
	for id, s := range all {
		if descends(all, id, pid) {
			below[id] = s
		}
	}
	return below, nil
}

// sum adds up what processes use.
func sum(proc fs.FS, processes map[int]stat, pageSize int64) (u usage) {
	for pid, s := range processes {
		u.cpu += s.cpu
		u.rss += s.pages * pageSize
		b, err := fs.ReadFile(proc, strconv.Itoa(pid)+"/io") // of other users it is not shown
		if n, ok := parseIO(b); err != nil || !ok {
			u.written = -1
		} else if u.written >= 0 {
			u.written += n
		}
	}
	return u
}

// parseIO reads the bytes written of a /proc/PID/io.
func parseIO(b []byte) (written int64, ok bool) {
	_, rest, ok := bytes.Cut(b, []byte("\nwrite_bytes: "))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	n, err := strconv.ParseInt(string(line), 10, 64)
	return n, ok && err == nil
}

// descends tells whether id is pid or below it.
func descends(all map[int]stat, id, pid int) bool {
	for range len(all) {
		if id == pid {
			return true
		}
		s, ok := all[id]
		if !ok {
			return false
		}
		id = s.parent
	}
	return false
}
