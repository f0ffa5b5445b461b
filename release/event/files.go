package event

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/durable"
)

// copyChecked writes content to path, refusing it when its length or hash is not what event.json says.
// The file is synced; its directory is for the caller.
func copyChecked(path, name string, want File, from Content) error {
	r, err := from()
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	c := newChecking(f)
	_, err = io.Copy(c, io.LimitReader(r, want.Length+1))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = c.done(name, want)
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}

// checking counts and hashes what passes through to w.
type checking struct {
	w        io.Writer
	h        hash.Hash
	n        int64
	progress func(n int64)
}

func newChecking(w io.Writer) *checking { return &checking{w: w, h: sha256.New()} }

func (c *checking) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.h.Write(b[:n])
	c.n += int64(n)
	if c.progress != nil {
		c.progress(c.n)
	}
	return n, err
}

func (c *checking) done(name string, want File) error {
	switch sum := genuine.Digest(c.h.Sum(nil)); {
	case c.n > want.Length:
		return refusef("%s is longer than the %d bytes event.json says", name, want.Length)
	case c.n < want.Length:
		return refusef("%s has %d bytes, event.json says %d", name, c.n, want.Length)
	case sum != want.SHA256:
		return refusef("%s has sha256 %s, event.json says %s", name, sum, want.SHA256)
	}
	return nil
}

// Fetch copies one file of the event to path, checked: path appears only when length and sha256 are
// right. What an interrupted call left beside it (path + ".unverified") is continued. progress may be nil.
func (p *Proposal) Fetch(ctx context.Context, s Store, name, path string, progress func(done, total int64)) error {
	want, ok := p.Event.Files[name]
	if !ok {
		return refusef("event %s has no file %q", p.ID.Short(), clip(name))
	}
	if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	part := path + ".unverified"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	c := newChecking(io.Discard)
	if progress != nil {
		c.progress = func(n int64) { progress(n, want.Length) }
	}
	err = p.fill(ctx, s, name, f, c, want)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		if err = c.done(name, want); err != nil {
			os.Remove(part) // wrong bytes are no start for another try
		}
	}
	if err != nil {
		return err
	}
	return durable.Rename(part, path)
}

// fill hashes what is there already, then appends the rest.
func (p *Proposal) fill(ctx context.Context, s Store, name string, f *os.File, c *checking, want File) error {
	if _, err := io.Copy(c, io.LimitReader(f, want.Length)); err != nil {
		return err
	}
	if c.n == want.Length {
		return nil
	}
	r, err := s.Open(ctx, p.ID, name, c.n)
	if err != nil {
		return err
	}
	defer r.Close()
	c.w = f
	if _, err := io.Copy(c, io.LimitReader(r, want.Length-c.n+1)); err != nil {
		return err
	}
	if c.n > want.Length { // the next try must not start from a tail that is too long
		return nil
	}
	return f.Sync()
}

// CheckFiles reads every large file and compares it with event.json. Light events are an error that
// names what is missing. progress may be nil.
func (p *Proposal) CheckFiles(ctx context.Context, s Store, progress func(name string, done, total int64)) error {
	for _, name := range sortedNames(p.Event.Files) {
		if !isBig(name) {
			continue // Load has checked it
		}
		r, err := s.Open(ctx, p.ID, name, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return &HalfWritten{p.ID.String(), name + " is missing"}
		}
		if err != nil {
			return err
		}
		want := p.Event.Files[name]
		c := newChecking(io.Discard)
		if progress != nil {
			c.progress = func(n int64) { progress(name, n, want.Length) }
		}
		_, err = io.Copy(c, io.LimitReader(r, want.Length+1))
		r.Close()
		if err != nil {
			return err
		}
		if err := c.done(name, want); err != nil {
			return err
		}
	}
	return nil
}

// CheckNothingElse refuses an event directory that holds a file nobody named: it would never be read, but
// a person looking into the directory could take it for part of the event. An answer that somebody else is
// writing at this moment has a hidden name of its own, and is no stranger.
func (d *DirStore) CheckNothingElse(p *Proposal) error {
	root := d.Path(p.ID)
	return filepath.WalkDir(root, func(full string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, full)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		_, named := p.Event.Files[name]
		_, role := p.Metadata[strings.TrimSuffix(strings.TrimPrefix(name, dirMetadata), ".json")]
		writing := durable.IsTemp(path.Base(name)) && (strings.HasPrefix(name, dirSignatures) || strings.HasPrefix(name, dirStatements))
		switch {
		case writing && f.Type().IsRegular():
			return nil
		case named, name == fileEvent, metadataName.MatchString(name) && role, signatureName.MatchString(name), statementName.MatchString(name):
			if !f.Type().IsRegular() {
				return refusef("event %s: %s is not a plain file", p.ID.Short(), name)
			}
			return nil
		}
		return refusef("event %s holds a file that event.json does not name: %s", p.ID.Short(), name)
	})
}

// FileNames lists the event's files under a prefix such as "artifacts/", without metadata and answers.
func (p *Proposal) FileNames(prefix string) []string {
	var out []string
	for _, name := range sortedNames(p.Event.Files) {
		if strings.HasPrefix(name, prefix) {
			out = append(out, name)
		}
	}
	return out
}

// describe reads content once to learn its length and hash.
func describe(name string, from Content) (File, error) {
	r, err := from()
	if err != nil {
		return File{}, err
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(r, limit(name)+1))
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", name, err)
	}
	return File{n, genuine.Digest(h.Sum(nil))}, nil
}

// Reader checks a file of the event as it is read: the last Read returns the refusal when length or hash
// are wrong, so whoever copies to the end has the right bytes or an error.
func (p *Proposal) Reader(name string, r io.Reader) (io.Reader, error) {
	want, ok := p.Event.Files[name]
	if !ok {
		return nil, refusef("event %s has no file %q", p.ID.Short(), clip(name))
	}
	return &checkedReader{r: io.LimitReader(r, want.Length+1), c: newChecking(io.Discard), name: name, want: want}, nil
}

type checkedReader struct {
	r    io.Reader
	c    *checking
	name string
	want File
}

func (r *checkedReader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	_, _ = r.c.Write(b[:n]) // to io.Discard, which takes all
	if err == io.EOF {
		if wrong := r.c.done(r.name, r.want); wrong != nil {
			return n, wrong
		}
	}
	return n, err
}
