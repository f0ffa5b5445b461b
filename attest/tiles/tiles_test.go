package tiles_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/attest/tiles/tilestest"
	"github.com/countersign-project/countersign/tuf/fetch"
)

const origin = "log.example/countersign"

func headAt(t *testing.T, l *prooftest.Log, size int) proof.Head {
	t.Helper()
	h, err := proof.UnverifiedHead(l.CheckpointAt(size))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// sizes are those around which tiles begin, end and are joined.
var sizes = []int{1, 2, 3, 255, 256, 257, 511, 512, 600, 65535, 65536, 65537, 66000}

func TestEveryProofAndEntryComesOutOfTheFiles(t *testing.T) {
	l := prooftest.NewLog(origin)
	l.Fill(66000)
	for _, size := range sizes {
		files := tilestest.Files(l, size)
		head := headAt(t, l, size)
		root, err := tiles.RootOf(t.Context(), tiles.Dir(files), uint64(size))
		if err != nil || root != head.Root {
			t.Fatalf("size %d: root %v, %v", size, root, err)
		}
		tree, err := tiles.Open(t.Context(), tiles.Dir(files), head)
		if err != nil {
			t.Fatal(size, err)
		}
		next := 0
		err = tree.Entries(t.Context(), 0, uint64(size), func(i uint64, e []byte) error {
			if int(i) != next || !bytes.Equal(e, l.Entries[i]) {
				return fmt.Errorf("entry %d is %q", i, e)
			}
			next++
			return nil
		})
		if err != nil || next != size {
			t.Fatalf("size %d: %d entries, %v", size, next, err)
		}
		for _, i := range []int{0, size / 2, size - 1} {
			path, err := tree.Inclusion(t.Context(), uint64(i))
			if err != nil || !slices.Equal(path, l.Included(l.Entries[i], size).Hashes) {
				t.Fatalf("size %d: inclusion of %d: %v", size, i, err)
			}
		}
		for _, old := range sizes {
			if old > size {
				continue
			}
			list, err := tree.Consistency(t.Context(), uint64(old))
			if err != nil {
				t.Fatal(err)
			}
			if err := proof.CheckConsistency(headAt(t, l, old), head, list); err != nil {
				t.Fatal(err)
			}
		}
		for f := range tiles.Files(0, uint64(size)) {
			got, err := tree.File(t.Context(), f)
			if want := files[f.Path()]; err != nil || want == nil || !bytes.Equal(got, want.Data) {
				t.Fatalf("size %d: %s: %v", size, f.Path(), err)
			}
			if !tiles.IsPath(f.Path()) {
				t.Fatalf("%s is no path", f.Path())
			}
			delete(files, f.Path())
		}
		if len(files) != 1 {
			t.Fatalf("size %d: not listed: %v", size, slices.Sorted(maps.Keys(files)))
		}
	}
}

// A copy that adds what Files lists has all that the larger log needs.
func TestFilesAreWhatALogLacks(t *testing.T) {
	l := prooftest.NewLog(origin)
	l.Fill(66000)
	at := map[int]fstest.MapFS{}
	for _, size := range sizes {
		at[size] = tilestest.Files(l, size)
	}
	for i, old := range sizes {
		for _, size := range sizes[i:] {
			if size > 600 && old != 257 && old < 60000 {
				continue
			}
			files, all := maps.Clone(at[old]), at[size]
			for f := range tiles.Files(uint64(old), uint64(size)) {
				files[f.Path()] = all[f.Path()]
			}
			tree, err := tiles.Open(t.Context(), tiles.Dir(files), headAt(t, l, size))
			if err != nil {
				t.Fatalf("%d to %d: %v", old, size, err)
			}
			if err := tree.Extends(t.Context(), headAt(t, l, old)); err != nil {
				t.Fatalf("%d to %d: %v", old, size, err)
			}
			if err := tree.Entries(t.Context(), uint64(max(old, size-600)), uint64(size), func(uint64, []byte) error { return nil }); err != nil {
				t.Fatalf("%d to %d: %v", old, size, err)
			}
		}
	}
}

// A reader at an older head still finds its hashes when the partial tiles were cleared away behind whole ones.
func TestPartialTilesMayHaveBecomeWhole(t *testing.T) {
	l := prooftest.NewLog(origin)
	l.Fill(700)
	files, old := tilestest.Files(l, 700), tilestest.Files(l, 300)
	files["tile/1/000.p/1"] = old["tile/1/000.p/1"]
	tree, err := tiles.Open(t.Context(), tiles.Dir(files), headAt(t, l, 300))
	if err == nil {
		err = tree.Entries(t.Context(), 0, 300, func(i uint64, e []byte) error { return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := tree.File(t.Context(), tiles.File{Entries: true, Index: 1, Width: 44})
	if err != nil || !bytes.Equal(b, old["tile/entries/001.p/44"].Data) {
		t.Fatal("the bundle as it was:", err)
	}
}

// Every file is cut, made longer, changed in one bit, and taken away: nothing wrong is ever given out.
func TestNoBrokenFileIsBelieved(t *testing.T) {
	l := prooftest.NewLog(origin)
	l.Fill(600)
	good := tilestest.Files(l, 600)
	head := headAt(t, l, 600)
	read := func(files fs.FS) error {
		tree, err := tiles.Open(t.Context(), tiles.Dir(files), head)
		if err != nil {
			return err
		}
		return tree.Entries(t.Context(), 0, 600, func(i uint64, e []byte) error {
			if !bytes.Equal(e, l.Entries[i]) {
				t.Fatalf("entry %d was given out as %q", i, e)
			}
			return nil
		})
	}
	if err := read(good); err != nil {
		t.Fatal(err)
	}
	for name, f := range good {
		if name == "checkpoint" {
			continue
		}
		flipped := bytes.Clone(f.Data)
		flipped[len(flipped)/2] ^= 1
		for what, data := range map[string][]byte{"cut": f.Data[:len(f.Data)-1], "longer": append(bytes.Clone(f.Data), 0), "flipped": flipped, "empty": {}} {
			bad := maps.Clone(good)
			bad[name] = &fstest.MapFile{Data: data, Mode: 0o644}
			if err := read(bad); err == nil {
				t.Errorf("%s %s was believed", what, name)
			}
		}
		bad := maps.Clone(good)
		delete(bad, name)
		if err := read(bad); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s missing: %v", name, err)
		}
	}
	swapped := maps.Clone(good)
	swapped["tile/0/000"], swapped["tile/0/001"] = good["tile/0/001"], good["tile/0/000"]
	if err := read(swapped); !errors.Is(err, tiles.ErrCorrupt) || !strings.HasPrefix(err.Error(), "tile/0/000: does not lead to the log's head: hash ") {
		t.Errorf("swapped tiles: %v", err)
	}
	edge := maps.Clone(good)
	edge["tile/0/002.p/88"] = &fstest.MapFile{Data: bytes.Repeat([]byte{1}, 88*32), Mode: 0o644}
	if err := read(edge); !errors.Is(err, tiles.ErrCorrupt) || !strings.HasPrefix(err.Error(), "right edge of 600 entries: does not lead to the log's head: root ") {
		t.Errorf("wrong edge: %v", err)
	}
}

// One of two mirrors holds a wrong right edge; the log is read from the other.
func TestAnotherMirrorIsAskedForTheEdge(t *testing.T) {
	l := prooftest.NewLog(origin)
	l.Fill(600)
	good, bad := fstest.MapFS{}, fstest.MapFS{}
	for name, f := range tilestest.Files(l, 600) {
		good["log/"+name], bad["log/"+name] = f, f
	}
	for _, name := range []string{"log/tile/0/002.p/88", "log/tile/1/000.p/2", "log/tile/0/001", "log/tile/entries/001"} {
		bad[name] = &fstest.MapFile{Data: bytes.Repeat([]byte{7}, len(good[name].Data)), Mode: 0o644}
	}
	courier := &fetch.Courier{Sources: []fetch.Source{fetch.Dir(bad, "bad"), fetch.Dir(good, "good")}, MinRate: -1}
	tree, err := tiles.Open(t.Context(), tiles.Under("log", courier), headAt(t, l, 600))
	if err == nil {
		err = tree.Entries(t.Context(), 0, 600, func(i uint64, e []byte) error { return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	courier.Sources = courier.Sources[:1]
	if _, err := tiles.Open(t.Context(), tiles.Under("log", &fetch.Courier{Sources: courier.Sources, MinRate: -1}), headAt(t, l, 600)); !errors.Is(err, tiles.ErrCorrupt) {
		t.Errorf("only the bad mirror: %v", err)
	}
}

func TestAForkIsSeen(t *testing.T) {
	a, b := prooftest.NewLog(origin), prooftest.NewLog(origin)
	a.Fill(300)
	b.Fill(299)
	b.Append(proof.MetadataLeaf("root", 7, [32]byte{1}))
	a.Fill(300)
	for _, old := range []proof.Head{headAt(t, b, 300), headAt(t, a, 601-1)} {
		size := 500
		tree, err := tiles.Open(t.Context(), tiles.Dir(tilestest.Files(a, size)), headAt(t, a, size))
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Extends(t.Context(), old); !errors.Is(err, proof.ErrNotConsistent) {
			t.Errorf("a head of %d entries: %v", old.Size, err)
		}
	}
}

func TestTheNewestHeadIsTheOneThatThePolicyBelieves(t *testing.T) {
	l := prooftest.NewLog(origin)
	l.Fill(5)
	ana, bo := prooftest.NewSigner("ana.example/w", proof.Ed25519Cosi), prooftest.NewSigner("bo.example/w", proof.Ed25519Cosi)
	policy, err := proof.ParsePolicy(l.PolicyText(2, ana, bo))
	if err != nil {
		t.Fatal(err)
	}
	if _, head, err := tiles.Newest(t.Context(), tiles.Dir(tilestest.Files(l, 5, ana, bo)), policy); err != nil || head.Size != 5 {
		t.Fatal(head, err)
	}
	var few *proof.QuorumError
	if _, _, err := tiles.Newest(t.Context(), tiles.Dir(tilestest.Files(l, 5, ana)), policy); !errors.As(err, &few) || !slices.Equal(few.Missing, []string{"w2"}) {
		t.Errorf("one witness: %v", err)
	}
}

func TestAnEndedContextEndsReading(t *testing.T) {
	l := prooftest.NewLog(origin)
	l.Fill(5)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := tiles.Open(ctx, tiles.Dir(tilestest.Files(l, 5)), headAt(t, l, 5)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPaths(t *testing.T) {
	for path, f := range map[string]tiles.File{
		"tile/0/000":                 {Width: 256},
		"tile/1/999.p/1":             {Level: 1, Index: 999, Width: 1},
		"tile/entries/x001/x234/067": {Entries: true, Index: 1234067, Width: 256},
		"tile/0/x001/000.p/255":      {Index: 1000, Width: 255},
	} {
		if f.Path() != path || !tiles.IsPath(path) || tiles.IsPartial(path) != (f.Width < 256) || tiles.ForEver(path) != (f.Width == 256) {
			t.Errorf("%+v is at %s, want %s", f, f.Path(), path)
		}
	}
	if !tiles.IsPath(tiles.Checkpoint) || tiles.ForEver(tiles.Checkpoint) || tiles.IsPartial(tiles.Checkpoint) {
		t.Error("the checkpoint is a path, and changes")
	}
	for _, path := range []string{"", "tile", "tile/0", "tile/0/00", "tile/0/0000", "tile/00/000", "tile/0/x000/000", "tile/0/1000", "tile/0/000.p", "tile/0/000.p/0",
		"tile/0/000.p/256", "tile/0/000.p/01", "tile/0/../000", "tile/entries/x01/000", "tile/data/000", "checkpoint/", "tile/0/000.p/1/2", "/tile/0/000", "tile/-/000"} {
		if tiles.IsPath(path) || tiles.ForEver(path) {
			t.Errorf("%q is taken for a path", path)
		}
	}
}

func FuzzParseBundle(f *testing.F) {
	l := prooftest.NewLog(origin)
	l.Fill(3)
	f.Add(tilestest.Files(l, 3)["tile/entries/000.p/3"].Data, 3)
	f.Add([]byte{0, 0}, 1)
	f.Add([]byte{255, 255, 1}, 1)
	f.Fuzz(func(t *testing.T, b []byte, width int) {
		list, err := tiles.ParseBundle(b, width)
		if err != nil {
			return
		}
		total := 0
		for _, e := range list {
			total += 2 + len(e)
		}
		if len(list) != width || total != len(b) {
			t.Errorf("%d entries of %d bytes out of %d bytes for %d", len(list), total, len(b), width)
		}
	})
}
