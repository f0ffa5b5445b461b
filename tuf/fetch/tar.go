package fetch

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"
)

// maxTarFiles bounds the index of an archive that is held in memory.
const maxTarFiles = 100_000

// Tar opens an archive of a repository's directory (an update bundle), with metadata/, targets/ and
// evidence/ at its top, to be used with Dir. It is read in place, only its index is held in memory, and
// nothing is unpacked, so no name in it can reach the disk. Strict all the same: regular files and
// directories only, plain relative names, none twice. Nothing in it is believed; it is one more mirror.
func Tar(r io.ReaderAt, size int64) (fs.FS, error) {
	section := io.NewSectionReader(r, 0, size)
	a := archive{r: r, files: map[string]tarFile{}}
	for tr := tar.NewReader(section); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return nil, fmt.Errorf("bundle: %v", err)
		}
		at, err := section.Seek(0, io.SeekCurrent) // where the file's bytes begin
		if err != nil {
			return nil, err
		}
		if err := a.add(h, at, size); err != nil {
			return nil, err
		}
	}
}

type archive struct {
	r     io.ReaderAt
	files map[string]tarFile
}

// tarFile is a regular file in an archive; it is its own fs.FileInfo.
type tarFile struct {
	name     string
	at, size int64
}

func (a archive) add(h *tar.Header, at, total int64) error {
	if h.Typeflag == tar.TypeDir {
		return nil
	}
	name := h.Name
	if len(name) > 2 && name[:2] == "./" { // as `tar -C mirror -cf x.tar .` writes them
		name = name[2:]
	}
	switch {
	case h.Typeflag != tar.TypeReg:
		return fmt.Errorf("bundle: %q is neither a file nor a directory", h.Name)
	case h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.map"] != "" || h.PAXRecords["GNU.sparse.name"] != "":
		return fmt.Errorf("bundle: %q is a sparse file", h.Name)
	case checkPath(name) != nil:
		return fmt.Errorf("bundle: %q is not a plain path", h.Name)
	case h.Size > total-at:
		return fmt.Errorf("bundle: %q is cut short", h.Name)
	case len(a.files) == maxTarFiles:
		return fmt.Errorf("bundle: more than %d files", maxTarFiles)
	}
	if _, twice := a.files[name]; twice {
		return fmt.Errorf("bundle: %q is there twice", h.Name)
	}
	a.files[name] = tarFile{name, at, h.Size}
	return nil
}

// Open opens a file, or "." for its existence.
func (a archive) Open(name string) (fs.File, error) {
	if name == "." {
		return &openTarFile{tarFile{name: "."}, io.NewSectionReader(a.r, 0, 0)}, nil
	}
	f, ok := a.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &openTarFile{f, io.NewSectionReader(a.r, f.at, f.size)}, nil
}

type openTarFile struct {
	tarFile
	*io.SectionReader
}

func (o *openTarFile) Size() int64                { return o.size }
func (o *openTarFile) Stat() (fs.FileInfo, error) { return o.tarFile, nil }
func (o *openTarFile) Close() error               { return nil }

func (f tarFile) Name() string       { return path.Base(f.name) }
func (f tarFile) Size() int64        { return f.size }
func (f tarFile) ModTime() time.Time { return time.Time{} }
func (f tarFile) IsDir() bool        { return f.name == "." }
func (f tarFile) Sys() any           { return nil }
func (f tarFile) Mode() fs.FileMode {
	if f.IsDir() {
		return fs.ModeDir | 0o500
	}
	return 0o400
}
