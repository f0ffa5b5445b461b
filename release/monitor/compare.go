package monitor

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/countersign-project/countersign/attest/monitor"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/record"
)

// compare holds what is served against the entries of the log, in both directions. Nothing is said where
// one of the two could not be read.
func (l *looking) compare() {
	if !l.logRead || !l.read {
		return
	}
	l.unlogged()
	if len(l.problems) == 0 { // something withheld from us is not something nobody serves
		l.unserved()
	}
}

// unlogged finds what is served and has no entry.
func (l *looking) unlogged() {
	log := l.state.Entries()
	for _, m := range l.metadata {
		if !log.Has(proof.MetadataLeaf(m.role, m.version, m.sum)) {
			l.alarm(monitor.Alarm{ID: fmt.Sprintf("unlogged/%d.%s/%x", m.version, m.role, m.sum), Kind: KindUnlogged, Wait: true},
				"version %d of %s (sha256 %x) is served and not in the log", m.version, m.role, m.sum)
		}
	}
	for _, r := range l.releases() {
		for i, said := range r.Entries {
			entry := said.Entry
			if log.Has(entry) {
				continue
			}
			id, what := "unlogged/"+r.Channel+" "+r.Version, "release"
			if i > 0 {
				id, what = fmt.Sprintf("%s/%x", id, sha256.Sum256(entry)), "a statement about"
			}
			l.alarm(monitor.Alarm{ID: id, Kind: KindUnlogged, Wait: i > 0, Files: map[string][]byte{"entry": entry}},
				"%s %s %s is served and not in the log: %q is missing", what, r.Channel, r.Version, entry)
		}
	}
}

// unserved finds entries of which nobody serves the file. Older versions of metadata go out of use, and
// snapshot and timestamp are signed again when a publication fails on the way; so of metadata only what
// would be newer than anything served, or another file under a served version, is told.
func (l *looking) unserved() {
	served, newest, ours := map[string]bool{}, map[string]int64{}, map[metadata]bool{}
	for _, r := range l.releases() {
		for _, said := range r.Entries {
			served[string(said.Entry)] = true
		}
	}
	for _, m := range l.metadata {
		newest[m.role], ours[m] = max(newest[m.role], m.version), true
	}
	words := l.record.Reader()
	for i, leaf := range l.state.Entries().Leaves {
		entry := leaf.Entry()
		if leaf.Kind == proof.KindMetadata {
			m := metadata{leaf.Role, leaf.RoleVersion, leaf.SHA256}
			if slices.Contains([]string{"snapshot", "timestamp", "withdrawn"}, leaf.Role) || ours[m] || leaf.RoleVersion < newest[leaf.Role] {
				continue
			}
		} else if served[string(entry)] {
			continue
		}
		l.nobody(i, words.Read(entry).Text)
	}
}

func (l *looking) nobody(index int, what string) {
	l.alarm(monitor.Alarm{ID: fmt.Sprintf("unserved/%d", index), Kind: KindUnserved, Wait: true}, "entry %d of the log is %s: nobody serves it", index, what)
}

// releases are those that could be read.
func (l *looking) releases() []record.Release {
	var list []record.Release
	for _, ch := range l.record.Channels {
		for _, r := range ch.Releases {
			if r.Problem == "" {
				list = append(list, r)
			}
		}
	}
	return list
}

// firstFailed returns the reason for which a release is refused.
func firstFailed(r record.Release) (genuine.Reason, bool) {
	for _, reason := range r.Reasons {
		if reason.State == genuine.Failed {
			return reason, true
		}
	}
	return genuine.Reason{}, false
}
