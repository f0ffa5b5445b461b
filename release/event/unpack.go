package event

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"

	"github.com/countersign-project/countersign/tuf/durable"
)

// carried is an unpacked and checked tar: big files lie in a directory, the rest is in hand.
type carried struct {
	id      ID
	p       *Proposal
	big     []string
	answers map[string][]byte
	filled  int64 // bytes its entries take in the tar
}

// A tar's parts, in bytes: everything comes in blocks, and two empty ones end it.
const (
	tarBlock = 512
	tarEnd   = 2 * tarBlock
)

// counted tells how many bytes of a stream were read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// filled is how many bytes an entry takes in a tar: one header block, and its content in whole blocks.
func filled(length int64) int64 { return tarBlock + (length+tarBlock-1)/tarBlock*tarBlock }

// unpack reads the tar. A tar that stops without its end mark was cut short, and answers at its end would
// be lost without a word; archive/tar does not mind, so the bytes are counted here.
func unpack(ctx context.Context, dir string, r io.Reader) (*carried, error) {
	in := &counted{r: r}
	c, err := unpackEntries(ctx, dir, tar.NewReader(in))
	if err == nil && in.n < c.filled+tarEnd {
		return nil, refusef("was cut short: %d bytes, want %d", in.n, c.filled+tarEnd)
	}
	return c, err
}

// unpackEntries reads all entries. event.json comes first, so that every other file can be checked as it
// passes.
func unpackEntries(ctx context.Context, dir string, t *tar.Reader) (*carried, error) {
	raw, err := firstEntry(t)
	if err != nil {
		return nil, err
	}
	c := &carried{id: IDOf(raw), answers: map[string][]byte{}, filled: filled(int64(len(raw)))}
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
		c.filled += filled(h.Size)
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
