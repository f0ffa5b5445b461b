// Package fetch is the courier: it brings bytes from mirrors and vouches for none of them.
//
// Its world: several sources of one repository (web servers, directories, an update bundle), each run by
// somebody else, each perhaps lying, lagging, slow or gone. The worst a source can do alone is to waste a
// bounded amount of time and traffic; with at least one honest source in the list every call ends with the
// right bytes. The courier never judges metadata. It compares lengths and SHA-256 sums that a caller got
// from somewhere it trusts, and it forgets nothing: a source that misbehaved is tried last from then on.
//
// Rules, all of them:
//
//   - Sources are asked one after the other in the given order, misbehaved ones last. Callers that want
//     to spread load shuffle the list themselves, from local randomness.
//   - The next source is asked on any error, on a wrong length or sum, on less than MinRate bytes a second
//     over a Window (which covers connecting and waiting for the first byte), and when a source used up its
//     share of the Deadline: what is left of it, divided by the sources still to be asked.
//   - No answer is read beyond the caller's cap; a source that announces more is not read at all.
//   - "Not there" (fs.ErrNotExist) is said only when every source said so. When some source failed in
//     another way nobody knows, and the error names what each source did. The one exception is
//     metadata/N.root.json, whose absence is the normal end of the root chain (TUF 5.3.3): there one clear
//     "not there" suffices when no other source has the file, since otherwise one dead mirror would stop
//     all updates, and a mirror that hides a root while the others are down could hide it anyway until the
//     timestamp expires. For the same file, 403 counts as "not there" as well: that is what object stores
//     answer for a missing name when listing is forbidden. Everywhere else 403 is a failure.
//   - Redirects: at most MaxRedirects, never to another scheme. No compression, no cookies.
package fetch

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// What a Courier uses where its fields are zero. The floor is far below any usable link and far above a
// drip of single bytes; the window is long enough for a slow handshake over a satellite or an onion route.
const (
	DefaultMinRate  = 2 << 10 // bytes per second
	DefaultWindow   = 15 * time.Second
	DefaultDeadline = time.Hour
)

// Source is one place that may hold the repository.
type Source interface {
	// Open starts reading the file path (slash separated, relative, no dots) at offset, or at 0 when it can
	// not do otherwise: start tells where body begins. size is that of the whole file as the source claims
	// it, -1 when it does not say. A file that is not there is fs.ErrNotExist. Open and reading body must
	// end soon after ctx does; closing body must end a pending read.
	Open(ctx context.Context, path string, offset int64) (body io.ReadCloser, size, start int64, err error)
	// String names the source for people; it never holds a password.
	String() string
}

// Courier fetches from several sources. The zero values of its limits mean the defaults above. It is safe
// for concurrent use once its fields are set; Report is then called concurrently too.
type Courier struct {
	Sources  []Source
	MinRate  int64         // bytes per second; negative: no floor
	Window   time.Duration // what MinRate is averaged over
	Deadline time.Duration // for one Fetch or Download, over all sources; negative: none
	Report   func(Event)   // told what happens, for logs and people; may be nil

	mu       sync.Mutex
	bad      []int                    // indexes of sources that misbehaved, earliest first
	servedBy map[string]int           // which source gave the bytes of the last Fetch of a path
	rejected map[string]map[int]error // by path: sources whose bytes a caller refused, and why
}

// Kind says what an Event tells.
type Kind string

const (
	Failed    Kind = "failed"    // a source was given up for this path; Err says why; the next one follows
	Absent    Kind = "absent"    // a source says it has no such file
	Served    Kind = "served"    // a source gave the file, or its last part
	Resumed   Kind = "resumed"   // a download goes on at byte Done
	Restarted Kind = "restarted" // a download begins again at zero; Err says why
)

// Event is a notice about the course of a fetch.
type Event struct {
	Kind         Kind
	Source, Path string
	Done         int64 // bytes in hand
	Err          error
}

// Reject tells that the bytes of the last Fetch of path were refused by whoever judged them. The source
// that gave them will not be asked for path again, and for everything else last. It reports whether
// another source is left to be asked for path: a caller then fetches path again.
func (c *Courier) Reject(path string, why error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.servedBy[path]
	if !ok {
		return false
	}
	delete(c.servedBy, path)
	c.rejectLocked(i, path, why)
	return len(c.rejected[path]) < len(c.Sources)
}

func (c *Courier) rejectLocked(i int, path string, why error) {
	if c.rejected == nil {
		c.rejected = map[string]map[int]error{}
	}
	if c.rejected[path] == nil {
		c.rejected[path] = map[int]error{}
	}
	c.rejected[path][i] = why
	c.blameLocked(i)
}

// blame moves a source to the end of the order.
func (c *Courier) blame(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blameLocked(i)
}

func (c *Courier) blameLocked(i int) {
	for _, b := range c.bad {
		if b == i {
			return
		}
	}
	c.bad = append(c.bad, i)
}

// order returns the indexes of the sources to ask for path, best first, and what is known against those
// that were rejected for it.
func (c *Courier) order(path string) (ask []int, refused []SourceError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	late := make(map[int]bool, len(c.bad))
	for _, i := range c.bad {
		late[i] = true
	}
	for i := range c.Sources {
		if !late[i] {
			ask = append(ask, i)
		}
	}
	for _, i := range c.bad {
		if why, no := c.rejected[path][i]; no {
			refused = append(refused, SourceError{c.Sources[i].String(), fmt.Errorf("refused: %v", why)})
			continue
		}
		ask = append(ask, i)
	}
	return ask, refused
}

func (c *Courier) report(e Event) {
	if c.Report != nil {
		c.Report(e)
	}
}
