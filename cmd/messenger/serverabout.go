package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/countersign-project/countersign/cmd/updatecmd"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/release/update"
)

// serverVerdict is the answer to the method serverAbout: what the account's server says it is, and how far that holds.
type serverVerdict struct {
	Server  string         `json:"server"`
	Says    api.About      `json:"says"`
	Checked update.Claimed `json:"checked"`
}

// serverAbout makes the method for an account: it asks the server, and then the repository.
func (p *place) serverAbout(a *client.Account, service *updatecmd.Service) rpc.Method {
	return func(ctx context.Context, _ json.RawMessage) (any, error) {
		says, err := a.ServerAbout(ctx)
		if err != nil {
			return nil, fmt.Errorf("the server does not say what it is: %w", err)
		}
		out := serverVerdict{Server: a.Network().URL, Says: says}
		claim := update.Claim{Program: says.Program, Version: says.Version, OS: says.OS, Arch: says.Arch, Distribution: says.Distribution}
		if err := claim.SHA256.UnmarshalText([]byte(says.SHA256)); err != nil {
			return nil, fmt.Errorf("the server says a hash that is none: %w", err)
		}
		out.Checked, err = p.host.Judge(ctx, service, claim)
		return out, err
	}
}
