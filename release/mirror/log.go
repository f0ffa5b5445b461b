package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/tuf/durable"
)

// headFile is the newest checkpoint whose log this mirror holds, as it remembers it: whatever happens to the
// folder that is served, the log never goes back.
const headFile = "log-head"

// LogResult is the public log as a mirror holds it.
type LogResult struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`  // number of entries
	Files  int    `json:"files"` // of the log, stored now
}

// LogError says that no source has a head of the log to go on with. What the mirror holds was left as it is.
type LogError struct {
	Why      error
	Evidence []string // files that keep our head and the refused one beside each other
}

func (e *LogError) Error() string { return "log: " + e.Why.Error() }
func (e *LogError) Unwrap() error { return e.Why }

// Refused is true: heads were compared and do not fit.
func (e *LogError) Refused() bool { return true }

// ForkError says that a head which enough witnesses cosigned is not of the log that this mirror holds.
type ForkError struct{ Have, Got proof.Head }

func (e *ForkError) Error() string {
	return fmt.Sprintf("it was forked: a head of %d entries, root %v, does not go with the head of %d entries, root %v, that this mirror holds",
		e.Got.Size, e.Got.Root, e.Have.Size, e.Have.Root)
}

// OlderError says that a source has less of the log than this mirror.
type OlderError struct{ Have, Got proof.Head }

func (e *OlderError) Error() string {
	return fmt.Sprintf("a head of %d entries, and this mirror holds %d: the source lags, or the log went back", e.Got.Size, e.Have.Size)
}

// logCopy is the log in one sync.
type logCopy struct {
	policy proof.Policy
	had    proof.Head // whose log is held already; Size 0 at first
	hadRaw []byte
	head   proof.Head  // that is copied
	raw    []byte      // its checkpoint; nil: there is nothing to copy
	tree   *tiles.Tree // at head; nil until it is needed
	files  int         // stored now
	late   error       // what kept the log from being copied, and nothing else
}

// openLog reads the policy of the log and what is remembered of it. Without a policy in the anchor there is no
// log to believe, and none is copied.
func (s *syncing) openLog() error {
	if len(s.Anchor.LogPolicy) == 0 {
		return nil
	}
	policy, err := proof.ParsePolicy(s.Anchor.LogPolicy)
	if err != nil {
		return err
	}
	s.log = &logCopy{policy: policy}
	raw, err := readSmall(s.state(headFile), proof.MaxCheckpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// It was verified before it was written, perhaps by a policy of former days. A damaged one must stop us:
	// going on would be to forget.
	head, err := proof.UnverifiedHead(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", s.state(headFile), err)
	}
	if head.Origin == policy.Origin() { // else the distribution began another log
		s.log.had, s.log.hadRaw = head, raw
	}
	return nil
}

// logHead finds a newest head that the policy believes and that goes on from the one we hold, before anything of
// this sync is visible. That the log cannot be had keeps nothing else from being copied.
func (s *syncing) logHead(ctx context.Context) error {
	if s.log == nil {
		return nil
	}
	j := &judging{syncing: s}
	raw, err := s.Courier.FetchChecked(ctx, logDir+"/"+tiles.Checkpoint, proof.MaxCheckpoint, func(b []byte) error { return j.judge(ctx, b) })
	if ctx.Err() != nil {
		return err
	}
	if no := j.failed(); no != nil && (err != nil || errors.As(no.Why, new(*ForkError))) {
		return no
	}
	switch {
	case err == nil:
		return s.follow(ctx, raw)
	case errors.Is(err, fs.ErrNotExist) && s.log.hadRaw == nil:
		s.result.Warnings = append(s.result.Warnings, "there is no log here yet, so none was copied")
	default:
		s.log.late = err
	}
	return nil
}

// follow verifies that the log we hold is the beginning of the one at a head.
func (s *syncing) follow(ctx context.Context, raw []byte) (err error) {
	l := s.log
	l.raw = raw
	if l.head, err = l.policy.Open(raw); err != nil {
		return err
	}
	if l.hadRaw == nil || l.head.Size == l.had.Size { // with the same root: see judge
		return nil
	}
	if err = s.openTree(ctx); err == nil {
		err = l.tree.Extends(ctx, l.had)
	}
	switch {
	case ctx.Err() != nil:
		return err
	case errors.Is(err, proof.ErrNotConsistent):
		j := &judging{syncing: s}
		_ = j.refuse("fork", raw, &ForkError{l.had, l.head}) // which failed returns
		return j.failed()
	case err != nil:
		l.late, l.raw = err, nil
	}
	return nil
}

// openTree opens the log at the new head.
func (s *syncing) openTree(ctx context.Context) (err error) {
	if s.log.tree == nil {
		s.log.tree, err = tiles.Open(ctx, ownFirst{s}, s.log.head)
	}
	return err
}

// judging refuses heads, and keeps what they stand against.
type judging struct {
	*syncing
	why      error
	evidence []string
}

// judge is asked about the head of one source after the other.
func (j *judging) judge(ctx context.Context, raw []byte) error {
	head, err := j.log.policy.Open(raw)
	had := j.log.had
	switch {
	case err != nil:
		return j.refuse("refused", raw, err)
	case j.log.hadRaw == nil:
		return nil
	case head.Conflicts(had):
		return j.refuse("fork", raw, &ForkError{had, head})
	case head.Size < had.Size:
		ours, err := tiles.Open(ctx, j.own(), had)
		if err == nil && errors.Is(ours.Extends(ctx, head), proof.ErrNotConsistent) {
			return j.refuse("fork", raw, &ForkError{had, head})
		}
		return j.refuse("older", raw, &OlderError{had, head})
	}
	return nil
}

// Bounds on the evidence that is kept. A fork needs the signatures of a quorum; the others anybody can send.
const (
	maxStrange = 16
	maxForks   = 1 << 10
)

// refuse keeps our checkpoint and the refused one in a file. A fork is the error that is told, whatever else
// other sources have.
func (j *judging) refuse(kind string, raw []byte, why error) error {
	if j.why == nil || kind == "fork" {
		j.why = why
	}
	name := kind
	if head, err := proof.UnverifiedHead(raw); err == nil {
		name = fmt.Sprintf("%s-%d-%x", kind, head.Size, head.Root[:])
	}
	most := maxStrange
	if kind == "fork" {
		most = maxForks
	}
	path := j.state("evidence/" + name)
	if _, err := os.Stat(path); err == nil {
		j.evidence = append(j.evidence, path)
		return why
	}
	entries, err := os.ReadDir(j.state("evidence"))
	if err != nil {
		return errors.Join(why, err)
	}
	n := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), kind) {
			n++
		}
	}
	if n >= most {
		return why
	}
	both := append(append([]byte(nil), j.log.hadRaw...), '\n')
	if err := durable.WriteFile(path, append(both, raw...), 0o644); err != nil {
		return errors.Join(why, err)
	}
	j.evidence = append(j.evidence, path)
	return why
}

// failed is what was refused, or nil.
func (j *judging) failed() *LogError {
	if j.why == nil {
		return nil
	}
	return &LogError{j.why, j.evidence}
}
