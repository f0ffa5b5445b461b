package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/record"
	"github.com/countersign-project/countersign/tuf/fetch"
)

func newLogCommand(app *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:     "log",
		Short:   "Read the public log of releases, metadata and statements",
		GroupID: groupAnyone,
		Long: `Read the public log of releases, metadata and statements.

What is published is in the log for ever, and witnesses see to it that everybody is shown the same log.
Nothing that is read here is believed unless it leads to a head that enough of them cosigned.

` + cli.ExitHelp,
	}
	c.AddCommand(newLogShowCommand(app), newLogFollowCommand(app))
	return c
}

// logPlace is a log with the places that have it.
type logPlace struct {
	anchor  anchor.Anchor
	policy  proof.Policy
	sources []fetch.Source
}

// log finds out whose log is read, and where. A log policy alone suffices for the log; who its people are is
// told by the distribution, which needs the root.
func (o *repositoryOptions) log() (p logPlace, err error) {
	if o.Root == "" && o.LogPolicy != "" {
		if o.Policy != "" {
			return p, cli.Usagef("--policy without --root: who is behind a key is read from the distribution, which needs its root")
		}
		p.anchor.LogPolicy, err = readAnchor(o.LogPolicy)
	} else {
		p.anchor, err = o.anchor()
	}
	if err != nil {
		return p, err
	}
	if len(p.anchor.LogPolicy) == 0 {
		return p, cli.Hint(cli.Usagef("there is no log.policy, so whose log is to be believed is not known"), "give the distribution's with --log-policy")
	}
	if p.policy, err = proof.ParsePolicy(p.anchor.LogPolicy); err != nil {
		return p, cli.Usagef("%s: %v", o.LogPolicy, err)
	}
	p.sources, err = o.sources(p.anchor)
	return p, err
}

// reader learns from the distribution what the entries mean. Without a root, or when the distribution cannot be
// read, entries are shown with their hashes alone.
func (p logPlace) reader(ctx context.Context, app *cli.App) record.Reader {
	if len(p.anchor.Root) == 0 {
		return record.Record{}.Reader()
	}
	now := app.Now()
	r, err := record.Read(ctx, record.Options{Anchor: p.anchor, Now: now, At: now, Courier: func() *fetch.Courier { return &fetch.Courier{Sources: p.sources} }})
	if err != nil && ctx.Err() == nil {
		app.Say("who is behind the entries could not be read: %v", err)
	}
	return r.Reader()
}

// placedHead is a head that the policy believes, and one place that has it.
type placedHead struct {
	proof.Head
	place  string
	source tiles.Source
}

// heads asks every place for its head and returns those that are believed, largest first. Where there is none, a
// head that was refused is the error.
func (p logPlace) heads(ctx context.Context) ([]placedHead, error) {
	var list []placedHead
	failure := &fetch.Error{Path: repositoryLog + "/" + tiles.Checkpoint}
	refused := false
	for _, src := range p.sources {
		h := placedHead{place: src.String(), source: tiles.Under(repositoryLog, &fetch.Courier{Sources: []fetch.Source{src}})}
		_, err := h.source.FetchChecked(ctx, tiles.Checkpoint, proof.MaxCheckpoint, func(b []byte) (err error) {
			h.Head, err = p.policy.Open(b)
			refused = refused || err != nil
			return err
		})
		var one *fetch.Error
		switch {
		case err == nil:
			list = append(list, h)
		case errors.As(err, &one):
			failure.Sources = append(failure.Sources, one.Sources...)
		default:
			return nil, err
		}
	}
	switch {
	case len(list) == 0 && refused:
		return nil, cli.Refusef("the head of the log %s: %v", p.policy.Origin(), failure)
	case len(list) == 0:
		return nil, failure
	}
	slices.SortStableFunc(list, func(a, b placedHead) int { return cmp.Compare(b.Size, a.Size) })
	return list, nil
}

// newest opens the log at the largest head whose files can be had, and holds all others against it.
func (p logPlace) newest(ctx context.Context) (*tiles.Tree, error) {
	heads, err := p.heads(ctx)
	if err != nil {
		return nil, err
	}
	var why error
	for i, h := range heads {
		tree, err := tiles.Open(ctx, h.source, h.Head)
		if err != nil {
			why = cmp.Or(why, wrongLog(err))
			continue
		}
		for _, other := range heads[i+1:] {
			if err := tree.Extends(ctx, other.Head); errors.Is(err, proof.ErrNotConsistent) {
				return nil, cli.Refusef("the log was forked: %d entries, root %v, at %s and %d, root %v, at %s are not of one log, though witnesses cosigned both",
					h.Size, h.Root, h.place, other.Size, other.Root, other.place)
			} else if err != nil {
				return nil, wrongLog(err)
			}
		}
		return tree, nil
	}
	return nil, why
}

// repositoryLog is where a repository keeps the log.
const repositoryLog = "log"

// wrongLog makes a refusal of files that do not lead to the head.
func wrongLog(err error) error {
	if errors.Is(err, tiles.ErrCorrupt) {
		return cli.Refusef("the log's files: %v", err)
	}
	return err
}

// logEntry is an entry as it is printed.
type logEntry struct {
	Index   uint64 `json:"index"`
	Entry   string `json:"entry"` // as it stands in the log
	What    string `json:"what"`  // "release", "metadata", "rebuilt", "review", …
	Release string `json:"release,omitempty"`
	By      string `json:"by,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	Text    string `json:"text"`
}

func logEntryOf(index uint64, entry []byte, words record.Reader) logEntry {
	w := words.Read(entry)
	e := logEntry{Index: index, Entry: strings.ToValidUTF8(string(entry), "�"), What: w.What, Release: w.Release, By: w.By, Text: w.Text}
	if leaf, err := proof.ParseLeaf(entry); err == nil {
		e.SHA256 = hex.EncodeToString(leaf.SHA256[:])
	}
	return e
}

func (e logEntry) line() string { return fmt.Sprintf("%7d  %s", e.Index, e.Text) }

// logHead is a head as it is printed.
type logHead struct {
	proof.Head
	Time    time.Time `json:"time"`    // of the newest cosignature
	Missing []string  `json:"missing"` // witnesses of the policy who did not cosign it
}

func headOf(head proof.Head, policy proof.Policy) logHead {
	h := logHead{Head: head, Missing: []string{}}
	signed := map[string]bool{}
	for _, c := range head.Witnesses {
		signed[c.Name] = true
		if c.Time.After(h.Time) {
			h.Time = c.Time
		}
	}
	for _, w := range policy.Witnesses() {
		if !signed[w.Name] {
			h.Missing = append(h.Missing, w.Name)
		}
	}
	return h
}

func (h logHead) text(policy proof.Policy) string {
	var b strings.Builder
	fmt.Fprintf(&b, "log %s: %d entries\n  root %v\n", h.Origin, h.Size, h.Root)
	var names []string
	for _, c := range h.Witnesses {
		names = append(names, fmt.Sprintf("%s (%s)", c.Name, c.Time.Format("2006-01-02 15:04 UTC")))
	}
	fmt.Fprintf(&b, "  cosigned by %s\n", strings.Join(names, ", "))
	if len(h.Missing) > 0 {
		fmt.Fprintf(&b, "  not by %s\n", strings.Join(h.Missing, ", "))
	}
	fmt.Fprintf(&b, "  needed: %s\n", policy.Quorum())
	return b.String()
}
