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
	f, err := os.OpenFile(p.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, userError("%v", err)
	}
	n, err := c.Account.Backup(c.ctx, f, seed)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(p.Path))
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
