package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/durable"
)

const stateFormat = "countersign-install-1"

// MaxState is the largest state.json that is read, in bytes.
const MaxState = 1 << 20

// DefaultChannel is where updates come from until a person chooses another channel.
const DefaultChannel = "stable"

// State is state.json: which version runs, and what this device decided about others. A version is ""
// where the base is meant.
//
// The file outlives the program that writes it: a newer version may write it and an older one, to which
// the device returned, must still read it. So this one format is not parsed strictly: unknown fields are
// ignored (and lost at the next write), and a change that an old program must not ignore gets a new
// Format.
type State struct {
	Format    string          `json:"format"`
	Program   string          `json:"program"`
	Current   string          `json:"current"`            // the version to start
	LastGood  string          `json:"lastGood"`           // where to return when Current fails
	Trial     *Trial          `json:"trial,omitempty"`    // set while Current has not shown that it works
	Served    string          `json:"served,omitempty"`   // the version whose long-running mode was last seen healthy
	Switched  time.Time       `json:"switched,omitzero"`  // when Current became current
	Versions  map[string]File `json:"versions,omitempty"` // installed side by side
	Held      map[string]Hold `json:"held,omitempty"`     // versions that are not installed by themselves
	Pinned    string          `json:"pinned,omitempty"`   // a version the person chose to stay on
	Manual    bool            `json:"manual,omitempty"`   // automatic updates are off
	Channel   string          `json:"channel"`            // "stable", "beta"
	Floor     string          `json:"floor,omitempty"`    // signed minimum: never below this version
	Checked   time.Time       `json:"checked,omitzero"`   // last check that reached a repository and believed it
	Refused   *Refusal        `json:"refused,omitempty"`  // what the last check refused
	Notice    string          `json:"notice,omitempty"`   // the last thing that went wrong here, for people
	NoticedAt time.Time       `json:"noticedAt,omitzero"`
}

// Trial is a version that was switched to and has not shown yet that it works.
type Trial struct {
	Version string    `json:"version"`
	Starts  int       `json:"starts"` // counted durably before each start
	Since   time.Time `json:"since"`
	Minimum string    `json:"minimum,omitempty"` // becomes the floor once the version has shown that it works
}

// MaxStarts is how often an unconfirmed version is started before the last good one returns.
const MaxStarts = 3

// File is one installed program file.
type File struct {
	Length  int64          `json:"length"`
	SHA256  genuine.Digest `json:"sha256"`
	Channel string         `json:"channel"`
}

// Hold says why a version is not installed by itself any more. A person may still pin it.
type Hold struct {
	Reason    string    `json:"reason"`
	Since     time.Time `json:"since"`
	Withdrawn bool      `json:"withdrawn,omitempty"` // its auditors withdrew it; ends when they reinstate it
}

// Refusal is the last release (or repository) that was checked and not believed.
type Refusal struct {
	Version string    `json:"version,omitempty"` // "" when the metadata itself was refused
	Channel string    `json:"channel,omitempty"`
	Reason  string    `json:"reason"`
	Wrong   bool      `json:"wrong"` // something was shown to be wrong; otherwise it could not be told
	Since   time.Time `json:"since"`
}

// Load reads state.json. A missing file is the state of a first start.
func (h Home) Load() (State, error) {
	if h.Dir == "" {
		return State{}, errNone
	}
	f, err := os.Open(h.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return State{Format: stateFormat, Program: h.Program, Channel: DefaultChannel}, nil
	}
	if err != nil {
		return State{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxState+1))
	if err != nil {
		return State{}, err
	}
	s, err := parseState(b, h.Program)
	if err != nil {
		return State{}, fmt.Errorf("%s: %w; remove the file to start anew from the program you installed", h.statePath(), err)
	}
	return s, nil
}

func (h Home) statePath() string { return filepath.Join(h.Dir, "state.json") }

// parseState reads a state and refuses one that could make a program start something it should not:
// every version in it becomes part of a path.
func parseState(b []byte, program string) (State, error) {
	var s State
	if len(b) > MaxState {
		return s, fmt.Errorf("more than %d bytes", MaxState)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, err
	}
	if s.Format != stateFormat {
		return s, fmt.Errorf("format %q, want %q", s.Format, stateFormat)
	}
	if s.Program != program {
		return s, fmt.Errorf("it belongs to %q, not to %q", s.Program, program)
	}
	named := []string{s.Current, s.LastGood, s.Served, s.Pinned, s.Floor}
	if s.Trial != nil {
		named = append(named, s.Trial.Version, s.Trial.Minimum)
	}
	for v := range s.Versions {
		named = append(named, v)
	}
	for v := range s.Held {
		named = append(named, v)
	}
	for _, v := range named {
		if v != "" && !anchor.ValidVersion(v) {
			return s, fmt.Errorf("%q is not a version", v)
		}
	}
	for _, v := range []string{s.Current, s.LastGood} {
		if _, ok := s.Versions[v]; v != "" && !ok {
			return s, fmt.Errorf("version %s is to be started but is not among the installed ones", v)
		}
	}
	if s.Trial != nil && s.Trial.Version != s.Current {
		return s, fmt.Errorf("version %s is on trial but %q is current", s.Trial.Version, s.Current)
	}
	return s, nil
}

// Change reads the state, lets change alter it and replaces the file, all under the lock, and returns
// the new state. When change returns an error nothing is written. The replacement is one atomic rename:
// whoever reads sees the old state or the new one.
func (h Home) Change(change func(*State) error) (State, error) {
	if err := h.Prepare(); err != nil {
		return State{}, err
	}
	unlock, err := h.lockState()
	if err != nil {
		return State{}, err
	}
	defer unlock()
	s, err := h.Load()
	if err != nil {
		return s, err
	}
	before, err := json.Marshal(s)
	if err != nil {
		return s, err
	}
	if err := change(&s); err != nil {
		return s, err
	}
	after, err := json.Marshal(s)
	if err != nil {
		return s, err
	}
	if string(before) == string(after) {
		return s, nil
	}
	if _, err := parseState(after, h.Program); err != nil {
		panic(fmt.Sprintf("internal error: a change of state would not be readable: %v", err))
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return s, err
	}
	return s, durable.WriteFile(h.statePath(), append(b, '\n'), 0o600)
}
