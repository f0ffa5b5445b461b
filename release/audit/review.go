package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/countersign-project/countersign/builds/source"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/review"
	"github.com/countersign-project/countersign/tuf/durable"
)

// Reviewing is a review under way: what there is to read in a release, and what this auditor has read of
// it. It is for one goroutine, but for the journal; Close it.
type Reviewing struct {
	Proposal *event.Proposal
	Trust    Trust
	Base     ReviewBase
	Changes  *review.Changes
	Journal  *review.Journal
	Reader   *review.Reader

	a *Auditor
}

// OpenReview fetches the source of an event's release and of its base, both checked by the hashes the
// releases name, and computes the change list. Base is a version of the same channel, "none" for the
// whole source, or "" for what this auditor or a peer reviewed last (see ReviewBase).
//
// Sources, modules and marks are kept below Home, in review/ and the events' directories, so a review that
// was interrupted goes on where it was.
func (a *Auditor) OpenReview(ctx context.Context, id event.ID, base string) (*Reviewing, error) {
	p, err := event.Load(ctx, a.Store, id)
	if err != nil {
		return nil, err
	}
	if p.Event.Kind != event.KindRelease {
		return nil, refusef("event %s is of kind %s: there is no source to read", id.Short(), p.Event.Kind)
	}
	r := &Reviewing{Proposal: p, a: a}
	if r.Trust, err = a.trust(p); err != nil {
		return nil, err
	}
	if r.Base, err = a.reviewBase(ctx, p, base); err != nil {
		return nil, err
	}
	repository, err := source.OpenRepository(ctx, filepath.Join(a.reviewDir(), "objects.git"), a.Environ)
	if err != nil {
		return nil, err
	}
	if err := r.compare(ctx, repository); err != nil {
		return nil, err
	}
	if r.Journal, err = review.OpenJournal(filepath.Join(a.reviewDir(), "marks.jsonl")); err != nil {
		return nil, err
	}
	r.Reader, err = review.NewReader(ctx, repository)
	return r, err
}

// Close ends what reads the source.
func (r *Reviewing) Close() { r.Reader.Close() }

// reviewDir holds what is common to all reviews: the objects, the marks, what was finished.
func (a *Auditor) reviewDir() string { return filepath.Join(a.Home, "review") }

// compare brings both sides into the repository and lists what differs. A list that was made before from
// the same trees and modules is read again instead.
func (r *Reviewing) compare(ctx context.Context, repository *source.Repository) error {
	m := r.Proposal.Manifest
	kept := filepath.Join(r.a.reviewDir(), "lists", r.listName())
	if tree, err := repository.Tree(ctx, m.Source.Commit); err == nil && tree == m.Source.Tree {
		if c, err := readList(kept); err == nil && c.Head == tree {
			r.Changes = c
			return nil
		}
	}
	head, err := r.a.side(ctx, repository, r.Proposal, m.Source.Commit, m.Source.Tree)
	if err != nil {
		return err
	}
	base := review.Side{Tree: review.EmptyTree}
	if r.Base.Version != "" {
		if base, err = r.a.baseSide(ctx, repository, r.Base); err != nil {
			return err
		}
	}
	r.a.progress("comparing", 0, -1)
	if r.Changes, err = review.Compare(ctx, repository, base, head); err != nil {
		return err
	}
	if err := review.Analyse(ctx, repository, r.Changes); err != nil {
		return err
	}
	return writeList(kept, r.Changes)
}

// listName names a change list by all that it is made from.
func (r *Reviewing) listName() string {
	h := sha256.New()
	fmt.Fprintf(h, "list 1 %s %s", r.Proposal.Manifest.Source.Tree, r.Proposal.Event.Files[event.FileModules].SHA256)
	if b := r.Base; b.event != nil {
		fmt.Fprintf(h, " %s %s", b.Tree, b.event.Event.Files[event.FileModules].SHA256)
	} else {
		fmt.Fprintf(h, " %s kept", b.Tree)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// readList and writeList keep a list as gob, which carries names of any bytes.
func readList(path string) (*review.Changes, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var c review.Changes
	return &c, gob.NewDecoder(f).Decode(&c)
}

func writeList(path string, c *review.Changes) error {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(c); err != nil {
		return err
	}
	if err := durable.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(path, b.Bytes(), 0o600)
}

// side fetches an event's source and modules and brings them into the repository.
func (a *Auditor) side(ctx context.Context, repository *source.Repository, p *event.Proposal, commit, tree string) (review.Side, error) {
	side := review.Side{Tree: tree}
	modules, err := a.fetchOnce(ctx, p, event.FileModules)
	if err != nil {
		return side, err
	}
	if _, err := repository.Tree(ctx, commit); errors.Is(err, source.ErrNoCommit) {
		bundle, err := a.fetchOnce(ctx, p, event.FileSource)
		if err != nil {
			return side, err
		}
		a.progress("unpacking the source", 0, -1)
		if err := repository.Unbundle(ctx, bundle); err != nil {
			return side, err
		}
	}
	got, err := repository.Tree(ctx, commit)
	if errors.Is(err, source.ErrNoCommit) {
		return side, refusef("event %s: source.bundle does not hold commit %s", p.ID.Short(), commit)
	}
	if err != nil {
		return side, err
	}
	if got != tree {
		return side, refusef("event %s: commit %s has tree %s, release.json says %s", p.ID.Short(), commit, got, tree)
	}
	side.Modules, err = a.importModules(ctx, repository, tree, modules)
	return side, err
}

func (a *Auditor) importModules(ctx context.Context, repository *source.Repository, tree, archive string) (map[string]review.Module, error) {
	if err := durable.MkdirAll(a.reviewDir(), 0o700); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(a.reviewDir(), "modules-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	a.progress("unpacking the modules", 0, -1)
	return review.ImportModules(ctx, repository, tree, archive, filepath.Join(work, "tree"))
}

// fetchOnce returns the path of one of the event's large files, which a rebuild may have fetched already.
func (a *Auditor) fetchOnce(ctx context.Context, p *event.Proposal, name string) (string, error) {
	dir := a.Dir(p.ID)
	path := filepath.Join(dir, name)
	if have, err := isFile(path, p.Event.Files[name]); have || err != nil {
		return path, err
	}
	if err := durable.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	unlock, err := durable.Lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", fmt.Errorf("%s: a rebuild or review of this event is fetching: %w", dir, err)
	}
	defer unlock()
	err = p.Fetch(ctx, a.Store, name, path, func(done, total int64) { a.progress("fetching "+name, done, total) })
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("event %s: this copy is without %s; it was exported without what a review needs: %w", p.ID.Short(), name, err)
	}
	return path, err
}
