package main

import (
	"context"
	"fmt"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/audit"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/review"
)

// finishedReview is the JSON of --finish.
type finishedReview struct {
	Event    string          `json:"event"`
	Person   genuine.Person  `json:"person"`
	Verdict  string          `json:"verdict"`
	Coverage review.Coverage `json:"coverage"`
	Changes  string          `json:"changes"`
}

// finish shows what will be signed, asks, signs and hands in.
func (v *reviewView) finish(ctx context.Context, w audit.Words, yes bool) error {
	d, err := v.r.Draft(w)
	if err != nil {
		return finishHint(err, v.id.Short())
	}
	if !yes || !v.app.Quiet {
		fmt.Fprint(v.app.Err, d.Text())
	}
	if !yes {
		if err := ask(v.app, d.Statement.Verdict); err != nil {
			return err
		}
	}
	if err := v.r.Sign(ctx, d); err != nil {
		return cli.Hint(err, "to hand it in again: "+nextCommand("review --send", v.id.Short()))
	}
	out := finishedReview{v.id.String(), d.Person, d.Statement.Verdict, d.Coverage, fmt.Sprintf("%x", d.Statement.Changes)}
	return v.app.Print(out, fmt.Sprintf("%s: %s, stated by %s (%s)", v.title(), d.Statement.Verdict, d.Person, coverText(d.Coverage)))
}

func finishHint(err error, id string) error {
	return cli.Hint(err, "what is read: "+nextCommand("review --list", id), "what can be vouched for: countersign audit review --help")
}
