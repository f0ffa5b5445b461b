//go:build linux

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign-project/countersign/cmd/cli"
)

// Every work runs through against the real server: its counts are those of messages that were acknowledged, however long that took.
func TestWorksWithTheRealServer(t *testing.T) {
	dir := t.TempDir()
	program := build(t, dir)
	b := &bench{app: &cli.App{Err: io.Discard, Quiet: true}, dir: dir, payload: 1024, lasts: 300 * time.Millisecond}
	o := &options{program: program, connections: 40, rate: 100, idle: []int{40}}
	for _, work := range workNames() {
		rows, err := o.measure(t.Context(), b, work, &messengerd{program: program, dialer: newDialer()}, 0)
		if err != nil {
			t.Errorf("%s: %v", work, err)
			continue
		}
		for _, m := range shown(work) {
			if m == cpuMicros || m == perCPUSecond || m == perIdle || m == writtenBytes {
				continue // on so little, the system's clock and its pages are too coarse to tell; and the disk may be memory
			}
			if v := rows[0].Values[m]; v <= 0 {
				t.Errorf("%s: %s is %v in %v", work, m, v, rows[0].Values)
			}
		}
	}
	for _, other := range []system{&messengerd{program: program, dialer: newDialer(), tls: true}, &messengerd{program: program, dialer: newDialer(), receipts: true}} {
		if _, err := o.measure(t.Context(), b, workPairs, other, 0); err != nil {
			t.Errorf("%s: %v", other.name(), err)
		}
	}
	rows, err := b.growth(t.Context(), &messengerd{program: program, dialer: newDialer()},
		growthSizes{connections: []int{10, 20}, queued: []int{0, 1000}, accounts: []int{1000}})
	if err != nil || len(rows) != 5 {
		t.Errorf("growth: %d rows, want 5; %v", len(rows), err)
	}
	for _, entry := range must(os.ReadDir(dir)) {
		if entry.Name() != "messengerd" {
			t.Errorf("%s was left behind", entry.Name())
		}
	}
}

// build builds the server into a directory.
func build(t *testing.T, dir string) string {
	t.Helper()
	program := filepath.Join(dir, "messengerd")
	cmd := exec.Command("go", "build", "-o", program, "../messengerd")
	cmd.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
