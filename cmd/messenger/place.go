package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/update"
)

// place says which account a command is about.
type place struct {
	app        *cli.App
	host       *updatecmd.Host
	account    string
	passphrase string // file
	ring       client.Keyring
	keyring    bool // lock a new account with it
	// first is what the long-running mode shows first, where the account is then opened; nil: nothing, and it is opened with the passphrase at once.
	first func(ctx context.Context, call caller) error
	// The rest is of the long-running mode.
	service *updatecmd.Service
	bell    *rpc.Bell
	desk    *desk
	opened  *atomic.Pointer[client.Account] // once it is open
}

func (p *place) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.account, "account", "default", "`name` of the account on this computer, if there are several")
	cmd.Flags().StringVar(&p.passphrase, "passphrase-file", "", "`file` with the passphrase that the account is locked with (default: MESSENGER_PASSPHRASE, or ask)")
}

// runs makes this the place of a long-running mode, whose flags the command has.
func (p *place) runs(cmd *cobra.Command, work func(context.Context, *slog.Logger, func()) error) {
	p.bell, p.opened = new(rpc.Bell), new(atomic.Pointer[client.Account])
	p.service = &updatecmd.Service{Work: work, Check: p.answers, Way: p.updateWay, Event: func(e update.Event) { p.bell.Ring("update", e) }}
	p.service.Flags(cmd)
}

// dir is where the account is kept.
func (p *place) dir() (string, error) {
	if p.account == "" || strings.ContainsAny(p.account, `/\:`) || strings.HasPrefix(p.account, ".") {
		return "", cli.Usagef("--account %q: want a plain name", p.account)
	}
	data, err := p.host.Data()
	if err != nil {
		return "", err
	}
	return filepath.Join(data, "accounts", p.account), nil
}

func (p *place) world() session.World { return session.World{Now: p.app.Now, Rand: rand.Reader} }

// open unlocks the account. If another process has it, open waits for that long, unless giveUp, which may be nil, says that there is no use.
func (p *place) open(ctx context.Context, log *slog.Logger, wait time.Duration, giveUp func() bool) (*client.Account, error) {
	dir, err := p.dir()
	if err != nil {
		return nil, err
	}
	if !store.Exists(dir) {
		return nil, p.noAccount()
	}
	by, err := p.secret(ctx, dir)
	if err != nil {
		return nil, err
	}
	return p.openBy(ctx, dir, by, log, wait, giveUp)
}

func (p *place) noAccount() error {
	hints := []string{"messenger register makes one", "messenger link adds this computer to one you have"}
	if others := p.accounts(); len(others) > 0 {
		hints = append([]string{"--account chooses another; here are: " + strings.Join(others, ", ")}, hints...)
	}
	return cli.Hint(fmt.Errorf("there is no account %q on this computer yet", p.account), hints...)
}

// accounts are the names of those on this computer.
func (p *place) accounts() (names []string) {
	dir, err := p.dir()
	if err != nil {
		return nil
	}
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil {
		return nil // there are none
	}
	for _, e := range entries {
		if store.Exists(filepath.Join(filepath.Dir(dir), e.Name())) {
			names = append(names, e.Name())
		}
	}
	return names
}

// openBy is open with what opens it.
func (p *place) openBy(ctx context.Context, dir string, by store.Secret, log *slog.Logger, wait time.Duration, giveUp func() bool) (*client.Account, error) {
	a, err := client.Open(ctx, client.Options{Dir: dir, World: p.world(), Log: log, Key: by.Key}, by.Passphrase)
	for deadline := time.Now().Add(wait); errors.Is(err, store.ErrInUse) && time.Now().Before(deadline) && ctx.Err() == nil && (giveUp == nil || !giveUp()); {
		time.Sleep(lookAgain)
		a, err = client.Open(ctx, client.Options{Dir: dir, World: p.world(), Log: log, Key: by.Key}, by.Passphrase)
	}
	switch {
	case errors.Is(err, store.ErrInUse):
		return nil, cli.Hint(err, "if that is your daemon, stop it first; another command ends in a moment")
	case errors.Is(err, store.ErrPassphrase), errors.Is(err, store.ErrNoPassphrase), errors.Is(err, store.ErrKey):
		return nil, cli.Refusef("%v", err)
	}
	return a, err
}

// lookAgain is how often a busy account is tried. A command waits for another one, which may be waiting for the server at its end; the daemon for all that had
// begun before it, since it must not be taken for a version that does not work.
const (
	lookAgain   = 100 * time.Millisecond
	commandWait = settleWithin + 5*time.Second
	daemonWait  = time.Minute
)

// newPassphrase asks twice at a terminal.
func (p *place) newPassphrase() ([]byte, error) {
	ask := p.app.Passphrase(p.passphrase)
	first, err := ask("Choose a passphrase; it locks what is kept on this computer: ")
	if err != nil || p.passphrase != "" || p.app.Getenv(passphraseVariable) != "" {
		return first, err
	}
	second, err := ask("The same again: ")
	if err == nil && !bytes.Equal(first, second) {
		err = cli.Usagef("the two passphrases are not the same")
	}
	return first, err
}

// serverFlags say which server a new account is on.
type serverFlags struct {
	url, ca, proxy string
}

func (s *serverFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.url, "server", "", "`URL` of the server, such as https://chat.example.org")
	cmd.Flags().StringVar(&s.ca, "ca", "", "PEM `file` of the certificate authority to trust instead of the system's")
	cmd.Flags().StringVar(&s.proxy, "proxy", "", "SOCKS5 `proxy`, such as socks5://127.0.0.1:9050 for Tor")
}

