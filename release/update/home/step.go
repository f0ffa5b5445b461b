package home

import (
	"fmt"
	"maps"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
)

// The steps a state can take. They are pure; Change makes them durable.

// Switch makes an installed version the one that runs, on trial. running is what runs now; the device
// returns there when the new one fails, unless running is itself still on trial. minimum is the floor
// that the new version's manifest signs.
func (s *State) Switch(version string, f File, running, minimum string, now time.Time) {
	if s.Trial == nil || s.Trial.Version != running {
		s.LastGood = ""
		before := running
		if s.Held[running].Withdrawn {
			before = s.Current // where the device went when its running version was withdrawn
		}
		if _, ok := s.Versions[before]; ok && before != version && !s.Held[before].Withdrawn {
			s.LastGood = before
		}
	}
	if s.LastGood == version {
		s.LastGood = "" // going back to it: then only the base is left behind it
	}
	s.Versions = with(s.Versions, version, f)
	s.Current = version
	s.Trial = &Trial{Version: version, Since: now.UTC(), Minimum: minimum}
	s.Switched = now.UTC()
}

// ToBase makes the base the one that runs.
func (s *State) ToBase() { s.Current, s.LastGood, s.Trial = "", "", nil }

// Confirm records that a version works. LastGood stays: a version may fail later all the same.
func (s *State) Confirm(version string) {
	if s.Trial == nil || s.Trial.Version != version {
		return
	}
	s.Raise(s.Trial.Minimum)
	s.Trial = nil
}

// Serve records that the long-running mode of a version works, which confirms it as well.
func (s *State) Serve(version string) {
	s.Served = version
	s.Confirm(version)
}

// Watched reports whether the long-running mode of a version has yet to show that it works. The base is
// not watched: there is nothing to return to.
func (s State) Watched(version string) bool {
	return version != "" && version == s.Current && s.Served != version
}

// Watch puts a version on trial again whose long-running mode is started for the first time: that its
// commands worked says little about the service.
func (s *State) Watch(version string, now time.Time) {
	if s.Watched(version) && s.Trial == nil {
		s.Trial = &Trial{Version: version, Since: now.UTC()}
	}
}

// Raise lifts the floor to a signed minimum; it never sinks. A last good version below it is none any
// more.
func (s *State) Raise(minimum string) {
	if minimum != "" && (s.Floor == "" || anchor.CompareVersions(minimum, s.Floor) > 0) {
		s.Floor = minimum
	}
	if s.Below(s.LastGood) {
		s.LastGood = ""
	}
}

// CountStart counts a start of an unconfirmed version before it happens. When it has had its starts, it
// is held instead and the last good version returns; then held is true.
func (s *State) CountStart(version string, now time.Time) (held bool) {
	if s.Trial == nil || s.Trial.Version != version {
		return false
	}
	if s.Trial.Starts >= MaxStarts {
		s.Hold(version, fmt.Sprintf("started %d times and never worked", s.Trial.Starts), now)
		return true
	}
	trial := *s.Trial
	trial.Starts++
	s.Trial = &trial
	return false
}

// Hold keeps a version from being installed or started by itself, and returns to the last good one when
// it is the current one.
func (s *State) Hold(version, reason string, now time.Time) {
	s.Held = with(s.Held, version, Hold{Reason: reason, Since: now.UTC()})
	s.leave(version, fmt.Sprintf("%s is held: %s", version, reason), now)
}

// HoldWithdrawn keeps a version from being installed until its auditors reinstate it.
func (s *State) HoldWithdrawn(version, reason string, now time.Time) {
	if !s.Held[version].Withdrawn {
		s.Held = with(s.Held, version, Hold{reason, now.UTC(), true})
	}
}

// Withdraw holds a version that its auditors have withdrawn until they reinstate it, and where it is the
// one to be started goes to another one that is installed, or to the base (""). Where there is none that
// may take its place, stay is true: the version goes on, and the notice is an alarm.
func (s *State) Withdraw(version, to string, stay bool, reason string, now time.Time) {
	s.HoldWithdrawn(version, reason, now)
	if s.Pinned == version {
		s.Pinned = ""
	}
	if s.LastGood == version {
		s.LastGood = ""
	}
	notice := fmt.Sprintf("version %s was withdrawn: %s", version, reason)
	switch {
	case stay:
		notice = "ALARM: " + notice + "; no genuine version is left to return to, so it keeps running"
	case s.Current != to:
		s.Current, s.LastGood, s.Trial = to, "", nil
		if to == "" {
			to = "the program file you started"
		}
		notice += "; returned to " + to
	}
	if s.Notice != notice {
		s.Notice, s.NoticedAt = notice, now.UTC()
	}
}

// Damage records that an installed file is not what was installed. The version itself is not to blame:
// it may be fetched again, and is judged again then.
func (s *State) Damage(version, reason string, now time.Time) {
	s.leave(version, fmt.Sprintf("%s was not started: %s", version, reason), now)
	s.Versions = maps.Clone(s.Versions)
	delete(s.Versions, version)
	if s.LastGood == version {
		s.LastGood = ""
	}
}

// leave goes from a version to the last good one and says why.
func (s *State) leave(version, notice string, now time.Time) {
	if s.Pinned == version {
		s.Pinned = ""
	}
	if s.Current == version {
		s.Current, s.LastGood, s.Trial = s.LastGood, "", nil
		if s.Current == version {
			s.Current = ""
		}
		back := s.Current
		if back == "" {
			back = "the program file you started"
		}
		notice += "; returned to " + back
	}
	s.Notice, s.NoticedAt = notice, now.UTC()
}

// Release lifts a hold, since a person asked for the version by name.
func (s *State) Release(version string) {
	s.Held = maps.Clone(s.Held)
	delete(s.Held, version)
}

// Below reports whether a version is under the floor. The base, "", is not known here.
func (s State) Below(version string) bool {
	return version != "" && s.Floor != "" && anchor.CompareVersions(version, s.Floor) < 0
}

// Choose says which version to start when the person started a base of version self: "" for the base
// itself. A base newer than what is installed (from a package, say) runs itself, unless that version
// failed here before or the person pinned another.
func (s State) Choose(self string) string {
	c := s.Current
	_, held := s.Held[self]
	switch {
	case c == "" || c == self:
		return ""
	case s.Pinned == c || held:
		return c
	case anchor.CompareVersions(self, c) > 0:
		return ""
	}
	return c
}

// with returns a copy of m with one more entry, so that states never share a map.
func with[V any](m map[string]V, key string, value V) map[string]V {
	out := maps.Clone(m)
	if out == nil {
		out = map[string]V{}
	}
	out[key] = value
	return out
}
