package client

import (
	"bytes"
	"context"
	"crypto/aes"
	"encoding/hex"
	"slices"

	"github.com/countersign-project/countersign/messenger/attachment"
	"github.com/countersign-project/countersign/messenger/group"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// The server forgets a group's picture after 45 days, and its members keep it. One who has it uploads it again for somebody who may not: the same blob, byte for
// byte, so that the pointer changes in its id only, and nobody can put another picture in its place.

// pictureEvery is how often a member uploads a group's picture again at most, in milliseconds: once a day.
const pictureEvery = 24 * 60 * 60 * 1000

const (
	settingPictured     = "pictured "      // and the group: when the server certainly had its picture, milliseconds
	settingAskedPicture = "asked picture " // and the group: the digest of the picture that somebody was asked for
)

// pictureAgain makes the blob of a group's picture again, to be uploaded before somebody is told of the group; none if there is no need, or it cannot be done:
// who receives it looks for it at the server of who set it.
func (c *change) pictureAgain(g *group.State) ([]upload, error) {
	name := groupName(g.ID)
	if g.Avatar == nil || len(g.Avatar.Key) != attachment.KeySize || serverOf(g.AvatarSet.By) != "" {
		return nil, nil
	}
	have, ok, err := store.Load[Picture](c.tx, store.Pictures, name)
	if err != nil || !ok || len(have.IV) != aes.BlockSize || !bytes.Equal(have.Digest, g.Avatar.Digest) {
		return nil, err
	}
	last, _, err := store.Load[int64](c.tx, store.Settings, settingPictured+name)
	if err != nil || c.now-last < pictureEvery {
		return nil, err
	}
	if err := c.pictured(name); err != nil {
		return nil, err
	}
	u, digest, err := c.a.blob(bytes.NewReader(have.Data), int64(len(have.Data)), attachment.Key(g.Avatar.Key), bytes.NewReader(have.IV))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(digest[:], have.Digest) { // another program pads otherwise
		c.done = append(c.done, u)
		return nil, nil
	}
	return []upload{u}, nil
}

// pictured notes that the server has a group's picture now.
func (c *change) pictured(conversation string) error {
	return store.Save(c.tx, store.Settings, settingPictured+conversation, c.now)
}

// joinedPicture is pictureAgain where an update brings somebody into the group.
func (c *change) joinedPicture(g, before *group.State) ([]upload, error) {
	if before == nil || len(difference(before, g).Added) == 0 {
		return nil, nil
	}
	return c.pictureAgain(g)
}

// pictureMoved notes where a group's picture lies since it was uploaded again.
func (c *change) pictureMoved(told *wire.Group) error {
	g, err := c.group(told.ID)
	if err != nil || g == nil || !samePicture(g.Avatar, told.Avatar) {
		return err
	}
	g.Avatar.ID = told.Avatar.ID
	return store.Save(c.tx, store.Groups, groupName(g.ID), g)
}

// takePointer has a picture that is not here yet fetched from where the teller of an update says it is.
func (c *change) takePointer(g *group.State, told *wire.Group) error {
	if !samePicture(g.Avatar, told.Avatar) {
		return nil
	}
	have, ok, err := store.Load[Picture](c.tx, store.Pictures, groupName(g.ID))
	if err == nil && !(ok && bytes.Equal(have.Digest, g.Avatar.Digest)) {
		g.Avatar.ID = told.Avatar.ID
	}
	return err
}

// samePicture tells whether two pointers open the same picture, wherever it lies.
func samePicture(a, b *wire.Attachment) bool {
	return a != nil && b != nil && len(a.Digest) > 0 && bytes.Equal(a.Digest, b.Digest) && bytes.Equal(a.Key, b.Key) && a.Size == b.Size
}

// askPicture asks who has set a group's picture, or an admin, to tell of the group again: the server has forgotten the picture. Once for each picture.
func (a *Account) askPicture(ctx context.Context, conversation string, digest []byte) error {
	id, _ := groupID(conversation)
	return a.change(ctx, func(c *change) error {
		g, err := c.group(id)
		if err != nil || g == nil || !g.In(c.self()) {
			return err
		}
		asked, _, err := store.Load[string](c.tx, store.Settings, settingAskedPicture+conversation)
		if now := hex.EncodeToString(digest); err != nil || asked == now {
			return err
		} else if err := store.Save(c.tx, store.Settings, settingAskedPicture+conversation, now); err != nil {
			return err
		}
		others := c.others(g)
		whom := slices.IndexFunc(others, func(m string) bool { return m == g.AvatarSet.By })
		if whom < 0 {
			whom = slices.IndexFunc(others, func(m string) bool { return g.Members[m].Admin })
		}
		if whom < 0 {
			return nil
		}
		return c.sendOne(&wire.Data{Group: &wire.Group{ID: id, Kind: wire.GroupRequestInfo}}, others[whom])
	})
}
