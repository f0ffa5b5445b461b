package event

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/countersign-project/countersign/tuf/durable"
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

// Imported says what an import brought.
type Imported struct {
	ID         ID       `json:"-"`
	Event      string   `json:"event"`
	New        bool     `json:"new"`        // the event was not here before
	Files      []string `json:"files"`      // large files that were missing here and came along
	Signatures int      `json:"signatures"` // new ones
	Statements int      `json:"statements"` // new ones
	Refused    []string `json:"refused"`    // answers that do not hold, with the reason; they were not kept
}

// Import reads what Export wrote into the store: a new event, or more answers and files for one that is
// here. What is here is never replaced by what comes in. A tar with any name, type or length that has no
// place in an event is refused whole.
func (d *DirStore) Import(ctx context.Context, r io.Reader) (Imported, error) {
	unlock, err := d.lock()
	if err != nil {
		return Imported{}, err
	}
	defer unlock()
	temp := filepath.Join(d.path, openingPrefix+"import")
	if err := durable.RemoveAll(temp); err != nil {
		return Imported{}, err
	}
	if err := durable.MkdirAll(temp, 0o755); err != nil {
		return Imported{}, err
	}
	defer os.RemoveAll(temp) // what is left of it: a crash leaves a directory that List names
	c, err := unpack(ctx, temp, tar.NewReader(r))
	if err != nil {
		return Imported{}, fmt.Errorf("carried event: %w", err)
	}
	return d.merge(ctx, temp, c)
}

// carried is an unpacked and checked tar: big files lie in a directory, the rest is in hand.
type carried struct {
	id      ID
	p       *Proposal
	big     []string
	answers map[string][]byte
}

// unpack reads the tar. event.json comes first, so that every other file can be checked as it passes.
func unpack(ctx context.Context, dir string, t *tar.Reader) (*carried, error) {
	raw, err := firstEntry(t)
	if err != nil {
		return nil, err
	}
	c := &carried{id: IDOf(raw), answers: map[string][]byte{}}
	e, err := Parse(raw)
	if err != nil {
		return nil, err
	}
	small, metadata := map[string][]byte{}, map[string][]byte{}
	seen := map[string]bool{fileEvent: true}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := checkEntry(e, h, seen); err != nil {
			return nil, err
		}
		seen[h.Name] = true
		if isBig(h.Name) {
			if err := unpackBig(dir, h.Name, e.Files[h.Name], t); err != nil {
				return nil, err
			}
			c.big = append(c.big, h.Name)
			continue
		}
		b, err := readCapped(t, h.Name, limit(h.Name))
		if err != nil {
			return nil, err
		}
		switch f, named := e.Files[h.Name]; {
		case named:
			if err := f.check(h.Name, b); err != nil {
				return nil, err
			}
			small[h.Name] = b
		case metadataName.MatchString(h.Name):
			metadata[strings.TrimSuffix(strings.TrimPrefix(h.Name, dirMetadata), ".json")] = b
		default:
			c.answers[h.Name] = b
		}
	}
	return c, c.assemble(raw, e, small, metadata)
}

func (c *carried) assemble(raw []byte, e Event, small, metadata map[string][]byte) error {
	for _, name := range sortedNames(e.Files) {
		if _, ok := small[name]; !ok && !isBig(name) {
			return &HalfWritten{c.id.String(), name + " is missing"}
		}
	}
	var err error
	if c.p, err = assemble(c.id, raw, e, small); err != nil {
		return err
	}
	for role, b := range metadata {
		if !bytes.Equal(b, c.p.Metadata[role]) {
			return refusef("metadata/%s.json is not what event.json and its files derive to", role)
		}
	}
	return nil
}

func firstEntry(t *tar.Reader) ([]byte, error) {
	h, err := t.Next()
	if err == io.EOF {
		return nil, refusef("is empty")
	}
	if err != nil {
		return nil, refusef("is not a tar: %v", err)
	}
	if h.Name != fileEvent || h.Typeflag != tar.TypeReg {
		return nil, refusef("starts with %q, want event.json", clip(h.Name))
	}
	return readCapped(t, fileEvent, MaxEvent)
}

