package client

import (
	"context"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
)

// passage is one pass through the outbox.
type passage struct {
	stuck   map[string]string // who cannot be given anything now, and why if the person has to decide
	decided int64             // so many decisions of the person's there were when it began
}

// overtaken tells whether the person has decided something since the pass began: then it holds nothing back on what it has seen before, and what it leaves
// is tried once more.
func (p *passage) overtaken(c *change) bool {
	if c.a.decisions == p.decided {
		return false
	}
	c.send = true
	return true
}

// pass tries everything that is queued once, in order; who cannot be given one thing now is not given later things before it. It returns
// when somebody who has to wait may be tried again, 0 if nobody has to, and an error if the server cannot be reached at all. One pass waits for another:
// two would send everything twice, and the second would miss the files that the first has uploaded.
func (a *Account) pass(ctx context.Context) (next int64, err error) {
	select {
	case a.passing <- struct{}{}:
		defer func() { <-a.passing }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	p := &passage{stuck: map[string]string{}}
	if err := a.store.Update(ctx, func(*store.Tx) error { p.decided = a.decisions; return nil }); err != nil {
		return 0, err
	}
	jobs, err := a.jobs(ctx)
	if err != nil {
		return 0, err
	}
	for _, j := range jobs {
		j, there, err := a.job(ctx, j.ID) // as it is by now: while another was sent it may have been taken back, or let go
		if err == nil && there {
			err = a.work(ctx, j, p)
		}
		if err != nil {
			return 0, err
		}
	}
	jobs, err = a.jobs(ctx)
	a.noteWaiting(jobs, a.World.Now().UnixMilli())
	for _, j := range jobs {
		for _, at := range j.Wait {
			if next == 0 || at < next {
				next = at
			}
		}
	}
	return next, err
}

// hold keeps a job back for the reason that keeps an earlier one back.
func (a *Account) hold(ctx context.Context, j job, name, why string, p *passage) error {
	return a.change(ctx, func(c *change) error {
		if p.overtaken(c) {
			return nil
		}
		if now, err := c.addressee(j.ID, name); err != nil || now != name {
			c.send = true
			return err
		}
		err := c.changeJob(j.ID, func(j *job) error { put(&j.Held, name, why); return nil })
		if err != nil || j.Message == 0 {
			return err
		}
		return c.delivered(j.Message, name, history.Delivery{State: history.Failed, Why: why, When: c.now, Held: true})
	})
}
