package mirror

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/trust"
)

// State is what a mirror is found to be.
type State string

// The states, from good to bad; a mirror gets the worst that applies.
const (
	Good        State = "good"
	Lags        State = "lags"        // older than another mirror, or expired
	Misses      State = "misses"      // does not have what its metadata names, or statements others have
	Unreachable State = "unreachable" // could not tell
	Lies        State = "lies"        // served something that was checked and found wrong
	Forks       State = "forks"       // its log and another mirror's cannot be one, though witnesses cosigned both
)

var states = []State{Good, Lags, Misses, Unreachable, Lies, Forks}

// Place is a mirror to be checked. Dir is its directory when it is a local one; foreign files in it are
// then reported too.
type Place struct {
	Source fetch.Source
	Dir    string
}

// Status is what was found out about one mirror.
type Status struct {
	Source   string           `json:"source"`
	State    State            `json:"state"`
	Versions map[string]int64 `json:"versions"` // of every role
	Expires  time.Time        `json:"expires"`  // of timestamp.json
	Problems []string         `json:"problems"`
	Foreign  []string         `json:"foreign,omitempty"` // files nobody named, in a local directory
	Log      *proof.Head      `json:"log,omitempty"`     // of its log, when that holds

	plan       plan
	statements map[release]int
	tree       *tiles.Tree // of Log
}

// CheckOptions says how to look at mirrors.
type CheckOptions struct {
	Anchor  anchor.Anchor
	Places  []Place
	Now     func() time.Time
	Scratch string // an empty directory for the time of the check
	Deep    bool   // read every target and compare its sum, not only its length
	// Limits on each mirror; Sources are ignored.
	MinRate  int64
	Window   time.Duration
	Deadline time.Duration
	Progress func(done, total int) // mirrors looked at; may be nil
}

// Check looks at each mirror as a new device would, knowing nothing but the anchor, and then compares
// them. The result has one entry per place, in their order.
func Check(ctx context.Context, o CheckOptions) ([]Status, error) {
	list := make([]Status, len(o.Places))
	for i, p := range o.Places {
		list[i] = o.look(ctx, p, filepath.Join(o.Scratch, fmt.Sprint(i)))
		o.log(ctx, p, &list[i])
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if o.Progress != nil {
			o.Progress(i+1, len(o.Places))
		}
	}
	compare(list)
	compareLogs(ctx, list)
	return list, ctx.Err()
}

// problem notes what is wrong and makes the state as bad as it deserves.
func (s *Status) problem(state State, format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
	if slices.Index(states, state) > slices.Index(states, s.State) {
		s.State = state
	}
}

// look examines one mirror by itself.
func (o CheckOptions) look(ctx context.Context, p Place, scratch string) Status {
	s := Status{Source: p.Source.String(), State: Good, Versions: map[string]int64{}, Problems: []string{}, statements: map[release]int{}}
	c, err := client.Open(scratch, o.Anchor.Root)
	if err != nil {
		s.problem(Unreachable, "%v", err)
		return s
	}
	courier := o.courier(p)
	set, md, err := evidence.RefreshAll(ctx, c, courier, o.Now())
	var expired *trust.ExpiredError
	if errors.As(err, &expired) {
		s.problem(Lags, "%v", err)
		courier = o.courier(p)                                           // the first one will not ask the same mirror again
		set, md, err = evidence.RefreshAll(ctx, c, courier, time.Time{}) // what else is wrong is worth knowing
	}
	if err != nil {
		s.problem(blame(err), "%v", err)
	}
	if set == nil {
		return s
	}
	first, err := rootVersion(o.Anchor.Root)
	if err != nil {
		s.problem(Unreachable, "%v", err)
		return s
	}
	withdrawn, err := evidence.Withdrawn(ctx, set, courier)
	if err != nil {
		s.problem(blame(err), "withdrawals: %v", err)
	}
	s.plan = planOf(o.Anchor, first, set, md, withdrawn)
	for _, r := range set.Roles() {
		s.Versions[r.Name] = r.Version
	}
	ts, _ := set.Role(trust.Timestamp)
	s.Expires = ts.Expires
	for _, f := range s.plan.files {
		o.target(ctx, p.Source, f, &s)
	}
	for _, r := range s.plan.releases {
		o.evidence(ctx, courier, r, &s)
	}
	if p.Dir != "" {
		o.local(p.Dir, &s)
	}
	return s
}

