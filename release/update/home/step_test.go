package home

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// story plays steps on a state; each is one word with arguments: "switch 1.1.0 from 1.0.0". It returns
// what is current, where the device would return, and what is on trial.
func story(t *testing.T, s *State, steps string) string {
	t.Helper()
	for _, step := range strings.Split(steps, ", ") {
		w := strings.Fields(step)
		switch w[0] {
		case "switch": // switch VERSION from RUNNING [minimum VERSION]
			minimum := ""
			if len(w) > 5 {
				minimum = w[5]
			}
			s.Switch(w[1], File{Length: 1}, w[3], minimum, now)
		case "confirm":
			s.Confirm(w[1])
		case "serve":
			s.Serve(w[1])
		case "start":
			s.CountStart(w[1], now)
		case "hold":
			s.Hold(w[1], "it is bad", now)
		case "damage":
			s.Damage(w[1], "it is bad", now)
		case "pin":
			s.Pinned = w[1]
		case "base":
			s.ToBase()
		case "release":
			s.Release(w[1])
		default:
			t.Fatalf("no step %q", step)
		}
	}
	trial := "-"
	if s.Trial != nil {
		trial = fmt.Sprintf("%s:%d", s.Trial.Version, s.Trial.Starts)
	}
	return fmt.Sprintf("runs %s, back to %s, trial %s", or(s.Current), or(s.LastGood), trial)
}

func or(v string) string {
	if v == "" {
		return "base"
	}
	return v
}

func TestStories(t *testing.T) {
	for _, c := range []struct{ steps, want string }{
		{"switch 1.1.0 from 1.0.0", "runs 1.1.0, back to base, trial 1.1.0:0"},
		{"switch 1.1.0 from 1.0.0, confirm 1.1.0", "runs 1.1.0, back to base, trial -"},
		{"switch 1.1.0 from 1.0.0, confirm 1.1.0, switch 1.2.0 from 1.1.0", "runs 1.2.0, back to 1.1.0, trial 1.2.0:0"},
		{"switch 1.1.0 from 1.0.0, confirm 1.1.0, switch 1.2.0 from 1.1.0, confirm 1.2.0, damage 1.2.0", "runs 1.1.0, back to base, trial -"},
		// A version that was never confirmed is no place to return to.
		{"switch 1.1.0 from 1.0.0, confirm 1.1.0, switch 1.2.0 from 1.1.0, switch 1.3.0 from 1.2.0, hold 1.3.0", "runs 1.1.0, back to base, trial -"},
		{"switch 1.1.0 from 1.0.0, hold 1.1.0", "runs base, back to base, trial -"},
		// Not even a confirmed version that fails later is the end: the one before it is still known.
		{"switch 1.1.0 from 1.0.0, confirm 1.1.0, switch 1.2.0 from 1.1.0, serve 1.2.0, hold 1.2.0", "runs 1.1.0, back to base, trial -"},
		{"switch 1.1.0 from 1.0.0, start 1.1.0, start 1.1.0, start 1.1.0", "runs 1.1.0, back to base, trial 1.1.0:3"},
		{"switch 1.1.0 from 1.0.0, start 1.1.0, start 1.1.0, start 1.1.0, start 1.1.0", "runs base, back to base, trial -"},
		{"switch 1.1.0 from 1.0.0, confirm 1.1.0, start 1.1.0, start 1.1.0, start 1.1.0, start 1.1.0", "runs 1.1.0, back to base, trial -"},
		// Going back: the version gone back to is not its own refuge.
		{"switch 1.1.0 from 1.0.0, confirm 1.1.0, switch 1.2.0 from 1.1.0, confirm 1.2.0, switch 1.1.0 from 1.2.0", "runs 1.1.0, back to 1.2.0, trial 1.1.0:0"},
		{"switch 1.1.0 from 1.0.0, confirm 1.1.0, switch 1.2.0 from 1.1.0, switch 1.1.0 from 1.2.0", "runs 1.1.0, back to base, trial 1.1.0:0"},
		{"switch 1.1.0 from 1.0.0, confirm 1.1.0, base", "runs base, back to base, trial -"},
		// What is not current can be held or damaged without a change of what runs.
		{"switch 1.1.0 from 1.0.0, confirm 1.1.0, hold 1.5.0", "runs 1.1.0, back to base, trial -"},
		{"switch 1.1.0 from 1.0.0, confirm 1.1.0, switch 1.2.0 from 1.1.0, damage 1.1.0", "runs 1.2.0, back to base, trial 1.2.0:0"},
		// The confirmation of another version is nothing.
		{"switch 1.1.0 from 1.0.0, confirm 1.0.0", "runs 1.1.0, back to base, trial 1.1.0:0"},
	} {
		s := State{Format: stateFormat, Program: "messenger"}
		if got := story(t, &s, c.steps); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.steps, got, c.want)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct{ steps, self, want string }{
		{"release 9.9.9", "1.0.0", ""},
		{"switch 1.1.0 from 1.0.0", "1.0.0", "1.1.0"},
		{"switch 1.1.0 from 1.0.0", "1.1.0", ""},
		{"switch 1.1.0 from 1.0.0", "1.2.0", ""},                        // a newer base, from a package
		{"switch 1.1.0 from 1.0.0, pin 1.1.0", "1.2.0", "1.1.0"},        // but the person said so
		{"switch 1.1.0 from 1.0.0, hold 1.2.0", "1.2.0", "1.1.0"},       // but it failed here before
		{"switch 1.1.0-rc.1 from 1.0.0", "1.1.0", ""},                   // a pre-release is older
		{"switch 1.1.0 from 1.0.0, pin 1.1.0, hold 1.1.0", "1.0.0", ""}, // a failed pin is none
		{"switch 1.10.0 from 1.9.0", "1.9.0", "1.10.0"},
	} {
		s := State{Format: stateFormat, Program: "messenger"}
		story(t, &s, c.steps)
		if got := s.Choose(c.self); got != c.want {
			t.Errorf("%s: a base of %s chooses %q, want %q", c.steps, c.self, got, c.want)
		}
	}
}

