package client

import (
	"context"
	"errors"

	"github.com/countersign-project/countersign/tuf/trust"
)

// Find looks a target up in the Set of the last Refresh, fetching delegated
// roles on the way as a standard client does (5.6.7).
func (c *Client) Find(ctx context.Context, courier Courier, target string) (trust.Target, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		return trust.Target{}, errors.New("internal error: Find before Refresh")
	}
	unlock, err := c.await(ctx)
	if err != nil {
		return trust.Target{}, err
	}
	defer unlock()
	w := c.walk(ctx, courier, nil)
	w.set, w.seen = c.current, c.seen.clone()
	for {
		t, err := w.set.Target(target)
		var missing *trust.Missing
		if !errors.As(err, &missing) {
			if werr := w.remember(); err == nil {
				err = werr
			}
			return t, err
		}
		if _, err := w.delegated(missing.Role, missing.Delegator); err != nil {
			return trust.Target{}, err
		}
	}
}
