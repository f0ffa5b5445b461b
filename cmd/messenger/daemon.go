package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/release/anchor"
)

func newDaemonCommand(host *updatecmd.Host, p *place) *cobra.Command {
	var unit bool
	cmd := &cobra.Command{
		Use:   "daemon",
		Short: "Stay connected, and keep this messenger updated",
		Long: `Stay connected, and keep this messenger updated.

The daemon owns the account while it runs: it receives, sends what is queued, and answers all other commands, and
programs, over a socket in the account's directory that only you can open: see 'messenger rpc'. Without an account it
keeps the program updated, and waits for one.

The process that was started is a small parent that stays the same while versions change below it. A new version that
does not come up is stopped, and the last good one is back by itself. A passphrase that is typed is asked for once.
Versions are fetched the way the account goes: through its proxy, if it has one, and never beside it.

--unit prints a systemd unit with which the daemon runs from your login on, or always after 'loginctl enable-linger'.

` + cli.ExitHelp,
		Example: "  messenger daemon\n  MESSENGER_PASSPHRASE=… messenger daemon\n" +
			"  messenger daemon --unit --passphrase-file ~/.messenger-passphrase > ~/.config/systemd/user/messenger.service\n  systemctl --user enable --now messenger",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if unit {
				text, err := p.unit(cmd.Context())
				if err != nil {
					return err
				}
				return p.app.Print(map[string]string{"unit": text}, text)
			}
			p.service.Ask = p.askOnce
			return host.Serve(cmd.Context(), *p.service)
		},
	}
	p.flags(cmd)
	p.runs(cmd, p.work)
	cmd.Flags().BoolVar(&unit, "unit", false, "print a systemd unit that runs the daemon with these flags, and end")
	return cmd
}

// leaveWithin is how long another daemon may still answer: the child of one whose parent has just been killed is on its way out.
const leaveWithin = 5 * time.Second

// askOnce makes sure that no other daemon runs, and asks for the passphrase, before there is a child. Versions to come get it from the environment, as
// if it had been there.
func (p *place) askOnce(ctx context.Context) (variable, value string, err error) {
	variable = passphraseVariable
	dir, err := p.dir()
	if err != nil {
		return "", "", err
	}
	for end := time.Now().Add(leaveWithin); p.daemonRuns(ctx); time.Sleep(lookAgain) {
		if time.Now().After(end) {
			err := fmt.Errorf("a daemon runs for the account %q already", p.account)
			return "", "", cli.Hint(err, "messenger status asks it how it is; --account NAME is for another account")
		}
	}
	if p.passphrase != "" || !store.Exists(dir) {
		return variable, p.app.Getenv(variable), nil
	}
	by, err := p.secret(ctx, dir)
	if err != nil || by.Key != nil { // versions to come ask the keyring themselves
		return variable, p.app.Getenv(variable), err
	}
	return variable, string(by.Passphrase), nil
}

// work is the daemon, once it is the right version.
func (p *place) work(ctx context.Context, log *slog.Logger, ready func()) (err error) {
	dir, err := p.dir()
	if err != nil {
		return err
	}
	ready = sync.OnceFunc(ready) // with the page it is the page that is ready first
	ctx, cancel := context.WithCancel(ctx)
	d := p.newDesk(ctx, log, dir)
	p.desk = d
	defer func() {
		cancel()
		err = errors.Join(err, d.end())
	}()
	a, err := p.begin(ctx, d, log, ready)
	if err != nil || a == nil {
		return err
	}
	defer func() {
		cancel()
		d.served.Wait()
		err = errors.Join(err, a.Close())
	}()
	debug.FreeOSMemory() // the passphrase took 64 MiB, which is not needed again
	l, err := rpc.Listen(dir)
	if err != nil {
		return err
	}
	ready() // without a server in reach it still answers; said before anybody is answered, so that the parent knows it of one that was seen to work
	served := make(chan error, 1)
	go func() {
		served <- d.server.Load().ServeSocket(ctx, l)
		cancel()
	}()
	ran := connected(ctx, a, log)
	cancel()
	if ended := <-served; ended != nil {
		return fmt.Errorf("socket for programs: %w", ended)
	}
	if errors.Is(ran, context.Canceled) {
		return nil
	}
	return ran
}