// checkEntry refuses links, devices, paths that lead out, names twice, and files nobody named.
func checkEntry(e Event, h *tar.Header, seen map[string]bool) error {
	if h.Typeflag != tar.TypeReg {
		return refusef("%q is not a plain file", clip(h.Name))
	}
	if err := checkName(h.Name); err != nil {
		return refusal{err}
	}
	if seen[h.Name] {
		return refusef("%q is there twice", h.Name)
	}
	if len(seen) > maxFiles+maxAnswers {
		return refusef("more than %d files", maxFiles+maxAnswers)
	}
	_, named := e.Files[h.Name]
	_, role := e.Expires[strings.TrimSuffix(strings.TrimPrefix(h.Name, dirMetadata), ".json")]
	if !named && !(metadataName.MatchString(h.Name) && role) && !signatureName.MatchString(h.Name) && !statementName.MatchString(h.Name) {
		return refusef("%q is not a file of this event", clip(h.Name))
	}
	return nil
}

func unpackBig(dir, name string, want File, r io.Reader) error {
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return copyChecked(path, name, want, func() (io.ReadCloser, error) { return io.NopCloser(r), nil })
}

// merge makes the store the union of what it had and what came.
func (d *DirStore) merge(ctx context.Context, temp string, c *carried) (Imported, error) {
	out := Imported{ID: c.id, Event: c.id.String(), Files: []string{}, Refused: []string{}}
	_, err := Load(ctx, d, c.id)
	var half *HalfWritten
	switch {
	case errors.Is(err, ErrNoEvent) || errors.As(err, &half):
		out.New = true
		err = d.place(temp, c)
	case err == nil:
		out.Files, err = d.complete(temp, c)
	}
	if err != nil {
		return out, err
	}
	return out, d.mergeAnswers(ctx, c, &out)
}

// place moves a carried event to its name, writing the small files beside the large ones.
func (d *DirStore) place(temp string, c *carried) error {
	if _, err := os.Lstat(d.Path(c.id)); err == nil {
		return d.repair(temp, c)
	}
	if err := writeSmall(temp, c.p); err != nil {
		return err
	}
	return durable.Rename(temp, d.Path(c.id))
}

// repair completes a half-written event from a whole one. Answers that lie there stay.
func (d *DirStore) repair(temp string, c *carried) error {
	if _, err := d.complete(temp, c); err != nil {
		return err
	}
	return writeSmall(d.Path(c.id), c.p)
}

// writeSmall writes the small files, event.json last: without it the directory is no event yet.
func writeSmall(dir string, p *Proposal) error {
	files := p.smallFiles()
	names := sortedKeys(files)
	sort.SliceStable(names, func(i, j int) bool { return names[i] != fileEvent && names[j] == fileEvent })
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := durable.WriteFile(path, files[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}

// smallFiles is everything of an event but large files and answers.
func (p *Proposal) smallFiles() map[string][]byte {
	out := map[string][]byte{}
	if p.Event.Kind != KindDistribution {
		out = p.Base.files()
	}
	out[fileEvent] = p.Raw
	if p.Event.Kind == KindRelease {
		out[FileRelease] = p.Release
	} else {
		out[FileDistribution] = p.Distribution
	}
	for role, b := range p.Metadata {
		out[dirMetadata+role+".json"] = b
	}
	return out
}

// complete adds large files that a light copy was missing.
func (d *DirStore) complete(temp string, c *carried) ([]string, error) {
	added := []string{}
	for _, name := range c.big {
		path := filepath.Join(d.Path(c.id), filepath.FromSlash(name))
		if info, err := os.Lstat(path); err == nil && info.Size() == c.p.Event.Files[name].Length {
			continue
		}
		if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return added, err
		}
		if err := durable.Rename(filepath.Join(temp, filepath.FromSlash(name)), path); err != nil {
			return added, err
		}
		added = append(added, name)
	}
	return added, nil
}

func (d *DirStore) mergeAnswers(ctx context.Context, c *carried, out *Imported) error {
	p, err := Load(ctx, d, c.id)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(c.answers) {
		signatures, statements := len(p.Signatures), len(p.Statements)
		if err := p.add(name, c.answers[name]); err != nil {
			out.Refused = append(out.Refused, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		if err := d.put(ctx, c.id, name, c.answers[name]); err != nil {
			return err
		}
		out.Signatures += len(p.Signatures) - signatures
		out.Statements += len(p.Statements) - statements
	}
	return nil
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

func sortedKeys(m map[string][]byte) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
