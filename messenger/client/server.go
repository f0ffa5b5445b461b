package client

import (
	"context"

	"github.com/countersign-project/countersign/messenger/server/api"
)

// ServerAbout asks the account's server what it says it is. Whether that holds is for somebody to judge who knows the distribution.
func (a *Account) ServerAbout(ctx context.Context) (api.About, error) { return a.server.About(ctx) }
