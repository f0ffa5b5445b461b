package trust

import (
	"errors"
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

// engine is go-tuf's state machine. Nothing reaches it that the strict parser
// has not passed, and whatever it refuses is refused, whatever we found.
type engine struct {
	tm *trustedmetadata.TrustedMetadata
}

// guard turns a panic of the engine into a refusal. The strict parser keeps
// away the panics we know of; this is for those we do not.
func guard(role string, call func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &FormatError{Role: role, Reason: fmt.Sprintf("go-tuf panicked: %.200v", r)}
		}
	}()
	if err := call(); err != nil {
		return &FormatError{Role: role, Reason: fmt.Sprintf("go-tuf refuses it: %v", err)}
	}
	return nil
}

func (e *engine) start(root []byte) error {
	return guard(Root, func() (err error) {
		e.tm, err = trustedmetadata.New(root)
		return err
	})
}

// restart keeps the root and nothing else.
func (e *engine) restart() engine {
	return engine{&trustedmetadata.TrustedMetadata{Root: e.tm.Root, Targets: map[string]*metadata.Metadata[metadata.TargetsType]{}}}
}

// at sets the time expiry is judged by; the zero time judges nothing expired.
func (e *engine) at(now time.Time) { e.tm.RefTime = now.UTC() }

func (e *engine) root(b []byte) error {
	return guard(Root, func() error {
		_, err := e.tm.UpdateRoot(b)
		return err
	})
}

// timestamp and snapshot forgive an expired file: go-tuf remembers it against
// rollback and reports the expiry, which our own check has typed already.
func (e *engine) timestamp(b []byte) error {
	return guard(Timestamp, func() error {
		_, err := e.tm.UpdateTimestamp(b)
		return forgive(err, &metadata.ErrExpiredMetadata{})
	})
}

// snapshot with local set takes a file from our own disk, which may be an
// older one that only guards against rollback.
func (e *engine) snapshot(b []byte, local bool) error {
	return guard(Snapshot, func() error {
		_, err := e.tm.UpdateSnapshot(b, local)
		if local {
			err = forgive(err, &metadata.ErrBadVersionNumber{})
		}
		return forgive(err, &metadata.ErrExpiredMetadata{})
	})
}

func (e *engine) targets(b []byte, role, delegator string) error {
	return guard(role, func() error {
		_, err := e.tm.UpdateDelegatedTargets(b, role, delegator)
		return err
	})
}

// forgive drops err when it is of the type of kind.
func forgive[E error](err error, kind E) error {
	if errors.As(err, &kind) {
		return nil
	}
	return err
}
