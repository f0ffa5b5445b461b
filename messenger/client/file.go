package client

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/countersign-project/countersign/messenger/attachment"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
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

// upload is an encrypted blob that waits in the files directory until it is uploaded. Its key travels in the message only.
type upload struct {
	Blob string // name of the file there
	Size int64  // of the blob
	ID   uint64 // on the server; 0: not yet there
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
			u, p, err = a.encryptFile(f)
		}
		if err != nil {
			return files, nil, err
		}
		files, out = append(files, u), append(out, p)
	}
	return files, out, nil
}

func (a *Account) encryptFile(f File) (upload, wire.Attachment, error) {
	src, err := os.Open(f.Path)
	if err != nil {
		return upload{}, wire.Attachment{}, err
	}
	defer src.Close()
	info, err := src.Stat()
	switch {
	case err != nil:
		return upload{}, wire.Attachment{}, err
	case !info.Mode().IsRegular():
		return upload{}, wire.Attachment{}, fmt.Errorf("%s is not a file", f.Path)
	case info.Size() > attachment.MaxSize:
		return upload{}, wire.Attachment{}, fmt.Errorf("%s has %d bytes, want at most %d", f.Path, info.Size(), attachment.MaxSize)
	}
	if f.Name == "" {
		f.Name = filepath.Base(f.Path)
	}
	if f.ContentType == "" {
		if f.ContentType = mime.TypeByExtension(filepath.Ext(f.Name)); f.ContentType == "" {
			var head [512]byte
			n, _ := io.ReadFull(src, head[:])
			f.ContentType = http.DetectContentType(head[:n])
			if _, err := src.Seek(0, io.SeekStart); err != nil {
				return upload{}, wire.Attachment{}, err
			}
		}
	}
	u, p, err := a.encrypt(src, info.Size())
	p.FileName, p.ContentType, p.Caption = baseName(f.Name), f.ContentType, f.Caption
	return u, p, err
}

// encrypt writes a blob and returns its pointer, which lacks only the id.
func (a *Account) encrypt(src io.Reader, size int64) (u upload, p wire.Attachment, err error) {
	key, err := attachment.NewKey(a.World.Rand)
	if err != nil {
		return u, p, err
	}
	if err := os.MkdirAll(a.filesDir(), 0o700); err != nil {
		return u, p, err
	}
	dst, err := os.CreateTemp(a.filesDir(), "*.blob") // mode 0600
	if err != nil {
		return u, p, err
	}
	digest, err := attachment.Encrypt(dst, src, size, key, a.World.Rand)
	if err = errors.Join(err, dst.Sync(), dst.Close()); err != nil {
		return u, p, errors.Join(err, os.Remove(dst.Name()))
	}
	u = upload{Blob: filepath.Base(dst.Name()), Size: attachment.BlobSize(attachment.Padded(size))}
	return u, wire.Attachment{Key: key[:], Digest: digest[:], Size: uint32(size)}, nil
}

func (a *Account) openBlob(u upload) (*os.File, error) {
	return os.Open(filepath.Join(a.filesDir(), filepath.Base(u.Blob)))
}

// dropFiles removes blobs that are not needed any more.
func (a *Account) dropFiles(files []upload) {
	for _, u := range files {
		if err := os.Remove(filepath.Join(a.filesDir(), u.Blob)); err != nil && !errors.Is(err, os.ErrNotExist) {
			a.Log.Warn("uploaded file not removed", "error", err)
		}
	}
}

// sweepFiles removes what a crash has left: blobs that no job has, downloads that were not finished. It runs before anything else does.
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
	for _, e := range entries {
		if !wanted[e.Name()] {
			a.dropFiles([]upload{{Blob: e.Name()}})
		}
	}
	return nil
}

