package rpc

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"

	"github.com/countersign-project/countersign/messenger/archive"
)

// Backup is the answer to backup: the words are nowhere else.
type Backup struct {
	Path     string `json:"path"`
	Words    string `json:"recoveryWords"`
	Messages int    `json:"messages"`
}

// backup writes a new file.
func (c *conn) backup(p struct {
	Path string `json:"path"`
}) (any, error) {
	if !filepath.IsAbs(p.Path) {
		return nil, userError("path %q, want an absolute one", p.Path)
	}
	seed, err := archive.NewSeed(rand.Reader)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(p.Path); err == nil {
		return nil, userError("%s is there already, want a new file", p.Path)
	}
	partial := p.Path + ".partial" // what has the name is whole
	f, err := os.OpenFile(partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, userError("%v", err)
	}
	n, err := c.Account.Backup(c.ctx, f, seed)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(partial, p.Path)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(partial))
	}
	return Backup{p.Path, seed.Words(), n}, nil
}

// takeHistory takes over what a backup of the same account has.
func (c *conn) takeHistory(p struct {
	Path  string `json:"path"`
	Words string `json:"recoveryWords"`
}) (any, error) {
	seed, err := archive.ParseWords(p.Words)
	if err != nil {
		return nil, userError("%v", err)
	}
	f, err := os.Open(p.Path)
	if err != nil {
		return nil, userError("%v", err)
	}
	defer f.Close()
	n, err := c.Account.TakeHistory(c.ctx, f, seed)
	return map[string]int{"messages": n}, err
}
