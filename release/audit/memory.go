package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"time"

	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/repo"
)

// Formats of the two files of a distribution.
const (
	memoryFormat = "countersign-memory-1"
	signedFormat = "countersign-signed-1"
	maxMemory    = 64 << 20
)

// memory is what this auditor remembers of one distribution, as memory.json has it. It only grows.
//
// A distribution is known by its roots, not by its name: two memories are of one distribution when a root
// of the same version has the same signed part. Only roots this auditor verified are in it.
type memory struct {
	Format string            `json:"format"` // "countersign-memory-1"
	Name   string            `json:"name"`   // as in mirrors.json or distribution.toml; for people only
	Since  time.Time         `json:"since"`  // when this auditor first trusted it
	How    string            `json:"how"`    // "given" or "first use"
	Roots  map[int64]string  `json:"roots"`  // version to sha256 of the signed part, hex
	Seen   map[string]int64  `json:"seen"`   // role to the highest version seen published
	Events map[string]string `json:"events"` // role to the event that version came from
	dir    string
	signed []Signed
}

// Signed is one thing this auditor signed.
type Signed struct {
	Role      string    `json:"role"`
	Version   int64     `json:"version"`
	Event     string    `json:"event"`   // id in hex
	Payload   string    `json:"payload"` // sha256 of what was signed, hex
	Key       string    `json:"key"`     // sha256 of the key's PKIX DER, hex
	At        time.Time `json:"at"`
	InsteadOf string    `json:"instead_of,omitempty"` // event that was signed for this version before, and given up
}

type signedFile struct {
	Format string   `json:"format"` // "countersign-signed-1"
	Signed []Signed `json:"signed"` // oldest first
}

// payloadSum is the sha256 of a role's signed part: two files with equal ones say the same, whoever
// signed them.
func payloadSum(metadata []byte) (string, error) {
	p, err := repo.Payload(metadata)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:]), nil
}

var memoryName = regexp.MustCompile(`^[0-9a-f]{16}$`)

func (a *Auditor) distributions() string { return filepath.Join(a.Home, "distributions") }

// memories reads all distributions this auditor knows.
func (a *Auditor) memories() ([]*memory, error) {
	entries, err := os.ReadDir(a.distributions())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []*memory
	for _, e := range entries {
		if !memoryName.MatchString(e.Name()) {
			continue // a temporary directory of an interrupted write
		}
		m, err := readMemory(filepath.Join(a.distributions(), e.Name()))
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// readMemory reads one. A file that is missing or broken is an error and never an empty memory: what was
// signed must not be forgotten because a file cannot be read.
func readMemory(dir string) (*memory, error) {
	m := &memory{dir: dir}
	if err := readJSON(filepath.Join(dir, "memory.json"), maxMemory, m); err != nil {
		return nil, err
	}
	if m.Format != memoryFormat {
		return nil, fmt.Errorf("%s: format %q, want %q", filepath.Join(dir, "memory.json"), m.Format, memoryFormat)
	}
	var s signedFile
	err := readJSON(filepath.Join(dir, "signed.json"), maxMemory, &s)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil // written before anything is signed
	}
	if err != nil {
		return nil, err
	}
	if s.Format != signedFormat {
		return nil, fmt.Errorf("%s: format %q, want %q", filepath.Join(dir, "signed.json"), s.Format, signedFormat)
	}
	m.signed = s.Signed
	return m, nil
}

// save writes both files, memory first: a crash between them leaves a distribution known and nothing
// signed in it, which is true, since signatures leave this machine only after save.
func (m *memory) save() error {
	m.Format = memoryFormat
	if err := durable.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(m.dir, "memory.json"), m); err != nil {
		return err
	}
	if m.signed == nil {
		return nil
	}
	return writeJSON(filepath.Join(m.dir, "signed.json"), signedFile{signedFormat, m.signed})
}

// newest is the highest version of root that is known.
func (m *memory) newest() int64 {
	var v int64
	for have := range m.Roots {
		v = max(v, have)
	}
	return v
}

// last returns what was signed last for a version of a role.
func (m *memory) last(role string, version int64) (Signed, bool) {
	for i := len(m.signed) - 1; i >= 0; i-- {
		if s := m.signed[i]; s.Role == role && s.Version == version {
			return s, true
		}
	}
	return Signed{}, false
}

// highest returns what was signed with the highest version of a role.
func (m *memory) highest(role string) (Signed, bool) {
	var list []Signed
	for _, s := range m.signed {
		if s.Role == role {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		return Signed{}, false
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].Version < list[j].Version })
	return list[len(list)-1], true
}

// readJSON reads one of our own local files strictly.
func readJSON(path string, max int64, v any) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > max {
		return fmt.Errorf("%s: %d bytes, at most %d allowed", path, info.Size(), max)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	dec := json.NewDecoder(f)
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%s: %v", path, err)
	}
	return nil
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(b, '\n'), 0o600)
}
