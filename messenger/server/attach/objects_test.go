package attach

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/attach/s3"
	"github.com/countersign-project/countersign/messenger/server/deliver/peer"
)

// server is one of several over one bucket.
func server(t *testing.T, store *peer.S3, transport http.RoundTripper) *Objects {
	t.Helper()
	b, err := s3.New(s3.Options{URL: store.URL + "/some/where", Key: store.Key, Secret: store.Secret, Now: time.Now, HTTP: transport})
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewObjects(t.TempDir(), 0, b)
	if err != nil {
		t.Fatal(err)
	}
	o.poll = time.Millisecond
	return o
}

func (o *Objects) upload(t *testing.T, id int64, pieces ...[]byte) Hash {
	t.Helper()
	at := int64(0)
	for _, p := range pieces {
		var err error
		if at, err = o.Append(t.Context(), id, at, bytes.NewReader(p), 100<<20); err != nil {
			t.Fatal(err)
		}
	}
	var hash Hash
	if err := o.Finish(t.Context(), id, func(h Hash, n int64) error {
		if hash = h; n != at {
			t.Errorf("recorded %d bytes of %d", n, at)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if have, _ := o.Received(t.Context(), id); have != 0 || o.Used() != 0 {
		t.Errorf("%d bytes of the upload are left, %d counted", have, o.Used())
	}
	return hash
}

func (o *Objects) content(t *testing.T, h Hash) string {
	t.Helper()
	f, err := o.Open(t.Context(), h)
	if errors.Is(err, ErrNotFound) {
		return "gone"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func always(is bool) func(Hash) (bool, error) { return func(Hash) (bool, error) { return is, nil } }

// With a real S3-compatible store, which checks every signature: pieces of any size, ranges, equal blobs, and another server that finds them.
func TestObjects(t *testing.T) {
	store := peer.StartS3(t)
	a, b := server(t, store, nil), server(t, store, nil)
	big := make([]byte, 6<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range big {
		big[i] = byte(random.Uint32())
	}
	h := a.upload(t, 1, big[:1], big[1:5<<20], big[5<<20:])
	if h != sha256.Sum256(big) {
		t.Fatalf("%x", h)
	}
	if again := b.upload(t, 2, big); again != h {
		t.Fatalf("%x", again)
	}
	f, err := b.Open(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if end, err := f.Seek(0, io.SeekEnd); err != nil || end != int64(len(big)) {
		t.Fatalf("%d, %v", end, err)
	}
	for _, from := range []int64{0, 1, 5<<20 + 17, int64(len(big)) - 1, int64(len(big))} {
		if _, err := f.Seek(from, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(io.LimitReader(f, 100_000))
		if want := big[from:min(int64(len(big)), from+100_000)]; err != nil || !bytes.Equal(got, want) {
			t.Errorf("from %d: %d bytes, %v; want %d", from, len(got), err, len(want))
		}
	}
	if _, err := a.Open(t.Context(), Hash{1}); !errors.Is(err, ErrNotFound) {
		t.Errorf("nothing: %v", err)
	}
	wrong, err := s3.New(s3.Options{URL: store.URL, Key: store.Key, Secret: "guessed", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := wrong.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "403 SignatureDoesNotMatch") {
		t.Errorf("a wrong secret: %v", err)
	}
	nowhere, err := s3.New(s3.Options{URL: strings.Replace(store.URL, "/chat", "/other", 1), Key: store.Key, Secret: store.Secret, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := nowhere.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "404 NoSuchBucket") {
		t.Errorf("a wrong bucket: %v", err)
	}
	if err := a.bucket.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestObjectsExpire(t *testing.T) {
	store := peer.StartS3(t)
	o := server(t, store, nil)
	kept, lost, fresh := o.upload(t, 1, []byte("kept")), o.upload(t, 2, []byte("lost")), o.upload(t, 3, []byte("young"))
	for _, h := range []Hash{kept, lost} {
		store.Age("some/where/blobs/"+nameOf(h), 2*young)
	}
	if _, err := o.Append(t.Context(), 4, 0, strings.NewReader("stalled"), 100); err != nil {
		t.Fatal(err)
	}
	if err := o.bucket.Put(t.Context(), markPrefix+nameOf(fresh), strings.NewReader(""), 0, sha256.Sum256(nil)); err != nil {
		t.Fatal(err)
	}
	store.Age("some/where/"+markPrefix+nameOf(fresh), 2*young) // of a server that died
	if err := o.Sweep(t.Context(), time.Now(), func(h Hash) (bool, error) { return h == kept, nil }); err != nil {
		t.Fatal(err)
	}
	if got := o.content(t, kept) + " " + o.content(t, lost) + " " + o.content(t, fresh); got != "kept gone young" {
		t.Error(got)
	}
	if _, err := o.bucket.Head(t.Context(), markPrefix+nameOf(fresh)); !errors.Is(err, s3.ErrNotFound) {
		t.Errorf("the mark is left: %v", err)
	}
	stop := errors.New("database down")
	if err := o.Remove(t.Context(), kept, time.Now(), func(Hash) (bool, error) { return false, stop }); !errors.Is(err, stop) || o.content(t, kept) != "kept" {
		t.Errorf("removed without knowing: %v", err)
	}
	if err := o.Sweep(t.Context(), time.Now().Add(2*stalled), always(true)); err != nil || o.Used() != 0 {
		t.Errorf("%d bytes of a stalled upload are left, %v", o.Used(), err)
	}
}

// gate stops requests that match, until it is opened.
type gate struct {
	method, part string
	came, open   chan struct{}
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == g.method && strings.Contains(r.URL.Path, g.part) {
		close(g.came)
		<-g.open
	}
	return http.DefaultTransport.RoundTrip(r)
}

// looking tells when somebody has looked for a mark and found it.
type looking struct{ found func() }

func (l looking) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && resp.StatusCode == http.StatusOK && r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/"+markPrefix) {
		l.found()
	}
	return resp, err
}

// One server removes a blob that nobody refers to while another gets the same ciphertext. The remover has asked, and found nobody; the other
// writes its description; then the blob is removed, before the other looks for the mark or after. It must be there in the end.
func TestRemovalMeetsUpload(t *testing.T) {
	store := peer.StartS3(t)
	var h Hash
	for name, before := range map[string]bool{"before it looks": true, "while it looks": false} {
		t.Run(name, func(t *testing.T) {
			g := &gate{"DELETE", "/" + blobPrefix, make(chan struct{}), make(chan struct{})}
			open := sync.OnceFunc(func() { close(g.open) })
			remover, other := server(t, store, g), server(t, store, looking{open})
			h = other.upload(t, 1, []byte("the same"))
			store.Age("some/where/blobs/"+nameOf(h), 2*young)
			removed := make(chan error, 1)
			go func() {
				removed <- remover.Remove(context.Background(), h, time.Now(), always(false))
			}()
			<-g.came
			if _, err := other.Append(t.Context(), 2, 0, strings.NewReader("the same"), 100); err != nil {
				t.Fatal(err)
			}
			var removal error
			if err := other.Finish(t.Context(), 2, func(Hash, int64) error {
				if before {
					open()
					removal = <-removed
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if !before {
				removal = <-removed
			}
			if removal != nil {
				t.Fatal(removal)
			}
			if got := other.content(t, h); got != "the same" {
				t.Errorf("the blob is %s", got)
			}
		})
	}
	other := server(t, store, nil)
	// And the other way round: the description is there before the remover asks for the second time.
	store.Age("some/where/blobs/"+nameOf(h), 2*young)
	asked := 0
	if err := other.Remove(t.Context(), h, time.Now(), func(Hash) (bool, error) { asked++; return asked == 2, nil }); err != nil || other.content(t, h) != "the same" {
		t.Errorf("%v, the blob is %s", err, other.content(t, h))
	}
	if left, _ := filepath.Glob(filepath.Join(store.Dir, "some/where/removing/*")); len(left) > 0 {
		t.Errorf("marks are left: %v", left)
	}
}

// The store goes away: the upload is kept, the caller is told what to do, and later it works.
func TestObjectsAway(t *testing.T) {
	store := peer.StartS3(t)
	o := server(t, store, nil)
	h := o.upload(t, 1, []byte("before"))
	store.Stop(syscall.SIGKILL)
	if _, err := o.Append(t.Context(), 2, 0, strings.NewReader("during"), 100); err != nil {
		t.Fatal(err)
	}
	called := false
	record := func(Hash, int64) error { called = true; return nil }
	if err := o.Finish(t.Context(), 2, record); !errors.Is(err, ErrAway) || called {
		t.Errorf("%v, recorded: %v", err, called)
	}
	if _, err := o.Open(t.Context(), h); !errors.Is(err, ErrAway) || strings.Contains(err.Error(), nameOf(h)[:8]) {
		t.Errorf("%v", err)
	}
	if err := o.Sweep(t.Context(), time.Now(), always(false)); !errors.Is(err, ErrAway) {
		t.Errorf("%v", err)
	}
	store.Start()
	if n, _ := o.Received(t.Context(), 2); n != 6 {
		t.Errorf("%d bytes of the upload are left", n)
	}
	if err := o.Finish(t.Context(), 2, record); err != nil || !called {
		t.Errorf("%v", err)
	}
	if got := o.content(t, sha256.Sum256([]byte("during"))); got != "during" {
		t.Error(got)
	}
}
