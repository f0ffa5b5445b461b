package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/builds/hermetic"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/durable"
)

// RebuildOptions say where a rebuild works.
type RebuildOptions struct {
	Cache     string // private build cache, kept from one rebuild to the next; "" for none
	Work      string // directory for what is large; "" is the event's directory below Home
	Toolchain string // GOROOT; "" to look for one
	Again     bool   // rebuild although it is done
}

// Rebuild builds the release of an event from the source that came with it, on this machine, compares
// every artifact by digest, remembers how it ended, and lets the person state it: positive or negative
// when the build was finished, inconclusive when it was not. Without a key in the ring nothing is stated.
//
// The error is about things that kept the rebuild from being an attempt at all: the event, the network,
// the disk, the keys. How the attempt ended is in the Record, and its Err says so as an error. An
// interrupted rebuild can be started again; what was fetched is fetched no second time, and a finished one
// whose statement did not reach the room is only handed in.
func (a *Auditor) Rebuild(ctx context.Context, id event.ID, o RebuildOptions) (*Record, error) {
	p, err := event.Load(ctx, a.Store, id)
	if err != nil {
		return nil, err
	}
	if p.Event.Kind != event.KindRelease {
		return nil, refusef("event %s is of kind %s: there is nothing to rebuild", id.Short(), p.Event.Kind)
	}
	w := &rebuilding{a: a, p: p, o: o, dir: a.Dir(id)}
	if len(a.Keys) > 0 {
		if w.key, w.who, err = a.statementSigner(p); err != nil {
			return nil, err
		}
	}
	if w.o.Work == "" {
		w.o.Work = w.dir
	}
	if w.o.Work, err = filepath.Abs(w.o.Work); err != nil {
		return nil, err
	}
	if err := durable.MkdirAll(w.dir, 0o700); err != nil {
		return nil, err
	}
	unlock, err := durable.Lock(filepath.Join(w.dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("%s: a rebuild of this event is under way: %w", w.dir, err)
	}
	defer unlock()
	if r, done, err := w.resume(ctx); done || err != nil {
		return r, err
	}
	return w.run(ctx)
}

// rebuilding is one rebuild under way.
type rebuilding struct {
	a   *Auditor
	p   *event.Proposal
	o   RebuildOptions
	dir string        // home of the event
	key signer.Signer // nil: nothing is stated
	who genuine.Person
}

// resume ends a rebuild that was finished before: its statement is handed in if the room lacks it. One
// that was inconclusive, or that nobody stated although a key is there now, is made again.
func (w *rebuilding) resume(ctx context.Context) (*Record, bool, error) {
	r, have, err := w.a.hasRecord(w.p.ID)
	if err != nil || !have || w.o.Again || r.Result == event.Inconclusive {
		return nil, false, err
	}
	if r.Release != genuine.Digest(w.p.ReleaseSHA256()) || w.key != nil && r.Key != keySum(w.key.Public()) {
		return nil, false, nil
	}
	if r.Statement == "" {
		return &r, true, nil
	}
	b, err := os.ReadFile(filepath.Join(w.dir, "statement.json"))
	if err != nil {
		return nil, false, err
	}
	return &r, true, w.a.Store.PutStatement(ctx, w.p.ID, b)
}

// run makes the attempt.
func (w *rebuilding) run(ctx context.Context) (*Record, error) {
	if err := hermetic.CheckAmbient(w.a.Environ); err != nil {
		return nil, err // this machine's fault, and nothing to be stated about the release
	}
	cache, err := w.cache()
	if err != nil {
		return nil, err
	}
	if err := w.fetch(ctx); err != nil {
		return nil, err
	}
	r := &Record{Event: w.p.ID.String(), Label: w.p.Event.Label, Release: w.p.ReleaseSHA256(), Started: w.now()}
	product, err := w.build(ctx, cache)
	r.Finished = w.now()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err() // the person stopped it: that says nothing about the release
	case err != nil:
		r.Result, r.Reason = event.Inconclusive, oneLine(err.Error(), maxReason)
	default:
		r.Artifacts = product.Artifacts
		r.Differences = w.compare(product)
		r.Result = event.Matched
		if len(r.Differences) > 0 {
			r.Result = event.Differs
		}
	}
	if r.Result == event.Differs {
		if err := w.keep(ctx, r); err != nil {
			return nil, err
		}
	}
	if r.Source, err = w.a.sourceChange(ctx, w.p, w.bundle(), w.o.Work); err != nil {
		return nil, err
	}
	bundle, err := w.state(r, product)
	if err != nil {
		return nil, err
	}
	return r, w.finish(ctx, r, bundle)
}

