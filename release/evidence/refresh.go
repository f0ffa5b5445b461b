package evidence

import (
	"context"
	"time"

	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/repo"
	"github.com/countersign-project/countersign/tuf/trust"
)

// RefreshAll refreshes the four top-level roles and then every channel that targets delegates to, for
// those who want all of them: mirrors, and people who ask about a file whose channel they do not know. As
// with client.Refresh, an error beside a Set tells of channels only.
func RefreshAll(ctx context.Context, c *client.Client, courier client.Courier, now time.Time) (*trust.Set, trust.Metadata, error) {
	set, md, err := c.Refresh(ctx, courier, now)
	if err != nil {
		return nil, trust.Metadata{}, err
	}
	names, err := Channels(md.Targets)
	if err != nil || len(names) == 0 {
		return set, md, err
	}
	return c.Refresh(ctx, courier, now, names...)
}

// Channels returns the roles that targets metadata delegates to, sorted.
func Channels(targets []byte) ([]string, error) {
	info, err := repo.Inspect(targets)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range info.Roles {
		names = append(names, r.Name)
	}
	return names, nil
}
