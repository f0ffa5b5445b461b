//go:build linux

package log_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/log"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/tuf/durable/killtest"
)

// seeded is a log key that is the same in every process of this test.
type seeded struct{ ed25519.PrivateKey }

func (s seeded) Sign(m []byte) ([]byte, error) { return ed25519.Sign(s.PrivateKey, m), nil }
func (s seeded) String() string                { return "test key" }
func (s seeded) Public() crypto.PublicKey      { return s.PrivateKey.Public() }

// childOptions is the log in dir. Its one witness is a file: what it cosigned is known to the world.
func childOptions(dir string) log.Options {
	key := seeded{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))}
	ana := prooftest.NewSigner("ana.example/w", proof.Ed25519Cosi)
	logKey, err := proof.NewKey(origin, proof.Ed25519, key.Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	policy, err := proof.ParsePolicy(fmt.Appendf(nil, "log %s\nwitness ana %s\nquorum ana\n", logKey, ana.Key))
	if err != nil {
		panic(err)
	}
	return log.Options{Dir: filepath.Join(dir, "log"), Public: filepath.Join(dir, "public"), Policy: policy, Key: key,
		Cosign: func(_ context.Context, b []byte, _ func(context.Context, uint64) ([]proof.Hash, error)) ([]byte, error) {
			text, _, _ := bytes.Cut(b, []byte("\n\n"))
			b = append(b, ana.Line(append(text[:len(text):len(text)], '\n'))...)
			head, err := proof.UnverifiedHead(b)
			if err != nil {
				return nil, err
			}
			return b, os.WriteFile(filepath.Join(dir, fmt.Sprintf("witnessed-%d-%x", head.Size, head.Root[:4])), b, 0o644)
		}}
}

const (
	crashFirst = 250 // entries there before
	crashLast  = 262
)

// work appends the rest in threes, publishes twice, and says what was acknowledged.
func work(dir string, say func(string)) error {
	ctx := context.Background()
	l, err := log.Open(ctx, childOptions(dir))
	if err != nil {
		return err
	}
	for n := crashFirst; n < crashLast; n += 3 {
		if err := l.Append(ctx, entries(n, n+3)); err != nil {
			return err
		}
		say(fmt.Sprintf("have %d\n", n+3))
		if n%2 == 1 {
			head, err := l.Publish(ctx)
			if err != nil {
				return err
			}
			say(fmt.Sprintf("public %d\n", head.Size))
		}
	}
	return nil
}

func TestMain(m *testing.M) {
	if dir := os.Getenv("COUNTERSIGN_TEST_LOG"); dir != "" {
		if err := work(dir, func(s string) { os.Stdout.WriteString(s) }); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// crashCalls are the system calls by which a log changes the disk.
var crashCalls = []string{"renameat", "renameat2", "rename", "fsync", "mkdirat", "unlinkat", "linkat", "write"}

// The log is killed with SIGKILL at its n-th call that changes the disk, for every n (every fifth beyond the
// first dozen of a kind). After each kill: every acknowledged entry is in its place, what was public is
// public and whole, no head the witness saw is contradicted, and the work can be finished.
func TestKilledAtEveryWrite(t *testing.T) {
	killer := killtest.New(t)
	base := t.TempDir()
	l, err := log.Open(t.Context(), childOptions(base))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), entries(0, crashFirst)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	kills, step := 0, 5
	if testing.Short() {
		step = 40
	}
	for _, call := range crashCalls {
		for n := 1; ; n++ {
			if n > 12 {
				n += step - 1
			}
			dir := filepath.Join(t.TempDir(), "room")
			if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
				t.Fatal(err)
			}
			said, killed := killer.At(call, n, append(os.Environ(), "COUNTERSIGN_TEST_LOG="+dir, "GOMAXPROCS=1"), os.Args[0])
			afterKill(t, dir, said, fmt.Sprintf("killed at %s %d", call, n))
			if !killed {
				break
			}
			kills++
			os.RemoveAll(dir)
		}
	}
	t.Logf("%d kills", kills)
	if kills < 30 {
		t.Errorf("%d kills are not every write: does strace count?", kills)
	}
}

func afterKill(t *testing.T, dir, said, where string) {
	t.Helper()
	have, public := crashFirst, crashFirst
	for line := range strings.Lines(said) {
		_, _ = fmt.Sscanf(line, "have %d", &have)
		_, _ = fmt.Sscanf(line, "public %d", &public)
	}
	o := childOptions(dir)
	before := readPublic(t, o, where)
	if before.Head().Size < uint64(public) {
		t.Fatalf("%s: %d entries are public, and %d were acknowledged", where, before.Head().Size, public)
	}
	l, err := log.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	if l.Size() < uint64(have) {
		t.Fatalf("%s: the log holds %d entries, and %d were acknowledged", where, l.Size(), have)
	}
	if err := work(dir, func(string) {}); err != nil {
		t.Fatalf("%s: going on: %v", where, err)
	}
	if l, err = log.Open(t.Context(), o); err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	if _, err := l.Publish(t.Context()); err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	after := readPublic(t, o, where)
	err = after.Entries(t.Context(), 0, after.Head().Size, func(n uint64, e []byte) error {
		if !bytes.Equal(e, entry(int(n))) {
			return fmt.Errorf("entry %d is %q", n, e)
		}
		return nil
	})
	if err != nil || after.Head().Size != crashLast {
		t.Fatalf("%s: %d entries in the end: %v", where, after.Head().Size, err)
	}
	witnessed, err := filepath.Glob(filepath.Join(dir, "witnessed-*"))
	if err != nil || len(witnessed) < 2 {
		t.Fatal(witnessed, err)
	}
	for _, path := range witnessed {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if head, err := proof.UnverifiedHead(b); err == nil { // a torn file is the witness's, not ours
			if err := after.Extends(t.Context(), head); err != nil {
				t.Fatalf("%s: a witness saw another log: %v", where, err)
			}
		}
	}
}

// readPublic opens the public files as a stranger would and reads all of them.
func readPublic(t *testing.T, o log.Options, where string) *tiles.Tree {
	t.Helper()
	_, head, err := tiles.Newest(t.Context(), tiles.Dir(os.DirFS(o.Public)), o.Policy)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	tree, err := tiles.Open(t.Context(), tiles.Dir(os.DirFS(o.Public)), head)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	for f := range tiles.Files(0, head.Size) {
		if _, err := tree.File(t.Context(), f); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
	}
	return tree
}
