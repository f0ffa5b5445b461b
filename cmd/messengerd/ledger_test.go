//go:build linux

package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// key names a message as its sender does.
type key struct {
	source    string
	timestamp uint64
}

// ledger is what the server has promised to senders and what it has brought to recipients.
type ledger struct {
	mu      sync.Mutex
	changed *sync.Cond
	next    uint64
	owed    map[key]string // promised messages, and to whom
	brought map[key]string // the GUID under which each has come
	again   int            // copies that their GUID shows to be copies
	faults  []string
	sent    map[string]int // promised, by sender
	had     map[string]int // brought, by recipient
	told    map[string]int // refusals, by what they said
}

func newLedger() *ledger {
	l := &ledger{owed: map[key]string{}, brought: map[key]string{}, sent: map[string]int{}, had: map[string]int{}, told: map[string]int{}}
	l.changed = sync.NewCond(&l.mu)
	return l
}

// timestamp is of a new message: no two have the same, so that whoever sends again is seen.
func (l *ledger) timestamp() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	return l.next
}

// promise notes that the server answered a send with success.
func (l *ledger) promise(k key, to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owed[k] = to
	l.sent[k.source]++
	l.changed.Broadcast()
}

// refuse notes that the server, or the network, said no.
func (l *ledger) refuse(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told[what]++
	l.changed.Broadcast()
}

// toldOf counts the refusals that begin so. The lock is held by await.
func (l *ledger) toldOf(begin string) (n int) {
	for what, times := range l.told {
		if strings.HasPrefix(what, begin) {
			n += times
		}
	}
	return n
}

// forget forgets refusals.
func (l *ledger) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.told)
}

// bring notes what a device got. A second copy must have the GUID of the first: it is what a client knows it by.
func (l *ledger) bring(k key, to, guid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch first, had := l.brought[k]; {
	case !had:
		l.brought[k] = guid
		l.had[to]++
	case first == guid:
		l.again++
	default:
		l.faults = append(l.faults, fmt.Sprintf("message %d came as %s and as %s", k.timestamp, first, guid))
	}
	if to2, ok := l.owed[k]; ok && to2 != to {
		l.faults = append(l.faults, fmt.Sprintf("message %d came to %s, not to %s", k.timestamp, to, to2))
	}
	l.changed.Broadcast()
}

// await waits until enough says so. It is told when anything changes.
func (l *ledger) await(t testing.TB, what string, within time.Duration, enough func() bool) {
	t.Helper()
	late := false
	timer := time.AfterFunc(within, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		late = true
		l.changed.Broadcast()
	})
	defer timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for !enough() {
		if late {
			t.Fatalf("%s: not within %v; %d promised, %d brought, refusals %v", what, within, len(l.owed), len(l.brought), l.told)
		}
		l.changed.Wait()
	}
}

// promised waits for so many promises in all.
func (l *ledger) promised(t testing.TB, n int) {
	t.Helper()
	l.await(t, fmt.Sprintf("%d messages", n), 10*patience, func() bool { return len(l.owed) >= n })
}

// each waits until each of them has had so many more promises and so many more messages than now.
func (l *ledger) each(t testing.TB, what string, phones []*phone, sent, had int) {
	t.Helper()
	l.mu.Lock()
	sentBefore, hadBefore := map[string]int{}, map[string]int{}
	for _, p := range phones {
		sentBefore[p.number], hadBefore[p.number] = l.sent[p.number], l.had[p.number]
	}
	l.mu.Unlock()
	l.await(t, what, 2*patience, func() bool {
		for _, p := range phones {
			if l.sent[p.number]-sentBefore[p.number] < sent || l.had[p.number]-hadBefore[p.number] < had {
				return false
			}
		}
		return true
	})
}

// settle waits until all that was promised has been brought, and reports what went wrong.
func (l *ledger) settle(t testing.TB) {
	t.Helper()
	l.await(t, "what was promised is brought", 2*patience, func() bool {
		if len(l.brought) < len(l.owed) {
			return false
		}
		for k := range l.owed {
			if _, ok := l.brought[k]; !ok {
				return false
			}
		}
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.faults {
		t.Error(f)
	}
	t.Logf("%d messages promised, all brought; %d copies, each known by its GUID; %d came though nobody was promised; refusals %v",
		len(l.owed), l.again, len(l.brought)-len(l.owed), l.told)
}
