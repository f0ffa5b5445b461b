package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// prosody is Debian's, with passwords in the clear, which favours it where users connect.
type prosody struct{ xmpp }

func (x *prosody) name() string { return "prosody" + bareName(x.bare) }

const prosodyConfig = `
run_as_root = true
daemonize = false
pidfile = "%[1]s/prosody.pid"
data_path = "%[1]s/data"
log = { error = "%[1]s/error.log" }
network_backend = "epoll"
network_settings = { tcp_backlog = 2048 }
interfaces = { "127.0.0.1" }
c2s_ports = { %[2]d }
modules_enabled = { "roster"; "saslauth"; "disco"; "register_ibr"; "smacks" }
modules_disabled = { "s2s"; "tls" }
allow_registration = true
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
storage = "internal"
VirtualHost "localhost"
Component "conference.localhost" "muc"
	muc_room_locking = false
	max_history_messages = 0
`

func (x *prosody) start(ctx context.Context, dir string, _ int) (*process, error) {
	program, err := find("prosody")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	x.address = fmt.Sprintf("127.0.0.1:%d", port)
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "prosody.cfg.lua")
	if err := os.WriteFile(config, fmt.Appendf(nil, prosodyConfig, dir, port), 0o600); err != nil {
		return nil, err
	}
	p, err := launch(dir, "prosody", nil, program, "--config", config, "-F")
	if err != nil {
		return nil, err
	}
	if err := p.wait(ctx, func() bool { return listens(x.address) }); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}
