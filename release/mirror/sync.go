package mirror

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/trust"
)

// Result is what a sync did.
type Result struct {
	Versions map[string]int64 `json:"versions"` // of every role now served
	Expires  time.Time        `json:"expires"`  // of timestamp.json: without a sync before, users go elsewhere
	Files    int              `json:"files"`    // targets stored now
	Bytes    int64            `json:"bytes"`    // of them
	Kept     int              `json:"kept"`     // targets that were there and right
	Evidence int              `json:"evidence"` // evidence files written
	Log      *LogResult       `json:"log,omitempty"`
	Changed  bool             `json:"changed"`  // something new is visible
	Foreign  []string         `json:"foreign"`  // files nobody named, left alone
	Warnings []string         `json:"warnings"` // what could not be had, and does not matter to others
}

// Sync brings a mirror up to date. When it fails, what was served before is served still; calling it again
// goes on where it stopped. One channel that can not be verified stops all of it, though a device that
// follows another channel could go on: users of this mirror are better served by something complete and
// a little older, and whoever wants the newest goes elsewhere.
func Sync(ctx context.Context, o Options) (Result, error) {
	d, unlock, err := open(o.Dir)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	s := &syncing{Options: o, directory: d, result: Result{Versions: map[string]int64{}, Foreign: []string{}, Warnings: []string{}}}
	err = s.run(ctx)
	if werr := d.writeStored(); err == nil && werr != nil {
		err = werr
	}
	return s.result, err
}

type syncing struct {
	Options
	*directory
	plan   plan
	policy genuine.Policy
	log    *logCopy // nil: the distribution has none
	result Result
}

// run is the order of the package comment.
func (s *syncing) run(ctx context.Context) error {
	if err := s.openLog(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{s.refresh, s.logHead, s.targets, s.evidence, s.logFiles, s.metadata} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	var err error
	s.result.Foreign, err = s.foreign(s.plan)
	if err == nil && s.log != nil && s.log.late != nil {
		err = fmt.Errorf("the log could not be copied, all else was: %w", s.log.late)
	}
	return err
}

// refresh verifies the newest metadata. Our state may now be newer than what we serve; a crash later on
// costs nothing, since the state keeps the very bytes.
func (s *syncing) refresh(ctx context.Context) error {
	c, err := client.Open(s.state("tuf"), s.Anchor.Root)
	if err != nil {
		return err
	}
	set, md, err := evidence.RefreshAll(ctx, c, s.Courier, s.Now())
	if err != nil {
		return err
	}
	first, err := rootVersion(s.Anchor.Root)
	if err != nil {
		return err
	}
	withdrawn, err := evidence.Withdrawn(ctx, set, s.Courier)
	if err != nil {
		return err
	}
	s.plan = planOf(s.Anchor, first, set, md, withdrawn)
	for _, r := range set.Roles() {
		s.result.Versions[r.Name] = r.Version
	}
	ts, _ := set.Role(trust.Timestamp)
	s.result.Expires = ts.Expires
	return nil
}

// targets stores what is missing. All is counted before anything is fetched, so that progress is honest.
func (s *syncing) targets(ctx context.Context) error {
	var missing []file
	var total int64
	for _, f := range s.plan.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		ok, err := s.has(f, s.Recheck)
		if err != nil {
			return err
		}
		if ok {
			s.result.Kept++
			continue
		}
		missing, total = append(missing, f), total+f.Length
	}
	if err := s.clearPartials(missing); err != nil {
		return err
	}
	var done int64
	for _, f := range missing {
		if err := s.store(ctx, f, done, total); err != nil {
			return err
		}
		done += f.Length
		s.result.Files, s.result.Bytes = s.result.Files+1, s.result.Bytes+f.Length
	}
	return nil
}

// store brings one target into its place.
func (s *syncing) store(ctx context.Context, f file, before, total int64) error {
	partial := s.state(filepath.Join("partial", hex256(f.SHA256)))
	err := s.Courier.Download(ctx, f.path, f.Length, f.SHA256, partial, func(done, _ int64) {
		if s.Progress != nil {
			s.Progress(Progress{f.Path, before + done, total})
		}
	})
	if err != nil {
		return err
	}
	if err := os.Chmod(partial, 0o644); err != nil { // the web server may be somebody else
		return err
	}
	if err := durable.MkdirAll(filepath.Dir(s.path(f.path)), 0o755); err != nil {
		return err
	}
	if err := durable.Rename(partial, s.path(f.path)); err != nil {
		return err
	}
	return s.note(f)
}

// clearPartials removes downloads of files that nobody wants any more.
func (s *syncing) clearPartials(missing []file) error {
	wanted := map[string]bool{}
	for _, f := range missing {
		wanted[hex256(f.SHA256)] = true
	}
	entries, err := os.ReadDir(s.state("partial"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !wanted[e.Name()] {
			if err := os.RemoveAll(s.state(filepath.Join("partial", e.Name()))); err != nil {
				return err
			}
		}
	}
	return nil
}

// evidence joins what the sources hold with what we have. A source that is away costs completeness only, so
// it is a warning; the next sync asks again.
func (s *syncing) evidence(ctx context.Context) error {
	if len(s.plan.files) == 0 || s.plan.files[0].Path != "policy.json" {
		s.result.Warnings = append(s.result.Warnings, "there is no policy.json, so no statements were copied")
		return nil
	}
	b, err := os.ReadFile(s.path(s.plan.files[0].path))
	if err != nil {
		return err
	}
	if s.policy, err = genuine.ParsePolicy(b); err != nil {
		s.result.Warnings = append(s.result.Warnings, err.Error()+"; no statements were copied")
		return nil
	}
	for _, r := range s.plan.releases {
		changed, err := s.statements(ctx, r)
		if err != nil {
			return err
		}
		if changed {
			s.result.Evidence++
			s.result.Changed = true
		}
	}
	return nil
}

// statements updates the evidence file of one release. What lies there already was verified when it was
// stored, perhaps under an older policy, and is kept; a file that does not parse is not ours and is replaced.
func (s *syncing) statements(ctx context.Context, r release) (changed bool, err error) {
	name := evidence.Path(r.sum)
	var have genuine.File
	if old, err := readSmall(s.path(name), genuine.MaxFile); err == nil {
		have, _ = genuine.ParseFile(old)
	}
	all, err := evidence.Gather(ctx, evidence.Wanted{Channel: r.channel, Version: r.version, Release: r.sum, Policy: s.policy, Anchor: s.Anchor}, have, s.Courier)
	if ctx.Err() != nil {
		return false, err
	}
	if err == nil && len(all.Statements) == 0 {
		err = errors.New("nobody has any")
	}
	if err != nil { // of the sources; one of our own disk comes below
		s.result.Warnings = append(s.result.Warnings, fmt.Sprintf("statements for %s: %v", r, err))
		return false, nil
	}
	b, err := all.Encode()
	if err != nil {
		return false, err
	}
	return s.put(name, b)
}

// metadata makes the new state visible: older roots for those who start there, then everything in the order
// of the plan, timestamp.json last.
func (s *syncing) metadata(ctx context.Context) error {
	if err := s.olderRoots(ctx); err != nil {
		return err
	}
	for _, m := range s.plan.metadata {
		if err := ctx.Err(); err != nil {
			return err
		}
		changed, err := s.put(m.path, m.data)
		if err != nil {
			return err
		}
		s.result.Changed = s.result.Changed || changed
	}
	return nil
}
