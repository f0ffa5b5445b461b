package mirror

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/fetch"
)

// judging sorts the heads that sources have.
type judging struct {
	*syncing
	good    []signedHead // largest first
	refused []refusal
	forked  bool
}

// refusal is a head that is not to be copied, and what it stands against.
type refusal struct {
	kind         string // "fork", "older" or "refused"
	ours, theirs []byte // checkpoints; ours may be nil
	why          error
}

// ask asks each source by itself. The error is nil when one has a head that is believed.
func (j *judging) ask(ctx context.Context) error {
	failure := &fetch.Error{Path: logDir + "/" + tiles.Checkpoint}
	for _, src := range j.Courier.Sources {
		c := &fetch.Courier{Sources: []fetch.Source{src}, MinRate: j.Courier.MinRate, Window: j.Courier.Window, Deadline: j.Courier.Deadline, Report: j.Courier.Report}
		_, err := c.FetchChecked(ctx, failure.Path, proof.MaxCheckpoint, func(b []byte) error { return j.judge(ctx, c, b) })
		var one *fetch.Error
		if errors.As(err, &one) {
			failure.Sources = append(failure.Sources, one.Sources...)
		} else if err != nil {
			return err
		}
	}
	if len(j.good) > 0 {
		return nil
	}
	return failure
}

// judge is asked about the head of one source after the other.
func (j *judging) judge(ctx context.Context, from *fetch.Courier, raw []byte) error {
	head, err := j.log.policy.Open(raw)
	if err != nil {
		return j.refuse("refused", j.log.hadRaw, raw, err)
	}
	known := slices.Clone(j.good)
	if j.log.hadRaw != nil {
		known = append(known, signedHead{Head: j.log.had, raw: j.log.hadRaw})
	}
	for _, k := range known {
		if head.Conflicts(k.Head) {
			return j.refuse("fork", k.raw, raw, &ForkError{k.Head, head})
		}
	}
	if had := j.log.had; j.log.hadRaw != nil && head.Size < had.Size {
		ours, err := tiles.Open(ctx, j.own(), had)
		if err == nil && errors.Is(ours.Extends(ctx, head), proof.ErrNotConsistent) {
			return j.refuse("fork", j.log.hadRaw, raw, &ForkError{had, head})
		}
		return j.refuse("older", j.log.hadRaw, raw, &OlderError{had, head})
	}
	j.good = append(j.good, signedHead{head, bytes.Clone(raw), from})
	slices.SortStableFunc(j.good, func(a, b signedHead) int { return cmp.Compare(b.Size, a.Size) })
	return nil
}

func (j *judging) refuse(kind string, ours, theirs []byte, why error) error {
	j.refused = append(j.refused, refusal{kind, bytes.Clone(ours), bytes.Clone(theirs), why})
	j.forked = j.forked || kind == "fork"
	return why
}

// Bounds on the evidence that is kept. A fork needs the signatures of a quorum; the others anybody can send.
const (
	maxStrange = 16
	maxForks   = 1 << 10
)

// fail keeps the evidence and returns what was refused. A fork is told, whatever else there is.
func (j *judging) fail() error {
	e := &LogError{Why: j.refused[0].why}
	for _, r := range j.refused {
		if r.kind == "fork" {
			e.Why = r.why
		}
		path, err := j.keep(r)
		if err != nil {
			return errors.Join(e, err)
		}
		if path != "" && !slices.Contains(e.Evidence, path) {
			e.Evidence = append(e.Evidence, path)
		}
	}
	return e
}

// keep writes both checkpoints into a file, ours first, and returns its path: "" when there are many.
func (j *judging) keep(r refusal) (string, error) {
	name := r.kind
	if head, err := proof.UnverifiedHead(r.theirs); err == nil {
		name = fmt.Sprintf("%s-%d-%x", r.kind, head.Size, head.Root[:])
	}
	path := j.state("evidence/" + name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	entries, err := os.ReadDir(j.state("evidence"))
	if err != nil {
		return "", err
	}
	n, most := 0, maxStrange
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), r.kind) {
			n++
		}
	}
	if r.kind == "fork" {
		most = maxForks
	}
	if n >= most {
		return "", nil
	}
	both := append(append([]byte(nil), r.ours...), '\n')
	return path, durable.WriteFile(path, append(both, r.theirs...), 0o644)
}
