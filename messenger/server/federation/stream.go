package federation

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/countersign-project/countersign/messenger/server/endpoint"
)

// maxDownloads is how many attachments of one peer one user fetches at the same time: one who reads slowly must leave some to others.
const maxDownloads = 4

// downloads counts by user.
type downloads struct {
	mu    sync.Mutex
	users map[string]int // mu
}

func (d *downloads) enter(user string) (leave func(), ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users[user] >= maxDownloads {
		return nil, false
	}
	d.users[user]++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.users[user]--; d.users[user] == 0 {
			delete(d.users, user)
		}
	}, true
}

// stalled is how long a download may bring nothing before it is cut.
const stalled = 30 * time.Second

// Blob is an attachment on its way from a peer. Nothing of it is kept: it is as much in memory as Read asks for.
type Blob struct {
	Offset, Total int64 // Read gives Total-Offset bytes, or an error
	body          io.ReadCloser
	left          int64
	watch         *time.Timer
	end           func()
}

// Attachment opens an attachment for a user from an offset on. One above max bytes is refused.
func (r *Remote) Attachment(ctx context.Context, user, id string, offset, max int64) (*Blob, error) {
	done, ok := r.downloads.enter(user)
	if !ok {
		r.options.Counters.Limited("to peer " + r.peer.Name + ": downloads of a user")
		return nil, endpoint.TooMany(time.Second)
	}
	leave, err := r.enter(r.streams)
	if err != nil {
		done()
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(max/slowest)*time.Second)
	b := &Blob{Offset: offset, end: func() { cancel(); leave(); done() }}
	b.watch = time.AfterFunc(stalled, cancel)
	if err := r.open(ctx, limited, b, http.MethodGet, id, max); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// HasAttachment asks whether an attachment is there, without fetching it.
func (r *Remote) HasAttachment(ctx context.Context, id string, max int64) error {
	leave, err := r.enter(r.slots)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, r.options.Patience)
	b := &Blob{end: func() { cancel(); leave() }}
	defer b.Close()
	return r.open(ctx, limited, b, http.MethodHead, id, max)
}

// open sends the request and reads the header of the answer. user is the context of who asks, from which ctx comes.
func (r *Remote) open(user, ctx context.Context, b *Blob, method, id string, max int64) error {
	q := question{method: method, route: "/v3/federation/attachments", path: "/v3/federation/attachments/" + url.PathEscape(id)}
	var header http.Header
	if b.Offset > 0 {
		header = http.Header{"Range": {fmt.Sprintf("bytes=%d-", b.Offset)}}
	}
	resp, err := r.send(ctx, q, header)
	if user.Err() != nil && err != nil { // our user left: not the peer's doing
		return fmt.Errorf("peer %s: %w", r.peer.Name, user.Err())
	}
	r.breaker.note(err == nil)
	if err != nil {
		r.count(q.route, unreachable)
		return r.away(pause)
	}
	b.body = resp.Body
	r.count(q.route, strconv.Itoa(resp.StatusCode))
	switch {
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return endpoint.Refuse(http.StatusRequestedRangeNotSatisfiable, "the attachment is not that long")
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent:
		return r.refused(q, reply{status: resp.StatusCode, wait: retryAfter(resp.Header)})
	}
	if b.left = resp.ContentLength; !b.fits(resp) {
		return r.nonsense(q)
	}
	if b.Total = b.Offset + b.left; b.Total > max {
		return endpoint.Refuse(http.StatusBadGateway, "the attachment has %d bytes, want at most %d", b.Total, max)
	}
	return nil
}

// fits compares status, length and range with what was asked for.
func (b *Blob) fits(resp *http.Response) bool {
	if b.Offset == 0 {
		return resp.StatusCode == http.StatusOK && b.left >= 0
	}
	total := b.Offset + b.left
	return resp.StatusCode == http.StatusPartialContent && b.left > 0 && resp.Header.Get("Content-Range") == fmt.Sprintf("bytes %d-%d/%d", b.Offset, total-1, total)
}

// Read implements io.Reader. A peer that brings less than it said, or nothing for a while, is an error.
func (b *Blob) Read(p []byte) (int, error) {
	b.watch.Reset(stalled)
	n, err := b.body.Read(p) // net/http gives no more than Content-Length
	b.left -= int64(n)
	if err == io.EOF && b.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Close ends the download.
func (b *Blob) Close() {
	if b.watch != nil {
		b.watch.Stop()
	}
	if b.body != nil {
		b.body.Close()
	}
	b.end()
}
