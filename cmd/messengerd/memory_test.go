package main

import (
	"runtime/debug"
	"testing"
)

func TestChanged(t *testing.T) {
	for _, c := range []struct {
		before, now int
		want        bool
	}{{0, 100, false}, {0, 101, true}, {101, 0, true}, {500, 600, false}, {10_000, 11_000, false}, {10_000, 11_001, true}, {10_000, 8999, true}, {7, 7, false}} {
		if got := changed(c.before, c.now); got != c.want {
			t.Errorf("%d, then %d: %v", c.before, c.now, got)
		}
	}
}

func TestGarbagePercent(t *testing.T) {
	before := debug.SetGCPercent(123)
	defer debug.SetGCPercent(before)
	setGarbagePercent(func(string) string { return "50" })
	if got := debug.SetGCPercent(123); got != 123 {
		t.Errorf("the operator's GOGC was overruled with %d", got)
	}
	setGarbagePercent(func(string) string { return "" })
	if got := debug.SetGCPercent(before); got != garbagePercent {
		t.Errorf("%d, want %d", got, garbagePercent)
	}
}
