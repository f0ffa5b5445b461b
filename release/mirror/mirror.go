// Package mirror copies a repository into a directory, serves such a directory, checks mirrors, and packs
// one platform's share of a repository into a file for people without a network.
//
// Its world: somebody who helps to distribute and is trusted with nothing. A mirror holds no key; the worst
// it can do is to withhold, and its users then go elsewhere. What this package wants is that an honest
// mirror never serves anything wrong by accident: it stores only what it has verified from the embedded
// root on, with the same code as every user's device (tuf/client), and a user never sees half of a release.
//
// The directory is the repository itself, so any web server can serve it:
//
//	metadata/  targets/  evidence/      the repository layout
//	log/                                the public log: checkpoint, tile/… (attest/tiles)
//	.countersign-mirror/                ours alone, never served
//	    mirror.json                     the mark that this directory is a mirror
//	    tuf/                            trusted state: roots and versions seen (tuf/client)
//	    partial/<sha256>                downloads that are not complete
//	    log-head                        the newest head of the log that is held
//	    evidence/                       heads of the log that were refused, each beside ours; never removed
//	    stored.json                     which files were verified, with size and time; only saves work
//	    lock                            held while something changes
//
// The log is copied when the anchor says whose log it is (log.policy): every file of it leads to a head that
// a quorum of witnesses cosigned, and that goes on from the head held before. Every source is asked for its head;
// the largest is copied, and all others must be of its log. A fork stops the whole sync before anything of it is
// visible, and so does it when no source has more than a log that went back or a head without its witnesses; such
// heads are kept as evidence. A log that cannot be had stops nothing else, and is an error at the end. Its tiles come after the evidence,
// its head after its tiles, and all of it before the metadata: a release that is served is in the log served. (A
// device needs none of it: the proof is in the evidence file. So a bundle has no log, either.)
//
// The order of a sync makes new content visible at once. Targets and evidence come first, under names that
// nobody asks for yet; then versioned metadata, whose names nobody asks for either; then new roots; and at
// the end timestamp.json, replaced by one rename. A crash or a full disk at any point before that leaves
// what was served before, complete, and partial downloads are continued next time. The one seam: between a
// new root that replaces the timestamp key and the new timestamp, users of this mirror have to ask another.
//
// A directory that is not empty and does not bear our mark is never touched. Inside a mirror, a file that no
// metadata names is reported and left alone; a file at a path that metadata names is ours by its path, is
// kept when it is right, and is replaced when it is not.
package mirror

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/fetch"
)

// stateDir is ours alone inside a mirror.
const stateDir = ".countersign-mirror"

const markFile = "mirror.json"

// logDir is where a repository keeps the public log.
const logDir = "log"

const markFormat = "countersign-mirror-1"

type mark struct {
	Format string `json:"format"` // "countersign-mirror-1"
}

// Options says what to mirror and where.
type Options struct {
	Dir      string
	Anchor   anchor.Anchor // its Root is what is trusted
	Courier  *fetch.Courier
	Now      func() time.Time
	Recheck  bool           // hash every stored file again, not only those that changed since
	Progress func(Progress) // may be nil
}

// Progress tells how far the copying of large files is, in bytes.
type Progress struct {
	Path        string
	Done, Total int64 // over all files of this sync
}

// NotOursError says that a directory holds other things than a mirror.
type NotOursError struct {
	Dir   string
	Found string // one thing that is in it
}

func (e *NotOursError) Error() string {
	return fmt.Sprintf("%s is not empty and not a mirror: it holds %q; nothing was changed", e.Dir, e.Found)
}

// directory is an opened mirror.
type directory struct {
	dir    string
	stored stored
}

// open makes or opens a mirror and locks it. An existing directory must be empty or bear our mark.
func open(dir string) (*directory, func() error, error) {
	if err := durable.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, err
	}
	if err := claim(dir); err != nil {
		return nil, nil, err
	}
	d := &directory{dir: dir}
	unlock, err := durable.Lock(d.state("lock"))
	if err != nil {
		return nil, nil, err
	}
	for _, sub := range []string{d.state("partial"), d.state("evidence"), d.path("metadata"), d.path("targets"), d.path("evidence")} {
		if err := durable.MkdirAll(sub, 0o755); err != nil {
			unlock()
			return nil, nil, err
		}
	}
	if err := d.sweep(); err != nil {
		unlock()
		return nil, nil, err
	}
	d.stored = readStored(d.state("stored.json"))
	return d, unlock, nil
}

// claim checks the mark, and sets it in an empty directory. The mark is the first thing written, so a
// crash at any later point leaves a directory that the next sync recognises.
func claim(dir string) error {
	path := filepath.Join(dir, stateDir, markFile)
	if b, err := os.ReadFile(path); err == nil {
		var m mark
		if err := json.Unmarshal(b, &m); err != nil || m.Format != markFormat {
			return fmt.Errorf("%s: format %q, want %q", path, m.Format, markFormat)
		}
		return nil
	} else if !os.IsNotExist(err) {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		// Our own directory without the mark is what a crash between the next two lines leaves.
		if e.Name() != stateDir {
			return &NotOursError{dir, e.Name()}
		}
	}
	if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(mark{markFormat}); err != nil {
		return err
	}
	return durable.WriteFile(path, b.Bytes(), 0o644)
}

// path is where a repository file lies on this disk.
func (d *directory) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

// state is a path in our own directory.
func (d *directory) state(name string) string { return filepath.Join(d.dir, stateDir, name) }

// sweep removes what interrupted writes left, everywhere in the mirror.
func (d *directory) sweep() error {
	return filepath.WalkDir(d.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		if durable.IsTemp(e.Name()) {
			return filepath.SkipDir // its parent's sweep removes it
		}
		return durable.Sweep(path)
	})
}

// put writes a small repository file, if it is not there already.
func (d *directory) put(name string, data []byte) (changed bool, err error) {
	path := d.path(name)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return false, nil
	}
	if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, err
	}
	return true, durable.WriteFile(path, data, 0o644)
}

// hidden reports whether a slash separated name lies in our own directory.
func hidden(name string) bool { return name == stateDir || strings.HasPrefix(name, stateDir+"/") }
