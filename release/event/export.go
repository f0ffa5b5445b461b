package event

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// Export writes an event as one tar, to be carried on a stick or by mail. The same event with the same
// answers gives the same bytes: event.json first, then every other file by name; regular files only,
// modes, owners and times fixed. With light the large files stay behind (artifacts, source, modules):
// enough to sign what needs no rebuild, and to bring answers back.
func Export(ctx context.Context, s Store, id ID, w io.Writer, light bool) error {
	p, err := Load(ctx, s, id)
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	if err := carryBytes(t, fileEvent, p.Raw); err != nil {
		return err
	}
	for _, name := range sortedNames(p.Event.Files) {
		if isBig(name) && light {
			continue
		}
		if err := carryFile(ctx, t, s, p, name); err != nil {
			return err
		}
	}
	for _, role := range p.Event.Roles() {
		if err := carryBytes(t, dirMetadata+role+".json", p.Metadata[role]); err != nil {
			return err
		}
	}
	for _, sig := range p.Signatures {
		b, err := sig.Encode()
		if err != nil {
			return err
		}
		if err := carryBytes(t, sig.Name(), b); err != nil {
			return err
		}
	}
	for _, st := range p.Statements {
		if err := carryBytes(t, st.Name(), st.Bundle); err != nil {
			return err
		}
	}
	return t.Close()
}

// carryHeader is the same for every file of that name and length.
func carryHeader(name string, length int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: length, Mode: 0o644, ModTime: time.Unix(0, 0).UTC(), Format: tar.FormatUSTAR}
}

func carryBytes(t *tar.Writer, name string, b []byte) error {
	if err := t.WriteHeader(carryHeader(name, int64(len(b)))); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, err := t.Write(b)
	return err
}

func carryFile(ctx context.Context, t *tar.Writer, s Store, p *Proposal, name string) error {
	want := p.Event.Files[name]
	r, err := s.Open(ctx, p.ID, name, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return &HalfWritten{p.ID.String(), name + " is missing; export it without the large files"}
	}
	if err != nil {
		return err
	}
	defer r.Close()
	if err := t.WriteHeader(carryHeader(name, want.Length)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	c := newChecking(t)
	if _, err := io.Copy(c, io.LimitReader(r, want.Length)); err != nil {
		return err
	}
	return c.done(name, want)
}

// Collect copies a whole event, or its light part, from another store: what `audit export` from a room
// and `audit import` would do, without the stick.
func (d *DirStore) Collect(ctx context.Context, from Store, id ID, light bool) (Imported, error) {
	r, w := io.Pipe()
	go func() { w.CloseWithError(Export(ctx, from, id, w, light)) }()
	out, err := d.Import(ctx, r)
	r.CloseWithError(err) // lets Export end when Import stopped early
	return out, err
}

// HandIn gives every answer that this store's copy has to another store, such as the signing room. What
// the other has already changes nothing there.
func (d *DirStore) HandIn(ctx context.Context, to Store, id ID) error {
	p, err := Load(ctx, d, id)
	if err != nil {
		return err
	}
	for _, s := range p.Signatures {
		if err := to.PutSignature(ctx, id, s); err != nil {
			return err
		}
	}
	for _, s := range p.Statements {
		if err := to.PutStatement(ctx, id, s.Bundle); err != nil {
			return err
		}
	}
	return nil
}
