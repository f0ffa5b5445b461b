//go:build linux

package main

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/server/deliver/peer"
)

// TestMain lets this test's program be a process of clients, as the tool's own is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "hold" {
		app := cli.NewApp("loadtest")
		os.Exit(app.Run(newRoot(app), os.Args[1:]))
	}
	os.Exit(m.Run())
}

// Idle connections are spread over servers of a real cluster and over client processes; a message from the first server reaches the last.
func TestClusterHoldsConnections(t *testing.T) {
	database, bus := peer.StartPostgres(t), peer.StartNATS(t, "")
	dir := t.TempDir()
	b := &bench{app: &cli.App{Err: io.Discard, Quiet: true}, dir: dir, payload: 1024, settle: time.Millisecond}
	o := clusterOptions{database: database.Database(), bus: bus.URL, perServer: 15, sizes: []int{10, 31}}
	got := map[int]map[string]float64{}
	err := b.growCluster(t.Context(), &messengerd{program: build(t, dir), dialer: newDialer()}, o, func(_ string, n int, v map[string]float64) { got[n] = v })
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range o.sizes {
		if v := got[n]; v[serverCount] != 3 || v[crossP50] <= 0 || v[residentMiB] <= 0 {
			t.Errorf("%d connections: %v, want 3 servers that reach each other", n, v)
		}
	}
}

func TestClusterOptions(t *testing.T) {
	for _, o := range []clusterOptions{{database: "postgres://x", perServer: 1}, {bus: "nats://x", perServer: 1}, {}} {
		if err := o.check(); cli.Code(err) != cli.ExitUsage {
			t.Errorf("%+v: %v, want wrong usage", o, err)
		}
	}
	if err := (&clusterOptions{database: "postgres://x", bus: "nats://x", perServer: 1}).check(); err != nil {
		t.Error(err)
	}
}
