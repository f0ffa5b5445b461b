package attach

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// young files are left alone by Remove and Sweep: their description may be about to be written, on this server or another.
	young = time.Hour
	// stalled uploads go after this time; their ids are valid for an hour.
	stalled = 3 * time.Hour
)

// Disk keeps blobs in a directory: uploads/<id> and blobs/<two hex digits>/<hash>.
type Disk struct {
	dir string
	max int64 // bytes of blobs and uploads together; 0 is no bound

	used atomic.Int64

	mu   sync.Mutex
	busy map[int64]bool // mu; uploads that are being written
	// place orders moving a blob to its hash against removing it.
	place sync.Mutex
}

// NewDisk opens or makes the directory, and counts what is there. max bounds the bytes kept.
func NewDisk(dir string, max int64) (*Disk, error) {
	d := &Disk{dir: dir, max: max, busy: map[int64]bool{}}
	for _, sub := range []string{"uploads", "blobs"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	err := d.walk(func(_ string, info fs.FileInfo) error {
		d.used.Add(info.Size())
		return nil
	})
	return d, err
}

// Used returns the bytes kept.
func (d *Disk) Used() int64 { return d.used.Load() }

func (d *Disk) upload(id int64) string {
	return filepath.Join(d.dir, "uploads", strconv.FormatInt(id, 10))
}

func (d *Disk) blob(h Hash) string {
	name := hex.EncodeToString(h[:])
	return filepath.Join(d.dir, "blobs", name[:2], name)
}

// Received implements Blobs.
func (d *Disk) Received(_ context.Context, upload int64) (int64, error) {
	info, err := os.Stat(d.upload(upload))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// lock takes an upload for one writer.
func (d *Disk) lock(upload int64) (unlock func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy[upload] {
		return nil, ErrBusy
	}
	d.busy[upload] = true
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.busy, upload)
	}, nil
}

// Reset implements Blobs.
func (d *Disk) Reset(ctx context.Context, upload int64) error {
	unlock, err := d.lock(upload)
	if err != nil {
		return err
	}
	defer unlock()
	have, err := d.Received(ctx, upload)
	if err == nil && have > 0 {
		d.drop(d.upload(upload), have)
	}
	return err
}

// Append implements Blobs.
func (d *Disk) Append(ctx context.Context, upload, offset int64, r io.Reader, limit int64) (int64, error) {
	unlock, err := d.lock(upload)
	if err != nil {
		return 0, err
	}
	defer unlock()
	have, err := d.Received(ctx, upload)
	if err != nil {
		return 0, err
	}
	if have != offset {
		return have, ErrOffset
	}
	f, err := os.OpenFile(d.upload(upload), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return have, err
	}
	n, err := io.Copy(&bounded{f: f, d: d}, io.LimitReader(r, limit-offset+1))
	if e := f.Close(); err == nil {
		err = e
	}
	if have+n > limit {
		d.drop(d.upload(upload), have+n)
		return 0, ErrTooLarge
	}
	return have + n, err
}

// bounded writes to a file as long as the disk space for attachments lasts.
type bounded struct {
	f *os.File
	d *Disk
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.d.used.Add(int64(len(p))) > b.d.max && b.d.max > 0 {
		b.d.used.Add(-int64(len(p)))
		return 0, ErrFull
	}
	n, err := b.f.Write(p)
	b.d.used.Add(int64(n - len(p)))
	return n, err
}

// drop removes a file that counted as so many bytes.
func (d *Disk) drop(path string, size int64) {
	if os.Remove(path) == nil {
		d.used.Add(-size)
	}
}

// Finish implements Blobs.
func (d *Disk) Finish(_ context.Context, upload int64, record func(Hash, int64) error) error {
	unlock, err := d.lock(upload)
	if err != nil {
		return err
	}
	defer unlock()
	h, size, err := hashAndSync(d.upload(upload))
	if err != nil {
		return err
	}
	d.place.Lock()
	defer d.place.Unlock()
	target := d.blob(h)
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(target); err == nil {
		d.used.Add(-size) // the same ciphertext was here already; the rename replaces it with an equal, younger file
	}
	if err := os.Rename(d.upload(upload), target); err != nil {
		return err
	}
	for _, dir := range []string{filepath.Dir(target), filepath.Join(d.dir, "blobs")} {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return record(h, size)
}

// hashAndSync reads a whole file and makes it durable.
func hashAndSync(path string) (h Hash, size int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return h, 0, ErrNotFound
	}
	if err != nil {
		return h, 0, err
	}
	defer f.Close()
	sum := sha256.New()
	if size, err = io.Copy(sum, f); err != nil {
		return h, 0, err
	}
	sum.Sum(h[:0])
	return h, size, f.Sync()
}

// Open implements Blobs.
func (d *Disk) Open(_ context.Context, h Hash) (io.ReadSeekCloser, error) {
	f, err := os.Open(d.blob(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	return f, err
}

// Remove implements Blobs.
func (d *Disk) Remove(_ context.Context, h Hash, now time.Time, referenced func(Hash) (bool, error)) error {
	d.place.Lock()
	defer d.place.Unlock()
	info, err := os.Stat(d.blob(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || now.Sub(info.ModTime()) < young {
		return err
	}
	used, err := referenced(h)
	if err != nil || used {
		return err
	}
	d.drop(d.blob(h), info.Size())
	return nil
}

// Sweep implements Blobs.
func (d *Disk) Sweep(ctx context.Context, now time.Time, referenced func(Hash) (bool, error)) error {
	return d.walk(func(path string, info fs.FileInfo) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		age := now.Sub(info.ModTime())
		id, err := strconv.ParseInt(filepath.Base(path), 10, 64)
		if err == nil && filepath.Dir(path) == filepath.Join(d.dir, "uploads") {
			return d.sweepUpload(id, path, info.Size(), age)
		}
		var h Hash
		if n, err := hex.Decode(h[:], []byte(filepath.Base(path))); err != nil || n != len(h) {
			return nil // not ours
		}
		return d.Remove(ctx, h, now, referenced)
	})
}

func (d *Disk) sweepUpload(id int64, path string, size int64, age time.Duration) error {
	unlock, err := d.lock(id)
	if err != nil {
		return nil // somebody is writing it
	}
	defer unlock()
	if age > stalled {
		d.drop(path, size)
	}
	return nil
}

// walk visits every file. One that goes away meanwhile is no error.
func (d *Disk) walk(visit func(path string, info fs.FileInfo) error) error {
	err := filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return ignoreGone(err)
		}
		info, err := e.Info()
		if err != nil {
			return ignoreGone(err)
		}
		return visit(path, info)
	})
	if err != nil {
		return fmt.Errorf("attachments: %w", err)
	}
	return nil
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
