//go:build unix

package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/countersign-project/countersign/messenger/server/store"
)

const childDisk = "STORE_TEST_CHILD_DISK"

// TestDiskFull: when the disk takes no more, every change says ErrUnavailable, what was acknowledged stays readable, and
// when there is room again the same store goes on. The child's disk is bounded by RLIMIT_FSIZE, so that the test
// needs no file system of its own.
func TestDiskFull(t *testing.T) {
	if path := os.Getenv(childDisk); path != "" {
		fillDisk(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "store.db")
	cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFull$", "-test.v")
	cmd.Env = append(os.Environ(), childDisk+"="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := open(t, "sqlite:"+path)
	defer func() { _ = s.Close() }()
	if n := must[int](t)(s.CountQueued(t.Context())); n < 21 {
		t.Errorf("%d envelopes after opening again", n)
	}
}

func fillDisk(t *testing.T, path string) {
	signal.Ignore(syscall.SIGXFSZ)
	s := open(t, "sqlite:"+path)
	_, d := register(t, s, alice)
	put := func(n int) error {
		e := store.Envelope{Device: d, GUID: store.GUID{byte(n), byte(n >> 8)}, Body: make([]byte, 50_000)}
		return s.Enqueue(context.Background(), []store.Envelope{e}, now)[0]
	}
	limit := func(bytes uint64) {
		var r syscall.Rlimit
		check(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &r))
		r.Cur = bytes
		check(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &r))
	}
	limit(2 << 20)
	acknowledged, failed := 0, 0
	for n := 0; failed < 20; n++ {
		switch err := put(n); {
		case err == nil && failed > 0:
			t.Fatalf("envelope %d was taken after one was not", n)
		case err == nil:
			acknowledged++
		case errors.Is(err, store.ErrUnavailable):
			failed++
		default:
			t.Fatal(err)
		}
	}
	if acknowledged < 20 {
		t.Fatalf("only %d envelopes fitted", acknowledged)
	}
	if n, _, err := s.Depth(context.Background(), d); err != nil || n != acknowledged {
		t.Errorf("with a full disk: %d of %d are there, %v", n, acknowledged, err)
	}
	limit(1 << 30)
	check(t, put(60_000))
	if n, _, err := s.Depth(context.Background(), d); err != nil || n != acknowledged+1 {
		t.Errorf("with room again: %d, wanted %d, %v", n, acknowledged+1, err)
	}
	check(t, s.Close())
	fmt.Println("acknowledged", acknowledged)
}
