package audit

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
)

const recordFormat = "countersign-rebuild-record-1"

const maxRecord = 16 << 20

// Record is how one auditor's rebuild of one event ended, kept in record.json on their own machine.
// Result is computed from digests alone; no field can claim it against Differences and Artifacts.
type Record struct {
	Format      string         `json:"format"`
	Event       string         `json:"event"`   // id in hex
	Label       string         `json:"label"`   // for people
	Release     genuine.Digest `json:"release"` // sha256 of release.json
	Result      string         `json:"result"`  // event.Matched, event.Differs or event.Inconclusive
	Reason      string         `json:"reason,omitempty"`
	Differences []Difference   `json:"differences,omitempty"`
	Artifacts   []Built        `json:"artifacts,omitempty"` // what came out, sorted by path
	Started     time.Time      `json:"started"`
	Finished    time.Time      `json:"finished"`
	Person      string         `json:"person,omitempty"`    // whose statement was made; empty when none was
	Key         string         `json:"key,omitempty"`       // sha256 of the statement key's PKIX DER, hex
	Statement   string         `json:"statement,omitempty"` // sha256 of the statement made, hex
	Source      *SourceChange  `json:"source,omitempty"`
	Kept        string         `json:"kept,omitempty"` // directory with ours/ and theirs/ where bytes differ
}

// Difference is one thing that is not as the release says.
type Difference struct {
	What    string `json:"what"` // "source tree", "recipe", "version", or an artifact's path
	Ours    string `json:"ours"`
	Theirs  string `json:"theirs"`
	Explain string `json:"explain,omitempty"` // where the bytes differ and what is likely behind it
}

func (d Difference) String() string {
	s := fmt.Sprintf("%s: got %s, the release says %s", d.What, d.Ours, d.Theirs)
	if d.Explain != "" {
		s += "\n" + d.Explain
	}
	return s
}

// Built is one artifact that came out.
type Built struct {
	Path   string         `json:"path"`
	Length int64          `json:"length"`
	SHA256 genuine.Digest `json:"sha256"`
}

// NotMatched is a rebuild that ended otherwise than matched.
type NotMatched struct{ Record Record }

func (e *NotMatched) Error() string {
	if e.Record.Result == event.Differs {
		var what []string
		for _, d := range e.Record.Differences {
			what = append(what, d.What)
		}
		return fmt.Sprintf("%s: your rebuild is not what the publisher built: %s", e.Record.Label, strings.Join(what, ", "))
	}
	return fmt.Sprintf("%s: your rebuild could not be finished: %s", e.Record.Label, e.Record.Reason)
}

// Refused is true when something was shown to differ, and false for a build that could not be finished.
func (e *NotMatched) Refused() bool { return e.Record.Result == event.Differs }

// Err is nil for a rebuild that matched.
func (r Record) Err() error {
	if r.Result == event.Matched {
		return nil
	}
	return &NotMatched{r}
}

// Text is the record for people.
func (r Record) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (event %s): ", plain(r.Label), r.Event)
	switch r.Result {
	case event.Matched:
		fmt.Fprintf(&b, "all %d artifacts are byte for byte what you built\n", len(r.Artifacts))
	case event.Differs:
		fmt.Fprintf(&b, "differs from what you built\n")
		for _, d := range r.Differences {
			fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(plainLines(d.String()), "\n", "\n    "))
		}
		if r.Kept != "" {
			fmt.Fprintf(&b, "  both sides are kept in %s (ours, theirs)\n", r.Kept)
		}
	default:
		fmt.Fprintf(&b, "could not be rebuilt: %s\n", plainLines(r.Reason))
	}
	switch {
	case r.Person != "":
		fmt.Fprintf(&b, "  stated so by %s\n", plain(r.Person))
	case r.Result == event.Inconclusive:
		b.WriteString("  no statement was made about this attempt\n")
	default:
		b.WriteString("  no statement was made, since no key was given\n")
	}
	return b.String()
}

// Record reads what is kept about an event; fs.ErrNotExist when this auditor never rebuilt it here.
func (a *Auditor) Record(id event.ID) (Record, error) {
	var r Record
	path := filepath.Join(a.Dir(id), "record.json")
	if err := readJSON(path, maxRecord, &r); err != nil {
		return r, err
	}
	if r.Format != recordFormat || r.Event != id.String() {
		return r, fmt.Errorf("%s: is a %q of event %q", path, r.Format, r.Event)
	}
	return r, nil
}

func (a *Auditor) hasRecord(id event.ID) (Record, bool, error) {
	r, err := a.Record(id)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	return r, err == nil, err
}

func (a *Auditor) saveRecord(id event.ID, r Record) error {
	r.Format = recordFormat
	return writeJSON(filepath.Join(a.Dir(id), "record.json"), r)
}

// matches compares the record with a release: the same event, the same manifest, and every artifact's
// digest, in both directions.
func (r Record) matches(p *event.Proposal) error {
	if r.Result != event.Matched {
		return fmt.Errorf("it is recorded as %q", r.Result)
	}
	if want := genuine.Digest(p.ReleaseSHA256()); r.Release != want {
		return fmt.Errorf("it was of a release.json with sha256 %s, this event's has %s", r.Release, want)
	}
	if len(r.Differences) > 0 || len(r.Artifacts) != len(p.Manifest.Artifacts) {
		return fmt.Errorf("it has %d artifacts and %d differences, the release has %d artifacts", len(r.Artifacts), len(r.Differences), len(p.Manifest.Artifacts))
	}
	for i, want := range p.Manifest.Artifacts {
		if got := r.Artifacts[i]; got.Path != want.Path || got.SHA256 != want.SHA256 || got.Length != want.Length {
			return fmt.Errorf("%s is recorded with sha256 %s, the release says %s with %s", got.Path, got.SHA256, want.Path, want.SHA256)
		}
	}
	return nil
}

func hexSum(sum [32]byte) string { return hex.EncodeToString(sum[:]) }
