package archive

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/mod/module"
)

// WriteDir writes all files of a tree, without folders and program bits. Anything in it that is neither
// a plain file nor a folder is an error.
func WriteDir(w io.Writer, tree fs.FS) error {
	var files []File
	err := fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("archive: %q is not a plain file", p)
		}
		files = append(files, File{Name: p, Length: info.Size(), Open: func() (io.ReadCloser, error) { return tree.Open(p) }})
		return nil
	})
	if err != nil {
		return err
	}
	return Write(w, files)
}

// Limits bound what Unpack accepts. Check, when set, judges each name.
type Limits struct {
	Files  int   // entries
	Length int64 // bytes of one file
	Total  int64 // bytes of all files
	Check  func(name string) error
}

// Unpack reads an archive made by WriteDir into dir, which must be empty or not exist. It is refused
// (an error with Refused() true) unless writing the unpacked files again gives exactly the bytes read.
// After an error, dir holds a part of the files; the caller removes it.
func Unpack(r io.Reader, dir string, limits Limits) error {
	if err := emptyDir(dir); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	u := &unpacker{root: root, limits: limits, names: map[string]bool{}}
	read, written := sha256.New(), sha256.New()
	r = io.TeeReader(r, read)
	tr, tw := tar.NewReader(r), tar.NewWriter(written)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return broken(err)
		}
		if err := u.entry(h, tr, tw); err != nil {
			return err
		}
	}
	if err := tw.Close(); err != nil {
		return refusef("archive: %v", err)
	}
	// What follows the end mark would be seen by other readers, or hide something; it is hashed too.
	if _, err := io.Copy(io.Discard, io.LimitReader(r, 1<<20)); err != nil {
		return broken(err)
	}
	if [32]byte(read.Sum(nil)) != [32]byte(written.Sum(nil)) {
		return refusef("archive is not in the one form that this program writes: its order, modes, times, owners or end differ")
	}
	return nil
}

// broken tells an archive that is no archive from a disk or network that could not be read.
func broken(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, tar.ErrFieldTooLong) || errors.Is(err, io.ErrUnexpectedEOF) {
		return refusef("archive: %w", err)
	}
	return fmt.Errorf("archive: %w", err)
}

type unpacker struct {
	root   *os.Root
	limits Limits
	names  map[string]bool
	total  int64
	last   string
}

// entry checks one entry and writes it to the disk and into the second archive.
func (u *unpacker) entry(h *tar.Header, r io.Reader, again *tar.Writer) error {
	if h.Typeflag != tar.TypeReg {
		return refusef("archive: %q is not a plain file (type %q)", h.Name, h.Typeflag)
	}
	if err := module.CheckFilePath(h.Name); err != nil {
		return refusef("archive: %v", err)
	}
	if u.limits.Check != nil {
		if err := u.limits.Check(h.Name); err != nil {
			return refusal{fmt.Errorf("archive: %w", err)}
		}
	}
	if h.Name <= u.last {
		return refusef("archive: %q comes after %q: not in order, or there twice", h.Name, u.last)
	}
	for dir := path.Dir(h.Name); dir != "."; dir = path.Dir(dir) {
		if u.names[dir] {
			return refusef("archive: %q is inside %q, which is a file", h.Name, dir)
		}
	}
	u.last, u.names[h.Name] = h.Name, true
	if len(u.names) > u.limits.Files {
		return refusef("archive: more than %d files", u.limits.Files)
	}
	if h.Size > u.limits.Length {
		return refusef("archive: %q has %d bytes, at most %d allowed", h.Name, h.Size, u.limits.Length)
	}
	if u.total += h.Size; u.total > u.limits.Total {
		return refusef("archive: more than %d bytes in all", u.limits.Total)
	}
	if err := again.WriteHeader(header(h.Name, false, h.Size)); err != nil {
		return refusef("archive: %q: %v", h.Name, err)
	}
	return u.store(h.Name, r, again)
}

func (u *unpacker) store(name string, r io.Reader, again io.Writer) (err error) {
	if dir := path.Dir(name); dir != "." {
		if err := u.root.MkdirAll(filepath.FromSlash(dir), 0o755); err != nil {
			return err
		}
	}
	// O_EXCL: on a disk that ignores case, two names may be one file.
	f, err := u.root.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return refusef("archive: %q is the same file as another one", name)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(io.MultiWriter(f, again), r); err != nil {
		return broken(err)
	}
	return nil
}

func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: it holds %q", dir, entries[0].Name())
	}
	return nil
}
