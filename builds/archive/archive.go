// Package archive writes and reads deterministic tar files: the same files make the same bytes,
// whoever makes them, and only those bytes are read back.
//
// Two kinds of tar use it. An archive of a release is written for people, from artifacts already built;
// nobody here reads it. A module tar travels from a publisher to auditors, through hands that may have
// changed it, so reading it is strict: an archive that is not byte for byte what this package would
// have written of the same files is refused, which leaves no room for links, devices, odd names,
// repeated entries, hidden trailing bytes or two readers who see different things. The worst a bad one
// can do is fill the directory up to the given limits before it is refused.
//
// The form is plain USTAR. Every entry belongs to user and group 0 without names, is dated 1980-01-01
// 00:00 UTC (the first date that zip can hold, so that no tool warns), and has mode 0644, 0755 for
// programs and folders. Entries are in ascending byte order of their names, folders only where they are
// asked for, and the file ends with two zero blocks and nothing else. It is not compressed: compression
// would bring another library's version into the bytes, and transports compress as they like.
package archive

import (
	"archive/tar"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// File is one entry to be written.
type File struct {
	Name    string // slash path inside the archive; a folder ends in a slash
	Program bool   // mode 0755 instead of 0644
	Length  int64
	Open    func() (io.ReadCloser, error) // nil for a folder
}

// refusal is an error that means: looked at, and found wrong.
type refusal struct{ error }

func (e refusal) Refused() bool { return true }
func (e refusal) Unwrap() error { return e.error }

func refusef(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// header is the one way an entry looks.
func header(name string, program bool, length int64) *tar.Header {
	h := &tar.Header{
		Format: tar.FormatUSTAR, Typeflag: tar.TypeReg, Name: name, Size: length, Mode: 0o644,
		ModTime: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	if strings.HasSuffix(name, "/") {
		h.Typeflag, h.Mode = tar.TypeDir, 0o755
	}
	if program {
		h.Mode = 0o755
	}
	return h
}

// Write writes the files in ascending order of their names. A file that turns out longer or shorter
// than its Length is an error, as is a name that USTAR cannot hold.
func Write(w io.Writer, files []File) error {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	tw := tar.NewWriter(w)
	for i, f := range files {
		if i > 0 && files[i-1].Name == f.Name {
			return fmt.Errorf("archive: %q is there twice", f.Name)
		}
		if err := tw.WriteHeader(header(f.Name, f.Program, f.Length)); err != nil {
			return fmt.Errorf("archive: %q: %w", f.Name, err)
		}
		if f.Open == nil {
			continue
		}
		if err := copyFile(tw, f); err != nil {
			return err
		}
	}
	return tw.Close() // complains about a file that was too short
}

func copyFile(w io.Writer, f File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	n, err := io.Copy(w, r)
	if err != nil {
		return fmt.Errorf("archive: %q: %w", f.Name, err)
	}
	if n != f.Length {
		return fmt.Errorf("archive: %q has %d bytes, want %d", f.Name, n, f.Length)
	}
	return nil
}
