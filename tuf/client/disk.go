package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/trust"
)

const (
	rootFile  = "root.json"
	rootsDir  = "roots"
	deviceDir = "device"
	seenFile  = deviceDir + "/seen.json"
)

// disk is every way this package touches the directory; tests break it.
type disk interface {
	Read(path string, max int64) ([]byte, error)
	Write(path string, data []byte) error
	Remove(path string) error
	MkdirAll(path string) error
	Sweep(dir string)
}

type realDisk struct{}

// Read returns a file of at most max bytes.
func (realDisk) Read(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(b)) > max {
		err = fmt.Errorf("%s: more than %d bytes", path, max)
	}
	return b, err
}

func (realDisk) Write(path string, data []byte) error { return durable.WriteFile(path, data, 0o600) }
func (realDisk) Remove(path string) error             { return durable.RemoveAll(path) }
func (realDisk) MkdirAll(path string) error           { return durable.MkdirAll(path, 0o700) }

// Sweep is tidying: what it cannot remove harms nobody.
func (realDisk) Sweep(dir string) {
	for _, d := range []string{dir, filepath.Join(dir, rootsDir), filepath.Join(dir, deviceDir)} {
		_ = durable.Sweep(d)
	}
}

func (c *Client) path(name string) string { return filepath.Join(c.dir, filepath.FromSlash(name)) }

// get returns a file of ours, or nil when there is none that can be read.
func (c *Client) get(name string, max int64) []byte {
	b, err := c.disk.Read(c.path(name), max)
	if err != nil {
		return nil
	}
	return b
}

func (c *Client) put(name string, data []byte) error { return c.disk.Write(c.path(name), data) }

func (c *Client) putIfChanged(name string, data []byte) error {
	if old := c.get(name, int64(len(data))); bytes.Equal(old, data) {
		return nil
	}
	return c.put(name, data)
}

// reload replays what other processes, or this one before its last crash, have
// left: root history and memory.
func (c *Client) reload() error {
	for {
		root, _ := c.base.Role(trust.Root)
		name := fmt.Sprintf("%s/%d.root.json", rootsDir, root.Version+1)
		b, err := c.disk.Read(c.path(name), trust.MaxRoot)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err == nil {
			err = c.base.UpdateRoot(b)
		}
		if err != nil {
			// %v: damage here is no refusal of anything a mirror brought.
			return fmt.Errorf("root history: %s: %v; to fetch it again from mirrors, remove the directory %s",
				c.path(name), err, c.path(rootsDir))
		}
		c.history = append(c.history, b)
	}
	c.seen = c.readMemory()
	return nil
}
