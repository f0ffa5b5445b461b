package review

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/countersign-project/countersign/tuf/durable"
)

// MaxNote is the longest note on a page, in bytes.
const MaxNote = 4096

// maxJournal is the largest journal that is read, in bytes: more than a million marks.
const maxJournal = 256 << 20

// Entry is one line of a journal: what became of a page's mark and note.
type Entry struct {
	At    time.Time `json:"at"`
	Key   Key       `json:"key"`
	Title string    `json:"title"` // of the page, for people who look into the file
	Mark  Mark      `json:"mark"`
	Note  string    `json:"note,omitempty"`
}

// Journal is the reader's memory: a file to which every mark is appended and synced before it counts. A
// kill loses at most the mark that was being made, and its half line is dropped when the file is opened
// again. Several programs may have it open; each appends whole lines under a lock, and sees the others'
// when it looks again. Its methods may be called from several goroutines.
//
// Who may change it: whoever may write to the auditor's home. The worst is a review that claims too much.
type Journal struct {
	path string
	mu   sync.Mutex
	read int64 // bytes of the file that are in last
	last map[Key]Entry
}

// OpenJournal reads a journal, which may not exist yet.
func OpenJournal(path string) (*Journal, error) {
	j := &Journal{path: path, last: map[Key]Entry{}}
	if err := durable.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return j, j.refresh()
}

// Get returns what is known of a page; the zero Entry for nothing.
func (j *Journal) Get(k Key) Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last[k]
}

// Mark returns a page's mark.
func (j *Journal) Mark(k Key) Mark { return j.Get(k).Mark }

// Put appends entries and returns when they are on the disk.
func (j *Journal) Put(entries ...Entry) error {
	var b bytes.Buffer
	for _, e := range entries {
		if len(e.Note) > MaxNote || !utf8.ValidString(e.Note) {
			return fmt.Errorf("note on %s: %d bytes, want at most %d of UTF-8", e.Title, len(e.Note), MaxNote)
		}
		e.At = e.At.UTC().Truncate(time.Second)
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		b.Write(append(line, '\n'))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	unlock, err := j.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := j.load(); err != nil {
		return err
	}
	if err := j.append(b.Bytes()); err != nil {
		return err
	}
	return j.load()
}

// lock waits for other programs, which hold it for one append each. One that appends again at once comes before those that sleep between two tries,
// so waiting may take many of its turns, and on a slow disk a turn takes a while: half a minute is long for all that, and short where a program
// was stopped with the lock in its hand.
func (j *Journal) lock() (unlock func() error, err error) {
	for range 1500 {
		if unlock, err = durable.Lock(j.path + ".lock"); !errors.Is(err, durable.ErrLocked) {
			return unlock, err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, err
}

// append writes at the end of the last whole line: what a kill left behind it is overwritten.
func (j *Journal) append(b []byte) error {
	_, err := os.Stat(j.path)
	isNew := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(j.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = f.Truncate(j.read)
	if err == nil {
		_, err = f.WriteAt(b, j.read)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil && isNew {
		err = durable.SyncDir(filepath.Dir(j.path))
	}
	return err
}

// refresh takes in what was appended since.
func (j *Journal) refresh() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.load()
}

// load reads the whole lines behind those known. A line that is whole and makes no sense is an error: a
// mark must not be forgotten in silence.
func (j *Journal) load() error {
	f, err := os.Open(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < j.read || info.Size() > maxJournal {
		return fmt.Errorf("%s: has %d bytes, want %d (what was read before) to %d", j.path, info.Size(), j.read, maxJournal)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, j.read, info.Size()-j.read))
	if err != nil {
		return err
	}
	for {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		if !whole {
			return nil
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("%s: byte %d: %v", j.path, j.read, err)
		}
		j.last[e.Key] = e
		j.read += int64(len(line)) + 1
		b = rest
	}
}

// Span tells when the pages of a change list were marked first and last, and how long was worked on them
// as far as marks show it: pauses of more than a quarter of an hour are left out. Zero without marks.
func (j *Journal) Span(c *Changes) (first, last time.Time, work time.Duration, err error) {
	keys := map[Key]bool{}
	for _, i := range c.Items {
		for n := range i.Pages() {
			keys[i.Key(n)] = true
		}
	}
	b, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return first, last, 0, nil
	}
	for line := range bytes.Lines(b) {
		var e Entry
		if json.Unmarshal(line, &e) != nil || !keys[e.Key] {
			continue // refused or half written: load has said so
		}
		if first.IsZero() {
			first = e.At
		}
		if d := e.At.Sub(last); !last.IsZero() && d > 0 && d <= 15*time.Minute {
			work += d
		}
		last = e.At
	}
	return first, last, work, err
}
