package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"time"

	"github.com/countersign-project/countersign/messenger/server"
	"github.com/countersign-project/countersign/messenger/server/attach"
	"github.com/countersign-project/countersign/messenger/server/deliver"
	"github.com/countersign-project/countersign/messenger/server/federation"
	"github.com/countersign-project/countersign/messenger/server/metric"
	"github.com/countersign-project/countersign/messenger/server/route"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/store/engine"
	"github.com/countersign-project/countersign/messenger/server/verify"
	"github.com/countersign-project/countersign/release/anchor"
)

// parts is a server with all it stands on.
type parts struct {
	server  *server.Server
	store   store.Store
	blobs   blobs
	sender  *deliver.Sender
	hub     *deliver.Hub
	router  route.Router
	metrics *metric.Set
	peers   *federation.Node // nil without
	log     *slog.Logger
}

// assemble opens the store and puts a server together.
func assemble(ctx context.Context, o *serveOptions, log *slog.Logger, now func() time.Time) (*parts, error) {
	where, err := o.url()
	if err != nil {
		return nil, err
	}
	dir, err := o.directory()
	if err != nil {
		return nil, err
	}
	p := &parts{log: log, metrics: metric.New(anchor.Version())}
	if p.blobs, err = o.attachments.blobs(dir, now); err != nil {
		return nil, err
	}
	verifier, err := o.verifier(now)
	if err != nil {
		return nil, err
	}
	proxies, err := o.networks()
	if err != nil {
		return nil, err
	}
	if p.peers, err = o.federation.node(&o.place, p.metrics, log, now); err != nil {
		return nil, err
	}
	if p.store, err = engine.Open(ctx, where, engine.Options{}); err != nil {
		return nil, err
	}
	r, err := o.cluster.routing(p.store, now)
	if err != nil {
		return nil, errors.Join(err, p.store.Close())
	}
	p.router = r.router
	p.sender = &deliver.Sender{Queue: p.store, Presence: r.presence, Router: r.router, Now: now, AlwaysDurable: o.alwaysDurable}
	p.hub = deliver.NewHub(p.store, r.presence, r.router, now, r.options)
	if err := p.hub.Start(ctx); err != nil {
		return nil, errors.Join(err, r.router.Close(), p.store.Close())
	}
	p.server, err = server.New(server.Config{
		Version: anchor.Version(), Store: p.store, Sender: p.sender, Hub: p.hub, Router: p.router, Blobs: p.blobs, Verifier: verifier,
		Peers: p.peers, Metrics: p.metrics, Log: log, Now: now, Rand: rand.Reader, URL: o.publicURL, Proxies: proxies,
		MaxDevices: o.maxDevices, MaxSockets: o.maxWebsockets, LimitFactor: o.limitFactor, About: (&describer{host: o.host, now: now}).about,
	})
	if err != nil {
		return nil, errors.Join(err, p.store.Close())
	}
	p.count()
	return p, nil
}

func (o *serveOptions) verifier(now func() time.Time) (verify.Verifier, error) {
	switch {
	case o.development:
		return verify.Developer{Show: func(d verify.Delivery) {
			fmt.Fprintf(o.shown, "development: no telephone gets this code, type it yourself: %s for %s\n", verify.Spoken(d.Code), d.Number)
		}}, nil
	case o.webhook == "":
		return verify.None{}, nil
	}
	key, err := secret(o.webhookSecret)
	if err != nil {
		return nil, err
	}
	return verify.NewWebhook(o.webhook, key, http.DefaultTransport, now)
}

// count adds what the parts count themselves to the metrics.
func (p *parts) count() {
	m := p.metrics
	for name, v := range map[string]struct {
		help string
		get  func(store.Stats) uint64
	}{
		"messengerd_store_commits_total":        {"Transactions committed.", func(s store.Stats) uint64 { return s.Commits }},
		"messengerd_store_changes_total":        {"Changes in them: how well group commit works.", func(s store.Stats) uint64 { return s.Changes }},
		"messengerd_store_bytes_total":          {"Bytes handed to the database, in whole 64 KiB: not what a single message has.", func(s store.Stats) uint64 { return s.Bytes &^ (64<<10 - 1) }},
		"messengerd_store_enqueued_total":       {"Envelopes written to queues.", func(s store.Stats) uint64 { return s.Enqueued }},
		"messengerd_store_acknowledged_total":   {"Envelopes removed because the device has them.", func(s store.Stats) uint64 { return s.Acked }},
		"messengerd_store_prekeys_taken_total":  {"One-time prekeys given out.", func(s store.Stats) uint64 { return s.Taken }},
		"messengerd_store_changes_failed_total": {"Changes refused or lost.", func(s store.Stats) uint64 { return s.Failed }},
	} {
		m.Counter(name, v.help, func() float64 { return float64(v.get(p.store.Stats())) })
	}
	m.Counter("messengerd_envelopes_drained_total", "Envelopes delivered from queues.", func() float64 { return float64(p.hub.Stats().Drained) })
	m.Counter("messengerd_envelopes_dropped_total", "Envelopes given up after a device refused them ten times.", func() float64 { return float64(p.hub.Stats().Dropped) })
	m.Gauge("messengerd_attachment_bytes", "Bytes of attachments kept, rounded up to whole MiB: not what a single one has.", func() float64 {
		return math.Ceil(float64(p.blobs.Used())/(1<<20)) * (1 << 20)
	})
}

// How often what has expired is removed: from the store, and from the disk what nothing in the store refers to.
const (
	sweepEvery  = 5 * time.Minute
	sweepBlobs  = 6 * time.Hour
	closeWithin = 5 * time.Second
)

// upkeep runs until ctx ends.
func (p *parts) upkeep(ctx context.Context, now func() time.Time) {
	go p.hub.Run(ctx)
	go tidy(ctx, p.server.Connections)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for last := now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := p.sweep(ctx, now()); err != nil && ctx.Err() == nil {
			p.log.Warn("old things not removed", "error", err)
		}
		if now().Sub(last) >= sweepBlobs {
			last = now()
			if err := p.blobs.Sweep(ctx, last, p.referenced(ctx)); err != nil && ctx.Err() == nil {
				p.log.Warn("old attachments not removed", "error", err)
			}
		}
	}
}

func (p *parts) sweep(ctx context.Context, now time.Time) error {
	swept, err := p.store.Sweep(ctx, now)
	if err != nil {
		return err
	}
	for _, a := range swept.Attachments {
		if !a.Complete {
			continue
		}
		if err := p.blobs.Remove(ctx, a.Hash, now, p.referenced(ctx)); err != nil {
			return err
		}
	}
	return nil
}

func (p *parts) referenced(ctx context.Context) func(attach.Hash) (bool, error) {
	return func(h attach.Hash) (bool, error) { return p.store.Referenced(ctx, h) }
}

// close ends what assemble began, after the server was drained.
func (p *parts) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	p.sender.Close()
	err := errors.Join(p.hub.Close(ctx), p.router.Close(), p.store.Close())
	if err != nil {
		return fmt.Errorf("closing: %w", err)
	}
	return nil
}
