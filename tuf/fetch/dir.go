package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Dir is a source over a directory or an opened archive: a mirror on a disk, a memory stick, an update
// bundle. Only regular files are opened: a pipe or a device planted on a stick would hang us.
func Dir(fsys fs.FS, name string) Source { return dirSource{fsys, name} }

type dirSource struct {
	fsys fs.FS
	name string
}

func (d dirSource) String() string { return d.name }

func (d dirSource) Open(ctx context.Context, path string, offset int64) (io.ReadCloser, int64, int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, 0, err
	}
	info, err := fs.Stat(d.fsys, path)
	if errors.Is(err, fs.ErrNotExist) {
		// A stick that is not plugged in has no files either, but that is no "not there".
		if _, err := fs.Stat(d.fsys, "."); err != nil {
			return nil, 0, 0, fmt.Errorf("no such directory: %v", err)
		}
		return nil, 0, 0, absentError{"not there"}
	}
	if err != nil {
		return nil, 0, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, 0, fmt.Errorf("is not a regular file (%v)", info.Mode().Type())
	}
	f, err := d.fsys.Open(path)
	if err != nil {
		return nil, 0, 0, err
	}
	if s, ok := f.(io.Seeker); ok && offset > 0 && offset <= info.Size() {
		start, err := s.Seek(offset, io.SeekStart)
		if err != nil {
			f.Close()
			return nil, 0, 0, err
		}
		return f, info.Size(), start, nil
	}
	return f, info.Size(), 0, nil
}
