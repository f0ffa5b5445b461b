package rpc

import (
	"io"
	"os"

	"github.com/countersign-project/countersign/messenger/client"
)

// uploadAvatar uploads the picture that a group is to get; nil for none.
func (c *conn) uploadAvatar(p groupParams) (*client.Uploaded, error) {
	switch {
	case p.Avatar == "":
		return nil, nil
	case p.RemoveAvatar:
		return nil, userError("avatar and removeAvatar: give one of them")
	}
	b, err := pictureBytes(p.Avatar)
	if err != nil {
		return nil, err
	}
	if err := client.CheckPicture(b); err != nil {
		return nil, userError("%v", err)
	}
	return c.Account.UploadPicture(c.ctx, b)
}

// pictureBytes reads a picture: from a path, or out of a data URL.
func pictureBytes(text string) ([]byte, error) {
	_, b, inline, err := dataURL(text)
	if err != nil {
		return nil, err
	}
	if inline && len(b) > 0 {
		return b, nil
	}
	if inline {
		return nil, userError("avatar: the picture is empty")
	}
	f, err := os.Open(text)
	if err != nil {
		return nil, userError("avatar: %v", err)
	}
	defer f.Close()
	if b, err = io.ReadAll(io.LimitReader(f, client.MaxPicture+1)); err == nil && len(b) == 0 {
		err = userError("avatar: %s is empty", text)
	}
	return b, err
}

// getAvatar answers with a group's picture.
func (c *conn) getAvatar(p target) (any, error) {
	conversation, err := c.conversation(p)
	if err != nil {
		return nil, err
	}
	picture, err := c.Account.Picture(c.ctx, conversation)
	if err != nil {
		return nil, err
	}
	if picture == nil {
		return nil, userError("no picture of this group is here")
	}
	return struct {
		Data []byte `json:"data"`
		Type string `json:"type"`
	}{picture.Data, picture.Type}, nil
}
