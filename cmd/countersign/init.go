package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/publish"
	"github.com/countersign-project/countersign/tuf/durable"
)

type initOptions struct {
	publisherOptions
	Distribution string
	Source       string
	Renew        []string
	Replace      bool
}

func newInitCommand(app *cli.App) *cobra.Command {
	var o initOptions
	c := &cobra.Command{
		Use:     "init",
		Short:   "Found a distribution, change it, or renew its roles",
		GroupID: groupPublisher,
		Long: `Found a distribution from a file that names its people, keys and numbers; later change or renew it.

Run it as often as you like; it does the next step and says what has to happen before the one after.
The first run opens an event and says who must sign what. Once the quorums are there, another run (with
--keys) publishes version 1 of everything, and writes the trust anchor (root.json, policy.json and
mirrors.json) into the source, where it is to be committed: programs built from it believe this
distribution. Later runs with a changed file, or with --renew before a role expires, open an event for
the next versions in the same way. A root.json of another distribution is only overwritten with
--replace.

Example:

    countersign init --distribution distribution.toml --room room --source .
    countersign audit sign --room room 3f9ac2        (by each person named)
    countersign init --distribution distribution.toml --room room --source . --keys publisher.key

` + cli.ExitHelp,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runInit(c.Context(), app, o) },
	}
	o.flags(c)
	c.Flags().StringVar(&o.Distribution, "distribution", "", "the distribution file (TOML); left away, the published one stays")
	c.Flags().StringVar(&o.Source, "source", ".", "source tree that receives the trust anchor")
	c.Flags().StringArrayVar(&o.Renew, "renew", nil, "role to sign again before it expires: root, targets or a channel; may be repeated")
	c.Flags().BoolVar(&o.Replace, "replace", false, "replace the trust anchor of another distribution")
	return c
}

// initResult is what init prints.
type initResult struct {
	Event     string        `json:"event,omitempty"`
	Status    *event.Status `json:"status,omitempty"` // of an event that waits
	Published bool          `json:"published"`        // the distribution as the file says is what is served
	Anchor    string        `json:"anchor,omitempty"` // directory of the trust anchor
	Written   []string      `json:"written"`          // anchor files that changed
	Next      []string      `json:"next"`             // what to do now
}

func runInit(ctx context.Context, app *cli.App, o initOptions) error {
	room, err := o.open(app)
	if err != nil {
		return err
	}
	state, err := room.Repository.Load()
	if err != nil {
		return err
	}
	anchorDir, err := o.anchor(state)
	if err != nil {
		return err
	}
	file, err := o.file(ctx, room, state)
	if err != nil {
		return err
	}
	id, err := o.event(ctx, app, room, state, file)
	if err != nil {
		return err
	}
	result := initResult{Published: true, Anchor: anchorDir, Written: []string{}, Next: []string{}}
	if id != (event.ID{}) {
		if wait, err := o.settle(ctx, app, room, state, id, &result); wait || err != nil {
			return err
		}
		if state, err = room.Repository.Load(); err != nil {
			return err
		}
	}
	logPolicy, err := logPolicyOf(ctx, room, state)
	if err != nil {
		return err
	}
	if result.Written, err = writeAnchor(anchorDir, state, logPolicy); err != nil {
		return err
	}
	if len(result.Written) > 0 {
		result.Next = append(result.Next, "commit "+anchorDir+" in the source")
	}
	return app.Print(result, result.text())
}

// file reads the distribution file, or takes the published one.
func (o initOptions) file(ctx context.Context, room *publish.Room, state publish.State) ([]byte, error) {
	if o.Distribution == "" {
		if state.Empty() {
			return nil, cli.Usagef("--distribution is missing: nothing is published in %s yet", o.Room)
		}
		b, err := publish.DistributionOf(ctx, room.Events, state.Published)
		if errors.Is(err, event.ErrNoEvent) {
			return nil, cli.Usagef("--distribution is missing: the event of the published one is no longer in %s", o.Room)
		}
		return b, err
	}
	f, err := os.Open(o.Distribution)
	if err != nil {
		return nil, cli.Usagef("distribution file: %v", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, event.MaxDistribution+1))
	if err != nil {
		return nil, fmt.Errorf("distribution file: %w", err)
	}
	if _, err := event.ParseDistribution(b); err != nil {
		return nil, cli.Usagef("%s: %v", o.Distribution, err)
	}
	return b, nil
}

// event finds the event that this file and these renewals need, or opens it. A zero id means that what
// is published is what is wanted.
func (o initOptions) event(ctx context.Context, app *cli.App, room *publish.Room, state publish.State, file []byte) (event.ID, error) {
	if id, err := pending(state); id != (event.ID{}) || err != nil {
		return id, err
	}
	statuses, _, err := event.Survey(ctx, room.Events, state.Published, nil)
	if err != nil {
		return event.ID{}, err
	}
	opening := event.Opening{Now: app.Now(), Rand: rand.Reader}
	for _, s := range slices.Backward(statuses) {
		if s.Kind == event.KindRelease || !s.Open() {
			continue
		}
		p, err := event.Load(ctx, room.Events, s.ID)
		if err != nil {
			return event.ID{}, err
		}
		if string(p.Distribution) == string(file) && includes(p.Event.Roles(), o.Renew) {
			return s.ID, nil
		}
		if o.Distribution == "" && len(o.Renew) == 0 {
			return s.ID, nil // just asking how far it is
		}
		opening.Supersedes = s.ID
		break
	}
	var id event.ID
	if state.Empty() {
		id, err = room.Events.OpenDistribution(ctx, file, opening)
	} else {
		id, err = room.Events.OpenRoles(ctx, file, state.Base, o.due(state, app.Now()), opening)
	}
	if errors.Is(err, event.ErrNothingToDo) {
		return event.ID{}, nil
	}
	if err == nil && opening.Supersedes != (event.ID{}) {
		app.Say("event %s replaces %s, which was not finished", id.Short(), opening.Supersedes.Short())
	}
	return id, err
}

