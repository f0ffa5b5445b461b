package attach

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newDisk(t *testing.T, max int64) *Disk {
	t.Helper()
	d, err := NewDisk(t.TempDir(), max)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *Disk) mustAppend(t *testing.T, id, offset int64, s string) {
	t.Helper()
	if n, err := d.Append(context.Background(), id, offset, strings.NewReader(s), 100); err != nil || n != offset+int64(len(s)) {
		t.Fatalf("append: %d, %v", n, err)
	}
}

func (d *Disk) mustFinish(t *testing.T, id int64) Hash {
	t.Helper()
	var hash Hash
	if err := d.Finish(context.Background(), id, func(h Hash, _ int64) error { hash = h; return nil }); err != nil {
		t.Fatal(err)
	}
	return hash
}

func (d *Disk) content(t *testing.T, h Hash) string {
	t.Helper()
	f, err := d.Open(context.Background(), h)
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

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestUploadInPieces(t *testing.T) {
	ctx := context.Background()
	d := newDisk(t, 0)
	if n, err := d.Append(ctx, 7, 0, io.MultiReader(strings.NewReader("hello "), broken{}), 100); n != 6 || err != io.ErrUnexpectedEOF {
		t.Fatalf("a broken connection: %d, %v", n, err)
	}
	if n, err := d.Append(ctx, 7, 0, strings.NewReader("hello "), 100); n != 6 || !errors.Is(err, ErrOffset) {
		t.Fatalf("the same piece again: %d, %v", n, err)
	}
	// Another process, after a restart, goes on.
	d, err := NewDisk(d.dir, 0)
	if err != nil || d.Used() != 6 {
		t.Fatalf("%v, %d bytes used, want 6", err, d.Used())
	}
	d.mustAppend(t, 7, 6, "world")
	h := d.mustFinish(t, 7)
	if h != sha256.Sum256([]byte("hello world")) || d.content(t, h) != "hello world" {
		t.Fatalf("%x holds %q", h, d.content(t, h))
	}
	if err := d.Finish(ctx, 7, nil); !errors.Is(err, ErrNotFound) {
		t.Fatalf("finished twice: %v", err)
	}
}

func TestBounds(t *testing.T) {
	ctx := context.Background()
	d := newDisk(t, 250)
	if _, err := d.Append(ctx, 1, 0, strings.NewReader(strings.Repeat("x", 101)), 100); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	if n, _ := d.Received(ctx, 1); n != 0 || d.Used() != 0 {
		t.Fatalf("%d bytes kept of what was too large, %d counted", n, d.Used())
	}
	d.mustAppend(t, 2, 0, strings.Repeat("x", 100))
	d.mustAppend(t, 3, 0, strings.Repeat("x", 100))
	if _, err := d.Append(ctx, 4, 0, strings.NewReader(strings.Repeat("x", 51)), 100); !errors.Is(err, ErrFull) {
		t.Fatalf("over the disk space: %v", err)
	}
	d.mustFinish(t, 2)
	d.mustFinish(t, 3) // the same bytes: one file
	if d.Used() != 100 {
		t.Fatalf("%d bytes used, want 100", d.Used())
	}
}

func TestOneWriterPerUpload(t *testing.T) {
	ctx := context.Background()
	d := newDisk(t, 0)
	r, w := io.Pipe()
	done := make(chan error)
	go func() {
		_, err := d.Append(ctx, 1, 0, r, 100)
		done <- err
	}()
	_, _ = w.Write([]byte("x"))
	if _, err := d.Append(ctx, 1, 0, strings.NewReader("y"), 100); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	if err := d.Finish(ctx, 1, nil); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	w.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestNothingReferredToIsRemoved(t *testing.T) {
	ctx := context.Background()
	d := newDisk(t, 0)
	d.mustAppend(t, 1, 0, "kept")
	d.mustAppend(t, 2, 0, "lost")
	d.mustAppend(t, 3, 0, "stalled")
	kept, lost := d.mustFinish(t, 1), d.mustFinish(t, 2)
	referenced := func(h Hash) (bool, error) { return h == kept, nil }
	state := func() string {
		n, _ := d.Received(ctx, 3)
		return d.content(t, kept) + " " + d.content(t, lost) + " " + strings.Repeat("s", int(n))
	}
	now := time.Now()
	for _, step := range []struct {
		at   time.Time
		want string
	}{
		{now.Add(young / 2), "kept lost sssssss"},
		{now.Add(young + time.Minute), "kept gone sssssss"},
		{now.Add(stalled + time.Minute), "kept gone "},
	} {
		if err := d.Sweep(ctx, step.at, referenced); err != nil {
			t.Fatal(err)
		}
		if got := state(); got != step.want {
			t.Fatalf("%v later: %q, want %q", step.at.Sub(now), got, step.want)
		}
	}
	if d.Used() != 4 {
		t.Errorf("%d bytes used, want 4", d.Used())
	}
	if err := d.Remove(ctx, kept, now.Add(48*time.Hour), func(Hash) (bool, error) { return false, errors.New("database down") }); err == nil || d.content(t, kept) != "kept" {
		t.Errorf("removed without knowing: %v", err)
	}
}

// A crash at any moment leaves no file under a hash that is not its own.
func TestFilesUnderAHashAreWhole(t *testing.T) {
	d := newDisk(t, 0)
	d.mustAppend(t, 1, 0, "abc")
	stop := errors.New("the database is down")
	if err := d.Finish(context.Background(), 1, func(Hash, int64) error { return stop }); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	_ = filepath.WalkDir(filepath.Join(d.dir, "blobs"), func(path string, e fs.DirEntry, err error) error {
		if e.IsDir() {
			return err
		}
		b, _ := os.ReadFile(path)
		if sum := sha256.Sum256(b); filepath.Base(path) != hexOf(sum) {
			t.Errorf("%s holds %q", path, b)
		}
		return nil
	})
}

func hexOf(h Hash) string { return filepath.Base((&Disk{}).blob(h)) }
