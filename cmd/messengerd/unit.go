package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
)

// unitText is a systemd service. %s is the program. The state directory is the program's home: versions, database, attachments.
const unitText = `[Unit]
Description=messengerd, the messenger's server
Documentation=man:messengerd(1)
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=%s serve
Environment=MESSENGER_HOME=%%S/messengerd MESSENGER_CONFIG=/etc/messengerd.toml
DynamicUser=yes
StateDirectory=messengerd
StateDirectoryMode=0700
Restart=on-failure
RestartSec=2
# The parent process lets clients leave for 15 s at most before it ends its child.
TimeoutStopSec=30
KillMode=mixed
LimitNOFILE=262144
# Port 443 without being root.
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077

[Install]
WantedBy=multi-user.target
`

func newUnitCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "unit",
		Short: "Print a systemd unit for this program",
		Long: `Print a systemd unit for this program, as it lies here. It runs as a user of its own, may write its state
directory only, and reads its settings from /etc/messengerd.toml, which must be there and may be empty.

Updates install below the state directory; the file that the unit names stays as it is.`,
		Example: "  messengerd unit > /etc/systemd/system/messengerd.service\n  touch /etc/messengerd.toml\n  systemctl enable --now messengerd\n" +
			"  # and for the other commands:\n  export MESSENGER_HOME=/var/lib/private/messengerd",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			self, err := cli.UnitPath()
			if err != nil {
				return err
			}
			text := fmt.Sprintf(unitText, self)
			return app.Print(map[string]string{"unit": text}, text)
		},
	}
}