// connected keeps the account connected until ctx ends. Where the server does not know it any more, what is here can still be read and saved, and
// another way to the server, if it was looked for at a wrong address, brings it back.
func connected(ctx context.Context, a *client.Account, log *slog.Logger) error {
	for {
		err := a.Run(ctx, func() { log.Info("connected") })
		if !errors.Is(err, client.ErrUnlinked) {
			return err
		}
		log.Error(err.Error())
		if err := a.AwaitNetwork(ctx); err != nil {
			return err
		}
	}
}

// begin comes to an open account: with the passphrase that the daemon was given, or through the page. Without either it waits for the end, and
// returns none.
func (p *place) begin(ctx context.Context, d *desk, log *slog.Logger, ready func()) (*client.Account, error) {
	if p.first != nil {
		ready()
		return p.throughPage(ctx, d)
	}
	if !store.Exists(d.dir) {
		log.Info("no account here yet: only keeping this program updated", "account", p.account)
		ready()
		if !p.appears(ctx, d.dir, log) {
			return nil, nil
		}
	}
	a, err := p.open(ctx, log, daemonWait, nil)
	if err == nil {
		d.use(a)
		_, err = d.goOn()
	}
	if err != nil && a != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, err
}

// appears waits until somebody has made the account, and tells whether it can be opened without asking: whoever made it is at another terminal.
func (p *place) appears(ctx context.Context, dir string, log *slog.Logger) bool {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for !store.Exists(dir) {
		select {
		case <-look.C:
		case <-ctx.Done():
			return false
		}
	}
	if alone, err := p.opensAlone(ctx, dir); alone || err != nil {
		return true // what is wrong is told by whoever opens it
	}
	log.Warn("there is an account now: start the daemon again, so that it can ask for the passphrase", "account", p.account)
	<-ctx.Done()
	return false
}

// throughPage shows the page, and waits until somebody has unlocked or made the account there. A passphrase that the
// command was given is used, and the keyring where it opens the account.
func (p *place) throughPage(ctx context.Context, d *desk) (*client.Account, error) {
	accounts := make(chan *client.Account, 1)
	door := &rpc.Door{Options: client.Options{Dir: d.dir, World: p.world(), Log: d.log}, Opened: func(a *client.Account) {
		d.use(a)
		accounts <- a
	}, Secret: func(passphrase string) { p.host.Hand(passphraseVariable, passphrase) }} // the next version receives before anybody comes to the page
	alone, err := p.opensAlone(ctx, d.dir)
	if err != nil {
		return nil, err
	}
	if alone && store.Exists(d.dir) {
		a, err := p.open(ctx, d.log, daemonWait, nil)
		if err != nil {
			return nil, err
		}
		door.Opened(a)
	} else {
		d.server.Store(&rpc.Server{Door: door, Version: anchor.Version(), Log: d.log, More: d.methods(nil), Bell: p.bell})
	}
	going, err := d.goOn()
	if err != nil {
		return nil, err
	}
	if !going { // a browser that has the page already needs no other
		go func() {
			if err := p.first(ctx, d.call); err != nil && ctx.Err() == nil {
				p.app.Say("%v", err)
			}
		}()
	}
	select {
	case a := <-accounts:
		return a, nil
	case <-ctx.Done():
		select {
		case a := <-accounts:
			return a, nil
		default:
			return nil, nil
		}
	}
}

// answers tries the daemon as its users would.
func (p *place) answers(ctx context.Context) error {
	dir, err := p.dir()
	if err != nil || !store.Exists(dir) || p.desk != nil && p.desk.locked() {
		return err
	}
	c, err := rpc.Dial(ctx, dir)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Call(ctx, "version", nil, nil)
}