// finish remembers, then tells. A crash in between leaves a record whose statement resume hands in.
func (w *rebuilding) finish(ctx context.Context, r *Record, bundle []byte) error {
	if err := durable.WriteFile(filepath.Join(w.dir, event.FileRelease), w.p.Release, 0o600); err != nil {
		return err
	}
	if bundle != nil {
		if err := durable.WriteFile(filepath.Join(w.dir, "statement.json"), bundle, 0o600); err != nil {
			return err
		}
	}
	if err := w.a.saveRecord(w.p.ID, *r); err != nil {
		return err
	}
	w.sweep(r)
	if bundle == nil {
		return nil
	}
	if err := w.a.Store.PutStatement(ctx, w.p.ID, bundle); err != nil {
		return fmt.Errorf("the rebuild is finished (%s) and kept in %s, but its statement could not be stored in %s (rebuild again to hand it in): %w", r.Result, w.dir, w.a.Store, err)
	}
	return nil
}

// sweep deletes what was built, unless it is one side of a difference.
func (w *rebuilding) sweep(r *Record) {
	if r.Result != event.Differs {
		_ = os.RemoveAll(w.ours()) // what cannot be deleted is only in the way
	}
}

func (w *rebuilding) bundle() string  { return filepath.Join(w.o.Work, event.FileSource) }
func (w *rebuilding) modules() string { return filepath.Join(w.o.Work, event.FileModules) }
func (w *rebuilding) ours() string    { return filepath.Join(w.o.Work, "ours") }
func (w *rebuilding) theirs() string  { return filepath.Join(w.o.Work, "theirs") }

func (w *rebuilding) now() time.Time { return w.a.Now().UTC().Truncate(time.Second) }

// fetch brings source and modules, each checked by the hash in event.json before it gets its name.
func (w *rebuilding) fetch(ctx context.Context) error {
	for name, path := range map[string]string{event.FileSource: w.bundle(), event.FileModules: w.modules()} {
		if have, err := isFile(path, w.p.Event.Files[name]); have || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		report := func(done, total int64) { w.a.progress("fetching "+name, done, total) }
		if err := w.p.Fetch(ctx, w.a.Store, name, path, report); err != nil {
			if errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("event %s: this copy is without %s; it was exported without what a rebuild needs: %w", w.p.ID.Short(), name, err)
			}
			return fmt.Errorf("event %s: %w", w.p.ID.Short(), err)
		}
	}
	return nil
}

// build runs the builder in a fresh directory and looks at what it left.
func (w *rebuilding) build(ctx context.Context, cache string) (Product, error) {
	for _, dir := range []string{w.ours(), w.theirs()} {
		if err := os.RemoveAll(dir); err != nil {
			return Product{}, err
		}
	}
	product, err := w.a.Build(ctx, Job{
		Bundle: w.bundle(), Commit: w.p.Manifest.Source.Commit, Modules: w.modules(), Out: w.ours(),
		Cache: cache, Toolchain: w.o.Toolchain, Environ: w.a.Environ, Progress: w.a.progress,
	})
	if err != nil {
		return Product{}, err
	}
	return product, w.verify(product)
}
