package remote

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/countersign-project/countersign/messenger/attachment"
	"github.com/countersign-project/countersign/messenger/server/api"
)

// Place is where the server wants a blob (6.5): good for an hour, for one blob.
type Place struct {
	ID  uint64 `json:"id"`
	URL string `json:"url"`
}

// Place asks where to upload a blob to.
func (s *Server) Place(ctx context.Context, who Login) (Place, error) {
	var place api.Attachment
	if err := s.call(ctx, who, "GET", "/v1/attachments", nil, &place); err != nil {
		return Place{}, err
	}
	if place.IDString != "" {
		var err error
		if place.ID, err = strconv.ParseUint(place.IDString, 10, 63); err != nil {
			return Place{}, fmt.Errorf("the server's attachment id %.30q is no number", place.IDString)
		}
	}
	u, err := s.way.Load().location(place.Location)
	return Place{place.ID, u}, err
}

// Arrived asks how much of a blob of size bytes has come in an earlier try: whole says all of it, and that nothing is left to be done. Where the
// server cannot say, or says what cannot be, have is 0 and known false: the blob needs a new place.
func (s *Server) Arrived(ctx context.Context, p Place, size int64) (have int64, whole, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	resp, err := s.put(ctx, p, http.NoBody, 0, "bytes */*")
	if err != nil {
		return 0, false, false, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusConflict: // what is complete takes no more
		return size, true, true, nil
	case http.StatusPermanentRedirect:
		said := resp.Header.Get("Range")
		if said == "" {
			return 0, false, true, nil
		}
		last, err := strconv.ParseInt(strings.TrimPrefix(said, "bytes=0-"), 10, 64)
		if err != nil || last < 0 || last >= size-1 { // all of it and not complete: a crash of the server's
			return 0, false, false, nil
		}
		return last + 1, false, true, nil
	}
	return 0, false, false, nil
}

// Upload stores a ciphertext of size bytes, of which from are there already; blob gives the rest.
func (s *Server) Upload(ctx context.Context, p Place, blob io.Reader, from, size int64) error {
	piece := ""
	if from > 0 {
		piece = fmt.Sprintf("bytes %d-%d/%d", from, size-1, size)
	}
	resp, err := s.put(ctx, p, io.NopCloser(blob), size-from, piece)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // for people, if at all
	if resp.StatusCode/100 != 2 {
		return statusError(resp, b)
	}
	return nil
}

func (s *Server) put(ctx context.Context, p Place, body io.ReadCloser, length int64, piece string) (*http.Response, error) {
	w := s.way.Load()
	u, err := w.location(p.URL)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, "PUT", u, body)
	if err != nil {
		return nil, err
	}
	req.ContentLength = length
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("User-Agent", agent)
	if piece != "" {
		req.Header.Set("Content-Range", piece)
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return nil, w.unreached(err)
	}
	return resp, nil
}

// Blob is a ciphertext that is to be downloaded.
type Blob struct {
	ID    uint64
	Relay string // the other server that has it, or empty
	Size  int64
}

// Partial is what a download is written to, and goes on from.
type Partial interface {
	io.Writer // appends
	// Reset drops what is there.
	Reset() error
}

// Download appends to dst what it lacks of a ciphertext, of which it has the first have bytes: b.Size bytes in all and not one more. A server that
// sends all of it again has dst begin anew.
func (s *Server) Download(ctx context.Context, who Login, b Blob, have int64, dst Partial) error {
	if b.Size > attachment.BlobSize(attachment.Padded(attachment.MaxSize)) {
		return fmt.Errorf("attachment of %d bytes, want at most %d", b.Size, attachment.MaxSize)
	}
	resp, err := s.get(ctx, who, b, have)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case have > 0 && resp.StatusCode == http.StatusPartialContent && strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)):
	case resp.StatusCode == http.StatusOK:
		if err := dst.Reset(); err != nil {
			return err
		}
		have = 0
	case have > 0 && (resp.StatusCode == http.StatusPartialContent || resp.StatusCode == http.StatusRequestedRangeNotSatisfiable):
		if err := dst.Reset(); err != nil {
			return err
		}
		return fmt.Errorf("the server does not go on after %d bytes of the attachment; it is fetched from its beginning the next time", have)
	default:
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return statusError(resp, text)
	}
	n, err := io.Copy(dst, io.LimitReader(resp.Body, b.Size-have+1))
	switch {
	case err != nil:
		return fmt.Errorf("the attachment broke off after %d of %d bytes: %w", have+n, b.Size, err)
	case have+n < b.Size:
		return fmt.Errorf("the attachment has %d bytes, its sender said %d", have+n, b.Size)
	case have+n > b.Size:
		return fmt.Errorf("the attachment has %d bytes or more, its sender said %d", have+n, b.Size)
	}
	return nil
}

func (s *Server) get(ctx context.Context, who Login, b Blob, have int64) (*http.Response, error) {
	query := ""
	if b.Relay != "" {
		query = "?relay=" + url.QueryEscape(b.Relay)
	}
	var place api.Location
	if err := s.call(ctx, who, "GET", "/v1/attachments/"+strconv.FormatUint(b.ID, 10)+query, nil, &place); err != nil {
		return nil, err
	}
	w := s.way.Load()
	u, err := w.location(place.Location)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, "GET", u, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", agent)
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return nil, w.unreached(err)
	}
	return resp, nil
}

// location checks where the server sends us for a blob: https, or the server itself.
func (w *way) location(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != w.base.Scheme || u.Host != w.base.Host) {
		return "", fmt.Errorf("the server keeps attachments at %.60q, want https, or the server itself", text)
	}
	return u.String(), nil
}
