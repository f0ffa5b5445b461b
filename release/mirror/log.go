package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/tuf/fetch"
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

func (e *LogError) Error() string {
	text := "log: " + e.Why.Error()
	if len(e.Evidence) > 0 {
		text += "; our head and the refused one are kept in " + strings.Join(e.Evidence, ", ")
	}
	return text
}

func (e *LogError) Unwrap() error { return e.Why }

// Refused is true: heads were compared and do not fit.
func (e *LogError) Refused() bool { return true }

// ForkError says that two heads which enough witnesses cosigned are not of one log. Have is that of this mirror, or
// of another source.
type ForkError struct{ Have, Got proof.Head }

func (e *ForkError) Error() string {
	return fmt.Sprintf("it was forked: a head of %d entries, root %v, does not go with the head of %d entries, root %v, though witnesses cosigned both",
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
	heads  []signedHead // that sources have and that are believed, largest first
	head   proof.Head   // that is copied: the first of them
	raw    []byte       // its checkpoint; nil: there is nothing to copy
	tree   *tiles.Tree  // at head; nil until it is needed
	files  int          // stored now
	late   error        // what kept the log from being copied, and nothing else
}

// signedHead is a head with its checkpoint, and who has it.
type signedHead struct {
	proof.Head
	raw  []byte
	from *fetch.Courier // of one source; nil for the head we hold
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

// logHead finds the heads that sources have, and the largest that goes on from the one we hold, before anything of
// this sync is visible. That the log cannot be had keeps nothing else from being copied.
func (s *syncing) logHead(ctx context.Context) error {
	if s.log == nil {
		return nil
	}
	j := &judging{syncing: s}
	err := j.ask(ctx)
	if ctx.Err() != nil {
		return err
	}
	if j.forked || err != nil && len(j.refused) > 0 {
		return j.fail()
	}
	switch {
	case err == nil:
		s.log.heads = j.good
		return s.follow(ctx)
	case errors.Is(err, fs.ErrNotExist) && s.log.hadRaw == nil:
		s.result.Warnings = append(s.result.Warnings, "there is no log here yet, so none was copied")
	default:
		s.log.late = err
	}
	return nil
}

// follow chooses the largest head whose log can be opened, and verifies that all smaller ones, ours included, are
// of its log.
func (s *syncing) follow(ctx context.Context) error {
	l := s.log
	for l.raw = nil; l.raw == nil && len(l.heads) > 0; {
		l.head, l.raw, l.tree, l.late = l.heads[0].Head, l.heads[0].raw, nil, nil
		smaller := l.heads[1:]
		if l.hadRaw != nil && l.had.Size < l.head.Size { // of the same size it has the same root: see judge
			smaller = append(slices.Clone(smaller), signedHead{Head: l.had, raw: l.hadRaw})
		}
		for _, old := range smaller {
			if old.Size == l.head.Size {
				continue
			}
			if l.late = s.openTree(ctx); l.late == nil {
				l.late = l.tree.Extends(ctx, old.Head)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.Is(l.late, proof.ErrNotConsistent) {
				j := &judging{syncing: s}
				_ = j.refuse("fork", old.raw, l.raw, &ForkError{old.Head, l.head}) // which fail returns
				return j.fail()
			}
			if l.late != nil {
				l.raw, l.heads = nil, l.heads[1:]
				break
			}
		}
	}
	return nil
}

// openTree opens the log at the new head.
func (s *syncing) openTree(ctx context.Context) (err error) {
	if s.log.tree == nil {
		s.log.tree, err = tiles.Open(ctx, logSource{s, s.log.heads[0].from}, s.log.head)
	}
	return err
}
