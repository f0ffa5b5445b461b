package main

import (
	"context"
	"runtime/debug"
	"time"
)

// garbagePercent is how much garbage, in percent of what lives, the heap holds before it is collected; the runtime's own number is 100. A message
// costs a tenth less processor time with it, and a busy server's heap is half as large again. The operator's GOGC goes first.
const garbagePercent = 200

func setGarbagePercent(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
}

// tidyEvery is how often somebody looks whether the number of connections has changed.
const tidyEvery = 10 * time.Second

// tidy gives back to the system what a storm of logins or of farewells has left on the heap, which the collector alone would keep for when the
// heap grows again: with ten thousand idle connections a third of all memory. It costs one collection.
func tidy(ctx context.Context, connections func() int) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for last := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n := connections(); changed(last, n) {
			debug.FreeOSMemory()
			last = n
		}
	}
}

// changed tells whether the number of connections is another than before by a tenth and by a hundred.
func changed(before, now int) bool {
	return max(before-now, now-before) > max(100, before/10)
}
