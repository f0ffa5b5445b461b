package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/countersign-project/countersign/release/event"
)

// Refreshed says what Refresh did.
type Refreshed struct {
	Snapshot  int64 `json:"snapshot,omitempty"`  // new version, 0 when the old one stays
	Timestamp int64 `json:"timestamp,omitempty"` // new version, 0 when the old one stays
}

// Refresh signs snapshot and timestamp again when half of their life is over; with force, both at once.
// It changes nothing that people signed.
func (r *Repository) Refresh(ctx context.Context, now time.Time, x event.Expiry, force bool) (Refreshed, error) {
	if s, err := r.Load(); err == nil && !force && s.Pending == nil && (s.Empty() || !s.halfOver("snapshot", now) && !s.halfOver("timestamp", now)) {
		return Refreshed{}, nil // nothing is due, which needs no lock
	}
	unlock, err := r.lock(ctx)
	if err != nil {
		return Refreshed{}, err
	}
	defer unlock()
	s, err := r.Load()
	if err != nil || s.Empty() {
		return Refreshed{}, err
	}
	if s.Pending != nil {
		return Refreshed{}, s.Pending
	}
	if err := clockBack(s, now); err != nil {
		return Refreshed{}, err
	}
	snapshot, timestamp := force || s.halfOver("snapshot", now), force || s.halfOver("timestamp", now)
	if !snapshot && !timestamp {
		return Refreshed{}, nil
	}
	b := s.Base
	if err := r.online(&b, s.Published.Versions, !snapshot, now, x); err != nil {
		return Refreshed{}, err
	}
	if _, err := b.Verify(nil); err != nil {
		return Refreshed{}, fmt.Errorf("what was just signed does not hold: %w", err)
	}
	out := Refreshed{Timestamp: s.Published.Versions["timestamp"] + 1}
	if snapshot {
		out.Snapshot = s.Published.Versions["snapshot"] + 1
		if err := r.writeMetadata("snapshot", out.Snapshot, b.Snapshot); err != nil {
			return Refreshed{}, err
		}
	}
	return out, r.disk().WriteFile(r.path("metadata/timestamp.json"), b.Timestamp)
}

func (s State) halfOver(role string, now time.Time) bool {
	x, ok := s.Set.Role(role)
	return !ok || x.Expires.Sub(now) <= x.Expires.Sub(x.Made)/2
}

// ExpiryOf finds out how long snapshot and timestamp should live: it is in the distribution.toml of the
// event the served targets came from. Where that event is gone, the defaults hold.
func ExpiryOf(ctx context.Context, events event.Store, p event.Published) (event.Expiry, error) {
	file, err := DistributionOf(ctx, events, p)
	if errors.Is(err, event.ErrNoEvent) || errors.Is(err, fs.ErrNotExist) {
		return event.DefaultExpiry(), nil
	}
	if err != nil {
		return event.Expiry{}, err
	}
	d, err := event.ParseDistribution(file)
	return d.Expiry, err
}

// DistributionOf returns the distribution.toml the served targets were made from, checked against the id
// of its event, which is in the signed targets.
func DistributionOf(ctx context.Context, events event.Store, p event.Published) ([]byte, error) {
	id, err := event.ParseID(p.Events["targets"])
	if err != nil {
		return nil, event.ErrNoEvent
	}
	e, err := event.Load(ctx, events, id)
	if err != nil {
		return nil, err
	}
	return e.Distribution, nil
}
