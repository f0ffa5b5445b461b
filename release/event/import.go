package event

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"

	"github.com/countersign-project/countersign/tuf/durable"
)

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
	c, err := unpack(ctx, temp, r)
	if err != nil {
		return Imported{}, fmt.Errorf("carried event: %w", err)
	}
	return d.merge(ctx, temp, c)
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

func sortedKeys(m map[string][]byte) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
