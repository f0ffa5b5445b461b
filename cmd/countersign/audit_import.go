package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/event"
)

func newAuditImportCommand(app *cli.App) *cobra.Command {
	var o auditOptions
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Take in an event, or answers, that were carried",
		Long: `Take in what audit export wrote. A room that is a directory gets the event, or, where it has it
already, whatever is new of it; a room that is a URL gets the signatures and statements. Everything is
verified first, nothing that is there is replaced, and importing twice changes nothing.

Example:

    countersign audit import --room /srv/offline-room /media/stick/event.tar

` + cli.ExitHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runAuditImport(c.Context(), app, o, args[0]) },
	}
	o.flags(c)
	return c
}

func runAuditImport(ctx context.Context, app *cli.App, o auditOptions, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return cli.Usagef("%v", err)
	}
	defer f.Close()
	into := event.Dir(filepath.Join(o.Room, "events"))
	if isURL(o.Room) {
		temp, err := os.MkdirTemp("", "countersign-import-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		into = event.Dir(temp)
	}
	got, err := into.Import(ctx, f)
	if err != nil {
		return err
	}
	if isURL(o.Room) {
		room, err := event.OpenStore(o.Room, roomClient())
		if err != nil {
			return err
		}
		if err := into.HandIn(ctx, room, got.ID); err != nil {
			return err
		}
	}
	if err := app.Print(got, importedText(got, o.Room)); err != nil {
		return err
	}
	if len(got.Refused) > 0 {
		return cli.Refusef("%d of the answers in %s do not hold and were not taken", len(got.Refused), file)
	}
	return nil
}

func importedText(i event.Imported, room string) string {
	text := fmt.Sprintf("event %s: %d new signatures, %d new statements", i.ID.Short(), i.Signatures, i.Statements)
	switch {
	case isURL(room):
		text = fmt.Sprintf("event %s: %d signatures and %d statements handed in to %s", i.ID.Short(), i.Signatures, i.Statements, room)
	case i.New:
		text += "; it was not here before"
	}
	if len(i.Files) > 0 {
		text += ", and " + strings.Join(i.Files, ", ")
	}
	for _, bad := range i.Refused {
		text += "\nnot taken: " + bad
	}
	return text
}
