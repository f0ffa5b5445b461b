//go:build !unix

package log

import (
	"context"
	"errors"
)

// sequence needs a file system with POSIX locks and renames.
func (l *Log) sequence(context.Context, [][]byte) (uint64, error) {
	return 0, errors.New("a log can be written on Linux, macOS and other Unix systems only: run the publisher's room there")
}
