package log_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/countersign-project/countersign/attest/log"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/attest/witness"
	"github.com/countersign-project/countersign/attest/witness/witnesstest"
)

const origin = "log.example/countersign"

// entry is the n-th timestamp.
func entry(n int) []byte {
	return proof.MetadataLeaf("timestamp", int64(n+1), sha256.Sum256(fmt.Append(nil, n)))
}

func entries(from, to int) (list [][]byte) {
	for n := from; n < to; n++ {
		list = append(list, entry(n))
	}
	return list
}

// publisher is a log on disk with witnesses on the loopback.
type publisher struct {
	*witnesstest.World
	t       *testing.T
	options log.Options
	policy  proof.Policy
	away    map[string]bool // witnesses that nobody reaches, by the host in their address
}

func newPublisher(t *testing.T, quorum int, names ...string) *publisher {
	t.Helper()
	w := witnesstest.New(t, origin, names...)
	dir := t.TempDir()
	p := &publisher{World: w, t: t, policy: w.Policy(t, quorum), away: map[string]bool{}}
	p.options = log.Options{Dir: filepath.Join(dir, "log"), Public: filepath.Join(dir, "repository", "log"), Key: w.Signer, Policy: p.policy}
	g := w.Gatherer(t, quorum)
	g.Client = &http.Client{Transport: p}
	p.options.Cosign = func(ctx context.Context, b []byte, prove func(context.Context, uint64) ([]proof.Hash, error)) ([]byte, error) {
		return g.Cosign(ctx, b, prove)
	}
	return p
}

// RoundTrip is the network. Not a witness's server that is closed: its port may be somebody else's a moment later, and its last connection may be
// found closed only when something was sent.
func (p *publisher) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.away[r.URL.Host] {
		return nil, syscall.ECONNREFUSED
	}
	return p.People[0].Server.Client().Transport.RoundTrip(r)
}

func (p *publisher) open() *log.Log {
	p.t.Helper()
	l, err := log.Open(p.t.Context(), p.options)
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

// reads checks that a stranger who has only the public files and the policy finds these entries and no others.
func (p *publisher) reads(want [][]byte) {
	p.t.Helper()
	_, head, err := tiles.Newest(p.t.Context(), tiles.Dir(os.DirFS(p.options.Public)), p.policy)
	if err != nil {
		p.t.Fatal(err)
	}
	tree, err := tiles.Open(p.t.Context(), tiles.Dir(os.DirFS(p.options.Public)), head)
	if err != nil {
		p.t.Fatal(err)
	}
	var got [][]byte
	if err := tree.Entries(p.t.Context(), 0, head.Size, func(_ uint64, e []byte) error { got = append(got, e); return nil }); err != nil {
		p.t.Fatal(err)
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		p.t.Fatalf("%d entries are public, want %d", len(got), len(want))
	}
}

func (p *publisher) files(dir string) (names []string) {
	p.t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return names
}

func TestAReleaseIsLoggedAndProven(t *testing.T) {
	p := newPublisher(t, 2, "ana", "bo", "chen")
	l := p.open()
	release := [][]byte{proof.ReleaseLeaf("stable", "1.4.0", [32]byte{1}), proof.StatementLeaf([32]byte{2}, [32]byte{3})}
	if err := l.Append(t.Context(), entries(0, 300)); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), release); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.options.Public); !errors.Is(err, fs.ErrNotExist) {
		t.Error("something is public before anybody cosigned:", err)
	}
	made, err := l.Prove(t.Context(), release)
	if err != nil {
		t.Fatal(err)
	}
	b, err := made.Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := proof.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	head, shown, err := read.Verify(p.policy, release)
	if err != nil || !shown[0] || !shown[1] || head.Size != 302 || len(head.Witnesses) < 2 {
		t.Fatalf("%+v, %v, %v", head, shown, err)
	}
	if i, ok := read.Find(release[0]); !ok || read.Leaves()[i].Index != 300 {
		t.Error("the release is not where it was put")
	}
	p.reads(append(entries(0, 300), release...))
}

func TestAnEntryIsInTheLogOnce(t *testing.T) {
	p := newPublisher(t, 1, "ana")
	l := p.open()
	list := append(entries(0, 5), entries(3, 7)...)
	for range 2 {
		if err := l.Append(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	l = p.open() // the index comes out of the files
	if err := l.Append(t.Context(), list); err != nil || l.Size() != 7 {
		t.Fatal(l.Size(), err)
	}
	if _, err := l.Prove(t.Context(), append(list, list...)); err != nil {
		t.Fatal(err)
	}
	p.reads(entries(0, 7))
	// Two programs with one room: what one appends the other knows.
	other := p.open()
	if err := other.Append(t.Context(), entries(7, 9)); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), entries(7, 10)); err != nil || l.Size() != 10 {
		t.Fatal(l.Size(), err)
	}
}

