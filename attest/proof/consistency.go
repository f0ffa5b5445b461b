package proof

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Conflicts reports whether two heads show that their log was forked: as many entries, another root.
// Heads of different sizes need CheckConsistency.
func (h Head) Conflicts(other Head) bool {
	return h.Origin == other.Origin && h.Size == other.Size && h.Root != other.Root
}

// CheckConsistency verifies that the log of the old head is the beginning of the log of the new one,
// by a consistency proof (RFC 6962 section 2.1.2). An error wraps ErrNotConsistent; the two signed
// checkpoints are then the evidence that the log was forked, if the proof is the log's own.
func CheckConsistency(old, new Head, hashes []Hash) error {
	switch {
	case old.Origin != new.Origin:
		return fmt.Errorf("%w: %q and %q", ErrOtherLog, old.Origin, new.Origin)
	case old.Size > new.Size || new.Size > MaxSize:
		return fmt.Errorf("%w: from %d entries to %d", ErrNotConsistent, old.Size, new.Size)
	case old.Size == new.Size || old.Size == 0:
		if len(hashes) > 0 || old.Size == new.Size && old.Root != new.Root || old.Size == 0 && old.Root != emptyRoot {
			return fmt.Errorf("%w: at %d entries", ErrNotConsistent, old.Size)
		}
		return nil
	}
	list := make(tlog.TreeProof, len(hashes))
	for i, h := range hashes {
		list[i] = tlog.Hash(h)
	}
	if err := tlog.CheckTree(list, int64(new.Size), tlog.Hash(new.Root), int64(old.Size), tlog.Hash(old.Root)); err != nil {
		return fmt.Errorf("%w: from %d entries to %d", ErrNotConsistent, old.Size, new.Size)
	}
	return nil
}
