package event

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/countersign-project/countersign/tuf/durable"
)

// DirStore keeps events in one directory, room/events. Every write is durable: a crash leaves an event,
// or an answer, whole or absent. Several processes may use it at once; writing is kept apart by a lock.
//
// Who may change it: whoever may write to the directory. The worst they can do is to make events
// unreadable, which is seen, since every event is checked against its id whenever it is read.
type DirStore struct {
	path string
}

// openingPrefix begins the name of a directory in which an event is being written.
const openingPrefix = ".opening-"

// lockName is the file by which writers of one room keep apart.
const lockName = ".lock"

// Dir returns the store in a directory, which need not exist before something is written.
func Dir(path string) *DirStore { return &DirStore{path} }

func (d *DirStore) String() string { return d.path }

// Path returns the directory of an event.
func (d *DirStore) Path(id ID) string { return filepath.Join(d.path, id.String()) }

// List names the events, oldest name first. What is not an event is named with its problem.
func (d *DirStore) List(context.Context) ([]Entry, error) {
	entries, err := os.ReadDir(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, f := range entries {
		if f.Name() == lockName {
			continue
		}
		e := Entry{Name: f.Name()}
		id, err := ParseID(f.Name())
		switch {
		case strings.HasPrefix(f.Name(), openingPrefix):
			e.Problem = "is half-written: its opening was interrupted; it can be deleted"
		case err != nil || !f.IsDir():
			e.Problem = "is not an event"
		default:
			e.ID = id
			e.Problem, e.Missing = d.look(id)
		}
		out = append(out, e)
	}
	return out, nil
}

// look says what is missing of an event, by names and lengths only.
func (d *DirStore) look(id ID) (problem string, missing []string) {
	raw, err := d.Read(context.Background(), id, fileEvent, MaxEvent)
	if errors.Is(err, fs.ErrNotExist) {
		return "is half-written: has no event.json", nil
	}
	if err != nil {
		return err.Error(), nil
	}
	e, err := openEvent(raw, id)
	if err != nil {
		return err.Error(), nil
	}
	for _, name := range sortedNames(e.Files) {
		info, err := os.Lstat(filepath.Join(d.Path(id), filepath.FromSlash(name)))
		switch {
		case err == nil && info.Mode().IsRegular() && info.Size() == e.Files[name].Length:
		case isBig(name) && errors.Is(err, fs.ErrNotExist):
			missing = append(missing, name)
		case err == nil:
			return fmt.Sprintf("%s has %d bytes, event.json says %d", name, info.Size(), e.Files[name].Length), nil
		default:
			return "is half-written: " + name + " is missing", nil
		}
	}
	return "", missing
}

// Open opens a file of an event. It follows no link out of the event's directory.
func (d *DirStore) Open(_ context.Context, id ID, name string, offset int64) (io.ReadCloser, error) {
	f, _, err := d.open(id, name)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (d *DirStore) open(id ID, name string) (*os.File, fs.FileInfo, error) {
	if err := checkName(name); err != nil || limit(name) == 0 {
		return nil, nil, refusef("%q is not a file of an event", clip(name))
	}
	root, err := os.OpenRoot(d.Path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, &NotFound{id.Short(), d.path}
	}
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	local := filepath.FromSlash(name)
	if info, err := root.Lstat(local); err == nil && !info.Mode().IsRegular() {
		return nil, nil, refusef("%s is not a plain file", name)
	}
	f, err := root.Open(local)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// Read returns a small file.
func (d *DirStore) Read(_ context.Context, id ID, name string, max int64) ([]byte, error) {
	f, info, err := d.open(id, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > max {
		return nil, refusef("%s has %d bytes, at most %d allowed", name, info.Size(), max)
	}
	return io.ReadAll(io.LimitReader(f, max))
}

// Answers names what lies in signatures/ and statements/, well named or not.
func (d *DirStore) Answers(_ context.Context, id ID) ([]string, error) {
	var out []string
	for _, dir := range []string{dirSignatures, dirStatements} {
		entries, err := os.ReadDir(filepath.Join(d.Path(id), dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") { // a temporary file of a write under way
				out = append(out, dir+e.Name())
			}
		}
	}
	sort.Strings(out)
	return out, nil
}

// PutSignature verifies a signature and keeps it.
func (d *DirStore) PutSignature(ctx context.Context, id ID, s Signature) error {
	b, err := s.Encode()
	if err != nil {
		return err
	}
	return d.put(ctx, id, s.Name(), b)
}

// PutStatement verifies a statement and keeps it.
func (d *DirStore) PutStatement(ctx context.Context, id ID, bundle []byte) error {
	p, err := Load(ctx, d, id)
	if err != nil {
		return err
	}
	s, err := p.CheckStatement(bundle)
	if err != nil {
		return err
	}
	return d.put(ctx, id, s.Name(), bundle)
}

// maxStatements is how many statements one key may leave on one event: corrections, not a flood.
const maxStatements = 8

// put verifies one answer against the event and writes it. What holds already stays as it is; what lies
// under that name and does not hold is replaced.
func (d *DirStore) put(ctx context.Context, id ID, name string, b []byte) error {
	p, err := Load(ctx, d, id)
	if err != nil {
		return err
	}
	held := len(p.Signatures) + len(p.Statements)
	if err := p.add(name, b); err != nil {
		return err
	}
	if len(p.Signatures)+len(p.Statements) == held {
		return nil
	}
	if err := p.checkFlood(name); err != nil {
		return err
	}
	path := filepath.Join(d.Path(id), filepath.FromSlash(name))
	if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return durable.WriteFile(path, b, 0o644)
}

func (p *Proposal) checkFlood(name string) error {
	key, _, _ := strings.Cut(name, ".")
	n := 0
	for _, s := range p.Statements {
		if strings.HasPrefix(s.Name(), key+".") {
			n++
		}
	}
	if n > maxStatements {
		return refusef("this key has made %d statements on event %s already", maxStatements, p.ID.Short())
	}
	return nil
}
