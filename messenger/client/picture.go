package client

import (
	"bytes"
	"context"
	"crypto/aes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/countersign-project/countersign/messenger/attachment"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/group"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// MaxPicture bounds a group's picture, in bytes of its file.
const MaxPicture = 1 << 20

// Picture is a group's picture, as this device has it. It is kept here, for the server forgets attachments.
type Picture struct {
	Type   string `json:"type"` // such as image/png, as its first bytes say
	Data   []byte `json:"data"`
	Digest []byte `json:"digest"` // of the encrypted blob it came in
	IV     []byte `json:"iv"`     // of that blob; none in what was stored before pictures were uploaded again
}

// pictureType is the type of an image that every program can show, whatever its sender calls it.
func pictureType(b []byte) (string, error) {
	if len(b) > MaxPicture {
		return "", fmt.Errorf("a picture of %d bytes, want at most %d", len(b), MaxPicture)
	}
	switch t := http.DetectContentType(b); t {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		return t, nil
	default:
		t, _, _ = strings.Cut(t, ";")
		return "", fmt.Errorf("the file is no picture: it looks like %s, want PNG, JPEG, GIF or WebP", t)
	}
}

// CheckPicture tells whether a file can be a group's picture.
func CheckPicture(b []byte) error {
	_, err := pictureType(b)
	return err
}

// Uploaded is a picture that lies encrypted at the server and waits for its group.
type Uploaded struct {
	picture Picture
	pointer wire.Attachment
}

// UploadPicture checks, encrypts and uploads a picture, so that what can fail has failed before a group is changed.
func (a *Account) UploadPicture(ctx context.Context, data []byte) (*Uploaded, error) {
	kind, err := pictureType(data)
	if err != nil {
		return nil, err
	}
	who, err := a.login(ctx)
	if err != nil {
		return nil, err
	}
	u, p, err := a.encrypt(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	defer a.dropFiles([]upload{u})
	f, err := a.openBlob(u)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	iv := make([]byte, aes.BlockSize)
	if _, err := f.ReadAt(iv, 0); err != nil {
		return nil, err
	}
	place, err := a.server.Place(ctx, who)
	if err != nil {
		return nil, err
	}
	if err := a.server.Upload(ctx, place, f, 0, u.Size); err != nil {
		return nil, err
	}
	p.ID, p.ContentType = place.ID, kind
	return &Uploaded{Picture{kind, data, p.Digest, iv}, p}, nil
}

// SetPicture gives a group a picture, and tells its members; with nil it has none any more.
func (a *Account) SetPicture(ctx context.Context, conversation string, u *Uploaded) error {
	id, ok := groupID(conversation)
	if !ok {
		return fmt.Errorf("%q is no group", conversation)
	}
	return a.change(ctx, func(c *change) error {
		var pointer *wire.Attachment
		if u != nil {
			pointer = &u.pointer
			if err := store.Save(c.tx, store.Pictures, conversation, u.picture); err != nil { // before the group, which would have it fetched
				return err
			}
			if err := c.pictured(conversation); err != nil {
				return err
			}
		}
		return c.changeGroup(id, func(g *groupState) error { g.SetAvatar(c.self(), pointer); return nil })
	})
}

// Picture returns a group's picture; nil if it has none, or this device does not have it yet.
func (a *Account) Picture(ctx context.Context, conversation string) (p *Picture, err error) {
	err = a.view(ctx, func(c *change) error {
		have, ok, err := store.Load[Picture](c.tx, store.Pictures, conversation)
		if ok {
			p = &have
		}
		return err
	})
	return p, err
}

// pictureOf has a group's picture fetched if we do not have it, and forgets one that it has no more. A new one is shown when it is here.
func (c *change) pictureOf(g *group.State) error {
	name := groupName(g.ID)
	have, ok, err := store.Load[Picture](c.tx, store.Pictures, name)
	switch {
	case err != nil || ok && g.Avatar != nil && bytes.Equal(have.Digest, g.Avatar.Digest):
		return err
	case g.Avatar == nil && ok:
		return c.tx.Delete(store.Pictures, name)
	case g.Avatar == nil:
		return nil
	}
	return c.fetchLater(fetching{Picture: name})
}

// fetchPicture downloads a group's picture. What is none, or too large, is not shown; the members' other changes stand.
func (a *Account) fetchPicture(ctx context.Context, conversation string) error {
	g, err := a.Group(ctx, conversation)
	if err != nil || g == nil || g.Avatar == nil {
		return err
	}
	want := *g.Avatar
	p := attachmentsOf(&wire.Data{Attachments: []wire.Attachment{want}}, serverOf(g.AvatarSet.By))[0]
	if p.Size > MaxPicture {
		return useless("a group's picture of %d bytes, want at most %d", p.Size, MaxPicture)
	}
	var b bytes.Buffer
	iv := make([]byte, aes.BlockSize)
	err = a.download(ctx, p, nil, func(blob io.ReadSeeker, p attachment.Pointer) error {
		if _, err := io.ReadFull(blob, iv); err != nil {
			return err
		}
		if _, err := blob.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return attachment.Decrypt(&b, blob, p)
	})
	if remote.Status(err) == http.StatusNotFound {
		err = errors.Join(err, a.askPicture(ctx, conversation, want.Digest))
	}
	if err != nil {
		return err
	}
	kind, err := pictureType(b.Bytes())
	if err != nil {
		return &uselessError{err}
	}
	return a.change(ctx, func(c *change) error {
		id, _ := groupID(conversation)
		now, err := c.group(id)
		if err != nil || now == nil || now.Avatar == nil || !bytes.Equal(now.Avatar.Digest, want.Digest) {
			return err // changed again meanwhile: that is noted to be fetched as well
		}
		c.tell(Event{Type: EventConversation, Conversation: conversation})
		if err := c.pictured(conversation); err != nil {
			return err
		}
		return store.Save(c.tx, store.Pictures, conversation, Picture{kind, b.Bytes(), want.Digest, iv})
	})
}

// Pictured tells which groups have a picture here.
func (a *Account) Pictured(ctx context.Context, groups []*group.State) (out map[string]bool, err error) {
	out = map[string]bool{}
	err = a.view(ctx, func(c *change) error {
		for _, g := range groups {
			if _, out[groupName(g.ID)], err = c.tx.Get(store.Pictures, groupName(g.ID)); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}
