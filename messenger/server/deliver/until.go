package deliver

import (
	"context"
	"time"
)

// until is a context that ends when the channel is closed, and has nothing else: each connected device has one, and the usual kind takes four
// times the memory.
type until chan struct{}

// Deadline implements context.Context.
func (u until) Deadline() (at time.Time, ok bool) { return at, false }

// Done implements context.Context.
func (u until) Done() <-chan struct{} { return u }

// Err implements context.Context.
func (u until) Err() error {
	if isClosed(u) {
		return context.Canceled
	}
	return nil
}

// Value implements context.Context.
func (u until) Value(any) any { return nil }
