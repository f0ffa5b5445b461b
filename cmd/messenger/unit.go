package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/store"
)

// unitText is a systemd service of a user's own. The first %s is the command line. What a user's manager cannot do without the help of root, such as a
// file system of its own, is left out.
const unitText = `[Unit]
Description=messenger, connected and up to date
Documentation=man:messenger-daemon(1)
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=%s
Restart=on-failure
RestartSec=2
# The parent process gives its child 20 s to leave.
TimeoutStopSec=30
KillMode=mixed
NoNewPrivileges=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077

[Install]
WantedBy=default.target
`

// keyringOpens tells whether the keyring opens the account; whether it answers, the daemon finds out.
func (p *place) keyringOpens(ctx context.Context) bool {
	dir, err := p.dir()
	if err != nil {
		return false
	}
	locks, err := store.ReadLocks(ctx, dir)
	return err == nil && locks.Keyring != ""
}

// unit is the text of a unit that runs the daemon as this command was given.
func (p *place) unit(ctx context.Context) (string, error) {
	self, err := cli.UnitPath()
	if err != nil {
		return "", err
	}
	line := self + " daemon"
	if p.account != "default" {
		line += " --account " + p.account
	}
	words := []string{p.account}
	if p.passphrase != "" {
		file, err := filepath.Abs(p.passphrase)
		if err != nil {
			return "", err
		}
		line += " --passphrase-file " + file
		words = append(words, file)
	} else if !p.keyringOpens(ctx) {
		return "", cli.Usagef("--unit wants --passphrase-file, or an account that the keyring opens: nobody is there to type the passphrase")
	}
	data, err := p.host.Data()
	if err != nil {
		return "", err
	}
	home := filepath.Dir(filepath.Dir(data)) // below it are the programs' own
	for _, word := range append(words, home) {
		if err := cli.UnitWord(word); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf(unitText, line+" --home "+home), nil
}
