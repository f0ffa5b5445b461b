package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/repo"
	"github.com/countersign-project/countersign/tuf/trust"
)

// PublishedAt reads what a repository serves: by role, the version and the event it came from. It is
// verified from the repository's own first root, so it is consistent and says nothing about whose it is;
// an event's base is judged by Check, and a false answer here can at worst make this auditor leave an
// event unsigned. A repository in which nothing is published yet gives the zero value.
func PublishedAt(ctx context.Context, courier client.Courier) (event.Published, error) {
	first, err := courier.Fetch(ctx, "metadata/1.root.json", trust.MaxRoot)
	if errors.Is(err, fs.ErrNotExist) {
		return event.Published{}, nil
	}
	if err != nil {
		return event.Published{}, err
	}
	var m trust.Metadata
	for v := int64(2); v <= trust.MaxRootSteps; v++ {
		b, err := courier.Fetch(ctx, fmt.Sprintf("metadata/%d.root.json", v), trust.MaxRoot)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return event.Published{}, err
		}
		m.Roots = append(m.Roots, b)
	}
	if err := fetchRoles(ctx, courier, &m); err != nil {
		return event.Published{}, err
	}
	set, err := trust.Verify(first, m, time.Time{}) // an expired repository still tells what it has
	if err != nil {
		return event.Published{}, fmt.Errorf("repository: %w", err)
	}
	return event.PublishedFrom(set), nil
}

// fetchRoles follows the timestamp to every role by the versions it names. None of it is verified yet.
func fetchRoles(ctx context.Context, courier client.Courier, m *trust.Metadata) (err error) {
	if m.Timestamp, err = courier.Fetch(ctx, "metadata/timestamp.json", trust.MaxTimestamp); err != nil {
		return err
	}
	timestamp, err := repo.Inspect(m.Timestamp)
	if err != nil {
		return err
	}
	if len(timestamp.Meta) != 1 {
		return fmt.Errorf("repository: timestamp names %d files, want one snapshot", len(timestamp.Meta))
	}
	if m.Snapshot, err = courier.Fetch(ctx, fmt.Sprintf("metadata/%d.snapshot.json", timestamp.Meta[0].Version), trust.MaxSnapshot); err != nil {
		return err
	}
	snapshot, err := repo.Inspect(m.Snapshot)
	if err != nil {
		return err
	}
	m.Delegated = map[string][]byte{}
	for _, f := range snapshot.Meta {
		if f.Name == trust.Withdrawn+".json" {
			continue // a list, no role
		}
		b, err := courier.Fetch(ctx, fmt.Sprintf("metadata/%d.%s", f.Version, f.Name), trust.MaxTargets)
		if err != nil {
			return err
		}
		if f.Name == "targets.json" {
			m.Targets = b
			continue
		}
		m.Delegated[f.Name[:max(0, len(f.Name)-len(".json"))]] = b
	}
	return nil
}

// wasPublished reports whether an event's roles were published and have newer versions by now: otherwise
// every event but the newest would look as if it had come too late. It is for showing only, so what the
// repository says is taken as it is.
func (a *Auditor) wasPublished(ctx context.Context, p *event.Proposal) bool {
	if a.Repository == nil {
		return false
	}
	for _, role := range p.Event.Roles() {
		b, err := a.Repository.Fetch(ctx, fmt.Sprintf("metadata/%d.%s.json", p.Event.Version(role), role), trust.MaxTargets)
		if err != nil {
			return false
		}
		if info, err := repo.Inspect(b); err != nil || info.Event != p.ID.String() {
			return false
		}
	}
	return true
}
