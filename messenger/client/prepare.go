package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path/filepath"
	"strings"
	"sync"

	"github.com/countersign-project/countersign/messenger/attachment"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Prepared is a file that lies here encrypted and waits for the draft it goes with. One draft uses it up.
type Prepared struct {
	mu      sync.Mutex
	used    bool // mu
	file    upload
	pointer wire.Attachment
}

// Prepare encrypts what is read from src, which has size bytes, so that no plain copy of it is made. Of f, Name and ContentType count.
func (a *Account) Prepare(ctx context.Context, src io.Reader, size int64, f File) (*Prepared, error) {
	if size < 0 || size > attachment.MaxSize {
		return nil, fmt.Errorf("%s has %d bytes, want at most %d", f.Name, size, attachment.MaxSize)
	}
	if kind, _, err := mime.ParseMediaType(f.ContentType); err != nil || !strings.Contains(kind, "/") || len(f.ContentType) > 200 {
		f.ContentType = mime.TypeByExtension(filepath.Ext(f.Name))
	}
	buffered := bufio.NewReader(src)
	if f.ContentType == "" {
		head, err := buffered.Peek(512)
		if err != nil && err != io.EOF {
			return nil, err
		}
		f.ContentType = http.DetectContentType(head)
	}
	u, p, err := a.encrypt(stoppable{ctx, buffered}, size)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		a.dropFiles([]upload{u})
		return nil, err
	}
	p.FileName, p.ContentType = baseName(f.Name), f.ContentType
	return &Prepared{file: u, pointer: p}, nil
}

// Discard removes a prepared file that no draft has used.
func (a *Account) Discard(p *Prepared) {
	if p == nil {
		return
	}
	if u, _, err := p.take(File{}); err == nil {
		a.dropFiles([]upload{u})
	}
}

func (p *Prepared) take(f File) (upload, wire.Attachment, error) {
	if p == nil {
		return upload{}, wire.Attachment{}, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used {
		return upload{}, wire.Attachment{}, errors.New("this file was sent already: prepare it again")
	}
	p.used = true
	out := p.pointer
	out.Caption = f.Caption
	return p.file, out, nil
}
