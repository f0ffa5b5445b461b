package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrTooLarge says that a body was longer than the limit.
var ErrTooLarge = errors.New("the body is too large")

// maxList bounds every list in a body: prekeys come by the hundred, contacts by the thousand.
const maxList = 50_000

// checked is what types with lists implement.
type checked interface{ lists() []int }

// Decode reads one JSON value of at most limit bytes into v, and nothing behind it.
func Decode(r io.Reader, limit int64, v any) error {
	b, err := read(r, limit)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("the body is not the JSON wanted here: %v", err)
	}
	if c, ok := v.(checked); ok {
		for _, n := range c.lists() {
			if n > maxList {
				return fmt.Errorf("%w: a list of %d, want at most %d", ErrTooLarge, n, maxList)
			}
		}
	}
	return nil
}

// read reads everything. What lies in memory already is not copied: reading JSON changes nothing, and keeps nothing of it.
func read(r io.Reader, limit int64) (b []byte, err error) {
	if in, ok := r.(interface{ Bytes() []byte }); ok {
		b = in.Bytes()
	} else if b, err = io.ReadAll(io.LimitReader(r, limit+1)); err != nil {
		return nil, fmt.Errorf("the body ended early: %v", err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: want at most %d bytes", ErrTooLarge, limit)
	}
	return b, nil
}
