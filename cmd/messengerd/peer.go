package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
	"github.com/countersign-project/countersign/messenger/server/federation"
	"github.com/countersign-project/countersign/tuf/durable"
)

// printedPin is what 'peer key' says.
type printedPin struct {
	Pin  string `json:"pin"`
	File string `json:"file"`
	Made bool   `json:"made"`
}

func newPeerCommand(app *cli.App, host *updatecmd.Host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "peer",
		Short: "Let users of two servers write to each other",
		Long: `Let users of two servers write to each other. Each operator runs 'messengerd peer key' and tells the other the pin
it prints, over a way they trust; then each adds the other to the settings, and 'messengerd doctor' says whether
both are right:

  [federation]
  name = "chat.example.org"                # this server
  listen = ":8443"
  peer = ["chat.example.net https://chat.example.net:8443 sha256:…"]

` + cli.ExitHelp,
	}
	cmd.AddCommand(newPeerKeyCommand(app, host))
	return cmd
}

func newPeerKeyCommand(app *cli.App, host *updatecmd.Host) *cobra.Command {
	o := federationOptions{}
	p := place{host: host}
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Print the pin by which other servers know this one, and make the key if there is none",
		Long: `Print the pin of this server's key for peers, and make the key if there is none yet. The pin is no secret, but the
other operator must get it from you and nobody else.

Keep a copy of the file apart: 'messengerd backup' does not have it, and without it your peers need a new pin.

To change the key: make a new one with --federation-key, tell your peers its pin, which they add beside the old
one, put the file in the place of the old one, start again, and tell them to remove the old pin.

` + cli.ExitHelp,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			file, err := o.keyFile(&p)
			if err != nil {
				return err
			}
			made, err := ensurePeerKey(file)
			if err != nil {
				return err
			}
			k, err := readPeerKey(file)
			if err != nil {
				return err
			}
			if made {
				app.Say("made a new key in %s: whoever has it can speak for all users of this server", file)
			}
			return app.Print(printedPin{k.Pin().String(), file, made}, k.Pin().String()+"\n")
		},
	}
	cmd.Flags().StringVar(&p.data, "data", "", "`directory` of the database and the attachments (default: data, below the home)")
	cmd.Flags().StringVar(&o.key, "federation-key", "", "`file` with the key for peers (default: peer.key in the data directory)")
	return cmd
}

// ensurePeerKey makes the key unless it is there. It never overwrites one.
func ensurePeerKey(file string) (made bool, err error) {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	text, err := federation.NewKey(rand.Reader)
	if err != nil {
		return false, err
	}
	if err := durable.WriteFile(file, text, 0o600); err != nil {
		return false, fmt.Errorf("key for peers: %w", err)
	}
	return true, nil
}