// uploadAll uploads a job's blobs that are not there yet, and fills their ids into its content.
func (a *Account) uploadAll(ctx context.Context, j job) (job, error) {
	who, err := a.login(ctx)
	if err != nil {
		return j, err
	}
	for i := range j.Files {
		if j.Files[i].ID != 0 {
			continue
		}
		f, err := a.openBlob(j.Files[i])
		if err != nil {
			return j, &lostError{err}
		}
		j.Files[i].ID, err = a.server.Upload(ctx, who, f, j.Files[i].Size)
		if err = errors.Join(err, f.Close()); err != nil {
			return j, err
		}
	}
	content, err := wire.ParseContent(j.Content)
	switch {
	case err != nil:
		return j, fmt.Errorf("internal error: a job's content: %v", err)
	case content.Sync != nil && content.Sync.Contacts != nil && len(j.Files) == 1:
		content.Sync.Contacts.Blob.ID = j.Files[0].ID
	case content.Data != nil && len(content.Data.Attachments) >= len(j.Files):
		for i, u := range j.Files {
			content.Data.Attachments[i].ID = u.ID
		}
	default:
		return j, errors.New("internal error: a job's files are not in its message")
	}
	j.Content = content.Encode()
	files := j.Files
	j.Files = nil
	return j, a.change(ctx, func(c *change) error {
		if err := c.changeJob(j.ID, func(stored *job) error {
			stored.Content, stored.Files = j.Content, nil
			return nil
		}); err != nil {
			return err
		}
		c.done = append(c.done, files...)
		m, err := history.Get(c.tx, j.Message)
		if err != nil || m == nil || content.Data == nil {
			return err
		}
		m.Raw, m.Attachments = j.Content, attachmentsOf(content.Data, "")
		return c.changed(m)
	})
}

// lostError says that a file on its way is not there any more: this message fails, others go on.
type lostError struct{ error }

func (e *lostError) Error() string { return "the encrypted file is gone: " + e.error.Error() }

// Download fetches, checks and decrypts an attachment into dst. On an error what was written to dst must be thrown away.
func (a *Account) Download(ctx context.Context, f history.Attachment, dst io.Writer) error {
	if len(f.Key) != attachment.KeySize {
		return fmt.Errorf("attachment key of %d bytes, want %d", len(f.Key), attachment.KeySize)
	}
	if len(f.Digest) != attachment.DigestSize {
		return errors.New("the sender's program gave no digest: nothing proves this file whole, so it is not opened")
	}
	who, err := a.login(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.filesDir(), 0o700); err != nil {
		return err
	}
	blob, err := os.CreateTemp(a.filesDir(), "*.incoming")
	if err != nil {
		return err
	}
	defer os.Remove(blob.Name())
	defer blob.Close()
	size, err := blobSize(f)
	if err != nil {
		return err
	}
	if err := a.server.Download(ctx, who, f.ID, f.Relay, size, blob); err != nil {
		return err
	}
	p := attachment.Pointer{Key: attachment.Key(f.Key), Digest: [attachment.DigestSize]byte(f.Digest), Size: f.Size}
	if _, err := blob.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return attachment.Decrypt(dst, blob, p)
}

func blobSize(f history.Attachment) (int64, error) {
	if f.Size < 0 || f.Size > attachment.MaxSize {
		return 0, fmt.Errorf("attachment of %d bytes, want at most %d", f.Size, attachment.MaxSize)
	}
	return attachment.BlobSize(attachment.Padded(f.Size)), nil
}

// SaveAttachment downloads an attachment into a new file of a directory, under the name its sender gave it or one like it, and returns the path.
func (a *Account) SaveAttachment(ctx context.Context, f history.Attachment, dir string) (path string, err error) {
	name := baseName(f.FileName)
	if name == "" {
		name = "attachment-" + hex.EncodeToString(f.Digest[:min(4, len(f.Digest))])
		if ends, _ := mime.ExtensionsByType(f.ContentType); len(ends) > 0 {
			name += ends[0]
		}
	}
	part, err := os.CreateTemp(dir, ".part-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(part.Name())
	if err := errors.Join(a.Download(ctx, f, part), part.Sync(), part.Close()); err != nil {
		return "", err
	}
	ext := filepath.Ext(name)
	for n := 0; n < 1000; n++ {
		path = filepath.Join(dir, name)
		if n > 0 {
			path = filepath.Join(dir, fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ext), n, ext))
		}
		if err := os.Link(part.Name(), path); err == nil { // never over another file
			return path, nil
		} else if !errors.Is(err, os.ErrExist) {
			return path, placeWithoutLink(part.Name(), path)
		}
	}
	return "", fmt.Errorf("%s: too many files of that name", filepath.Join(dir, name))
}

