package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// SourceError is what one source did wrong.
type SourceError struct {
	Source string
	Err    error
}

func (e SourceError) Error() string { return e.Source + ": " + e.Err.Error() }
func (e SourceError) Unwrap() error { return e.Err }

// Error says that no source gave the file, and why each did not. It is never a refusal: that every
// mirror is broken proves nothing about the release. errors.Is(err, fs.ErrNotExist) holds only when the
// file is known not to exist, by the rule in the package comment.
type Error struct {
	Path    string
	Sources []SourceError
}

func (e *Error) Error() string {
	if len(e.Sources) == 0 {
		return fmt.Sprintf("%s: no source to fetch from", e.Path)
	}
	var b strings.Builder
	b.WriteString(e.Path)
	if len(e.Sources) > 1 {
		fmt.Fprintf(&b, ": none of %d sources has it", len(e.Sources))
	}
	for i, s := range e.Sources {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		b.WriteString(s.Error())
	}
	return b.String()
}

// Is answers for the sources together: not existing must be shown by all, anything else by one.
func (e *Error) Is(target error) bool {
	absent, other := 0, false
	for _, s := range e.Sources {
		if errors.Is(s.Err, fs.ErrNotExist) {
			absent++
		} else if errors.Is(s.Err, target) {
			other = true
		}
	}
	if target == fs.ErrNotExist {
		return absent > 0 && (absent == len(e.Sources) || rootPath.MatchString(e.Path))
	}
	return other
}

// SlowError says that a source sent less than the floor.
type SlowError struct {
	Got    int64 // bytes that came during Window
	Window time.Duration
	Floor  int64 // bytes per second
}

func (e *SlowError) Error() string {
	return fmt.Sprintf("too slow: %d bytes in %v, want at least %d a second", e.Got, e.Window, e.Floor)
}

// errShare says that a source used up its share of the deadline.
var errShare = errors.New("too slow: its share of the deadline is used up")

// absent is a "not there" with the source's own words.
type absentError struct{ words string }

func (e absentError) Error() string        { return e.words }
func (e absentError) Is(target error) bool { return target == fs.ErrNotExist }

// LengthError says that a source announced or sent another length than the signed one, or than it
// announced itself, or more than the cap.
type LengthError struct {
	Got   int64
	Want  int64
	AtMax bool // Want is a cap
}

func (e *LengthError) Error() string {
	if e.AtMax {
		return fmt.Sprintf("longer than the %d bytes allowed", e.Want)
	}
	return fmt.Sprintf("%d bytes, want %d", e.Got, e.Want)
}

// SumError says that the bytes have another SHA-256 than the signed one.
type SumError struct{ Got, Want [32]byte }

func (e *SumError) Error() string { return fmt.Sprintf("sha256 %x, want %x", e.Got, e.Want) }

// cause prefers why a context was ended over the bare fact.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
