package cli

import (
	"errors"
	"fmt"
)

// Exit codes, the same in every program. Refused and could-not-tell never share one.
const (
	ExitDone    = 0 // done, or genuine
	ExitRefused = 1 // refused: something was checked and found wrong
	ExitUsage   = 2 // the command line or a configuration file is wrong
	ExitUnknown = 3 // could not tell: network, disk, a peer
)

// ExitHelp ends the long help of every command that judges something.
const ExitHelp = "Exit codes: 0 done or genuine, 1 refused, 2 wrong usage, 3 could not tell."

// refuser is what errors of the library packages implement when they mean "checked and found wrong".
type refuser interface{ Refused() bool }

// misuser is what errors from elsewhere implement when they mean that what was asked for is wrong.
type misuser interface{ Usage() bool }

// usageError is a wrong command line or configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }
func (e usageError) Usage() bool   { return true }

// Usagef says that the person used the command wrongly: exit code 2.
func Usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

type refusal struct{ error }

func (e refusal) Unwrap() error { return e.error }
func (e refusal) Refused() bool { return true }

// Refusef says that something was checked and found wrong: exit code 1.
func Refusef(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// hinted carries lines that tell the person what to do next.
type hinted struct {
	error
	hints []string
}

func (e hinted) Unwrap() error { return e.error }

// Hint adds lines a person can act on; they are printed below the error.
func Hint(err error, hints ...string) error {
	if err == nil {
		return nil
	}
	return hinted{err, hints}
}

// Code returns the exit code of an error: an error that says it is a refusal is 1, a usage error 2,
// and all else is 3, since nothing was shown to be wrong.
func Code(err error) int {
	var r refuser
	var u misuser
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &u) && u.Usage():
		return ExitUsage
	case errors.As(err, &r) && r.Refused():
		return ExitRefused
	}
	return ExitUnknown
}
