package update

import (
	"errors"
	"fmt"

	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/fetch"
)

// refusedError is a check that found something wrong.
type refusedError struct{ error }

func (e refusedError) Refused() bool { return true }
func (e refusedError) Unwrap() error { return e.error }

func refusef(format string, args ...any) error { return refusedError{fmt.Errorf(format, args...)} }

// refused reports whether an error means "checked and found wrong".
func refused(err error) bool {
	var r interface{ Refused() bool }
	return errors.As(err, &r) && r.Refused()
}

// otherBytes makes a refusal of an error in which some mirror offered bytes of another hash, although
// others may only have been away: what was shown must not hide behind what could not be.
func otherBytes(err error) error {
	var none *fetch.Error
	if !errors.As(err, &none) {
		return err
	}
	for _, s := range none.Sources {
		var other *fetch.SumError
		if errors.As(s.Err, &other) {
			return refusedError{fmt.Errorf("these are not the bytes the auditors signed: %w", err)}
		}
	}
	return err
}

// noting is a courier that remembers what metadata was refused on the way, for the same reason.
type noting struct {
	Courier
	refused error // the last refusal
}

// Reject passes the judgement on to a courier with several mirrors.
func (n *noting) Reject(path string, why error) bool {
	if refused(why) {
		n.refused = why
	}
	r, ok := n.Courier.(client.Rejecter)
	return ok && r.Reject(path, why)
}

// sharpen makes the refusal the error when the courier found nothing better afterwards.
func (n *noting) sharpen(err error) error {
	if err == nil || n.refused == nil || refused(err) {
		return err
	}
	return fmt.Errorf("%w; and no other mirror has a better one: %v", n.refused, err)
}
