package monitor

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/tuf/durable"
)

const stateFormat = "countersign-monitor-1"

// State is what a monitor remembers. Change it only between OpenState and Close.
type State struct {
	Format     string               `json:"format"`     // "countersign-monitor-1"
	Checkpoint []byte               `json:"checkpoint"` // newest that a quorum of witnesses cosigned; empty at first
	Bytes      int64                `json:"bytes"`      // of the entries file that are of that checkpoint's log
	Places     map[string][]byte    `json:"places"`     // largest checkpoint of each place
	Told       map[string]Told      `json:"told"`       // alarms people know, by id
	Waiting    map[string]time.Time `json:"waiting"`    // since when alarms that may pass have lasted, by id
	Files      map[string]string    `json:"files"`      // sha256 of files that must not change, by name; for users of this package

	dir     string
	unlock  func() error
	entries *Entries
	fresh   []byte // entries that are not in the file yet
}

// OpenState opens a directory, which is made where it is missing, and locks it.
func OpenState(dir string) (*State, error) {
	if err := durable.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	unlock, err := durable.Lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	s := &State{Format: stateFormat, dir: dir, unlock: unlock, entries: newEntries()}
	if err := s.load(); err != nil {
		unlock()
		return nil, err
	}
	return s, nil
}

func (s *State) load() error {
	if err := durable.Sweep(s.dir); err != nil {
		return err
	}
	path := filepath.Join(s.dir, "state.json")
	b, err := os.ReadFile(path)
	if err == nil {
		if err := json.Unmarshal(b, s); err != nil {
			return fmt.Errorf("%s: %v", path, err)
		}
		if s.Format != stateFormat {
			return fmt.Errorf("%s: format %q, want %q", path, s.Format, stateFormat)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if s.Places == nil {
		s.Places = map[string][]byte{}
	}
	if s.Told == nil {
		s.Told = map[string]Told{}
	}
	if s.Waiting == nil {
		s.Waiting = map[string]time.Time{}
	}
	if s.Files == nil {
		s.Files = map[string]string{}
	}
	return s.loadEntries()
}

// loadEntries reads the entries that count; what a crash left behind them is cut off by the next Save.
func (s *State) loadEntries() error {
	f, err := os.Open(s.entriesPath())
	if errors.Is(err, fs.ErrNotExist) && s.Bytes == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, s.Bytes)
	if _, err := io.ReadFull(f, b); err != nil {
		return fmt.Errorf("%s: %d bytes wanted: %v", s.entriesPath(), s.Bytes, err)
	}
	for len(b) > 0 {
		if len(b) < 2 || len(b) < 2+int(binary.BigEndian.Uint16(b)) {
			return fmt.Errorf("%s: ends within an entry", s.entriesPath())
		}
		n := 2 + int(binary.BigEndian.Uint16(b))
		s.entries.add(b[2:n:n])
		b = b[n:]
	}
	head, err := s.head()
	if err == nil && head.Size != uint64(len(s.entries.list)) {
		err = fmt.Errorf("%s: %d entries, and the checkpoint remembered has %d", s.entriesPath(), len(s.entries.list), head.Size)
	}
	return err
}

func (s *State) entriesPath() string { return filepath.Join(s.dir, "entries") }

// head is the head that is remembered; of size 0 at first.
func (s *State) head() (proof.Head, error) {
	if len(s.Checkpoint) == 0 {
		return proof.Head{}, nil
	}
	return proof.UnverifiedHead(s.Checkpoint) // it was verified before it was written here
}

// Entries are all entries of the log up to the remembered checkpoint.
func (s *State) Entries() *Entries { return s.entries }

// add takes an entry that was verified; Save writes it.
func (s *State) add(entry []byte) {
	s.entries.add(entry)
	s.fresh = binary.BigEndian.AppendUint16(s.fresh, uint16(len(entry)))
	s.fresh = append(s.fresh, entry...)
}

// Path is a place in the directory for users of this package.
func (s *State) Path(name string) string { return filepath.Join(s.dir, name) }

// Keep writes the evidence of an alarm into a folder of its own, and returns its path, or "" when the
// alarm has none.
func (s *State) Keep(a Alarm) (string, error) {
	if len(a.Files) == 0 {
		return "", nil
	}
	sum := sha256.Sum256([]byte(a.ID + "\n" + a.Text))
	dir := filepath.Join(s.dir, "evidence", fmt.Sprintf("%s-%.4x", evidenceName(a.ID), sum))
	if err := durable.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for name, b := range a.Files {
		if err := durable.WriteFile(filepath.Join(dir, evidenceName(name)), b, 0o644); err != nil {
			return "", err
		}
	}
	return dir, durable.WriteFile(filepath.Join(dir, "alarm.txt"), []byte(a.Text+"\n"), 0o644)
}

// Save writes what was learnt: entries first, then the state that counts them.
func (s *State) Save() error {
	if len(s.fresh) > 0 {
		if err := s.append(s.fresh); err != nil {
			return err
		}
		s.Bytes += int64(len(s.fresh))
		s.fresh = nil
	}
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(s.dir, "state.json"), append(b, '\n'), 0o644)
}

// append puts bytes behind those that count.
func (s *State) append(b []byte) error {
	f, err := os.OpenFile(s.entriesPath(), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(s.Bytes); err != nil {
		return err
	}
	if _, err := f.WriteAt(b, s.Bytes); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// Close lets others look.
func (s *State) Close() error { return s.unlock() }
