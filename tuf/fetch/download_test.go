package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

// downloadBig fetches big through mirrors of these behaviours and returns what happened.
func downloadBig(t *testing.T, partial string, behaviours ...string) (*mirrors, []Event) {
	t.Helper()
	m := newMirrors()
	var events []Event
	synctest.Test(t, func(t *testing.T) {
		c, list := m.courier(behaviours...)
		if err := c.Download(t.Context(), bigPath, int64(len(big)), sha256.Sum256(big), partial, nil); err != nil {
			t.Fatal(err)
		}
		events = *list
	})
	wantBytes(t, partial, big)
	return m, events
}

func kinds(events []Event) string {
	var list []string
	for _, e := range events {
		list = append(list, fmt.Sprintf("%s %s %d", strings.TrimPrefix(e.Source, "https://"), e.Kind, e.Done))
	}
	return strings.Join(list, ", ")
}

func wantStory(t *testing.T, events []Event, want string) {
	t.Helper()
	if got := kinds(events); got != want {
		t.Errorf("events: %s\n  want: %s", got, want)
	}
}

func TestResumeAfterARestart(t *testing.T) {
	for _, n := range []int{1, 100_000, len(big) - 1} {
		partial := filepath.Join(t.TempDir(), "partial")
		if err := os.WriteFile(partial, big[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		m, events := downloadBig(t, partial, "honest")
		wantStory(t, events, fmt.Sprintf("honest resumed %d, honest served 300000", n))
		if want := fmt.Sprintf("honest /%s bytes=%d-", bigPath, n); len(m.requests) != 1 || m.requests[0] != want {
			t.Errorf("requests %q, want %q", m.requests, want)
		}
	}
}

func TestCompletePartialNeedsNoNetwork(t *testing.T) {
	partial := filepath.Join(t.TempDir(), "partial")
	if err := os.WriteFile(partial, big, 0o600); err != nil {
		t.Fatal(err)
	}
	m, _ := downloadBig(t, partial, "hang")
	if len(m.requests) != 0 {
		t.Errorf("requests %q, want none", m.requests)
	}
}

func TestServerThatIgnoresRange(t *testing.T) {
	partial := filepath.Join(t.TempDir(), "partial")
	if err := os.WriteFile(partial, big[:1000], 0o600); err != nil {
		t.Fatal(err)
	}
	_, events := downloadBig(t, partial, "no-range")
	wantStory(t, events, "no-range restarted 0, no-range served 300000")
}

// A partial of an earlier process may hold anything.
func TestPoisonedPartialIsThrownAway(t *testing.T) {
	flipped := bytes.Clone(big)
	flipped[7] ^= 1
	for name, content := range map[string][]byte{
		"prefix": flipped[:1000], "complete": flipped, "too long": append(bytes.Clone(big), 1),
	} {
		t.Run(name, func(t *testing.T) {
			partial := filepath.Join(t.TempDir(), "partial")
			if err := os.WriteFile(partial, content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, events := downloadBig(t, partial, "honest")
			want := "honest served 300000"
			if name == "prefix" {
				want = "honest resumed 1000, honest restarted 0, honest served 300000"
			}
			wantStory(t, events, want)
		})
	}
}

// A mirror that sends a wrong beginning and then breaks must not bring the honest one into discredit.
func TestPoisonFromABreakingMirror(t *testing.T) {
	partial := filepath.Join(t.TempDir(), "partial")
	m := newMirrors()
	poison := HTTP("https://poison", &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		resp := answerWith(r, nil, int64(len(big)))
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(make([]byte, 5000)), broken{syscall.ECONNRESET}))
		return resp, nil
	})})
	c, events := m.courier("honest")
	c.Sources = []Source{poison, c.Sources[0]}
	if err := c.Download(t.Context(), bigPath, int64(len(big)), sha256.Sum256(big), partial, nil); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, partial, big)
	wantStory(t, *events, "poison failed 5000, honest resumed 5000, honest restarted 0, honest served 300000")
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// What an interrupted download leaves is continued by the next process.
func TestInterruptedDownloadIsContinued(t *testing.T) {
	partial := filepath.Join(t.TempDir(), "partial")
	m := newMirrors()
	c, _ := m.courier("honest")
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Download(ctx, bigPath, int64(len(big)), sha256.Sum256(big), partial, func(done, total int64) {
		if total != int64(len(big)) {
			t.Errorf("total %d, want %d", total, len(big))
		}
		if done > 100_000 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want cancelled", err)
	}
	info, err := os.Stat(partial)
	if err != nil || info.Size() < 100_000 || info.Size() >= int64(len(big)) {
		t.Fatalf("partial %v, %v", info, err)
	}
	_, events := downloadBig(t, partial, "honest")
	wantStory(t, events, fmt.Sprintf("honest resumed %d, honest served 300000", info.Size()))
}

func TestNothingIsLeftWhereNothingCame(t *testing.T) {
	partial := filepath.Join(t.TempDir(), "partial")
	c, _ := newMirrors().courier("404", "mixed", "500")
	err := c.Download(t.Context(), bigPath, int64(len(big)), sha256.Sum256(big), partial, nil)
	want := bigPath + ": none of 3 sources has it: https://404: HTTP 404 Not Found; https://mixed: sha256 "
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "; https://500: HTTP 500 Internal Server Error") {
		t.Errorf("error %v, want %s…", err, want)
	}
	if _, err := os.Lstat(partial); !os.IsNotExist(err) {
		t.Errorf("a partial is left: %v", err)
	}
}

