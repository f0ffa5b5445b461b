package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/countersign-project/countersign/messenger/attachment"
	"github.com/countersign-project/countersign/messenger/wire"
)

// File is something to be sent along.
type File struct {
	Path        string
	Name        string // as the receiver sees it; empty: the path's last part
	ContentType string // empty: by the name's ending, or by the content
	Caption     string
	Prepared    *Prepared // the file itself, instead of Path
}

// Scratch makes an empty file among those that are removed when the account is opened next, should this process not come to it.
func (a *Account) Scratch() (*os.File, error) {
	if err := os.MkdirAll(a.filesDir(), 0o700); err != nil {
		return nil, err
	}
	return os.CreateTemp(a.filesDir(), "*.scratch") // mode 0600
}

// filesDir holds blobs on their way: ciphertext, as the server gets it.
func (a *Account) filesDir() string { return filepath.Join(a.Dir, "outgoing") }

// prepareFiles encrypts files, and a text too long for a body, into blobs.
func (a *Account) prepareFiles(ctx context.Context, d Draft) (files []upload, out []wire.Attachment, err error) {
	defer func() {
		if err != nil {
			a.dropFiles(files)
		}
	}()
	if _, long := wire.CutBody(d.Text); long {
		u, p, err := a.encrypt(strings.NewReader(d.Text), int64(len(d.Text)))
		if err != nil {
			return files, nil, err
		}
		p.ContentType = wire.LongText
		files, out = append(files, u), append(out, p)
	}
	for _, f := range d.Files {
		if err := ctx.Err(); err != nil {
			return files, nil, err
		}
		u, p, err := f.Prepared.take(f)
		if f.Prepared == nil {
			u, p, err = a.encryptFile(ctx, f, d.Progress)
		}
		if err != nil {
			return files, nil, err
		}
		files, out = append(files, u), append(out, p)
	}
	return files, out, nil
}

// MisuseError says that what was asked for cannot be done, whatever the network and the server do: the caller has to ask otherwise.
type MisuseError struct{ error }

// Usage tells that.
func (MisuseError) Usage() bool { return true }

func (e MisuseError) Unwrap() error { return e.error }

func misuse(format string, args ...any) error { return MisuseError{fmt.Errorf(format, args...)} }

// openFile opens a file to be sent. MisuseError.
func openFile(path string) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(path) // first: to open a pipe would wait for somebody who writes
	switch {
	case err != nil:
		return nil, nil, MisuseError{err}
	case !info.Mode().IsRegular():
		return nil, nil, misuse("%s is not a file", path)
	case info.Size() > attachment.MaxSize:
		return nil, nil, misuse("%s has %d bytes, want at most %d: cut it into parts, or take another way for it", path, info.Size(), attachment.MaxSize)
	}
	src, err := os.Open(path)
	if err != nil {
		return nil, nil, MisuseError{err}
	}
	if info, err = src.Stat(); err != nil {
		return nil, nil, errors.Join(err, src.Close())
	}
	return src, info, nil
}

func (a *Account) encryptFile(ctx context.Context, f File, tell func(Progress)) (u upload, p wire.Attachment, err error) {
	src, info, err := openFile(f.Path)
	if err != nil {
		return u, p, err
	}
	defer src.Close()
	if f.Name == "" {
		f.Name = filepath.Base(f.Path)
	}
	if f.ContentType == "" {
		if f.ContentType = mime.TypeByExtension(filepath.Ext(f.Name)); f.ContentType == "" {
			var head [512]byte
			n, _ := io.ReadFull(src, head[:])
			f.ContentType = http.DetectContentType(head[:n])
			if _, err := src.Seek(0, io.SeekStart); err != nil {
				return u, p, err
			}
		}
	}
	u, p, err = a.encrypt(counted{stoppable{ctx, src}, newMeter(a.World.Now, tell, Encrypting, 0, info.Size())}, info.Size())
	if err != nil {
		return u, p, fmt.Errorf("%s: %w", f.Path, err)
	}
	now, err := src.Stat()
	if err == nil && (now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime())) {
		err = fmt.Errorf("%s changed while it was read, and nothing was sent: send it again when it is done", f.Path)
	}
	if err != nil {
		a.dropFiles([]upload{u})
	}
	p.FileName, p.ContentType, p.Caption = baseName(f.Name), f.ContentType, f.Caption
	return u, p, err
}

// stoppable is a reader that ends with ctx.
type stoppable struct {
	ctx context.Context
	io.Reader
}

func (s stoppable) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Reader.Read(b)
}

// encrypt writes a blob and returns its pointer, which lacks only the id.
func (a *Account) encrypt(src io.Reader, size int64) (u upload, p wire.Attachment, err error) {
	key, err := attachment.NewKey(a.World.Rand)
	if err != nil {
		return u, p, err
	}
	u, digest, err := a.blob(src, size, key, a.World.Rand)
	if err == nil { // under a name by which it is found before it is uploaded
		if err = os.Rename(filepath.Join(a.filesDir(), u.Blob), filepath.Join(a.filesDir(), blobName(digest[:]))); err != nil {
			a.dropFiles([]upload{u})
		}
		u.Blob = blobName(digest[:])
	}
	return u, wire.Attachment{Key: key[:], Digest: digest[:], Size: uint32(size)}, err
}

// blob writes what is uploaded: encrypted with a key, and an IV that is read from random.
func (a *Account) blob(src io.Reader, size int64, key attachment.Key, random io.Reader) (u upload, digest [attachment.DigestSize]byte, err error) {
	if err := os.MkdirAll(a.filesDir(), 0o700); err != nil {
		return u, digest, err
	}
	dst, err := os.CreateTemp(a.filesDir(), "*.blob") // mode 0600
	if err != nil {
		return u, digest, err
	}
	digest, err = attachment.Encrypt(dst, src, size, key, random)
	if err == nil {
		err = dst.Sync()
	}
	if err = cmp.Or(err, dst.Close()); err != nil {
		return u, digest, errors.Join(room(err), os.Remove(dst.Name()))
	}
	return upload{Blob: filepath.Base(dst.Name()), Size: attachment.BlobSize(attachment.Padded(size))}, digest, nil
}

// sweepFiles removes what a crash has left: blobs that no job has. Downloads that broke off are gone on with. It runs before anything else does.
func (a *Account) sweepFiles(ctx context.Context) error {
	entries, err := os.ReadDir(a.filesDir())
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	jobs, err := a.jobs(ctx)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, j := range jobs {
		for _, u := range j.Files {
			wanted[u.Blob] = true
		}
	}
	if err := a.wantedByHistories(ctx, wanted); err != nil {
		return err
	}
	for _, e := range entries {
		if !wanted[e.Name()] && !strings.HasSuffix(e.Name(), resumable) {
			a.dropFiles([]upload{{Blob: e.Name()}})
		}
	}
	return a.sweepPartial()
}

// baseName makes a file name of what a sender says: the last part, without what could lead elsewhere or mislead a terminal.
func baseName(s string) string {
	if i := strings.LastIndexAny(s, `/\:`); i >= 0 {
		s = s[i+1:]
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, s)
	s = strings.TrimLeft(strings.TrimSpace(s), ".")
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[len(s)-200:], "")
	}
	return s
}
