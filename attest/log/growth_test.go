package log_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/log"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/witness/witnesstest"
)

// BenchmarkGrowth says what a log costs as it grows: the two directories, the time a publisher waits for the
// entries of one release (ten of them) and for the head with them, which three witnesses on this machine cosign,
// opening, and the proof of those ten.
//
//	go test -run '^$' -bench Growth -benchtime 1x -timeout 1h ./attest/log
func BenchmarkGrowth(b *testing.B) {
	for _, size := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for b.Loop() {
				grow(b, size)
			}
		})
	}
}

const perRelease = 10

func grow(b *testing.B, size int) {
	w := witnesstest.New(b, origin, "ana", "bo", "chen")
	dir, g := b.TempDir(), w.Gatherer(b, 2)
	o := log.Options{Dir: filepath.Join(dir, "log"), Public: filepath.Join(dir, "public"), Policy: w.Policy(b, 2), Key: w.Signer}
	o.Cosign = func(ctx context.Context, checkpoint []byte, prove func(context.Context, uint64) ([]proof.Hash, error)) ([]byte, error) {
		return g.Cosign(ctx, checkpoint, prove)
	}
	open := func() *log.Log {
		l, err := log.Open(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		return l
	}
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	took := func(name string, what func()) {
		start := time.Now()
		what()
		b.ReportMetric(float64(time.Since(start).Microseconds())/1000, name)
	}
	l := open()
	const batch = 10_000
	start := time.Now()
	for n := 0; n < size-perRelease; n += batch {
		must(l.Append(b.Context(), entries(n, min(n+batch, size-perRelease))))
	}
	b.ReportMetric(float64(time.Since(start).Microseconds())/float64(size), "µs/entry-in-bulk")
	took("ms-publish-all", func() { _, err := l.Publish(b.Context()); must(err) })
	took("ms-open", func() { l = open() })
	fresh := entries(size-perRelease, size)
	took("ms-append-10", func() { must(l.Append(b.Context(), fresh)) })
	took("ms-publish-10", func() { _, err := l.Publish(b.Context()); must(err) })
	took("ms-prove-10", func() {
		p, err := l.Prove(b.Context(), fresh)
		must(err)
		text, err := p.Encode()
		must(err)
		b.ReportMetric(float64(len(text)), "B-proof")
	})
	for name, dir := range map[string]string{"dir": o.Dir, "public": o.Public} {
		files, bytes := du(b, dir)
		b.ReportMetric(float64(files), "files-"+name)
		b.ReportMetric(float64(bytes), "B-"+name)
	}
}

func du(b *testing.B, dir string) (files int, bytes int64) {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := os.Lstat(path)
		if err == nil {
			files, bytes = files+1, bytes+info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return files, bytes
}