// placeWithoutLink is for file systems without hard links.
func placeWithoutLink(from, to string) error {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	src, err := os.Open(from)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	_, err = io.Copy(f, src)
	return errors.Join(err, src.Close(), f.Sync(), f.Close())
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

// fetching is something to be downloaded after the commit, because the rest cannot be understood without it.
type fetching struct {
	Message  int64            // whose long text
	Contacts *wire.Attachment // a list of contacts from another device of ours
	Profile  string           // whose name
	Picture  string           // of which group
}

// longText has the whole of a long text fetched.
func (c *change) longText(m *history.Message) error {
	for _, f := range m.Attachments {
		if f.ContentType == wire.LongText && f.Size <= maxText {
			return c.fetchLater(fetching{Message: m.Seq})
		}
	}
	return nil
}

const settingFetching = "fetching"

// fetchLater notes what is to be fetched, so that it survives a crash.
func (c *change) fetchLater(f fetching) error {
	list, _, err := store.Load[[]fetching](c.tx, store.Settings, settingFetching)
	if err != nil {
		return err
	}
	c.timer = true
	return store.Save(c.tx, store.Settings, settingFetching, append(list, f))
}

// fetchNoted does what fetchLater has noted.
func (a *Account) fetchNoted(ctx context.Context) error {
	var list []fetching
	err := a.store.View(ctx, func(tx *store.Tx) (err error) {
		list, _, err = store.Load[[]fetching](tx, store.Settings, settingFetching)
		return err
	})
	for _, f := range list {
		if err != nil {
			return err
		}
		if err = a.fetchOne(ctx, f); err != nil {
			if judge(err).stop {
				return err // later
			}
			a.Log.Warn("not fetched", "error", err)
		}
		err = a.change(ctx, func(c *change) error {
			now, _, err := store.Load[[]fetching](c.tx, store.Settings, settingFetching)
			if err != nil || len(now) == 0 {
				return err
			}
			return store.Save(c.tx, store.Settings, settingFetching, now[1:])
		})
	}
	return err
}

func (a *Account) fetchOne(ctx context.Context, f fetching) error {
	var b bytes.Buffer
	if f.Profile != "" {
		return a.fetchProfile(ctx, f.Profile)
	}
	if f.Picture != "" {
		return a.fetchPicture(ctx, f.Picture)
	}
	if f.Contacts != nil {
		p := attachmentsOf(&wire.Data{Attachments: []wire.Attachment{*f.Contacts}}, "")[0]
		if p.Size > maxContactsBlob {
			return fmt.Errorf("list of contacts of %d bytes, want at most %d", p.Size, maxContactsBlob)
		}
		if err := a.Download(ctx, p, &b); err != nil {
			return err
		}
		return a.change(ctx, func(c *change) error { return c.syncedContacts(b.Bytes()) })
	}
	m, err := a.Message(ctx, f.Message)
	if err != nil || m == nil {
		return err
	}
	for i, p := range m.Attachments {
		if p.ContentType != wire.LongText {
			continue
		}
		if err := a.Download(ctx, p, &b); err != nil {
			return err
		}
		return a.change(ctx, func(c *change) error {
			m, err := history.Get(c.tx, f.Message)
			if err != nil || m == nil || m.Deleted || m.Edited > 0 || !strings.HasPrefix(b.String(), m.Body) {
				return err // the beginning was authenticated; what does not go on from it is not shown
			}
			m.Body = strings.ToValidUTF8(b.String(), "")
			m.Attachments = append(m.Attachments[:i:i], m.Attachments[i+1:]...)
			return c.changed(m)
		})
	}
	return nil
}
