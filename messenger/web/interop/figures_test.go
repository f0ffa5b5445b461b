package interop

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// BenchmarkPage prints what the page costs with 10,000, 100,000 and a million messages in the store, half of them in one conversation: the first paint, the
// way from the address to the list, from a click to the newest messages, a frame of 400 pixels while somebody scrolls up through 2,000 of them, the
// JavaScript heap of the tab after that, and the memory of the messenger. Once, in some minutes: go test -run '^$' -bench Page -benchtime 1x
func BenchmarkPage(b *testing.B) {
	b.StopTimer()
	w := newTown(b)
	filler := filepath.Join(w.dir, "client.test")
	build := exec.Command("go", "test", "-c", "-o", filler, "./messenger/client")
	build.Dir = "../../.."
	build.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("go test -c: %v\n%s", err, out)
	}
	alice, cmd := w.begun("alice")
	alice.register()
	have := 0
	fmt.Println("| messages in the store | 1st paint, ms | list, ms | conversation, ms | frame, ms | at most in 99 % | JS heap, MB | messenger, MB |")
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // until its children have ended, too
		fill := exec.Command(filler, "-test.run=^TestFill$")
		fill.Env = append(os.Environ(), "COUNTERSIGN_FILL="+w.store("alice"), "COUNTERSIGN_FILL_PASSPHRASE="+passphrase, fmt.Sprint("COUNTERSIGN_FILL_FROM=", have), fmt.Sprint("COUNTERSIGN_FILL_TO=", n))
		if out, err := fill.CombinedOutput(); err != nil {
			b.Fatalf("filling: %v\n%s", err, out)
		}
		have = n
		alice, cmd = w.begun("alice")
		alice.call("unlock", map[string]string{"passphrase": passphrase}, nil)
		page := newBrowser(b, "enable-precise-memory-info", "true").tab(alice.address())
		page.wait("document.querySelectorAll('.list button').length >= 50")
		f := script[[]float64](page, `(async () => {
			const paint = performance.getEntriesByName('first-contentful-paint')[0].startTime, list = performance.getEntriesByType('resource').filter(r => r.name.endsWith('/rpc')).at(-1).responseEnd;
			const next = () => new Promise(requestAnimationFrame), start = performance.now();
			[...document.querySelectorAll('.list button')].find(b => b.innerText.includes('+999000000000000')).click();
			await next();
			while (!document.querySelector('.log .m')) await next();
			const opened = performance.now() - start, times = [], log = document.querySelector('.log');
			const first = () => Number(log.querySelector('.m').innerText.match(/note (\d+),/)[1]), from = first();
			for (let last = performance.now(); first() > from - 2000;) {
				log.scrollTop -= 400;
				await next();
				times.push(performance.now() - last);
				last = performance.now();
			}
			times.sort((a, b) => a - b);
			return [paint, list, opened, times[times.length >> 1], times[Math.floor(times.length * .99)], performance.memory.usedJSHeapSize / 1e6] })()`)
		fmt.Printf("| %d | %.0f | %.0f | %.0f | %.1f | %.0f | %.1f | %.0f |\n", n, f[0], f[1], f[2], f[3], f[4], f[5], resident(cmd.Process.Pid))
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("load %s", load)
}

// begun is person, with the process that is the leader of its group.
func (w *town) begun(name string) (*person, *exec.Cmd) {
	w.Helper()
	p, cmd := &person{w: w, name: name}, w.program("messenger", name, "open", "--print")
	p.token, p.at = w.enter(w.begin(cmd, `(http://127\.0\.0\.1:\d+/#\S+)`))
	return p, cmd
}

// store is the folder of somebody's account.
func (w *town) store(name string) (dir string) {
	w.Helper()
	_ = filepath.WalkDir(filepath.Join(w.dir, name), func(path string, _ fs.DirEntry, err error) error {
		if filepath.Base(path) == "account.db" {
			dir = filepath.Dir(path)
		}
		return err
	})
	if dir == "" {
		w.Fatalf("%s has no account.db", name)
	}
	return dir
}

// resident is how much memory the largest process of a group takes, in MB.
func resident(group int) (most float64) {
	list, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range list {
		raw, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(raw), ") ")
		if of := strings.Fields(rest); len(of) > 21 && of[2] == strconv.Itoa(group) {
			pages, _ := strconv.Atoi(of[21])
			most = max(most, float64(pages*os.Getpagesize())/1e6)
		}
	}
	return most
}
