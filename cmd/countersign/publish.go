package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/publish"
	"github.com/countersign-project/countersign/tuf/durable"
)

// lockWait is how long a command waits for another one that publishes in the same room.
const lockWait = 30 * time.Second

// publisherOptions are what every publisher's command needs.
type publisherOptions struct {
	Room           string
	Keys           []string
	PassphraseFile string
}

func (o *publisherOptions) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.Room, "room", "room", "the publisher's directory of events and the repository")
	c.Flags().StringArrayVar(&o.Keys, "keys", nil, "file with the publisher's online keys, or ssh-agent:…; may be repeated")
	c.Flags().StringVar(&o.PassphraseFile, "passphrase-file", "", "file that holds the keys' passphrase in one line")
}

// open returns the room. The keys are asked for only where something will be signed: with none given the
// room can be looked at.
func (o publisherOptions) open(app *cli.App) (*publish.Room, error) {
	if strings.Contains(o.Room, "://") {
		return nil, cli.Usagef("--room %s: want the publisher's own directory, not a URL", o.Room)
	}
	var ring signer.Ring
	if len(o.Keys) > 0 {
		var err error
		if ring, err = signer.Open(o.Keys, app.Passphrase(o.PassphraseFile), app.Getenv); err != nil {
			return nil, err
		}
	}
	repository := &publish.Repository{Dir: filepath.Join(o.Room, "repository"), Keys: ring, Wait: lockWait}
	if ring != nil {
		repository.OpenLog = o.openLog(ring)
	}
	return &publish.Room{Events: event.Dir(filepath.Join(o.Room, "events")), Repository: repository}, nil
}

// findEvent reads an event's name as a person types it.
func findEvent(ctx context.Context, s event.Store, name string) (event.ID, error) {
	id, err := event.Find(ctx, s, name)
	var many *event.Ambiguous
	switch {
	case errors.Is(err, event.ErrNoEvent):
		return id, cli.Hint(cli.Usagef("%v", err), "an event is named by its id, or by the first 6 or more digits of it", "countersign publish shows those that wait")
	case errors.As(err, &many):
		return id, cli.Usagef("%v", err)
	}
	return id, err
}

// explain adds to a refusal what can be done about it.
func explain(err error) error {
	var wait *publish.NotReady
	var judged *genuine.Error
	var none *publish.NoKey
	var late *publish.Unlogged
	switch {
	case errors.As(err, &none):
	case errors.As(err, &late) && errors.Is(err, durable.ErrLocked):
		return cli.Hint(err, "another command, such as countersign serve, is writing into this room's log at this moment; nothing is lost: run this one again")
	case errors.As(err, &late):
		return cli.Hint(err, "nothing is lost: run the same command again when the witnesses answer; countersign serve does so by itself")
	case errors.As(err, &wait) && wait.Status.Stale != "":
		return cli.Hint(err, "stage it again on what is published now; what was signed for this event does not count for the new one")
	case errors.As(err, &wait) && wait.Status.Superseded != "":
		return cli.Hint(err, "publish the event that replaces it")
	case errors.As(err, &wait):
		return cli.Hint(err, "those missing: countersign audit sign "+wait.Status.ID.Short(), "countersign audit show "+wait.Status.ID.Short()+" says how far it is")
	case errors.As(err, &judged):
		return cli.Hint(err, "nothing was published; more people can still rebuild, review and sign this event, then publish it again")
	}
	return needKeys(err)
}

// needKeys explains a missing online key in terms of the command line.
func needKeys(err error) error {
	var none *publish.NoKey
	if errors.As(err, &none) {
		return cli.Hint(err, "give the publisher's key file with --keys")
	}
	return err
}

type publishOptions struct {
	publisherOptions
	Event   string
	Refresh bool
}

