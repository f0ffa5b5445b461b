package update

import (
	"fmt"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/update/home"
	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/trust"
)

// Stage says how long nobody has confirmed that what this device knows is still the newest. It is taken
// from the signed expiry dates alone.
type Stage string

// The stages. None of them stops a program.
const (
	StageFresh   Stage = "fresh"
	StageNever   Stage = "never checked"
	StageNotice  Stage = "notice"  // the timestamp has expired: a day or two without an answer
	StageWarning Stage = "warning" // the snapshot has expired: a week
	StageAlarm   Stage = "alarm"   // what the auditors signed has expired: months, or a clock that is wrong
)

// Freshness is a Stage with its reason.
type Freshness struct {
	Stage Stage  `json:"stage"`
	Text  string `json:"text"`
}

// Fresh says how fresh the metadata on this device is at time now.
func Fresh(a anchor.Anchor, h home.Home, channel string, now time.Time) Freshness {
	c, err := client.Open(h.TUF(), a.Root)
	if err != nil {
		return Freshness{StageAlarm, err.Error()}
	}
	set, _, err := c.Load(time.Time{}, channel)
	if err != nil {
		return Freshness{StageNever, "no repository was reached yet"}
	}
	if floor := c.Seen().Floor; now.Before(floor) {
		return Freshness{StageAlarm, fmt.Sprintf("the clock of this computer is wrong: it says %s, but the auditors signed on %s", minute(now), minute(floor))}
	}
	for _, s := range []struct {
		stage Stage
		roles []string
	}{
		{StageAlarm, []string{trust.Root, trust.Targets, channel}},
		{StageWarning, []string{trust.Snapshot}},
		{StageNotice, []string{trust.Timestamp}},
	} {
		for _, name := range s.roles {
			if role, ok := set.Role(name); ok && !now.Before(role.Expires) {
				return Freshness{s.stage, fmt.Sprintf("%s expired on %s; nobody has confirmed since that this is the newest version", name, minute(role.Expires))}
			}
		}
	}
	return Freshness{StageFresh, ""}
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
