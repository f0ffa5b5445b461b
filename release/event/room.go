package event

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

// smallTimeout ends a request for something small whose answer never comes. Large files are not timed:
// their length is known, and whoever fetches them sees the progress and can stop.
const smallTimeout = 2 * time.Minute

// maxListing bounds the listings a server may send.
const maxListing = 8 << 20

// listing is the JSON of GET /events/, answers that of GET /events/<id>/.
type listing struct {
	Format string  `json:"format"` // "countersign-events-1"
	Events []Entry `json:"events"`
}

type answers struct {
	Format  string   `json:"format"` // "countersign-answers-1"
	Answers []string `json:"answers"`
}

const (
	listingFormat = "countersign-events-1"
	answersFormat = "countersign-answers-1"
)

// HTTPStore is a signing room as auditors see it. The room may withhold or garble; what it says is
// checked by whoever loads it.
type HTTPStore struct {
	base   string // ends in "/events/"
	client *http.Client
}

// HTTP returns the store at a URL that ends in /events/. A nil client is http.DefaultClient.
func HTTP(base string, c *http.Client) *HTTPStore {
	if c == nil {
		c = http.DefaultClient
	}
	return &HTTPStore{strings.TrimRight(base, "/") + "/", c}
}

func (h *HTTPStore) String() string { return h.base }

// List asks the room what it has.
func (h *HTTPStore) List(ctx context.Context) ([]Entry, error) {
	var l listing
	if err := h.json(ctx, h.base, &l); err != nil {
		return nil, err
	}
	if l.Format != listingFormat {
		return nil, fmt.Errorf("%s: format %q, want %q; is this a signing room?", h.base, clip(l.Format), listingFormat)
	}
	for i, e := range l.Events {
		if !printable(e.Name) || !printable(e.Problem) {
			return nil, fmt.Errorf("%s: a listing with unprintable names", h.base)
		}
		if id, err := ParseID(e.Name); err == nil {
			l.Events[i].ID = id
		} else if e.Problem == "" {
			l.Events[i].Problem = "is not an event"
		}
	}
	return l.Events, nil
}

func (h *HTTPStore) json(ctx context.Context, url string, v any) error {
	ctx, cancel := context.WithTimeout(ctx, smallTimeout)
	defer cancel()
	r, err := h.get(ctx, url, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := readCapped(r, url, maxListing)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %v", url, err)
	}
	return nil
}

func readCapped(r io.Reader, what string, max int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > max {
		return nil, refusef("%s is longer than the %d bytes allowed", what, max)
	}
	return b, nil
}

// get opens a URL from an offset. A server that ignores the offset is read and skipped up to it.
func (h *HTTPStore) get(ctx context.Context, url string, offset int64) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode == http.StatusPartialContent && offset > 0,
		resp.StatusCode == http.StatusOK && offset == 0:
		return resp.Body, nil
	case resp.StatusCode == http.StatusOK:
		if _, err := io.CopyN(io.Discard, resp.Body, offset); err != nil {
			resp.Body.Close()
			return nil, err
		}
		return resp.Body, nil
	case resp.StatusCode == http.StatusNotFound:
		resp.Body.Close()
		return nil, &fs.PathError{Op: "get", Path: url, Err: fs.ErrNotExist}
	}
	defer resp.Body.Close()
	return nil, fmt.Errorf("%s: %s", url, resp.Status)
}

func (h *HTTPStore) url(id ID, name string) string { return h.base + id.String() + "/" + name }

// Read returns a small file.
func (h *HTTPStore) Read(ctx context.Context, id ID, name string, max int64) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, refusal{err}
	}
	ctx, cancel := context.WithTimeout(ctx, smallTimeout)
	defer cancel()
	r, err := h.get(ctx, h.url(id, name), 0)
	if errors.Is(err, fs.ErrNotExist) && name == fileEvent {
		return nil, &NotFound{id.Short(), h.base}
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return readCapped(r, name, max)
}

// Open streams a file from an offset.
func (h *HTTPStore) Open(ctx context.Context, id ID, name string, offset int64) (io.ReadCloser, error) {
	if err := checkName(name); err != nil {
		return nil, refusal{err}
	}
	return h.get(ctx, h.url(id, name), offset)
}

// Answers asks which signatures and statements the room has.
func (h *HTTPStore) Answers(ctx context.Context, id ID) ([]string, error) {
	var a answers
	if err := h.json(ctx, h.url(id, ""), &a); err != nil {
		return nil, err
	}
	if a.Format != answersFormat {
		return nil, fmt.Errorf("%s: format %q, want %q", h.url(id, ""), clip(a.Format), answersFormat)
	}
	return a.Answers, nil
}

// PutSignature hands in a signature.
func (h *HTTPStore) PutSignature(ctx context.Context, id ID, s Signature) error {
	b, err := s.Encode()
	if err != nil {
		return err
	}
	return h.put(ctx, id, s.Name(), b)
}

// PutStatement hands in a statement. Its name is found by the room, which has to open it anyway.
func (h *HTTPStore) PutStatement(ctx context.Context, id ID, bundle []byte) error {
	return h.put(ctx, id, "statements/new", bundle)
}

func (h *HTTPStore) put(ctx context.Context, id ID, name string, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, smallTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, h.url(id, name), bytes.NewReader(b))
	if err != nil {
		return err
	}
	// A room closes connections that are idle, perhaps just now. The same answer once more changes nothing, so net/http may send it again on a
	// new one; the key without a value says so, and is not sent.
	req.Header["Idempotency-Key"] = nil
	resp, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // only to explain
	reason := strings.TrimSpace(string(text))
	if !printable(reason) {
		reason = resp.Status
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNoContent:
		return nil
	case http.StatusUnprocessableEntity:
		return refusef("%s refuses it: %s", h.base, reason)
	case http.StatusNotFound:
		return &NotFound{id.Short(), h.base}
	}
	return fmt.Errorf("%s: %s: %s", h.url(id, name), resp.Status, reason)
}
