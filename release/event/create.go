package event

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/countersign-project/countersign/tuf/durable"
)

// Content is where a file's bytes come from when an event is written.
type Content func() (io.ReadCloser, error)

// Bytes is content in hand.
func Bytes(b []byte) Content {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

// FromFile is content on disk.
func FromFile(path string) Content {
	return func() (io.ReadCloser, error) { return os.Open(path) }
}

// Create writes a new event: event.json, the files it names, and the metadata derived from them. The
// directory gets its final name last, so that it is there whole or not at all.
func (d *DirStore) Create(ctx context.Context, e Event, content map[string]Content) (ID, error) {
	raw, err := e.Encode()
	if err != nil {
		return ID{}, err
	}
	id := IDOf(raw)
	unlock, err := d.lock()
	if err != nil {
		return ID{}, err
	}
	defer unlock()
	temp := filepath.Join(d.path, openingPrefix+id.Short())
	if err := durable.RemoveAll(temp); err != nil {
		return ID{}, err
	}
	if err := durable.MkdirAll(temp, 0o755); err != nil {
		return ID{}, err
	}
	if err := d.fill(ctx, temp, id, raw, content); err != nil {
		os.RemoveAll(temp)
		return ID{}, err
	}
	return id, durable.Rename(temp, d.Path(id))
}

func (d *DirStore) lock() (func() error, error) {
	if err := durable.MkdirAll(d.path, 0o755); err != nil {
		return nil, err
	}
	unlock, err := durable.Lock(filepath.Join(d.path, lockName))
	if err != nil {
		return nil, fmt.Errorf("%s: another program is opening or importing an event: %w", d.path, err)
	}
	return unlock, nil
}

// fill writes the files of an event into a directory nobody reads yet.
func (d *DirStore) fill(ctx context.Context, dir string, id ID, raw []byte, content map[string]Content) error {
	e, err := Parse(raw)
	if err != nil {
		return err
	}
	small := map[string][]byte{}
	for _, name := range sortedNames(e.Files) {
		from, ok := content[name]
		if !ok {
			return fmt.Errorf("internal error: no content for %s", name)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := copyChecked(path, name, e.Files[name], from); err != nil {
			return err
		}
		if !isBig(name) {
			if small[name], err = os.ReadFile(path); err != nil {
				return err
			}
		}
	}
	p, err := assemble(id, raw, e, small)
	if err != nil {
		return err
	}
	if err := durable.MkdirAll(filepath.Join(dir, "metadata"), 0o755); err != nil {
		return err
	}
	for role, b := range p.Metadata {
		if err := durable.WriteFile(filepath.Join(dir, "metadata", role+".json"), b, 0o644); err != nil {
			return err
		}
	}
	return durable.WriteFile(filepath.Join(dir, fileEvent), raw, 0o644)
}
