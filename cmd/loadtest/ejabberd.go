package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// ejabberd is Debian's, started without its wrapper, which would change the user and lower limits. What favours it is set: no logs, no shapers, no
// busy waiting of its schedulers, accounts and offline messages in memory and in its own files.
type ejabberd struct{ xmpp }

func (e *ejabberd) name() string { return "ejabberd" + bareName(e.bare) }

func bareName(bare bool) string {
	if bare {
		return ", unacknowledged"
	}
	return ""
}

const ejabberdConfig = `hosts: [localhost]
loglevel: error
listen:
  - port: %d
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 1048576
    shaper: none
    access: all
    backlog: 2048
auth_method: internal
auth_password_format: plain
shaper_rules:
  offline: 1000000
max_fsm_queue: 100000
modules:
  mod_roster: {}
  mod_disco: {}
  mod_register:
    ip_access: all
  mod_offline:
    access_max_user_messages: offline
  mod_stream_mgmt:
    max_ack_queue: infinity
  mod_muc:
    history_size: 0
    host: conference.localhost
registration_timeout: infinity
`

var erlangLibs = regexp.MustCompile(`(?m)^ERL_LIBS='(.+)'$`)

func (e *ejabberd) start(ctx context.Context, dir string, _ int) (*process, error) {
	erl, err := find("erl")
	if err != nil {
		return nil, err
	}
	wrapper, err := find("ejabberdctl")
	if err != nil {
		return nil, err
	}
	script, err := os.ReadFile(wrapper)
	if err != nil {
		return nil, err
	}
	libs := erlangLibs.FindSubmatch(script)
	if libs == nil {
		return nil, fmt.Errorf("%s does not say where ejabberd's code lies: want a line ERL_LIBS='…'", wrapper)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	e.address = fmt.Sprintf("127.0.0.1:%d", port)
	if err := os.WriteFile(filepath.Join(dir, "ejabberd.yml"), fmt.Appendf(nil, ejabberdConfig, port), 0o600); err != nil {
		return nil, err
	}
	env := []string{"EJABBERD_CONFIG_PATH=" + filepath.Join(dir, "ejabberd.yml"), "EJABBERD_LOG_PATH=" + filepath.Join(dir, "ejabberd.log"),
		"ERL_LIBS=" + string(libs[1]), "ERL_MAX_PORTS=100000", "ERL_CRASH_DUMP_BYTES=0", "HOME=" + dir}
	p, err := launch(dir, "erl", env, erl, "-noinput", "+K", "true", "+P", "500000", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none",
		"-mnesia", "dir", `"`+filepath.Join(dir, "mnesia")+`"`, "-s", "ejabberd")
	if err != nil {
		return nil, err
	}
	if err := p.wait(ctx, func() bool { return listens(e.address) }); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}