func TestNothingIsPublishedWithoutTheQuorum(t *testing.T) {
	p := newPublisher(t, 2, "ana", "bo", "chen")
	l := p.open()
	if err := l.Append(t.Context(), entries(0, 3)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := p.files(p.options.Public)
	for _, gone := range p.People[1:] {
		p.away[gone.Server.Listener.Addr().String()] = true
	}
	if err := l.Append(t.Context(), entries(3, 300)); err != nil {
		t.Fatal(err)
	}
	_, err := l.Prove(t.Context(), entries(290, 300))
	var missing *witness.MissingError
	if !errors.As(err, &missing) || len(missing.Absents) != 4 || missing.Absents[0].Name != "bo-1" || !strings.Contains(missing.Absents[0].Why, syscall.ECONNREFUSED.Error()) {
		t.Fatal(err)
	}
	if after := p.files(p.options.Public); !slices.Equal(before, after) {
		t.Errorf("public files %v, were %v", after, before)
	}
	p.reads(entries(0, 3))
	if _, err := l.Prove(t.Context(), entries(0, 3)); err != nil {
		t.Error("what was published before can no longer be proven:", err)
	}
	if _, err := l.Prove(t.Context(), [][]byte{entry(999)}); err == nil || !strings.HasSuffix(err.Error(), "is not in the log") {
		t.Error(err)
	}
}

// Partial tiles of former heads go: what is public stays near what the whole log needs.
func TestPartialTilesAreClearedAway(t *testing.T) {
	p := newPublisher(t, 1, "ana")
	l := p.open()
	for n := 0; n < 600; n += 40 {
		if err := l.Append(t.Context(), entries(n, n+40)); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Publish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n == 280 {
			l = p.open() // a restart does not forget to clear
		}
	}
	want := []string{"checkpoint"}
	for _, size := range []uint64{560, 600} {
		for f := range tiles.Files(0, size) {
			want = append(want, f.Path())
		}
	}
	slices.Sort(want)
	if got := slices.Sorted(slices.Values(p.files(p.options.Public))); !slices.Equal(got, slices.Compact(want)) {
		t.Errorf("public are\n%v, want\n%v", got, slices.Compact(want))
	}
	for _, name := range p.files(filepath.Join(p.options.Dir, "tile")) {
		if tiles.IsPartial("tile/"+name) && !slices.ContainsFunc(tiles.Partials(600), func(f tiles.File) bool { return f.Path() == "tile/"+name }) {
			t.Errorf("the sequencer still holds tile/%s", name)
		}
	}
	p.reads(entries(0, 600))
}

// The sequencer's directory comes back from a backup; going on would fork the log.
func TestABackupDoesNotForkTheLog(t *testing.T) {
	p := newPublisher(t, 1, "ana")
	l := p.open()
	if err := l.Append(t.Context(), entries(0, 3)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(backup, os.DirFS(p.options.Dir)); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), entries(3, 5)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.options.Dir = backup
	_, err := log.Open(t.Context(), p.options)
	var fork *log.ForkError
	if !errors.As(err, &fork) || !strings.HasPrefix(err.Error(), "the log would fork: its tree does not go on from the published checkpoint: the two heads are not of one log: from 5 entries to 3; bring back") {
		t.Fatal(err)
	}
	published, err1 := proof.UnverifiedHead(fork.Published)
	ours, err2 := proof.UnverifiedHead(fork.Ours)
	if err1 != nil || err2 != nil || published.Size != 5 || ours.Size != 3 {
		t.Error("the evidence does not hold both heads")
	}
	// Even when the published files are lost too, the witnesses remember.
	if err := os.RemoveAll(p.options.Public); err != nil {
		t.Fatal(err)
	}
	l = p.open()
	if err := l.Append(t.Context(), entries(100, 103)); err != nil {
		t.Fatal(err)
	}
	if _, err = l.Publish(t.Context()); err == nil || !strings.Contains(err.Error(), "422 Unprocessable Entity: \"the proof from 5 entries to 6 is wrong\"") {
		t.Error("a fork was cosigned:", err)
	}
}

func TestADamagedFileIsFoundAtTheStart(t *testing.T) {
	p := newPublisher(t, 1, "ana")
	if err := p.open().Append(t.Context(), entries(0, 600)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.options.Dir, "tile", "entries", "001")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-2] ^= 1 // the last digit of an entry
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Open(t.Context(), p.options); !errors.Is(err, tiles.ErrCorrupt) {
		t.Error(err)
	}
}

func TestOnlyTheLogsOwnKeyOpensIt(t *testing.T) {
	p := newPublisher(t, 1, "ana")
	l := p.open()
	if err := l.Append(t.Context(), entries(0, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := newPublisher(t, 1, "ana")
	good := p.options
	p.options.Key = other.Signer
	if _, err := log.Open(t.Context(), p.options); err == nil || !strings.Contains(err.Error(), " is not the key of the log log.example/countersign+") {
		t.Error("another key:", err)
	}
	p.options = good
	p.options.Policy, p.options.Key = other.policy, other.Signer
	if _, err := log.Open(t.Context(), p.options); !errors.Is(err, proof.ErrNoLogSignature) {
		t.Error("a published checkpoint of another key:", err)
	}
	if err := l.Append(t.Context(), [][]byte{[]byte("anything\n")}); err == nil {
		t.Error("an entry that is none of ours was taken")
	}
}
