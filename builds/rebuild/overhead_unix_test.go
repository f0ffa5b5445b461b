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

	"github.com/countersign-project/countersign/builds/recipe"
)

// BenchmarkOverhead compares the processor time of Build (everything: export, hashing the toolchain,
// fetching and unpacking modules, two links, archive, cleaning up) with that of two plain "go build" with
// the same flags, both with a fresh build cache; "ratio" is what design 13 limits. "release" is this
// repository's whole recipe, "program" countersign alone for this machine, where the fixed costs weigh
// most. Run it with -benchtime 1x on a quiet machine.
func BenchmarkOverhead(b *testing.B) {
	b.Run("program", func(b *testing.B) {
		overhead(b, cloneOwn(b, filepath.Join(b.TempDir(), "clone"), "HEAD"))
	})
	b.Run("release", func(b *testing.B) {
		w := &world{t: b, repo: filepath.Join(b.TempDir(), "clone")}
		if out, err := exec.Command("git", "clone", "-q", "../..", w.repo).CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		overhead(b, w)
	})
}

func overhead(b *testing.B, w *world) {
	r, err := readRecipe(w.repo)
	check(b, err)
	for b.Loop() {
		plain := cpu(b, func() { plainBuild(b, w, r) })
		o := ownOptions(b, w)
		ours := cpu(b, func() {
			_, err := Build(context.Background(), o)
			check(b, err)
		})
		b.ReportMetric(plain.Seconds(), "plain-s")
		b.ReportMetric(ours.Seconds(), "ours-s")
		b.ReportMetric(ours.Seconds()/plain.Seconds(), "ratio")
	}
}

// plainBuild is what a person would type: the same flags, the person's module cache, a fresh build cache.
func plainBuild(b *testing.B, w *world, r recipe.Recipe) {
	out, cache := b.TempDir(), b.TempDir()
	for _, p := range r.Platforms {
		for _, ldflags := range []string{"-s -w", ""} {
			args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=" + ldflags, "-o", out + "/"}
			for _, program := range r.Programs {
				args = append(args, program.Package)
			}
			cmd := exec.Command("go", args...)
			cmd.Dir = w.repo
			cmd.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "CGO_ENABLED=0", "GOTOOLCHAIN=local", "GOCACHE="+cache, "GOOS="+p.OS, "GOARCH="+p.Arch)
			if text, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, strings.TrimSpace(string(text)))
			}
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
