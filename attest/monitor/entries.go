package monitor

import (
	"fmt"
	"slices"

	"github.com/countersign-project/countersign/attest/proof"
)

// Entries are the entries of a log, to look things up in. An entry that is not one line stands as it is.
type Entries struct {
	list [][]byte // in the order of the log; their index is that of the log
	at   map[string]uint64
}

func newEntries() *Entries { return &Entries{at: map[string]uint64{}} }

func (e *Entries) add(entry []byte) {
	if _, ok := e.at[string(entry)]; !ok {
		e.at[string(entry)] = uint64(len(e.list))
	}
	e.list = append(e.list, entry)
}

// Has reports whether an entry is in the log.
func (e *Entries) Has(entry []byte) bool { _, ok := e.at[string(entry)]; return ok }

// Len is the number of entries.
func (e *Entries) Len() int { return len(e.list) }

// From calls yield with each entry from an index on, in the order of the log.
func (e *Entries) From(first int) func(yield func(index int, entry []byte) bool) {
	return func(yield func(int, []byte) bool) {
		for i := first; i < len(e.list); i++ {
			if !yield(i, e.list[i]) {
				return
			}
		}
	}
}

// Leaves calls yield with each entry that can be read, in the order of the log.
func (e *Entries) Leaves(yield func(index int, leaf proof.Leaf) bool) {
	for i, entry := range e.list {
		leaf, err := proof.ParseLeaf(entry)
		if err == nil && !yield(i, leaf) {
			return
		}
	}
}

// alarms finds what is wrong with the entries among themselves: unreadable ones, and two for what there can
// be only one of. Snapshot and timestamp are left out: the publisher alone signs them, and signs them again
// when a publication failed on the way.
func (e *Entries) alarms() []Alarm {
	var list []Alarm
	for i, entry := range e.list {
		if _, err := proof.ParseLeaf(entry); err != nil {
			list = append(list, Alarm{ID: fmt.Sprintf("entry/%d", i), Kind: KindEntry, Text: fmt.Sprintf("entry %d of the log: %v", i, err),
				Files: map[string][]byte{"entry": entry}})
		}
	}
	sums := map[string][]string{}
	for i, l := range e.Leaves {
		name := ""
		switch {
		case l.Kind == proof.KindRelease:
			name = "release " + l.Channel + " " + l.Version
		case l.Kind == proof.KindMetadata && l.Role != "snapshot" && l.Role != "timestamp" && l.Role != "withdrawn":
			name = fmt.Sprintf("version %d of %s", l.RoleVersion, l.Role)
		default:
			continue
		}
		sum := fmt.Sprintf("%x", l.SHA256)
		if len(sums[name]) == 0 || !slices.ContainsFunc(sums[name], func(s string) bool { return s[:64] == sum }) {
			sums[name] = append(sums[name], fmt.Sprintf("%s (entry %d)", sum, i))
		}
	}
	for name, s := range sums {
		if len(s) > 1 {
			list = append(list, Alarm{ID: "twice/" + name, Kind: KindTwice, Text: fmt.Sprintf("the log has two of %s: sha256 %s and %s", name, s[0], s[1])})
		}
	}
	return list
}
