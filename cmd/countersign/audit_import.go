package main

import (
	"context"
	"fmt"
	"net/http"
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
	o.flags(c, app)
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
		room, err := event.OpenStore(o.Room, http.DefaultClient)
		if err != nil {
			return err
		}
		if err := into.HandIn(ctx, room, got.ID); err != nil {
			return err
		}
	}
	if err := app.Print(got, importedText(got)); err != nil {
		return err
	}
	if len(got.Refused) > 0 {
		return cli.Refusef("%d of the answers in %s do not hold and were not taken", len(got.Refused), file)
	}
	return nil
}

func importedText(i event.Imported) string {
	what := "merged into the event that was here"
	if i.New {
		what = "new here"
	}
	text := fmt.Sprintf("event %s: %s, %d new signatures, %d new statements", i.ID.Short(), what, i.Signatures, i.Statements)
	if len(i.Files) > 0 {
		text += ", and " + strings.Join(i.Files, ", ")
	}
	for _, bad := range i.Refused {
		text += "\nnot taken: " + bad
	}
	return text
}
