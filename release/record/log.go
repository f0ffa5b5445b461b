package record

import (
	"context"
	"errors"
	"io/fs"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/tiles"
)

// log reads the newest head of the log. Without a log policy in the anchor there is none to believe, and
// nothing is shown.
func (s Source) log(ctx context.Context) *Log {
	if len(s.Anchor.LogPolicy) == 0 {
		return nil
	}
	policy, err := proof.ParsePolicy(s.Anchor.LogPolicy)
	if err != nil {
		return &Log{Problem: "the log's policy: " + err.Error()}
	}
	l := &Log{Origin: policy.Origin()}
	_, head, err := tiles.Newest(ctx, tiles.Under("log", s.Courier), policy)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.Problem = "there is no head of the log here"
	case err != nil:
		l.Problem = err.Error()
	default:
		l.Size, l.Root = head.Size, head.Root.String()
	}
	for _, w := range policy.Witnesses() {
		witness := Witness{Name: w.Name, Key: w.Key.String()}
		for _, c := range head.Witnesses {
			if c.Key == witness.Key {
				witness.Time = c.Time
			}
		}
		l.Witnesses = append(l.Witnesses, witness)
	}
	return l
}
