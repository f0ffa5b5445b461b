package attach

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/countersign-project/countersign/messenger/server/attach/s3"
)

// Objects keeps blobs in a bucket of an S3-compatible store, under blobs/<hash>, and uploads on this server's disk until they are whole: their
// pieces may be of any size, and a bucket's may not. So an upload that broke off goes on at the server that has its beginning; at another one
// it begins anew.
//
// Several servers share a bucket, so nobody can hold a lock between asking whether a blob is referred to and removing it. Instead both sides
// commit, then read, as delivery does: who removes writes removing/<hash> before it asks; who finishes an upload writes its
// description before it looks for that, and then for the blob. Of two who meet, one sees the other: either the blob is not removed, or it is put
// there again.
type Objects struct {
	uploads *Disk
	bucket  *s3.Bucket
	poll    time.Duration // between looks at a removal that is under way
}

// NewObjects keeps uploads in the directory, at most max bytes of them at a time, and blobs in the bucket.
func NewObjects(dir string, max int64, bucket *s3.Bucket) (*Objects, error) {
	d, err := NewDisk(dir, max)
	return &Objects{uploads: d, bucket: bucket, poll: time.Second}, err
}

// slowest is the rate in bytes a second at which a reader may take a blob, after a minute of grace: that of the slowest client.
const slowest = 8 << 10

// removeWithin bounds a removal, from its mark to its end.
const removeWithin = 30 * time.Second

const (
	blobPrefix = "blobs/"
	markPrefix = "removing/"
)

func nameOf(h Hash) string { return hex.EncodeToString(h[:]) }

// Used returns the bytes of uploads on this disk.
func (o *Objects) Used() int64 { return o.uploads.Used() }

// Received implements Blobs.
func (o *Objects) Received(ctx context.Context, upload int64) (int64, error) {
	return o.uploads.Received(ctx, upload)
}

// Reset implements Blobs.
func (o *Objects) Reset(ctx context.Context, upload int64) error {
	return o.uploads.Reset(ctx, upload)
}

// Append implements Blobs.
func (o *Objects) Append(ctx context.Context, upload, offset int64, r io.Reader, limit int64) (int64, error) {
	return o.uploads.Append(ctx, upload, offset, r, limit)
}

// Finish implements Blobs. If the store is away the upload stays, and the client, told so, sends it again.
func (o *Objects) Finish(ctx context.Context, upload int64, record func(Hash, int64) error) error {
	unlock, err := o.uploads.lock(upload)
	if err != nil {
		return err
	}
	defer unlock()
	path := o.uploads.upload(upload)
	h, size, err := hashAndSync(path)
	if err != nil {
		return err
	}
	put := func() error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return away(o.bucket.Put(ctx, blobPrefix+nameOf(h), f, size, h))
	}
	if err := put(); err != nil {
		return err
	}
	if err := record(h, size); err != nil {
		return err
	}
	if err := o.outlive(ctx, h, put); err != nil {
		return err
	}
	o.uploads.drop(path, size)
	return nil
}

// outlive makes sure that a removal that began before the description was written did not take the blob away. It waits for one that is under way,
// and looks for the blob in any case: a removal that ended since the blob was put has taken its mark along.
func (o *Objects) outlive(ctx context.Context, h Hash, put func() error) error {
	for end := time.Now().Add(removeWithin + o.poll); ; {
		_, err := o.bucket.Head(ctx, markPrefix+nameOf(h))
		if errors.Is(err, s3.ErrNotFound) {
			break
		}
		if err != nil {
			return away(err)
		}
		if time.Now().After(end) {
			break // whoever it was has died, and its time is over
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(o.poll):
		}
	}
	_, err := o.bucket.Head(ctx, blobPrefix+nameOf(h))
	if errors.Is(err, s3.ErrNotFound) {
		return put()
	}
	return away(err)
}

