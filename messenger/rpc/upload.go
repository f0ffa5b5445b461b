package rpc

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
)

// maxUploads is how many files may wait for the message they go with.
const maxUploads = 100

// uploads are files that callers without a file system of their own have handed in; send names them. They end with the process.
type uploads struct {
	mu   sync.Mutex
	list map[string]*client.Prepared // mu
}

// Upload takes a file's bytes in, which are encrypted on the way. The id is for "uploads" of send, once.
func (s *Server) Upload(ctx context.Context, src io.Reader, size int64, name, kind string) (id string, err error) {
	s.uploads.mu.Lock()
	full := len(s.uploads.list) >= maxUploads
	s.uploads.mu.Unlock()
	if full {
		return "", userError("%d files wait to be sent already: send or discard some", maxUploads)
	}
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	p, err := s.Account.Prepare(ctx, src, size, client.File{Name: name, ContentType: kind})
	if err != nil {
		return "", err
	}
	id = hex.EncodeToString(b[:])
	s.uploads.mu.Lock()
	defer s.uploads.mu.Unlock()
	if s.uploads.list == nil {
		s.uploads.list = map[string]*client.Prepared{}
	}
	s.uploads.list[id] = p
	return id, nil
}

func (u *uploads) take(id string) (*client.Prepared, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.list[id]
	if p == nil {
		return nil, userError("no upload %.40q waits", id)
	}
	delete(u.list, id)
	return p, nil
}

func (c *conn) discardUpload(p struct {
	ID string `json:"id"`
}) (any, error) {
	prepared, err := c.uploads.take(p.ID)
	if err == nil {
		c.Account.Discard(prepared)
	}
	return nil, err
}

// Attachment finds a file that was sent, by the id that receive has called it: the message's number and the file's place in it, "17/0".
func (s *Server) Attachment(ctx context.Context, id string) (history.Attachment, error) {
	var seq int64
	var i int
	if n, err := fmt.Sscanf(id, "%d/%d", &seq, &i); n != 2 || err != nil {
		return history.Attachment{}, userError("%.40q is no attachment's id", id)
	}
	m, err := s.Account.Message(ctx, seq)
	if err != nil {
		return history.Attachment{}, err
	}
	if m == nil || i < 0 || i >= len(m.Attachments) {
		return history.Attachment{}, userError("no attachment %.40s", id)
	}
	return m.Attachments[i], nil
}
