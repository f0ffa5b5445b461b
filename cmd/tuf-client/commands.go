package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/trust"
)

// anchorFile keeps the root given to init: root.json moves on, the anchor never.
const anchorFile = "device/anchor.json"

func (o options) anchor() string { return filepath.Join(o.metadataDir, filepath.FromSlash(anchorFile)) }

// init trusts a root; nothing is asked of a network.
func (o options) init(file string) error {
	root, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if _, err := client.OpenStandard(o.metadataDir, root); err != nil {
		return err
	}
	return durable.WriteFile(o.anchor(), root, 0o600)
}

func (o options) refresh(ctx context.Context) (*session, error) {
	anchor, err := os.ReadFile(o.anchor())
	if err != nil {
		return nil, fmt.Errorf("%v; run init first", err)
	}
	c, err := client.OpenStandard(o.metadataDir, anchor)
	if err != nil {
		return nil, err
	}
	s := &session{client: c, courier: courier(o.metadataURL, "metadata/")}
	s.set, _, err = c.Refresh(ctx, s.courier, o.now)
	return s, err
}

// session is one refreshed client, in which several targets may be looked up.
type session struct {
	client  *client.Client
	courier *fetch.Courier
	set     *trust.Set
}

func (o options) download(ctx context.Context, out io.Writer) error {
	s, err := o.refresh(ctx)
	if err != nil {
		return err
	}
	for _, name := range o.targetNames {
		t, err := s.client.Find(ctx, s.courier, name)
		if err != nil {
			return err
		}
		file, err := o.targetFile(name)
		if err != nil {
			return err
		}
		if b, err := os.ReadFile(file); err == nil && t.Match(b) == nil {
			continue // downloaded before, and still what is wanted
		}
		b, err := o.target(ctx, t, s.set.Consistent())
		if err != nil {
			return err
		}
		if err := durable.WriteFile(file, b, 0o644); err != nil {
			return err
		}
		fmt.Fprintln(out, file)
	}
	return nil
}

// targetFile is one flat name per target: whatever the path holds, it stays in
// the directory.
func (o options) targetFile(name string) (string, error) {
	flat := strings.ReplaceAll(url.PathEscape(name), "..", "%2E%2E")
	if flat == "" || flat == "." {
		return "", fmt.Errorf("target %q cannot be a file", name)
	}
	return filepath.Join(o.targetDir, flat), nil
}

// target fetches and checks the bytes, with consistent snapshots under each of
// the target's hashes in turn (6.2).
func (o options) target(ctx context.Context, t trust.Target, consistent bool) ([]byte, error) {
	dir, base := path.Split(t.Path)
	names := []string{base}
	if consistent {
		names = nil
		for _, hash := range t.Hashes() {
			names = append(names, hash+"."+base)
		}
	}
	c := courier(o.targetURL, "targets/")
	var last error
	for _, name := range names {
		segments := strings.Split(dir+name, "/")
		for i := range segments {
			segments[i] = url.PathEscape(segments[i])
		}
		b, err := c.Fetch(ctx, "targets/"+strings.Join(segments, "/"), t.Length)
		if err == nil {
			return b, t.Match(b)
		}
		if last = err; !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return nil, last
}
