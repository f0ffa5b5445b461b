package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// Fetch returns the file path, at most max bytes, from the first source that has it. The bytes are
// whatever that source sent: nothing about them was checked. When they turn out to be wrong, say so with
// Reject and fetch again.
func (c *Courier) Fetch(ctx context.Context, path string, max int64) ([]byte, error) {
	return c.fetch(ctx, path, max, nil)
}

// FetchChecked returns the file path from the first source whose bytes check accepts.
func (c *Courier) FetchChecked(ctx context.Context, path string, max int64, check func([]byte) error) ([]byte, error) {
	return c.fetch(ctx, path, max, check)
}

// FetchSum returns the file path of exactly this length and SHA-256, held in memory.
func (c *Courier) FetchSum(ctx context.Context, path string, length int64, sum [32]byte) ([]byte, error) {
	return c.fetch(ctx, path, length, func(b []byte) error {
		if int64(len(b)) != length {
			return &LengthError{Got: int64(len(b)), Want: length}
		}
		if got := sha256.Sum256(b); got != sum {
			return &SumError{got, sum}
		}
		return nil
	})
}

func (c *Courier) fetch(ctx context.Context, path string, max int64, check func([]byte) error) ([]byte, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	left := c.budget()
	ask, refused := c.order(path)
	failure := &Error{Path: path}
	for n, i := range ask {
		b, err := c.read(ctx, i, path, max, left.share(len(ask)-n))
		if err == nil && check != nil {
			err = check(b)
		}
		if err == nil {
			c.remember(path, i)
			c.report(Event{Kind: Served, Source: c.Sources[i].String(), Path: path, Done: int64(len(b))})
			return b, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w", path, context.Cause(ctx)) // the caller's wish, nobody's fault
		}
		c.fault(failure, i, err, 0)
	}
	failure.Sources = append(failure.Sources, refused...)
	return nil, failure
}

// fault notes that source i did not give the file.
func (c *Courier) fault(failure *Error, i int, err error, done int64) {
	name := c.Sources[i].String()
	failure.Sources = append(failure.Sources, SourceError{name, err})
	kind := Absent
	if !errors.Is(err, fs.ErrNotExist) {
		kind = Failed
		c.blame(i)
	}
	c.report(Event{Kind: kind, Source: name, Path: failure.Path, Done: done, Err: err})
}

// remember keeps who served path, for Reject.
func (c *Courier) remember(path string, i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.servedBy == nil {
		c.servedBy = map[string]int{}
	}
	c.servedBy[path] = i
}

// read makes one attempt at one source.
func (c *Courier) read(ctx context.Context, i int, path string, limit int64, share time.Duration) ([]byte, error) {
	w := c.watch(ctx, share)
	defer w.stop()
	body, size, start, err := c.Sources[i].Open(w.ctx, path, 0)
	if err != nil {
		return nil, cause(w.ctx, err)
	}
	r := w.body(body)
	defer r.Close()
	if start != 0 {
		return nil, fmt.Errorf("begins at byte %d, want 0", start)
	}
	if size > limit {
		return nil, &LengthError{Got: size, Want: limit, AtMax: true}
	}
	// ReadAll grows with what really comes, so a source can not make us allocate by announcing.
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(b)) > limit:
		return nil, &LengthError{Got: int64(len(b)), Want: limit, AtMax: true}
	case size >= 0 && int64(len(b)) != size:
		return nil, &LengthError{Got: int64(len(b)), Want: size}
	}
	return b, nil
}
