package client

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"

	"github.com/countersign-project/countersign/messenger/client/history"
)

// SaveAttachment downloads an attachment into a new file of a directory, under the name its sender gave it or one like it, and returns the path. What has the
// name is whole. Tell is as for Download.
func (a *Account) SaveAttachment(ctx context.Context, f history.Attachment, dir string, tell func(Progress)) (path string, err error) {
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
	err = cmp.Or(a.Download(ctx, f, part, tell), part.Sync())
	if err = cmp.Or(err, part.Close()); err != nil {
		return "", room(err)
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
			return path, room(placeWithoutLink(part.Name(), path))
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
	if err = errors.Join(err, src.Close(), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

// room says what to do where the disk is full.
func room(err error) error {
	if err == nil || !diskFull(err) {
		return err
	}
	return fmt.Errorf("there is no room left on the disk; make some, and do it again: %w", err)
}