// Open implements Blobs. Nothing is read before the first Read.
func (o *Objects) Open(ctx context.Context, h Hash) (io.ReadSeekCloser, error) {
	object, err := o.bucket.Head(ctx, blobPrefix+nameOf(h))
	if errors.Is(err, s3.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, away(err)
	}
	return &objectReader{ctx: ctx, bucket: o.bucket, name: object.Name, size: object.Size}, nil
}

// Remove implements Blobs.
func (o *Objects) Remove(ctx context.Context, h Hash, now time.Time, referenced func(Hash) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, removeWithin)
	defer cancel()
	object, err := o.bucket.Head(ctx, blobPrefix+nameOf(h))
	if errors.Is(err, s3.ErrNotFound) {
		return nil
	}
	if err != nil || now.Sub(object.Modified) < young {
		return away(err)
	}
	if used, err := referenced(h); err != nil || used {
		return err
	}
	mark := markPrefix + nameOf(h)
	if err := o.bucket.Put(ctx, mark, strings.NewReader(""), 0, sha256.Sum256(nil)); err != nil {
		return away(err)
	}
	used, err := referenced(h)
	if err == nil && !used {
		err = away(o.bucket.Delete(ctx, blobPrefix+nameOf(h)))
	}
	return errors.Join(err, away(o.bucket.Delete(ctx, mark)))
}

// Sweep implements Blobs.
func (o *Objects) Sweep(ctx context.Context, now time.Time, referenced func(Hash) (bool, error)) error {
	if err := o.uploads.Sweep(ctx, now, referenced); err != nil {
		return err
	}
	err := o.bucket.List(ctx, blobPrefix, func(object s3.Object) error {
		h, ok := hashOf(strings.TrimPrefix(object.Name, blobPrefix))
		if !ok || now.Sub(object.Modified) < young {
			return nil
		}
		if used, err := referenced(h); err != nil || used {
			return err
		}
		return o.Remove(ctx, h, now, referenced)
	})
	if err != nil {
		return away(err)
	}
	return away(o.bucket.List(ctx, markPrefix, func(object s3.Object) error { // of those who died in the middle
		if now.Sub(object.Modified) < young {
			return nil
		}
		return o.bucket.Delete(ctx, object.Name)
	}))
}

func hashOf(text string) (h Hash, ok bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) || nameOf(Hash(b)) != text {
		return h, false
	}
	return Hash(b), true
}

// away marks the errors that go by when one tries again.
func away(err error) error {
	if errors.Is(err, s3.ErrUnavailable) {
		return fmt.Errorf("%w: %v", ErrAway, err)
	}
	return err
}

// objectReader reads an object from where it was last sought to.
type objectReader struct {
	ctx    context.Context
	bucket *s3.Bucket
	name   string
	size   int64
	at     int64
	body   io.ReadCloser // nil until it is read
	cancel func()        // ends its time
}

// Read implements io.Reader.
func (r *objectReader) Read(p []byte) (int, error) {
	if r.at >= r.size {
		return 0, io.EOF
	}
	if r.body == nil {
		ctx, cancel := context.WithTimeout(r.ctx, time.Minute+time.Duration((r.size-r.at)/slowest)*time.Second)
		body, err := r.bucket.Get(ctx, r.name, r.at)
		if err != nil {
			cancel()
			return 0, away(err)
		}
		r.body, r.cancel = body, cancel
	}
	if left := r.size - r.at; int64(len(p)) > left {
		p = p[:left] // whatever the store says
	}
	n, err := r.body.Read(p)
	r.at += int64(n)
	if err == io.EOF && r.at < r.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Seek implements io.Seeker.
func (r *objectReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return r.at, fmt.Errorf("seek to %d", offset)
	}
	if offset != r.at {
		_ = r.Close()
		r.at = offset
	}
	return r.at, nil
}

// Close implements io.Closer.
func (r *objectReader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.cancel()
	r.body = nil
	return err
}