// due leaves out of --renew what was made within the last day: the run that publishes a renewal is the
// same command as the one that opened it, and must not open the next.
func (o initOptions) due(state publish.State, now time.Time) []string {
	var out []string
	for _, name := range o.Renew {
		if role, ok := state.Set.Role(name); ok && now.Sub(role.Made) < 24*time.Hour {
			continue
		}
		out = append(out, name)
	}
	return out
}

// pending returns the event of a publication that was interrupted.
func pending(state publish.State) (event.ID, error) {
	var p *publish.Interrupted
	if errors.As(state.Pending, &p) {
		return event.ParseID(p.Event)
	}
	return event.ID{}, nil
}

// settle publishes the event when it is ready, and otherwise prints who is missing.
func (o initOptions) settle(ctx context.Context, app *cli.App, room *publish.Room, state publish.State, id event.ID, result *initResult) (wait bool, err error) {
	p, err := event.Load(ctx, room.Events, id)
	if err != nil {
		return false, err
	}
	s := p.Status(state.Published, "")
	result.Event = s.Event
	if !s.Ready && state.Pending == nil {
		result.Published, result.Status = false, &s
		for _, q := range s.Quorums {
			if !q.Met() {
				result.Next = append(result.Next, fmt.Sprintf("%s needs %d more of %s", q.Name, q.Need-len(q.Signed), names(q)))
			}
		}
		result.Next = append(result.Next, fmt.Sprintf("each of them: countersign audit sign --room %s %s", o.Room, id.Short()))
		result.Next = append(result.Next, "then run countersign init again, with --keys")
		return true, app.Print(result, s.Text()+result.text())
	}
	if len(o.Keys) == 0 {
		return false, cli.Hint(cli.Usagef("event %s has its quorums and can be published, and --keys is missing", id.Short()), "run it again with --keys and the publisher's key file")
	}
	r, err := room.Repository.Publish(ctx, room.Events, id, app.Now())
	if err != nil {
		return false, needKeys(err)
	}
	app.Say("%s", publishedText(r))
	return false, nil
}

func names(q event.Quorum) string {
	var out []string
	for _, p := range q.Missing {
		out = append(out, p.Name)
	}
	return strings.Join(out, ", ")
}

func includes(have, want []string) bool {
	for _, w := range want {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return true
}

// anchor finds the directory of the trust anchor and refuses early to overwrite another distribution's.
func (o initOptions) anchor(state publish.State) (string, error) {
	dir := filepath.Join(o.Source, "release", "anchor", "distribution")
	if _, err := os.Stat(filepath.Dir(dir)); err != nil {
		return "", cli.Usagef("--source %s: want the top of a source tree, which has release/anchor in it", o.Source)
	}
	have, err := os.ReadFile(filepath.Join(dir, "root.json"))
	if errors.Is(err, os.ErrNotExist) || o.Replace {
		return dir, nil
	}
	if err != nil {
		return "", err
	}
	for _, root := range state.Base.Roots {
		if string(root) == string(have) {
			return dir, nil
		}
	}
	return "", cli.Hint(cli.Refusef("%s is the root of another distribution", filepath.Join(dir, "root.json")),
		"programs that believe that distribution would refuse this one", "give --replace to found a new distribution in this source tree")
}

// logPolicyOf returns log.policy of the published distribution: nil when it has no log.
func logPolicyOf(ctx context.Context, room *publish.Room, state publish.State) ([]byte, error) {
	file, err := publish.DistributionOf(ctx, room.Events, state.Published)
	if err != nil {
		return nil, fmt.Errorf("log.policy is made from the published distribution file: %w", err)
	}
	d, err := event.ParseDistribution(file)
	if err != nil {
		return nil, err
	}
	return d.LogPolicy()
}

// writeAnchor writes the anchor files where they differ, root.json last: without it there is no anchor, so
// a crash never leaves a root with the policy of another. A distribution without a log has no log.policy.
func writeAnchor(dir string, state publish.State, logPolicy []byte) ([]string, error) {
	written := []string{}
	b := state.Base
	for _, f := range []struct {
		name    string
		content []byte
	}{{"log.policy", logPolicy}, {"mirrors.json", b.Mirrors}, {"policy.json", b.Policy}, {"root.json", b.Roots[len(b.Roots)-1]}} {
		path := filepath.Join(dir, f.name)
		if f.content == nil {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return written, err
			}
			continue
		}
		if have, err := os.ReadFile(path); err == nil && string(have) == string(f.content) {
			continue
		}
		if err := durable.MkdirAll(dir, 0o755); err != nil {
			return written, err
		}
		if err := durable.WriteFile(path, f.content, 0o644); err != nil {
			return written, err
		}
		written = append(written, f.name)
	}
	return written, nil
}

func (r initResult) text() string {
	var b strings.Builder
	if r.Published {
		fmt.Fprintln(&b, "the distribution is published")
	}
	for _, w := range r.Written {
		fmt.Fprintf(&b, "wrote %s\n", filepath.Join(r.Anchor, w))
	}
	for _, n := range r.Next {
		fmt.Fprintf(&b, "next: %s\n", n)
	}
	return b.String()
}
