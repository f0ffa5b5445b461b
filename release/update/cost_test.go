//go:build linux

package update_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// web serves the repository over HTTP and counts requests and the bytes of bodies.
type web struct {
	*httptest.Server
	requests, bytes atomic.Int64
	paths           chan string
}

func (d *device) web() *web {
	d.t.Helper()
	w := &web{paths: make(chan string, 1000)}
	files := d.world.Files()
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.requests.Add(1)
		w.paths <- strings.TrimPrefix(r.URL.Path, "/")
		b, ok := files[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(rw, r)
			return
		}
		w.bytes.Add(int64(len(b))) // before: whoever has read it all counts
		_, _ = rw.Write(b)
	}))
	d.t.Cleanup(w.Close)
	return w
}

// A check with nothing new asks twice: is there a newer root, is there a newer timestamp.
func TestCheckWithNothingNewCostsTwoRequests(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.publish("1.1.0", "")
	d.mustUpdate()
	for _, version := range []string{"1.1.0", "1.0.0"} { // 1.0.0: a base that checks while 1.1.0 waits for its start
		d.version = version
		if _, err := d.update(); err != nil {
			t.Fatal(err)
		}
		w := d.web()
		d.sources = []fetch.Source{fetch.HTTP(w.URL, nil)}
		if r, err := d.update(); err != nil || r.Installed {
			t.Fatalf("%+v, %v", r, err)
		}
		if n, b := w.requests.Load(), w.bytes.Load(); n != 2 || b >= 1000 {
			t.Errorf("%s: %d requests, %d bytes", version, n, b)
		}
		if a, b := <-w.paths, <-w.paths; a != "metadata/2.root.json" || b != "metadata/timestamp.json" {
			t.Errorf("%s: asked for %s and %s", version, a, b)
		}
		d.sources = nil
	}
}

// BenchmarkCheckNothingNew is what a device does every six hours.
func BenchmarkCheckNothingNew(b *testing.B) {
	d := newDevice(b, repotest.Config{})
	d.publish("1.1.0", "")
	d.mustUpdate()
	if _, err := d.update(); err != nil {
		b.Fatal(err)
	}
	w := d.web()
	d.sources = []fetch.Source{fetch.HTTP(w.URL, nil)}
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := d.update(); err != nil {
			b.Fatal(err)
		}
		<-w.paths
		<-w.paths
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		b.Fatal(err)
	}
	cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(cpu)/1e6/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(w.requests.Load())/float64(b.N), "requests/op")
	b.ReportMetric(float64(w.bytes.Load())/float64(b.N), "bytes/op")
}

// The memory of an updater does not grow with the program it fetches.
func TestMemoryWhileFetching(t *testing.T) {
	const megabytes = 300
	d := newDevice(t, repotest.Config{})
	d.publish("1.1.0", "", func(r *repotest.Release) {
		b := compiled(t, "messenger")
		b = append(bytes.Clone(b), make([]byte, megabytes<<20)...)
		r.Artifacts[platform()+"/"+fileName()] = append(b, "\nFIXTURE {\"version\":\"1.1.0\",\"behave\":\"\"}"...)
	})
	env := d.environ()
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(filepath.Dir(d.base), "mirror"))))
	defer server.Close()
	// Not the rusage of the process: that begins with the size of the process that forked it.
	out, errs, code := d.run(append(env, "FIXTURE_REPOSITORY="+server.URL, "FIXTURE_MEMORY=yes"), "update")
	if code != 0 || out != "running 1.0.0 newest \"1.1.0\" installed true\n" {
		t.Fatal(out, errs, code)
	}
	peak := 0
	for _, line := range strings.Split(errs, "\n") {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &peak); err == nil {
			break
		}
	}
	t.Logf("peak memory while fetching and installing %d MB: %d MB", megabytes, peak>>10)
	if peak == 0 || peak>>10 >= 64 {
		t.Errorf("%d kB, want less than 64 MB", peak)
	}
}
