package update

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

// maxEntries bounds the index of a bundle that is held in memory.
const maxEntries = 100_000

// Bundle opens an update bundle: an uncompressed tar of a mirror's directory, with metadata/, targets/ and
// evidence/ at its top, as `tar -C mirror -cf bundle.tar .` makes it. It is read in place and only its
// index is held in memory. Nothing in it is believed: it is one more mirror.
func Bundle(r io.ReaderAt, size int64) (fs.FS, error) {
	section := io.NewSectionReader(r, 0, size)
	b := bundle{r: r, entries: map[string]entry{}}
	for tr := tar.NewReader(section); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("bundle: %v", err)
		}
		at, err := section.Seek(0, io.SeekCurrent) // where the entry's bytes begin
		if err != nil {
			return nil, err
		}
		if err := b.add(h, at); err != nil {
			return nil, err
		}
	}
	if _, ok := b.entries["metadata/timestamp.json"]; !ok {
		return nil, errors.New("bundle: there is no metadata/timestamp.json at its top: this is not a tar of a mirror's directory")
	}
	return b, nil
}

type bundle struct {
	r       io.ReaderAt
	entries map[string]entry
}

// entry is a regular file in a bundle; it is its own fs.FileInfo.
type entry struct {
	name     string
	at, size int64
}

func (b bundle) add(h *tar.Header, at int64) error {
	name := path.Clean(strings.TrimPrefix(h.Name, "./"))
	switch {
	case h.Typeflag == tar.TypeDir:
		return nil
	case h.Typeflag != tar.TypeReg:
		return fmt.Errorf("bundle: %q is neither a file nor a directory", h.Name)
	case h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.map"] != "":
		return fmt.Errorf("bundle: %q is a sparse file", h.Name)
	case !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, `\:`):
		return fmt.Errorf("bundle: %q is not a plain path", h.Name)
	case len(b.entries) == maxEntries:
		return fmt.Errorf("bundle: more than %d files", maxEntries)
	}
	if _, twice := b.entries[name]; twice {
		return fmt.Errorf("bundle: %q is there twice", h.Name)
	}
	b.entries[name] = entry{name, at, h.Size}
	return nil
}

// Open opens a file of the bundle, or "." for its existence.
func (b bundle) Open(name string) (fs.File, error) {
	if name == "." {
		return &opened{entry{name: "."}, io.NewSectionReader(b.r, 0, 0)}, nil
	}
	e, ok := b.entries[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &opened{e, io.NewSectionReader(b.r, e.at, e.size)}, nil
}

type opened struct {
	entry
	*io.SectionReader
}

func (o *opened) Stat() (fs.FileInfo, error) { return o.entry, nil }
func (o *opened) Close() error               { return nil }

func (e entry) Name() string       { return path.Base(e.name) }
func (e entry) Size() int64        { return e.size }
func (e entry) ModTime() time.Time { return time.Time{} }
func (e entry) IsDir() bool        { return e.name == "." }
func (e entry) Sys() any           { return nil }
func (e entry) Mode() fs.FileMode {
	if e.IsDir() {
		return fs.ModeDir | 0o500
	}
	return 0o400
}
