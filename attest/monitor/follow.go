package monitor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/tiles"
)

// Place is somewhere the log's files are.
type Place struct {
	Name   string // for people, and to remember it by
	Source tiles.Source
}

// Follower follows one log at several places.
type Follower struct {
	Policy proof.Policy
	Places []Place
}

// served is a head that a place serves and the log has signed.
type served struct {
	Place
	raw    []byte
	head   proof.Head
	quorum bool // enough witnesses cosigned it
}

// looking is one look at the log.
type looking struct {
	Follower
	state    *State
	alarms   []Alarm
	problems []error
	forked   bool
}

// Look reads the heads at all places, compares them with one another and with what is remembered, and reads
// the entries that are new. problems say what could not be found out.
func (f Follower) Look(ctx context.Context, s *State) (alarms []Alarm, problems []error) {
	l := &looking{Follower: f, state: s}
	var heads []served
	for _, p := range f.Places {
		if h, ok := l.read(ctx, p); ok {
			heads = append(heads, h)
			l.remember(h)
		}
	}
	l.advance(ctx, heads)
	return append(l.alarms, s.entries.alarms()...), l.problems
}

func (l *looking) alarm(id, kind string, files map[string][]byte, format string, args ...any) {
	l.alarms = append(l.alarms, Alarm{ID: id, Kind: kind, Text: fmt.Sprintf(format, args...), Files: files})
}

// read brings the head that a place serves.
func (l *looking) read(ctx context.Context, p Place) (served, bool) {
	raw, err := p.Source.FetchChecked(ctx, tiles.Checkpoint, proof.MaxCheckpoint, func([]byte) error { return nil })
	if err != nil {
		l.problems = append(l.problems, fmt.Errorf("log at %s: %w", p.Name, err))
		return served{}, false
	}
	h := served{Place: p, raw: raw, quorum: true}
	h.head, err = l.Policy.Open(raw)
	var few *proof.QuorumError
	switch {
	case errors.As(err, &few): // the log signed it, so it is evidence all the same
		h.quorum = false
		h.head, err = proof.UnverifiedHead(raw)
		l.alarm("witnesses/"+p.Name, KindWitnesses, map[string][]byte{"checkpoint": raw}, "head of %d entries at %s: %v", h.head.Size, p.Name, few)
	case err != nil:
		l.alarm("head/"+p.Name, KindBadHead, map[string][]byte{"checkpoint": raw}, "head of the log at %s: %v", p.Name, err)
	}
	return h, err == nil
}

// remember holds a head against the largest that its place has served.
func (l *looking) remember(h served) {
	before := l.state.Places[h.Name]
	if len(before) > 0 {
		old, err := proof.UnverifiedHead(before)
		if err == nil && old.Size > h.head.Size {
			l.alarm("rollback/log/"+h.Name, KindRollback, map[string][]byte{"before": before, "now": h.raw},
				"%s serves a log of %d entries; it served one of %d before", h.Name, h.head.Size, old.Size)
			return
		}
	}
	l.state.Places[h.Name] = h.raw
}

// advance goes to the largest head, if it is of the same log as the one remembered, and holds every other
// head against it.
func (l *looking) advance(ctx context.Context, heads []served) {
	old, err := l.state.head()
	if err != nil {
		l.problems = append(l.problems, err)
		return
	}
	all := heads
	if old.Origin != "" {
		all = append(slices.Clone(heads), served{raw: l.state.Checkpoint, head: old, Place: Place{Name: "what was seen before"}})
	}
	for _, h := range heads {
		for _, other := range all {
			if h.Name < other.Name || other.Source == nil { // each pair once
				l.same(h, other)
			}
		}
	}
	if l.forked {
		return // which of them is the log is for people to say; what is remembered stays
	}
	tree, best := l.open(ctx, heads, old.Size)
	if tree == nil {
		return
	}
	for _, h := range all {
		if h.head.Size < best.head.Size && !l.extends(ctx, tree, best, h) {
			return
		}
	}
	l.entries(ctx, tree, best, old.Size)
	for _, w := range l.Policy.Witnesses() {
		if !cosigned(best.head, w.Key.String()) {
			l.alarm("witness/"+w.Name, KindWitnesses, nil, "witness %s is missing from the head of the log at %s", w.Name, best.Name)
		}
	}
}

// same raises the alarm when two heads of one size differ.
func (l *looking) same(a, b served) {
	if a.head.Conflicts(b.head) {
		l.fork(a, b, "as many entries and another root")
	}
}

func (l *looking) fork(a, b served, why string) {
	l.forked = true
	l.alarm("fork/"+a.Name+"/"+b.Name, KindFork, map[string][]byte{"one": a.raw, "other": b.raw},
		"the log was forked: %d entries at %s and %d at %s: %s", a.head.Size, a.Name, b.head.Size, b.Name, why)
}

// open opens the log at the largest head that a quorum cosigned, at the first place whose files lead to it.
func (l *looking) open(ctx context.Context, heads []served, least uint64) (*tiles.Tree, served) {
	var best served
	for _, h := range heads {
		if h.quorum && h.head.Size >= least && (best.raw == nil || h.head.Size > best.head.Size) {
			best = h
		}
	}
	for _, h := range heads {
		if !h.quorum || h.head.Size != best.head.Size || h.head.Root != best.head.Root {
			continue
		}
		tree, err := tiles.Open(ctx, h.Source, h.head)
		if err == nil {
			return tree, h
		}
		l.broken(h, err)
	}
	return nil, best
}

// broken tells files that are wrong from files that could not be had.
func (l *looking) broken(h served, err error) {
	if errors.Is(err, tiles.ErrCorrupt) {
		l.alarm("corrupt/"+h.Name, KindCorrupt, map[string][]byte{"checkpoint": h.raw}, "log at %s: %v", h.Name, err)
		return
	}
	l.problems = append(l.problems, fmt.Errorf("log at %s: %w", h.Name, err))
}

// extends reports whether an older head is of the log that was opened.
func (l *looking) extends(ctx context.Context, tree *tiles.Tree, best, h served) bool {
	err := tree.Extends(ctx, h.head)
	switch {
	case err == nil:
		return true
	case errors.Is(err, proof.ErrNotConsistent):
		l.fork(best, h, "the smaller is not the beginning of the larger")
	default:
		l.broken(best, err)
	}
	return false
}

// entries reads what is new. They count only when all of them could be read.
func (l *looking) entries(ctx context.Context, tree *tiles.Tree, best served, from uint64) {
	var list [][]byte
	err := tree.Entries(ctx, from, best.head.Size, func(_ uint64, entry []byte) error {
		list = append(list, append([]byte(nil), entry...))
		return nil
	})
	if err != nil {
		l.broken(best, err)
		return
	}
	for _, entry := range list {
		l.state.add(entry)
	}
	l.state.Checkpoint = best.raw
}

func cosigned(h proof.Head, key string) bool {
	for _, c := range h.Witnesses {
		if c.Key == key {
			return true
		}
	}
	return false
}