func TestFloorRisesWhenTheVersionWorks(t *testing.T) {
	s := State{Format: stateFormat, Program: "messenger"}
	story(t, &s, "switch 1.2.0 from 1.0.0 minimum 1.1.0")
	if s.Floor != "" || s.Below("1.0.0") {
		t.Error("a version that may yet fail has taken the way back away")
	}
	story(t, &s, "confirm 1.2.0")
	if s.Floor != "1.1.0" || !s.Below("1.0.9") || s.Below("1.1.0") || !s.Below("1.1.0-rc.1") {
		t.Errorf("floor %q", s.Floor)
	}
	story(t, &s, "switch 1.3.0 from 1.2.0 minimum 1.3.0")
	if s.LastGood != "1.2.0" {
		t.Errorf("%+v", s)
	}
	story(t, &s, "confirm 1.3.0")
	if s.LastGood != "" {
		t.Errorf("the device would return to %s, below the floor", s.LastGood)
	}
	s.Floor = "1.1.0"
	s.Raise("1.0.0")
	s.Raise("")
	if s.Floor != "1.1.0" {
		t.Errorf("the floor sank to %q", s.Floor)
	}
}

func TestWatched(t *testing.T) {
	s := State{Format: stateFormat, Program: "messenger"}
	story(t, &s, "switch 1.1.0 from 1.0.0, confirm 1.1.0")
	if !s.Watched("1.1.0") {
		t.Error("that a command worked is taken for a service that works")
	}
	s.Watch("1.1.0", now)
	if s.Trial == nil || s.Trial.Version != "1.1.0" {
		t.Errorf("%+v", s.Trial)
	}
	story(t, &s, "serve 1.1.0")
	if s.Watched("1.1.0") || s.Watched("") || s.Trial != nil {
		t.Errorf("%+v", s)
	}
}
