package publish

import (
	"fmt"
	"time"

	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/tuf/repo"
	"github.com/countersign-project/countersign/tuf/trust"
)

// signOnline signs a snapshot or timestamp with as many of the publisher's keys as the role's quorum asks.
func (r *Repository) signOnline(root, metadata []byte, role string) ([]byte, error) {
	info, err := repo.Inspect(root)
	if err != nil {
		return nil, err
	}
	payload, err := repo.Payload(metadata)
	if err != nil {
		return nil, err
	}
	for _, keys := range info.Roles {
		if keys.Name != role {
			continue
		}
		var sigs []repo.Signature
		for i, h := range keys.Holders {
			s, ok := r.Keys.Find(h.Public)
			if !ok {
				continue
			}
			sig, err := s.Sign(payload)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", role, err)
			}
			sigs = append(sigs, repo.Signature{KeyID: keys.KeyIDs[i], Sig: sig})
		}
		if len(sigs) < keys.Quorum {
			return nil, &NoKey{role, keys.Holders[0].Name}
		}
		return repo.Attach(metadata, sigs)
	}
	return nil, refusef("root names no keys for %s", role)
}

// NoKey says that an online key is not among the keys given.
type NoKey struct{ Role, Holder string }

func (e *NoKey) Error() string {
	return fmt.Sprintf("none of the keys given is the %s key of %s", e.Role, e.Holder)
}

// online makes a new snapshot (unless the old one is to stay) and a new timestamp for the roles of b. The
// versions count on from those served, so they never go back.
func (r *Repository) online(b *event.Base, versions map[string]int64, keepSnapshot bool, now time.Time, x event.Expiry) error {
	made := now.UTC().Truncate(time.Second)
	root := b.Roots[len(b.Roots)-1]
	if !keepSnapshot {
		roles := map[string][]byte{"targets": b.Targets}
		for name, raw := range b.Channels {
			roles[name] = raw
		}
		raw, err := repo.SnapshotListing(roles, b.Withdrawn, repo.Stamp{Version: versions["snapshot"] + 1, Made: made, Expires: made.AddDate(0, 0, x.SnapshotDays)})
		if err != nil {
			return err
		}
		if b.Snapshot, err = r.signOnline(root, raw, "snapshot"); err != nil {
			return err
		}
	}
	expires := made.Add(time.Duration(x.TimestampHours) * time.Hour)
	raw, err := repo.Timestamp(b.Snapshot, repo.Stamp{Version: versions["timestamp"] + 1, Made: made, Expires: expires})
	if err != nil {
		return err
	}
	b.Timestamp, err = r.signOnline(root, raw, "timestamp")
	return err
}

// clockBack refuses to sign anything that claims to be older than what is served: clients keep the
// latest time they saw as a floor, and the clock is more likely wrong than they are.
func clockBack(s State, now time.Time) error {
	if made := s.made(); now.Before(made) {
		return fmt.Errorf("the clock says %s, and what is published was made %s: set the clock first", now.UTC().Format(time.RFC3339), made.Format(time.RFC3339))
	}
	return nil
}

// Level says how near an expiry is.
type Level string

// The levels, by what is left of a role's life: a third, a sixth, a twentieth. For a channel of 90 days
// that is 30, 15 and 4 days: time for a quorum to answer, whose median in public ceremonies is 10 days.
const (
	Notice  Level = "notice"
	Warning Level = "warning"
	Alarm   Level = "alarm"
)

// Expiring is a role that people must renew.
type Expiring struct {
	Role    string    `json:"role"`
	Level   Level     `json:"level"`
	Expires time.Time `json:"expires"`
	Text    string    `json:"text"`
}

// Expiries lists the roles signed by people that are near their expiry or past it.
func (s State) Expiries(now time.Time) []Expiring {
	var out []Expiring
	if s.Set == nil {
		return nil
	}
	for _, role := range s.Set.Roles() {
		if role.Name == "snapshot" || role.Name == "timestamp" {
			continue
		}
		level, ok := level(role, now)
		if !ok {
			continue
		}
		left := role.Expires.Sub(now)
		text := fmt.Sprintf("%s expires in %d days, on %s: open an event with `countersign init --renew %s`", role.Name, int(left.Hours())/24, role.Expires.Format(time.DateOnly), role.Name)
		if left <= 0 {
			text = fmt.Sprintf("%s expired on %s: open an event with `countersign init --renew %s`", role.Name, role.Expires.Format(time.DateOnly), role.Name)
		}
		out = append(out, Expiring{role.Name, level, role.Expires, text})
	}
	return out
}

func level(role trust.Role, now time.Time) (Level, bool) {
	life, left := role.Expires.Sub(role.Made), role.Expires.Sub(now)
	switch {
	case left <= life/20:
		return Alarm, true
	case left <= life/6:
		return Warning, true
	case left <= life/3:
		return Notice, true
	}
	return "", false
}
