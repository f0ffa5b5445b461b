package fetch

import (
	"context"
	"fmt"
)

// FetchEach is for files that differ honestly from source to source, such as collected statements, of
// which the union is wanted: one mirror that leaves something out shall not hide it. Every source that
// did not misbehave is asked; those that did are asked only while take has not said that it has enough.
// An error of take counts against the source. The result is nil when at least one source gave the file;
// what the others did goes to Report.
func (c *Courier) FetchEach(ctx context.Context, path string, max int64, take func([]byte) (enough bool, err error)) error {
	if err := checkPath(path); err != nil {
		return err
	}
	left := c.budget()
	ask, _ := c.order(path)
	failure := &Error{Path: path}
	blamed := c.blamed()
	given, enough := false, false
	for n, i := range ask {
		if enough && blamed[i] {
			continue
		}
		b, err := c.read(ctx, i, path, max, left.share(len(ask)-n))
		if err == nil {
			enough, err = take(b)
		}
		if err == nil {
			given = true
			c.report(Event{Kind: Served, Source: c.Sources[i].String(), Path: path, Done: int64(len(b))})
			continue
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", path, context.Cause(ctx))
		}
		c.fault(failure, i, err, 0)
	}
	if given {
		return nil
	}
	return failure
}

// blamed returns the sources that misbehaved before.
func (c *Courier) blamed() map[int]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := map[int]bool{}
	for _, i := range c.bad {
		m[i] = true
	}
	return m
}