func newPublishCommand(app *cli.App) *cobra.Command {
	var o publishOptions
	c := &cobra.Command{
		Use:     "publish [EVENT]",
		Short:   "Publish what a quorum has signed",
		GroupID: groupPublisher,
		Long: `Publish what a quorum has signed, and keep the timestamp fresh.

With an EVENT (its id, or the first digits of it) that one is published, or refused with the reason.
Without one, everything is published that is ready, and the snapshot and timestamp are signed again
when half of their life is over; --refresh signs both at once. What users would refuse is not
published. A publication that was interrupted is completed by running the same command again.

Where the distribution has a log, a release and what people state about it get into ROOM/log first, and
are published with the proof once a quorum of the log's witnesses has cosigned its head. Until then
nothing is published (exit code 3), and the same command goes on later.

Example:

    countersign publish --keys publisher.key 3f9ac2

` + cli.ExitHelp,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.Event = args[0]
			}
			return runPublish(c, app, o)
		},
	}
	o.flags(c)
	c.Flags().BoolVar(&o.Refresh, "refresh", false, "sign snapshot and timestamp again now")
	return c
}

func runPublish(c *cobra.Command, app *cli.App, o publishOptions) error {
	ctx := c.Context()
	room, err := o.open(app)
	if err != nil {
		return err
	}
	if o.Event != "" {
		id, err := findEvent(ctx, room.Events, o.Event)
		if err != nil {
			return err
		}
		r, err := room.Repository.Publish(ctx, room.Events, id, app.Now())
		if err != nil {
			return explain(err)
		}
		if err := app.Print(r, publishedText(r)); err != nil || !o.Refresh {
			return err
		}
		return refresh(c, app, room)
	}
	report, err := room.Step(ctx, app.Now())
	if err != nil {
		return needKeys(err)
	}
	if o.Refresh && report.Refreshed.Snapshot == 0 {
		if err := refresh(c, app, room); err != nil {
			return err
		}
	}
	if err := app.Print(report, reportText(report)); err != nil {
		return err
	}
	return explain(report.Err())
}

func refresh(c *cobra.Command, app *cli.App, room *publish.Room) error {
	s, err := room.Repository.Load()
	if err != nil {
		return err
	}
	x, err := publish.ExpiryOf(c.Context(), room.Events, s.Published)
	if err != nil {
		return err
	}
	r, err := room.Repository.Refresh(c.Context(), app.Now(), x, true)
	if err != nil {
		return needKeys(err)
	}
	app.Say("signed snapshot %d and timestamp %d", r.Snapshot, r.Timestamp)
	return nil
}

func publishedText(r publish.Result) string {
	if r.Already {
		return fmt.Sprintf("event %s (%s) is published already", r.ID.Short(), r.Label)
	}
	return fmt.Sprintf("published %s (event %s)", r.Label, r.ID.Short())
}

const nothingToDo = "nothing to do"

// reportText tells a step for people: what happened, then what somebody has to do.
func reportText(r publish.Report) string {
	var b strings.Builder
	for _, p := range r.Published {
		fmt.Fprintln(&b, publishedText(p))
	}
	for _, p := range r.Refused {
		fmt.Fprintf(&b, "refused %s: %s\n", p, p.Reason)
	}
	for _, p := range r.Delayed {
		fmt.Fprintf(&b, "delayed %s: %s\n", p, p.Reason)
	}
	if r.Refreshed.Snapshot != 0 {
		fmt.Fprintf(&b, "signed snapshot %d\n", r.Refreshed.Snapshot)
	}
	if r.Refreshed.Timestamp != 0 {
		fmt.Fprintf(&b, "signed timestamp %d\n", r.Refreshed.Timestamp)
	}
	for _, s := range r.Waiting {
		fmt.Fprint(&b, s.Text())
	}
	for _, e := range r.Expiring {
		fmt.Fprintf(&b, "%s: %s\n", e.Level, e.Text)
	}
	for _, e := range r.Broken {
		fmt.Fprintf(&b, "not counted: %s: %s\n", e.Name, e.Problem)
	}
	for _, f := range r.Foreign {
		fmt.Fprintf(&b, "foreign file in the repository: %s\n", f)
	}
	if b.Len() == 0 {
		return nothingToDo
	}
	return b.String()
}
