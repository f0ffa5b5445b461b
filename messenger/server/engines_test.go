package server

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/deliver"
	"github.com/countersign-project/countersign/messenger/server/deliver/peer"
	"github.com/countersign-project/countersign/messenger/server/route"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// The tests of this package run over SQLite and in one process, unless these say otherwise.
const (
	suiteDatabase = "COUNTERSIGN_SUITE_DATABASE" // a URL in which N stands for the number of the world
	suiteBus      = "COUNTERSIGN_SUITE_BUS"
	suiteWorlds   = 2000
)

// lease outlasts whatever a test does to the clock: nobody keeps up heartbeats here.
const lease = 50 * 365 * 24 * time.Hour

// worlds counts those that had engines of a suite.
var worlds atomic.Int32

// engines are what one world stands on.
type engines struct {
	database, bus, prefix string
}

// chosen returns the engines for a new world: SQLite at a path, or the next ones of the suite.
func chosen(t *testing.T, path string) engines {
	t.Helper()
	database := os.Getenv(suiteDatabase)
	if database == "" {
		return engines{database: path}
	}
	n := worlds.Add(1)
	if n > suiteWorlds {
		t.Fatalf("more than %d worlds: raise the number", suiteWorlds)
	}
	number := strconv.Itoa(int(n))
	return engines{strings.Replace(database, "suiteN", "suite"+number, 1), os.Getenv(suiteBus), "w" + number}
}

func (e engines) routing(t *testing.T, s store.Store) (route.Router, deliver.Presence) {
	t.Helper()
	if e.bus == "" {
		return route.NewLocal("test", patience), new(deliver.Alone)
	}
	r, err := route.DialNATS(route.NATSOptions{URL: e.bus, Node: "test", Prefix: e.prefix, Patience: patience, Probe: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r, s
}

// Every test of the API again, by a process of its own, over a real PostgreSQL and a real NATS.
func TestAllOverPostgresAndNATS(t *testing.T) {
	if os.Getenv(suiteDatabase) != "" {
		t.Skip("this is it")
	}
	if testing.Short() {
		t.Skip("runs all tests once more")
	}
	postgres, bus := peer.StartPostgres(t), peer.StartNATS(t, "")
	database := postgres.Databases(suiteWorlds)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.short", "-test.timeout=20m")
	cmd.Env = append(os.Environ(), suiteDatabase+"="+database, suiteBus+"="+bus.URL)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out[max(0, len(out)-20_000):])
	}
	if n := postgres.Used(); n < 50 {
		t.Errorf("%d worlds were over PostgreSQL", n)
	}
}
