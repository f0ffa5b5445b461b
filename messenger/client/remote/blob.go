package remote

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/countersign-project/countersign/messenger/attachment"
	"github.com/countersign-project/countersign/messenger/server/api"
)

// Upload stores a ciphertext of that many bytes and returns its id (6.5).
func (s *Server) Upload(ctx context.Context, who Login, blob io.Reader, size int64) (id uint64, err error) {
	var place api.Attachment
	if err := s.call(ctx, who, "GET", "/v1/attachments", nil, &place); err != nil {
		return 0, err
	}
	if place.IDString != "" {
		if place.ID, err = strconv.ParseUint(place.IDString, 10, 63); err != nil {
			return 0, fmt.Errorf("the server's attachment id %.30q is no number", place.IDString)
		}
	}
	u, err := s.location(place.Location)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, "PUT", u, io.NopCloser(blob))
	if err != nil {
		return 0, err
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("User-Agent", agent)
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, unreached(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // for people, if at all
	if resp.StatusCode/100 != 2 {
		return 0, statusError(resp, b)
	}
	return place.ID, nil
}

// Download copies the ciphertext with that id to dst, size bytes and not one more. Relay is the other server that has it, or empty.
func (s *Server) Download(ctx context.Context, who Login, id uint64, relay string, size int64, dst io.Writer) error {
	if size > attachment.BlobSize(attachment.Padded(attachment.MaxSize)) {
		return fmt.Errorf("attachment of %d bytes, want at most %d", size, attachment.MaxSize)
	}
	query := ""
	if relay != "" {
		query = "?relay=" + url.QueryEscape(relay)
	}
	var place api.Location
	if err := s.call(ctx, who, "GET", "/v1/attachments/"+strconv.FormatUint(id, 10)+query, nil, &place); err != nil {
		return err
	}
	u, err := s.location(place.Location)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, "GET", u, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", agent)
	resp, err := s.http.Do(req)
	if err != nil {
		return unreached(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return statusError(resp, b)
	}
	n, err := io.Copy(dst, io.LimitReader(resp.Body, size+1))
	switch {
	case err != nil:
		return fmt.Errorf("the attachment broke off after %d of %d bytes: %w", n, size, err)
	case n != size:
		return fmt.Errorf("the attachment has %d bytes or more, its sender said %d", n, size)
	}
	return nil
}

// location checks where the server sends us for a blob: https, or the server itself.
func (s *Server) location(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != s.base.Scheme || u.Host != s.base.Host) {
		return "", fmt.Errorf("the server keeps attachments at %.60q, want https, or the server itself", text)
	}
	return u.String(), nil
}
