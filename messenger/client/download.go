package client

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/countersign-project/countersign/messenger/attachment"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/client/remote"
)

// Download fetches, checks and decrypts an attachment into dst. On an error what was written to dst must be thrown away. Ciphertext that has come before
// the connection broke off, or ctx ended, is kept for the next time. Tell, if it is not nil, hears how far it is.
func (a *Account) Download(ctx context.Context, f history.Attachment, dst io.Writer, tell func(Progress)) error {
	return a.download(ctx, f, tell, func(blob io.ReadSeeker, p attachment.Pointer) error { return attachment.Decrypt(dst, blob, p) })
}

// download fetches an attachment's blob, which use checks and opens.
func (a *Account) download(ctx context.Context, f history.Attachment, tell func(Progress), use func(blob io.ReadSeeker, p attachment.Pointer) error) (err error) {
	if len(f.Key) != attachment.KeySize {
		return useless("attachment key of %d bytes, want %d", len(f.Key), attachment.KeySize)
	}
	if len(f.Digest) != attachment.DigestSize {
		return useless("the sender's program gave no digest: nothing proves this file whole, so it is not opened")
	}
	size, err := blobSize(f)
	if err != nil {
		return err
	}
	if f.ID == 0 && f.Relay == "" { // one of ours that is not uploaded yet
		blob, err := a.openBlob(upload{Blob: blobName(f.Digest)})
		if err != nil {
			return useless("this file was not uploaded, and is not here any more: %v", err)
		}
		defer blob.Close()
		return room(use(blob, pointerOf(f)))
	}
	p, err := a.partial(f)
	if err != nil {
		return err
	}
	defer func() { p.close(err) }()
	p.meter = newMeter(a.World.Now, tell, Downloading, p.have, size)
	if p.have < size {
		who, err := a.login(ctx)
		if err != nil {
			return err
		}
		if err := a.server.Download(ctx, who, remote.Blob{ID: f.ID, Relay: f.Relay, Size: size}, p.have, p); err != nil {
			p.keep = p.failed == nil
			return room(cmp.Or(p.failed, err))
		}
	}
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return room(use(p.file, pointerOf(f)))
}

func pointerOf(f history.Attachment) attachment.Pointer {
	return attachment.Pointer{Key: attachment.Key(f.Key), Digest: [attachment.DigestSize]byte(f.Digest), Size: f.Size}
}

func blobSize(f history.Attachment) (int64, error) {
	if f.Size < 0 || f.Size > attachment.MaxSize {
		return 0, useless("attachment of %d bytes, want at most %d", f.Size, attachment.MaxSize)
	}
	return attachment.BlobSize(attachment.Padded(f.Size)), nil
}

const (
	// resumable is how the names of downloads end that can be gone on with: ciphertext, as the server has it.
	resumable = ".partial"
	// keepPartial and maxPartial are how long, and how many, downloads that broke off are kept.
	keepPartial = 24 * time.Hour
	maxPartial  = 4
)

// partial is a download under way: an account has one at a time of a blob that can be gone on with; further ones at the same time are for themselves.
type partial struct {
	file   *os.File
	have   int64
	alone  bool  // not to be gone on with
	keep   bool  // for the next time
	failed error // this computer's
	meter  *meter
	free   func()
}

// partial opens what there is of a blob, or begins.
func (a *Account) partial(f history.Attachment) (*partial, error) {
	if err := os.MkdirAll(a.filesDir(), 0o700); err != nil {
		return nil, err
	}
	if err := a.sweepPartial(); err != nil {
		return nil, err
	}
	name := hex.EncodeToString(f.Digest) + resumable
	free, ok := a.downloads.take(name)
	if !ok {
		file, err := os.CreateTemp(a.filesDir(), "*.incoming")
		if err != nil {
			return nil, err
		}
		return &partial{file: file, alone: true, free: func() {}}, nil
	}
	file, err := os.OpenFile(filepath.Join(a.filesDir(), name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		free()
		return nil, err
	}
	p := &partial{file: file, free: free}
	size, err := blobSize(f)
	if err == nil {
		p.have, err = file.Seek(0, io.SeekEnd)
	}
	if err == nil && p.have > size {
		err = p.Reset()
	}
	if err != nil {
		p.close(err)
		return nil, err
	}
	return p, nil
}

// Write implements remote.Partial.
func (p *partial) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	p.have += int64(n)
	p.meter.add(int64(n))
	if err != nil {
		p.failed = err
	}
	return n, err
}

// Reset implements remote.Partial.
func (p *partial) Reset() error {
	_, err := p.file.Seek(0, io.SeekStart)
	if err = errors.Join(err, p.file.Truncate(0)); err != nil {
		p.failed = err
	}
	if p.have > 0 {
		p.meter.restart()
	}
	p.have = 0
	return err
}

// close ends it. What is not to be gone on with goes.
func (p *partial) close(why error) {
	_ = p.file.Close()
	if why == nil || !p.keep || p.alone || p.have == 0 {
		_ = os.Remove(p.file.Name()) // or the next sweep does
	}
	p.free()
}

// sweepPartial removes downloads that nobody has gone on with.
func (a *Account) sweepPartial() error {
	entries, err := os.ReadDir(a.filesDir())
	if err != nil {
		return err
	}
	var list []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), resumable) && !a.downloads.busy(e.Name()) {
			list = append(list, info)
		}
	}
	slices.SortFunc(list, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for i, info := range list {
		if i >= maxPartial || a.World.Now().Sub(info.ModTime()) > keepPartial {
			a.dropFiles([]upload{{Blob: info.Name()}})
		}
	}
	return nil
}

// taken are names in use.
type taken struct {
	mu    sync.Mutex
	names map[string]bool // mu
}

func (t *taken) take(name string) (free func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.names[name] {
		return nil, false
	}
	put(&t.names, name, true)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.names, name)
	}, true
}

func (t *taken) busy(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.names[name]
}
