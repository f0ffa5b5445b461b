//go:build unix

package rebuild

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkOverhead compares the processor time of Build (everything: export, hashing the toolchain,
// modules, two links, archive) with that of two plain "go build" with the same flags and a fresh cache,
// for this repository's countersign. Run it with -benchtime 1x; "ratio" is what design 13 limits.
func BenchmarkOverhead(b *testing.B) {
	for b.Loop() {
		w := cloneOwn(b, filepath.Join(b.TempDir(), "clone"), "HEAD")
		plain := cpu(b, func() { plainBuild(b, w) })
		o := ownOptions(b, w)
		ours := cpu(b, func() {
			if _, err := Build(context.Background(), o); err != nil {
				b.Fatal(err)
			}
		})
		b.ReportMetric(plain.Seconds(), "plain-s")
		b.ReportMetric(ours.Seconds(), "ours-s")
		b.ReportMetric(ours.Seconds()/plain.Seconds(), "ratio")
	}
}

// plainBuild is what a person would type: the same flags, the person's module cache, a fresh build cache.
func plainBuild(b *testing.B, w *world) {
	out, cache := b.TempDir(), b.TempDir()
	for _, ldflags := range []string{"-s -w", ""} {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags="+ldflags, "-o", out+"/", "./cmd/countersign")
		cmd.Dir = w.repo
		cmd.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "CGO_ENABLED=0", "GOTOOLCHAIN=local", "GOCACHE="+cache)
		if text, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, strings.TrimSpace(string(text)))
		}
	}
}

// cpu is the processor time of f in this process and in all that it started.
func cpu(b *testing.B, f func()) time.Duration {
	used := func() time.Duration {
		var sum time.Duration
		for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
			var r syscall.Rusage
			if err := syscall.Getrusage(who, &r); err != nil {
				b.Fatal(err)
			}
			sum += time.Duration(r.Utime.Nano() + r.Stime.Nano())
		}
		return sum
	}
	start := used()
	f()
	return used() - start
}
