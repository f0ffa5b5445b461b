package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/archive"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/store"
)

func newBackupCommand(p *place) *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup", Short: "Back the account up, restore it, or give a new device its history",
		Long: `Back the account up, restore it, or give a new device its history.

A backup is one file that opens with nine recovery words, which are shown once and kept nowhere: write them down, away
from the file. Who has both is you to everybody. Files that were sent are not in it.

` + cli.ExitHelp,
		Example: "  messenger backup create monday.csbk\n  messenger backup restore monday.csbk\n  messenger backup history monday.csbk",
	}
	create := p.command(simple{use: "create FILE", short: "Write a new backup, and show its recovery words", example: "  messenger backup create monday.csbk", args: cobra.ExactArgs(1), method: "backup",
		params: func(args []string) (any, error) {
			path, err := filepath.Abs(args[0])
			return map[string]string{"path": path}, err
		},
		print: printed(func(b rpc.Backup) string {
			return fmt.Sprintf("%d messages are in %s.\nThe recovery words, which are shown only now:\n\n  %s\n", b.Messages, b.Path, b.Words)
		})})
	cmd.AddCommand(create, newRestoreCommand(p), newHistoryCommand(p))
	return cmd
}

func (p *place) askWords() (archive.Seed, error) {
	text, err := ask(p.app, "The nine recovery words: ")
	if err != nil {
		return archive.Seed{}, err
	}
	seed, err := archive.ParseWords(text)
	if err != nil {
		err = cli.Usagef("%v", err)
	}
	return seed, err
}

func newRestoreCommand(shared *place) *cobra.Command {
	p := *shared
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Make the account of a backup again", Args: cobra.ExactArgs(1), Example: "  messenger backup restore monday.csbk",
		Long: `Make the account of a backup again, on a computer that has none. Use it when the device the backup is of is gone: two
devices that think they are the same one take each other's messages away.

` + cli.ExitHelp,
		RunE: func(cmd *cobra.Command, args []string) error { return p.restore(cmd.Context(), args[0]) },
	}
	p.flags(cmd)
	p.keyringFlag(cmd)
	return cmd
}

func (p *place) restore(ctx context.Context, file string) error {
	dir, err := p.dir()
	if err != nil {
		return err
	}
	if store.Exists(dir) {
		return cli.Hint(cli.Refusef("there is an account %q on this computer already", p.account), "--account NAME restores another one beside it")
	}
	f, err := os.Open(file)
	if err != nil {
		return cli.Usagef("%v", err)
	}
	defer f.Close()
	seed, err := p.askWords()
	if err != nil {
		return err
	}
	fresh := client.Options{Dir: dir, World: p.world(), Log: quiet(), Cost: store.Usual()}
	secret, undo, err := p.lock(ctx, &fresh)
	defer undo()
	if err != nil {
		return err
	}
	a, n, err := client.Restore(ctx, fresh, secret, f, seed)
	if err != nil {
		return err
	}
	defer a.Close()
	own, err := a.Own(ctx)
	if err != nil {
		return err
	}
	last, err := a.Messages(ctx, own.Number, 0, 1)
	if err != nil {
		return err
	}
	if len(last) == 1 && last[0].Notice == client.NoticeOldList {
		p.app.Say("%s", last[0].Body)
	}
	return p.app.Print(map[string]any{"number": own.Number, "messages": n}, fmt.Sprintf("You are %s again, with %d messages.", own.Number, n))
}

func newHistoryCommand(shared *place) *cobra.Command {
	p := *shared
	cmd := &cobra.Command{
		Use: "history FILE", Short: "Take over messages and contacts from a backup of the same account", Args: cobra.ExactArgs(1), Example: "  messenger backup history monday.csbk",
		Long: "Take over messages and contacts from a backup of the same account, made on another device: what this one lacks because it\nwas linked later.\n\n" + cli.ExitHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			seed, err := p.askWords()
			if err != nil {
				return err
			}
			return p.with(cmd.Context(), func(ctx context.Context, c *rpc.Client) error {
				return p.callAndPrint(ctx, c, "takeHistory", map[string]string{"path": path, "recoveryWords": seed.Words()},
					printed(func(r struct{ Messages int }) string { return fmt.Sprintf("%d messages were taken over.", r.Messages) }))
			})
		},
	}
	p.flags(cmd)
	return cmd
}
