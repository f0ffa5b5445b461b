package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// awaitHistory waits for a history that is being taken over, since it is this command that does it where no daemon runs: as long as there is progress, and
// without any for no longer than the timeout. Cut off, it goes on the next time.
func (p *place) awaitHistory(ctx context.Context, c *rpc.Client, timeout time.Duration, told *notices) error {
	comes := func() (bool, error) {
		var status rpc.Status
		err := c.Call(ctx, "status", nil, &status)
		return status.TakingOver != nil && status.TakingOver.What == client.TakingOver, err
	}
	if is, err := comes(); err != nil || !is || p.daemonRuns(ctx) {
		return err
	}
	p.app.Say("The history of the first device is taken over. If you stop here, it goes on when the messenger runs the next time.")
	b := &bars{app: p.app}
	defer b.end()
	quiet := time.NewTimer(timeout)
	defer quiet.Stop()
	for {
		select {
		case n, ok := <-c.Notifications():
			if !ok {
				return rpc.ErrEnded
			}
			var e client.Event
			if told.hear(n) || n.Method != "event" || json.Unmarshal(n.Params, &e) != nil || e.Type != client.EventHistory || e.Progress == nil {
				continue
			}
			b.show(*e.Progress)
			quiet.Reset(timeout)
		case <-quiet.C:
			p.app.Say("the history did not come on for %v; it does when the messenger runs the next time", timeout)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
		if is, err := comes(); err != nil || !is {
			return err
		}
	}
}
