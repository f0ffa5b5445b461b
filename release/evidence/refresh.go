package evidence

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/client"
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

// Withdrawn brings the list of withdrawals that the snapshot names; nil when it names none.
func Withdrawn(ctx context.Context, set *trust.Set, c Courier) ([]byte, error) {
	f, ok := set.Withdrawn()
	if !ok {
		return nil, nil
	}
	if f.Length > genuine.MaxFile {
		return nil, fmt.Errorf("withdrawn.json: %d bytes, at most %d allowed", f.Length, genuine.MaxFile)
	}
	return c.FetchSum(ctx, WithdrawnPath(f.Version), f.Length, f.SHA256)
}

// Channels returns the roles that targets metadata delegates to, sorted. The bytes must have been verified
// before; this only reads names out of them.
func Channels(targets []byte) ([]string, error) {
	var t struct {
		Signed struct {
			Delegations struct {
				Roles []struct {
					Name string `json:"name"`
				} `json:"roles"`
			} `json:"delegations"`
		} `json:"signed"`
	}
	if err := json.Unmarshal(targets, &t); err != nil {
		return nil, fmt.Errorf("targets: %v", err)
	}
	var names []string
	for _, r := range t.Signed.Delegations.Roles {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return names, nil
}