func (s *serverFlags) options() (o remote.Options, err error) {
	if s.url == "" {
		return o, cli.Usagef("--server: which one? For example --server https://chat.example.org")
	}
	o = remote.Options{URL: s.url, Proxy: s.proxy}
	if s.ca != "" {
		if o.CA, err = os.ReadFile(s.ca); err != nil {
			return o, cli.Usagef("--ca: %v", err)
		}
	}
	return o, nil
}

// fresh is what an account that is still to be made stands on: a place where there is none yet, and a server.
func (p *place) fresh(s *serverFlags) (o client.Options, err error) {
	server, err := s.options()
	if err != nil {
		return o, err
	}
	dir, err := p.dir()
	if err != nil {
		return o, err
	}
	if store.Exists(dir) {
		return o, cli.Hint(cli.Refusef("there is an account %q on this computer already", p.account), "--account NAME makes another one beside it, on this server or another")
	}
	return client.Options{Dir: dir, Server: server, World: p.world(), Log: quiet(), Cost: store.Usual()}, nil
}

// explained says what to do about a server that cannot be trusted yet.
func explained(err error) error {
	if errors.Is(err, remote.ErrAuthority) {
		return cli.Hint(err, "if the server has an authority of its own, get its certificate from the operator and give it with --ca FILE")
	}
	return err
}

// quiet is the log of a short command: what matters is told by its result.
func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// with runs f with a connection to the account: the daemon's if one runs, or else one to the account opened here, which works for as long.
func (p *place) with(ctx context.Context, f func(ctx context.Context, c *rpc.Client) error) error {
	return p.withOr(ctx, f, func() error { return p.alone(ctx, f) })
}

// withOr runs f with a connection to the daemon, or what is to be done if none runs.
func (p *place) withOr(ctx context.Context, f func(ctx context.Context, c *rpc.Client) error, none func() error) error {
	dir, err := p.dir()
	if err != nil {
		return err
	}
	c, err := rpc.Dial(ctx, dir)
	if err == nil {
		defer c.Close()
		return f(ctx, c)
	}
	err = none()
	if errors.Is(err, store.ErrInUse) { // a daemon that was just starting
		if c, dialled := rpc.Dial(ctx, dir); dialled == nil {
			defer c.Close()
			return f(ctx, c)
		}
	}
	return err
}

// alone opens the account here, which works for as long as f does.
func (p *place) alone(ctx context.Context, f func(ctx context.Context, c *rpc.Client) error) error {
	return p.here(ctx, func(ctx context.Context, a *client.Account, c *rpc.Client) (err error) {
		running, cancel := context.WithCancel(ctx)
		ran := make(chan error, 1)
		go func() { ran <- a.Run(running, nil) }()
		err = f(ctx, c)
		p.settle(ctx, a)
		cancel()
		var lost *client.UnlinkedError
		if ended := <-ran; errors.As(ended, &lost) && lost.Deleted { // he knows, and reads what there is
			return err
		} else if errors.Is(ended, client.ErrUnlinked) {
			return errors.Join(ended, err)
		}
		return err
	})
}

// here opens the account, and calls what answers for it; the account does not connect by itself.
func (p *place) here(ctx context.Context, f func(ctx context.Context, a *client.Account, c *rpc.Client) error) (err error) {
	a, err := p.open(ctx, quiet(), commandWait, func() bool { return p.daemonRuns(ctx) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	serving, cancel := context.WithCancel(ctx)
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- (&rpc.Server{Account: a, Version: anchor.Version(), Log: quiet()}).Serve(serving, theirs)
	}()
	c := rpc.NewClient(ours)
	err = c.Call(ctx, "version", nil, nil) // once it answers it also tells what happens
	if err == nil {
		err = f(ctx, a, c)
	}
	cancel()
	_ = c.Close()
	_ = theirs.Close()
	<-served
	return err
}

// settleWithin is how long a command waits at its end for what it has queued.
const settleWithin = 10 * time.Second

// settle sends what is queued before the account is closed. What cannot be sent stays queued for the daemon, or the next command.
func (p *place) settle(ctx context.Context, a *client.Account) {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	if err := a.Settle(ctx); err != nil {
		p.app.Say("some things are still queued, and go out the next time: %v", err)
	}
}

// simple makes a command that calls one method and prints its result.
type simple struct {
	use, short, long, example string
	args                      cobra.PositionalArgs
	flags                     func(*cobra.Command)
	method                    string
	shows                     string // it asks for progress, as progressName; and what to say when it is stopped
	params                    func(args []string) (any, error)
	print                     func(raw []byte) (string, error) // for people; nil: nothing
}

func (p *place) command(s simple) *cobra.Command {
	cmd := &cobra.Command{
		Use: s.use, Short: s.short, Long: strings.TrimLeft(s.long+"\n\n", "\n") + cli.ExitHelp, Example: s.example, Args: s.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			params, err := s.params(args)
			if err != nil {
				return err
			}
			return p.with(cmd.Context(), func(ctx context.Context, c *rpc.Client) error {
				if s.shows == "" {
					return p.callAndPrint(ctx, c, s.method, params, s.print)
				}
				var raw json.RawMessage
				if err := p.showing(c, func() error { return c.Call(ctx, s.method, params, &raw) }); err != nil {
					return stopped(err, s.shows)
				}
				return p.printRaw(raw, s.print)
			})
		},
	}
	if s.long == "" {
		cmd.Long = s.short + ".\n\n" + cli.ExitHelp
	}
	q := *p
	p = &q
	p.flags(cmd)
	if s.flags != nil {
		s.flags(cmd)
	}
	return cmd
}
