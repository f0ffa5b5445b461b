package monitor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode"

	"github.com/countersign-project/countersign/attest/monitor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/record"
	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/trust"
)

// metadata is a signed file that some mirror serves now.
type metadata struct {
	role    string
	version int64
	sum     [32]byte
}

// repository looks at each mirror by itself, with a memory of its own, since what is shown to one may not
// be shown to another; and then at what they hold together.
func (l *looking) repository(ctx context.Context) {
	for _, src := range l.Sources {
		l.mirror(ctx, src)
	}
	r, err := record.Read(ctx, record.Options{Anchor: l.Anchor, Now: l.now, At: l.now, Courier: func() *fetch.Courier {
		return &fetch.Courier{Sources: l.Sources}
	}})
	if err != nil {
		l.problem("repository: %w", err)
		return
	}
	l.record, l.read = r, true
	for _, m := range r.Missing {
		l.problem("%s", m)
	}
	l.said()
	l.expiries()
}

// mirror verifies what a mirror serves, as a device that has asked it before.
func (l *looking) mirror(ctx context.Context, src fetch.Source) {
	name := src.String()
	c, err := client.Open(l.state.Path(fmt.Sprintf("mirrors/%.8x", sha256.Sum256([]byte(name)))), l.Anchor.Root)
	if err != nil {
		l.problem("%s: %w", name, err)
		return
	}
	set, md, err := evidence.RefreshAll(ctx, c, &fetch.Courier{Sources: []fetch.Source{src}}, l.now)
	var rollback *trust.RollbackError
	var refused interface{ Refused() bool }
	var expired *trust.ExpiredError
	switch {
	case errors.As(err, &rollback):
		l.alarm(monitor.Alarm{ID: "rollback/" + rollback.Role + "/" + name, Kind: monitor.KindRollback}, "%s: %v", name, err)
	case errors.As(err, &expired):
		l.alarm(monitor.Alarm{ID: "expiry/" + expired.Role + "/" + name, Kind: KindExpiry}, "%s: %s expired on %s", name, expired.Role, expired.Expires.Format(time.RFC3339))
	case errors.As(err, &refused) && refused.Refused():
		l.alarm(monitor.Alarm{ID: "refused/" + name, Kind: KindRefused}, "%s serves what does not hold: %v", name, err)
	case err != nil:
		l.problem("%s: %w", name, err)
	}
	if set != nil {
		l.roles(name, set, md)
	}
}

// roles notes each signed file, and holds it against all that was ever seen under its name: a version is
// signed once.
func (l *looking) roles(name string, set *trust.Set, md trust.Metadata) {
	files := maps.Clone(md.Delegated)
	files["targets"], files["snapshot"], files["timestamp"] = md.Targets, md.Snapshot, md.Timestamp
	files["root"] = set.Root()
	for _, role := range slices.Sorted(maps.Keys(files)) {
		r, ok := set.Role(role)
		if !ok || len(files[role]) == 0 {
			continue
		}
		m := metadata{role, r.Version, sha256.Sum256(files[role])}
		if !slices.Contains(l.metadata, m) {
			l.metadata = append(l.metadata, m)
		}
		id, sum := fmt.Sprintf("%d.%s", r.Version, role), fmt.Sprintf("%x", m.sum)
		if before, ok := l.state.Files[id]; ok && before != sum {
			l.alarm(monitor.Alarm{ID: "fork/" + id, Kind: monitor.KindFork, Files: map[string][]byte{name: files[role]}},
				"there are two of version %d of %s, both signed: sha256 %s, and %s at %s", r.Version, role, before, sum, name)
			continue
		}
		l.state.Files[id] = sum
	}
}

// said raises what auditors said against a release, and what the judge says of the newest.
func (l *looking) said() {
	for _, ch := range l.record.Channels {
		for i, r := range ch.Releases {
			l.release(r)
			if reason, bad := firstFailed(r); i == 0 && bad {
				l.alarm(monitor.Alarm{ID: "refused/" + r.Channel + "/" + r.Version, Kind: KindRefused}, "%s %s, the newest, is refused: %s: %s", r.Channel, r.Version, reason.Name, reason.Text)
			}
		}
	}
}

func (l *looking) release(r record.Release) {
	name := r.Channel + " " + r.Version
	for _, b := range r.Rebuilds {
		if !b.Same() {
			d := b.Differences[0]
			l.alarm(monitor.Alarm{ID: "disagreement/" + name + "/" + b.Person.Name, Kind: KindDisagreement},
				"%s rebuilt %s and got other bytes (%d differences): %s is %s in the release and %s there", b.Person, name, len(b.Differences), d.What, orNothing(d.Released), orNothing(d.Got))
		}
	}
	for _, v := range r.Reviews {
		if v.Verdict == "fail" {
			l.alarm(monitor.Alarm{ID: "review/" + name + "/" + v.Person.Name, Kind: KindReview}, "%s reviewed %s and says not to ship it: %s", v.Person, name, v.Notes)
		}
	}
	for _, w := range r.Withdrawals {
		if w.Latest && w.State == "withdrawn" {
			l.alarm(monitor.Alarm{ID: "withdrawal/" + name + "/" + w.Person.Name, Kind: KindWithdrawal}, "%s withdrew %s on %s: %s", w.Person, name, w.At.Format(time.RFC3339), w.Reason)
		}
	}
}

func orNothing(s string) string {
	if s == "" {
		return "not there"
	}
	return s
}

// expiries tells of roles that should have been signed again by now: those of the publisher are at half of
// their life, and people need weeks.
func (l *looking) expiries() {
	for _, r := range l.record.Roles {
		left, life := r.Expires.Sub(l.now), r.Expires.Sub(r.Made)
		if !r.Made.IsZero() && left > 0 && left < life/4 {
			l.alarm(monitor.Alarm{ID: fmt.Sprintf("expiry/%d.%s", r.Version, r.Name), Kind: KindExpiry}, "version %d of %s expires on %s, and there is no newer one", r.Version, r.Name, r.Expires.Format(time.RFC3339))
		}
	}
}

func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return '\uFFFD'
	}
	return r
}
