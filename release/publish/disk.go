package publish

import (
	"io"
	"os"
	"path/filepath"

	"github.com/countersign-project/countersign/tuf/durable"
)

// realDisk is tuf/durable.
type realDisk struct{}

func (realDisk) WriteFile(path string, data []byte) error {
	if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return durable.WriteFile(path, data, 0o644)
}

// Copy streams through a hidden file in the same directory, so that memory stays small and a crash leaves
// nothing under the final name. Hidden files are never served.
func (realDisk) Copy(path string, r io.Reader) error {
	if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".copying-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = durable.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
