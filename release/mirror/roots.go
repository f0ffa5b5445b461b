package mirror

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/countersign-project/countersign/tuf/trust"
)

// rootVersion reads the version of a root that is trusted.
func rootVersion(root []byte) (int64, error) {
	set, err := trust.New(root, trust.Strict, time.Time{})
	if err != nil {
		return 0, err
	}
	r, _ := set.Role(trust.Root)
	return r.Version, nil
}

// olderRoots copies the roots before our anchor, for programs that embed an older one. Our anchor can not
// vouch for its predecessors by signature, but a predecessor proves itself: its keys must have signed the
// next root, whose bytes we know. So the chain is followed downwards from the anchor. A root nobody has is
// the end of it, and harms only programs older than that.
func (s *syncing) olderRoots(ctx context.Context) error {
	next := s.Anchor.Root
	version, err := rootVersion(next)
	if err != nil {
		return err
	}
	for version--; version >= 1; version-- {
		name := fmt.Sprintf("metadata/%d.root.json", version)
		leads := func(b []byte) error { return leadsTo(b, version, next) }
		b, err := readSmall(s.path(name), trust.MaxRoot)
		if err != nil || leads(b) != nil {
			b, err = s.Courier.FetchChecked(ctx, name, trust.MaxRoot, leads)
		}
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			s.result.Warnings = append(s.result.Warnings, fmt.Sprintf("older roots: %v", err))
			return nil
		}
		if _, err := s.put(name, b); err != nil {
			return err
		}
		next = b
	}
	return nil
}

// leadsTo reports whether b is the root of that version and its successor is next.
func leadsTo(b []byte, version int64, next []byte) error {
	set, err := trust.New(b, trust.Strict, time.Time{})
	if err != nil {
		return err
	}
	if r, _ := set.Role(trust.Root); r.Version != version {
		return fmt.Errorf("root version %d, want %d", r.Version, version)
	}
	return set.UpdateRoot(next)
}

// readSmall reads a file of at most max bytes.
func readSmall(path string, max int64) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > max {
		return nil, fmt.Errorf("%s: is not a regular file of at most %d bytes", path, max)
	}
	return os.ReadFile(path)
}
