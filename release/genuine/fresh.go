package genuine

import (
	"fmt"
	"time"

	"github.com/countersign-project/countersign/tuf/trust"
)

// fresh is reason 3, in two halves that fail differently. Something older than what this device has
// seen is a replay: refused. Something expired only means that nobody has vouched lately: could not
// tell. Time is the later of the clock and the seen floor, so setting a clock back hides nothing.
func (b believed) fresh(r *Reason, ev Evidence, seen Seen, now time.Time) {
	if text := b.older(seen); text != "" {
		r.State, r.Text = Failed, text
		return
	}
	if now.Before(seen.Floor) {
		now = seen.Floor
	}
	first := b.firstExpiry()
	if !now.Before(first.expires) {
		r.State = Open
		r.Text = fmt.Sprintf("%s expired on %s; nobody has confirmed it since", first.role, day(first.expires))
		return
	}
	r.State = Held
	r.Text = fmt.Sprintf("nothing here is older than this device has seen, and all of it is valid until %s", day(first.expires))
}

// older names the first role that is older than what this device has seen, or "".
func (b believed) older(seen Seen) string {
	channel := seen.Channels[b.role.Name]
	for _, c := range []struct {
		role string
		seen int64
	}{{"root", seen.Root}, {"timestamp", seen.Timestamp}, {"snapshot", seen.Snapshot}, {"targets", seen.Targets}, {b.role.Name, channel}} {
		role, ok := b.set.Role(c.role)
		if !ok {
			return fmt.Sprintf("there is no %s metadata", c.role)
		}
		if role.Version < c.seen {
			return fmt.Sprintf("%s metadata is version %d, but this device has seen version %d: an old state was served again", c.role, role.Version, c.seen)
		}
	}
	f, _ := b.set.Withdrawn()
	if had := seen.Channels[trust.Withdrawn]; f.Version < had {
		return fmt.Sprintf("the list of withdrawals is version %d, but this device has seen version %d: an old state was served again", f.Version, had)
	}
	return ""
}

type expiry struct {
	role    string
	expires time.Time
}

// firstExpiry returns the role whose metadata runs out first.
func (b believed) firstExpiry() expiry {
	var first expiry
	for _, name := range []string{"root", "timestamp", "snapshot", "targets", b.role.Name} {
		role, _ := b.set.Role(name)
		if first.role == "" || role.Expires.Before(first.expires) {
			first = expiry{name, role.Expires}
		}
	}
	return first
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