func (o CheckOptions) courier(p Place) *fetch.Courier {
	return &fetch.Courier{Sources: []fetch.Source{p.Source}, MinRate: o.MinRate, Window: o.Window, Deadline: o.Deadline}
}

// blame says what an error makes of a mirror.
func blame(err error) State {
	var refused interface{ Refused() bool }
	switch {
	case errors.As(err, &refused) && refused.Refused():
		return Lies
	case errors.Is(err, fs.ErrNotExist):
		return Misses
	}
	return Unreachable
}

// target asks for a target: its last byte, which tells its length, or with Deep all of it.
func (o CheckOptions) target(ctx context.Context, src fetch.Source, f file, s *Status) {
	from := max(f.Length-1, 0)
	if o.Deep {
		from = 0
	}
	ctx, cancel := context.WithTimeout(ctx, o.patience(f.Length-from))
	defer cancel()
	body, size, start, err := src.Open(ctx, f.path, from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.problem(Misses, "%s: %v", f.path, err)
		return
	case err != nil:
		s.problem(Unreachable, "%s: %v", f.path, err)
		return
	}
	defer body.Close()
	if size >= 0 && size != f.Length {
		s.problem(Lies, "%s: %d bytes, want %d", f.path, size, f.Length)
		return
	}
	if !o.Deep {
		return
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(body, f.Length+1))
	switch {
	case err != nil:
		s.problem(Unreachable, "%s: %v", f.path, err)
	case start != 0 || n != f.Length:
		s.problem(Lies, "%s: %d bytes, want %d", f.path, n, f.Length)
	case [32]byte(h.Sum(nil)) != f.SHA256:
		s.problem(Lies, "%s: sha256 %x, want %x", f.path, h.Sum(nil), f.SHA256)
	}
}

// patience is the time n bytes may take at the floor rate.
func (o CheckOptions) patience(n int64) time.Duration {
	rate, window := o.MinRate, o.Window
	if rate <= 0 {
		rate = fetch.DefaultMinRate
	}
	if window <= 0 {
		window = fetch.DefaultWindow
	}
	return window + time.Duration(float64(n)/float64(rate)*float64(time.Second))
}

// evidence counts the statements a mirror has for a release; how many there should be is shown by others.
func (o CheckOptions) evidence(ctx context.Context, c *fetch.Courier, r release, s *Status) {
	_, err := c.FetchChecked(ctx, evidence.Path(r.sum), genuine.MaxFile, func(b []byte) error {
		f, err := genuine.ParseFile(b)
		s.statements[r] = len(f.Statements)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.problem(Unreachable, "statements for %s: %v", r, err)
	}
}

// local looks for foreign files in a directory of ours.
func (o CheckOptions) local(dir string, s *Status) {
	if _, err := os.Stat(filepath.Join(dir, stateDir, markFile)); err != nil {
		return // somebody else's copy: what is foreign there is not for us to say
	}
	d := &directory{dir: dir, stored: readStored(filepath.Join(dir, stateDir, "stored.json"))}
	list, err := d.foreign(s.plan)
	if err != nil {
		s.problem(Unreachable, "%v", err)
	}
	s.Foreign = list
}

// compare finds those who have less than others. A mirror that was found lying is no measure.
func compare(list []Status) {
	best, most := map[string]int64{}, map[release]int{}
	for _, s := range list {
		if s.State == Lies {
			continue
		}
		for role, v := range s.Versions {
			best[role] = max(best[role], v)
		}
		for r, n := range s.statements {
			most[r] = max(most[r], n)
		}
	}
	for i := range list {
		s := &list[i]
		var behind []string
		for role, v := range s.Versions {
			if v < best[role] {
				behind = append(behind, fmt.Sprintf("%s is version %d, others have %d", role, v, best[role]))
			}
		}
		if len(behind) > 0 {
			slices.Sort(behind)
			s.problem(Lags, "%s", strings.Join(behind, "; "))
		}
		for _, r := range s.plan.releases {
			if n := s.statements[r]; n < most[r] {
				s.problem(Misses, "statements for %s: %d, others have %d", r, n, most[r])
			}
		}
	}
}
