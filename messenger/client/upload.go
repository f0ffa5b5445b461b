package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/wire"
)

// upload is an encrypted blob that waits in the files directory until it is uploaded. Its key travels in the message only.
type upload struct {
	Blob  string        // name of the file there
	Size  int64         // of the blob
	ID    uint64        // on the server; 0: not yet there
	Place *remote.Place // where a try was begun, to be gone on with
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

// errCancelled says that the message was taken back while its files were on their way.
var errCancelled = errors.New("the message is not sent any more")

// uploadAll uploads a job's blobs that are not there yet, and fills their ids into its content. A try that broke off is gone on with. errCancelled.
func (a *Account) uploadAll(ctx context.Context, j job) (job, error) {
	who, err := a.login(ctx)
	if err != nil {
		return j, err
	}
	cancellable, stop := context.WithCancel(ctx)
	defer stop()
	defer a.watchers.begin(j.Message, stop)()
	total := int64(0)
	for _, u := range j.Files {
		total += u.Size
	}
	m := newMeter(a.World.Now, a.watchers.of(j.Message), Uploading, 0, total)
	for i := range j.Files {
		if j.Files[i].ID != 0 {
			m.skip(j.Files[i].Size)
			continue
		}
		keep := func(place *remote.Place) error {
			return a.change(ctx, func(c *change) error {
				return c.changeJob(j.ID, func(stored *job) error {
					if i < len(stored.Files) {
						stored.Files[i].Place = place
					}
					return nil
				})
			})
		}
		if err := a.uploadOne(cancellable, who, &j.Files[i], m, keep); err != nil {
			if cancellable.Err() != nil && ctx.Err() == nil {
				return j, errCancelled
			}
			return j, err
		}
	}
	a.watchers.forget(j.Message)
	return a.uploaded(ctx, j)
}

// uploadOne uploads one blob. Where it goes is kept on the disk before the first byte is sent, so that not even a crash begins anew.
func (a *Account) uploadOne(ctx context.Context, who remote.Login, u *upload, m *meter, keep func(*remote.Place) error) error {
	f, err := a.openBlob(*u)
	if err != nil {
		return &lostError{err}
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() != u.Size {
		return &lostError{errors.Join(err, errors.New("it is not as long as it was"))}
	}
	have, again := int64(0), false
	if u.Place != nil {
		var whole bool
		if have, whole, again, err = a.server.Arrived(ctx, *u.Place, u.Size); err != nil {
			return err
		}
		if m.skip(have); whole {
			u.ID = u.Place.ID
			return nil
		}
	}
	if !again {
		place, err := a.server.Place(ctx, who)
		if err != nil {
			return err
		}
		u.Place = &place
		if err := keep(u.Place); err != nil {
			return err
		}
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return err
	}
	err = a.server.Upload(ctx, *u.Place, counted{f, m}, have, u.Size)
	if status := remote.Status(err); again && (status == http.StatusConflict || status == http.StatusRequestedRangeNotSatisfiable) {
		return fmt.Errorf("the server is still busy with an earlier try: %v", err) // in a moment it knows that that one has ended
	}
	if err == nil {
		u.ID = u.Place.ID
	}
	return err
}

// uploaded fills the ids of a job's blobs into its content, here and in the history.
func (a *Account) uploaded(ctx context.Context, j job) (job, error) {
	content, err := wire.ParseContent(j.Content)
	if err != nil {
		return j, fmt.Errorf("internal error: a job's content: %v", err)
	}
	data := content.Data
	if content.Sync != nil && content.Sync.Sent != nil {
		data = content.Sync.Sent.Message
	}
	switch {
	case content.Sync != nil && content.Sync.Contacts != nil && len(j.Files) == 1:
		content.Sync.Contacts.Blob.ID = j.Files[0].ID
	case j.Picture && content.Data != nil && content.Data.Group != nil && content.Data.Group.Avatar != nil && len(j.Files) == 1:
		content.Data.Group.Avatar.ID = j.Files[0].ID
	case data != nil && len(data.Attachments) >= len(j.Files):
		for i, u := range j.Files {
			data.Attachments[i].ID = u.ID
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
		if j.Picture {
			return c.pictureMoved(content.Data.Group)
		}
		m, err := history.Get(c.tx, j.Message)
		if err != nil || m == nil || m.Deleted || data == nil {
			return err
		}
		m.Raw, m.Attachments = (&wire.Content{Data: data}).Encode(), attachmentsOf(data, "")
		return c.changed(m)
	})
}

// withoutPicture goes on where a group's picture could not be uploaded again, unless nothing can be now: what it goes with does not need it.
func (a *Account) withoutPicture(ctx context.Context, j job, err error) (job, error) {
	if err == nil || !j.Picture || judge(err).stop {
		return j, err
	}
	a.Log.Warn("a group's picture not uploaded again", "error", err)
	files := j.Files
	j.Files = nil
	return j, a.change(ctx, func(c *change) error {
		c.done = append(c.done, files...)
		return c.changeJob(j.ID, func(stored *job) error { stored.Files = nil; return nil })
	})
}

// blobName is what a ciphertext is called here until it is uploaded.
func blobName(digest []byte) string { return hex.EncodeToString(digest) + ".blob" }

// lostError says that a file on its way is not there any more: this message fails, others go on.
type lostError struct{ error }

func (e *lostError) Error() string { return "the encrypted file is gone: " + e.error.Error() }
