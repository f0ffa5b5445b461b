package event

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
)

// Store is where events live: a directory (Dir) or a signing room over HTTP (HTTP). Nothing it returns is
// believed; Load, Fetch and CheckFiles check it. What it takes, it verifies first.
type Store interface {
	// List names every event, with what is wrong with those that are not whole.
	List(ctx context.Context) ([]Entry, error)
	// Read returns a whole small file of at most max bytes. A missing file is fs.ErrNotExist, a missing
	// event ErrNoEvent.
	Read(ctx context.Context, id ID, name string, max int64) ([]byte, error)
	// Open streams a file from an offset.
	Open(ctx context.Context, id ID, name string, offset int64) (io.ReadCloser, error)
	// Answers names the files of signatures/ and statements/.
	Answers(ctx context.Context, id ID) ([]string, error)
	// PutSignature and PutStatement add an answer. Adding one that is there changes nothing; one that
	// does not hold is refused and not kept.
	PutSignature(ctx context.Context, id ID, s Signature) error
	PutStatement(ctx context.Context, id ID, bundle []byte) error
	// String names the store for people.
	String() string
}

// Entry is one line of a listing. Problem is set, and ID perhaps zero, for what is not a whole event.
type Entry struct {
	Name    string   `json:"name"` // directory name: the id in hex for an event
	ID      ID       `json:"-"`
	Problem string   `json:"problem,omitempty"` // "" for a whole event
	Missing []string `json:"missing,omitempty"` // large files that are not here (a light export); the event can be read all the same
}

// OpenStore returns the store of a room, which is a directory that has or will have events/ in it, or
// the URL of a `countersign serve`. A nil client is http.DefaultClient.
func OpenStore(room string, c *http.Client) (Store, error) {
	if strings.HasPrefix(room, "http://") || strings.HasPrefix(room, "https://") {
		if _, err := url.Parse(room); err != nil {
			return nil, err
		}
		return HTTP(strings.TrimRight(room, "/")+"/events/", c), nil
	}
	return Dir(filepath.Join(room, "events")), nil
}

// minPrefix is how many digits of an id must be given: enough to tell the events of one room apart.
const minPrefix = 6

// Find returns the one event whose id starts with prefix, or a *NotFound or *Ambiguous.
func Find(ctx context.Context, s Store, prefix string) (ID, error) {
	if id, err := ParseID(prefix); err == nil {
		return id, nil
	}
	entries, err := s.List(ctx)
	if err != nil {
		return ID{}, err
	}
	var found []ID
	for _, e := range entries {
		if e.ID != (ID{}) && len(prefix) >= minPrefix && strings.HasPrefix(e.Name, prefix) {
			found = append(found, e.ID)
		}
	}
	switch len(found) {
	case 0:
		return ID{}, &NotFound{prefix, s.String()}
	case 1:
		return found[0], nil
	}
	return ID{}, &Ambiguous{prefix, len(found)}
}

// NotFound says that no event matches.
type NotFound struct{ ID, Store string }

func (e *NotFound) Error() string {
	return fmt.Sprintf("no event %q in %s", e.ID, e.Store)
}

// Is makes errors.Is(err, ErrNoEvent) true.
func (e *NotFound) Is(target error) bool { return target == ErrNoEvent }

// Ambiguous says that more than one event matches.
type Ambiguous struct {
	Prefix string
	Events int
}

func (e *Ambiguous) Error() string {
	return fmt.Sprintf("%q is the start of %d event ids, give more digits", e.Prefix, e.Events)
}
