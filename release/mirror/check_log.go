package mirror

import (
	"context"
	"errors"
	"io/fs"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/tiles"
)

// log looks at the log of one mirror: its head, its right edge and its last entries, or with Deep all of it.
func (o CheckOptions) log(ctx context.Context, p Place, s *Status) {
	if len(o.Anchor.LogPolicy) == 0 {
		return // there is no log to believe
	}
	policy, err := proof.ParsePolicy(o.Anchor.LogPolicy)
	if err != nil {
		s.problem(Unreachable, "%v", err)
		return
	}
	for try := 1; ; try++ {
		err := o.readLog(ctx, tiles.Under(logDir, o.courier(p)), policy, s)
		if err == nil {
			return
		}
		if errors.Is(err, fs.ErrNotExist) && s.tree != nil && try < maxTries {
			s.Log, s.tree = nil, nil // it grew in the meantime, perhaps
			continue
		}
		state := blame(err)
		if errors.Is(err, tiles.ErrCorrupt) {
			state = Lies
		}
		s.problem(state, "log: %v", err)
		return
	}
}

func (o CheckOptions) readLog(ctx context.Context, src tiles.Source, policy proof.Policy, s *Status) error {
	// Any bytes are taken at first: that a head does not hold is to be told as that.
	raw, err := src.FetchChecked(ctx, tiles.Checkpoint, proof.MaxCheckpoint, func([]byte) error { return nil })
	if err != nil {
		return err
	}
	head, err := policy.Open(raw)
	if err != nil {
		return wrongHead{err}
	}
	if s.tree, err = tiles.Open(ctx, src, head); err != nil {
		return err
	}
	s.Log = &head
	from := head.Size - min(head.Size, 1)
	if o.Deep {
		from = 0
	}
	for f := range tiles.FilesFromTop(from, head.Size) {
		if _, err := s.tree.File(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// wrongHead is a checkpoint that the policy does not believe.
type wrongHead struct{ error }

func (wrongHead) Refused() bool { return true }

// compareLogs holds each log against every other: of two heads, the smaller must be the beginning of the larger.
func compareLogs(ctx context.Context, list []Status) {
	var most uint64
	for i := range list {
		for j := range list {
			a, b := &list[i], &list[j]
			if a.Log == nil || b.Log == nil || a.Log.Size < b.Log.Size || a.Log.Size == b.Log.Size && i <= j {
				continue
			}
			if err := a.tree.Extends(ctx, *b.Log); errors.Is(err, proof.ErrNotConsistent) {
				for _, x := range []struct{ s, other *Status }{{a, b}, {b, a}} {
					x.s.problem(Forks, "log: forked: its head of %d entries, root %v, and that of %s, %d entries, root %v, are not of one log",
						x.s.Log.Size, x.s.Log.Root, x.other.Source, x.other.Log.Size, x.other.Log.Root)
				}
			}
		}
	}
	for _, s := range list {
		if s.Log != nil && s.State != Lies && s.State != Forks {
			most = max(most, s.Log.Size)
		}
	}
	for i := range list {
		if s := &list[i]; s.Log != nil && s.Log.Size < most {
			s.problem(Lags, "log: %d entries, others have %d", s.Log.Size, most)
		}
	}
}
