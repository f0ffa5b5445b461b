package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
	"github.com/countersign-project/countersign/messenger/server/store"
)

func newBackupCommand(app *cli.App, host *updatecmd.Host) *cobra.Command {
	o := &place{host: host}
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy the database and the attachments, while the server runs",
		Long: `Copy the database and the attachments into a new directory, while the server runs.

The copy is what the server had acknowledged at one moment. To go back to it, stop the server, and put
messengerd.db and attachments into an empty data directory. Messages that were delivered or sent since are
unknown to it: clients see some of them again, which they recognise, and senders of others may have to repeat them.

Whoever reads the copy learns who is registered and how much waits for whom, and no text. Keep it like the server.

A PostgreSQL database is backed up with its own tools; then only the attachments are copied. Attachments in a bucket
(--attachments of 'serve') stay there: a bucket with versions keeps what was removed.

` + cli.ExitHelp,
		Example: "  messengerd backup /var/backups/messengerd-monday",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return backup(cmd.Context(), app, o, args[0]) },
	}
	o.flags(cmd)
	return cmd
}

// backup writes into a directory of another name first, so that what has the name is whole.
func backup(ctx context.Context, app *cli.App, p *place, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return cli.Usagef("%s is there already; want a new directory", to)
	}
	dir, err := p.directory()
	if err != nil {
		return err
	}
	partial := to + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	if err := os.MkdirAll(partial, 0o700); err != nil {
		return err
	}
	database, err := backupStore(ctx, app, p, filepath.Join(partial, "messengerd.db"))
	if err != nil {
		return err
	}
	files, bytes, err := backupBlobs(ctx, app, filepath.Join(dir, "attachments", "blobs"), filepath.Join(partial, "attachments", "blobs"))
	if err != nil {
		return err
	}
	if err := os.Rename(partial, to); err != nil {
		return err
	}
	return app.Print(map[string]any{"directory": to, "database": database, "attachments": files, "bytes": bytes},
		fmt.Sprintf("%s: database %v, %d attachments", to, map[bool]string{true: "copied", false: "left to its own tools"}[database], files))
}

func backupStore(ctx context.Context, app *cli.App, p *place, to string) (done bool, err error) {
	s, err := p.open(ctx)
	if err != nil {
		return false, err
	}
	defer s.Close()
	app.Say("copying the database")
	err = s.Backup(ctx, to)
	if errors.Is(err, store.ErrBackupElsewhere) {
		app.Say("%v", err)
		return false, nil
	}
	return err == nil, err
}

// backupBlobs copies after the database, so that whatever the copy of the database refers to is there. A blob never changes: where the file system
// can, it is linked.
func backupBlobs(ctx context.Context, app *cli.App, from, to string) (files int, size int64, err error) {
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return 0, 0, os.MkdirAll(to, 0o700)
	}
	err = filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // expired meanwhile
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if e.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		n, err := linkOrCopy(path, target)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if files++; files%1000 == 0 {
			app.Say("%d attachments", files)
		}
		size += n
		return err
	})
	return files, size, err
}

func linkOrCopy(from, to string) (size int64, err error) {
	if os.Link(from, to) == nil {
		info, err := os.Stat(to)
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	src, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	size, err = io.Copy(dst, src)
	return size, errors.Join(err, dst.Sync(), dst.Close())
}