// An error of our own disk is not the mirror's: no other one is asked, and it is named as what it is.
func TestOurOwnDiskFails(t *testing.T) {
	dir := t.TempDir()
	m := newMirrors()
	c, _ := m.courier("honest", "honest")
	for name, make := range map[string]func(string) error{
		"a directory": func(p string) error { return os.Mkdir(p, 0o700) },
		"a link":      func(p string) error { return os.Symlink(filepath.Join(dir, "elsewhere"), p) },
	} {
		partial := filepath.Join(dir, name)
		if err := make(partial); err != nil {
			t.Skip(err)
		}
		err := c.Download(t.Context(), bigPath, int64(len(big)), sha256.Sum256(big), partial, nil)
		if err == nil || !strings.HasPrefix(err.Error(), partial+": is not a regular file") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if len(m.requests) != 0 || len(c.bad) != 0 {
		t.Errorf("requests %q, blamed %v, want none", m.requests, c.bad)
	}
}

func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	m := newMirrors()
	c, _ := m.courier("honest", "honest")
	d := &download{courier: c, path: bigPath, length: int64(len(big)), sum: sha256.Sum256(big),
		file: full, hash: sha256.New(), from: fromNobody}
	err = d.run(t.Context())
	if !errors.Is(err, syscall.ENOSPC) || err.Error() != "write /dev/full: no space left on device" {
		t.Errorf("error %v, want ENOSPC", err)
	}
	if len(m.requests) != 1 || len(c.bad) != 0 {
		t.Errorf("requests %q, blamed %v, want one and none", m.requests, c.bad)
	}
}

// Real sockets once: the standard library's server and client, range and all.
func TestResumeOverARealConnection(t *testing.T) {
	srv := httptest.NewServer(http.FileServerFS(fstest.MapFS{bigPath: {Data: big}}))
	defer srv.Close()
	partial := filepath.Join(t.TempDir(), "partial")
	if err := os.WriteFile(partial, big[:123], 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := ParseURL(srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	var events []Event
	c := &Courier{Sources: []Source{src}, Report: func(e Event) { events = append(events, e) }}
	if err := c.Download(t.Context(), bigPath, int64(len(big)), sha256.Sum256(big), partial, nil); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, partial, big)
	if len(events) != 2 || events[0].Kind != Resumed || events[0].Done != 123 {
		t.Errorf("events %v, want resumed at 123", events)
	}
}

// stream is a source of generated bytes, as long as one likes.
type stream struct{ size int64 }

func (s stream) String() string { return "stream" }
func (s stream) Open(context.Context, string, int64) (io.ReadCloser, int64, int64, error) {
	return io.NopCloser(io.LimitReader(zeros{}, s.size)), s.size, 0, nil
}

// Memory does not grow with the length of the target (threats.md, endless data).
func TestMemoryOfABigDownload(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 256 MiB")
	}
	const size, most = 256 << 20, 1 << 20
	sum := sha256.New()
	io.Copy(sum, io.LimitReader(zeros{}, size))
	partial := filepath.Join(t.TempDir(), "partial")
	c := &Courier{Sources: []Source{stream{size}}, Deadline: -1, Window: time.Hour}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := c.Download(t.Context(), "target", size, [32]byte(sum.Sum(nil)), partial, nil); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	total := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d bytes allocated in all for a target of %d", total, size)
	if total > most {
		t.Errorf("%d bytes allocated, want at most %d", total, most)
	}
}
