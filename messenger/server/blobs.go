package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/attach"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// Bounds of attachments (6.5).
const (
	// MaxAttachment is room for a file of 100 MiB, which clients pad by up to five per cent.
	MaxAttachment  = 106 << 20
	uploadLife     = time.Hour
	attachmentLife = 45 * 24 * time.Hour
	// slowest is the rate in bytes a second below which an upload or download is cut, after a minute of grace.
	slowest = 8 << 10
	// finishing is how long the store of blobs may take with a whole upload.
	finishing = 2 * time.Minute
)

// allocateAttachment is GET /v1/attachments.
func (s *Server) allocateAttachment(c *endpoint.Call) (any, error) {
	if err := s.allow("attachments", s.limits.attachments, accountBucket(c)); err != nil {
		return nil, err
	}
	n, err := rand.Int(s.Rand, big.NewInt(math.MaxInt64))
	if err != nil {
		return nil, fmt.Errorf("random id: %w", err)
	}
	id := n.Int64() + 1
	if err := s.Store.Allocate(c.Context(), id, c.Caller.Account.Key, s.Now().Add(uploadLife)); err != nil {
		return nil, err
	}
	return api.Attachment{ID: uint64(id), IDString: strconv.FormatInt(id, 10), Location: s.blobURL(c.Request, id)}, nil
}

func (s *Server) blobURL(r *http.Request, id int64) string {
	return s.base(r) + "/v3/blobs/" + strconv.FormatInt(id, 10)
}

// locateAttachment is GET /v1/attachments/{id}.
func (s *Server) locateAttachment(c *endpoint.Call) (any, error) {
	if relay := c.URL.Query().Get("relay"); relay != "" && !s.Peers.Own(relay) {
		return s.locateRemote(c, relay)
	}
	a, err := s.attachment(c.Context(), c.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return api.Location{Location: s.blobURL(c.Request, a.ID)}, nil
}

func (s *Server) attachment(ctx context.Context, text string) (store.Attachment, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return store.Attachment{}, endpoint.Refuse(http.StatusNotFound, "no such attachment")
	}
	return s.Store.AttachmentOf(ctx, id, s.Now())
}

// download is GET /v3/blobs/{id}, with Range. Who knows the id may read the ciphertext.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	const route = "GET /v3/blobs/{id}"
	a, err := s.attachment(r.Context(), r.PathValue("id"))
	if err == nil && !a.Complete {
		err = store.ErrNotFound
	}
	if err != nil {
		s.router.Write(w, r, route, err)
		return
	}
	f, err := s.Blobs.Open(r.Context(), a.Hash)
	if err != nil {
		s.router.Write(w, r, route, blobRefusal(err))
		return
	}
	defer f.Close()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute + time.Duration(a.Size/slowest)*time.Second))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "private, immutable")
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, a.Hash))
	http.ServeContent(w, r, "", time.Time{}, f)
	s.Metrics.Answered(route, http.StatusOK)
}

// upload is PUT /v3/blobs/{id}: a whole ciphertext, or with Content-Range one piece after another. An unfinished one is answered 308 with the
// Range that has come; an empty piece "bytes */*" asks for it.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	const route = "PUT /v3/blobs/{id}"
	have, whole, err := s.receive(w, r)
	switch {
	case err != nil && errors.Is(err, attach.ErrOffset):
		resumeAt(w, have)
		s.router.Write(w, r, route, endpoint.Refuse(http.StatusRequestedRangeNotSatisfiable, "the piece does not begin where the last one ended: %d bytes have come", have))
	case err != nil:
		s.router.Write(w, r, route, blobRefusal(err))
	case !whole:
		resumeAt(w, have)
		w.WriteHeader(http.StatusPermanentRedirect)
		s.Metrics.Answered(route, http.StatusPermanentRedirect)
	default:
		w.WriteHeader(http.StatusOK)
		s.Metrics.Answered(route, http.StatusOK)
	}
}

func resumeAt(w http.ResponseWriter, have int64) {
	if have > 0 {
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", have-1))
	}
}

// receive takes what has come, and finishes the upload when it is whole.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) (have int64, whole bool, err error) {
	a, err := s.attachment(r.Context(), r.PathValue("id"))
	if err != nil {
		return 0, false, err
	}
	if a.Complete {
		return a.Size, false, endpoint.Refuse(http.StatusConflict, "the attachment is complete already")
	}
	p, err := parsePiece(r.Header.Get("Content-Range"), r.ContentLength)
	if err != nil {
		return 0, false, err
	}
	if p.query {
		have, err = s.Blobs.Received(r.Context(), a.ID)
		return have, false, err
	}
	if err := s.allowN("uploads", s.limits.uploads, strconv.FormatInt(int64(a.Owner), 36), int(r.ContentLength>>20)+1); err != nil {
		return 0, false, err
	}
	end := time.Now().Add(time.Minute + time.Duration(r.ContentLength/slowest)*time.Second)
	_ = http.NewResponseController(w).SetReadDeadline(end)
	_ = http.NewResponseController(w).SetWriteDeadline(end.Add(finishing)) // the server's own ends before a long upload does

	if p.offset == 0 { // a whole upload begins anew, whatever an earlier try left
		if err := s.Blobs.Reset(r.Context(), a.ID); err != nil {
			return 0, false, err
		}
	}
	have, err = s.Blobs.Append(r.Context(), a.ID, p.offset, io.LimitReader(r.Body, r.ContentLength), MaxAttachment)
	if err != nil || have < p.total {
		return have, false, err
	}
	return have, true, s.Blobs.Finish(r.Context(), a.ID, func(h attach.Hash, size int64) error {
		return s.Store.CompleteAttachment(r.Context(), a.ID, size, h, s.Now().Add(attachmentLife))
	})
}

// piece is what a PUT says it carries.
type piece struct {
	offset, total int64
	query         bool // nothing; asks how much has come
}

// parsePiece reads Content-Range, "bytes 0-99/1000", and without it takes the body for the whole.
func parsePiece(header string, length int64) (p piece, err error) {
	switch {
	case length < 0:
		return p, endpoint.Refuse(http.StatusLengthRequired, "Content-Length is missing")
	case header == "" && length == 0:
		return p, endpoint.Refuse(http.StatusBadRequest, "the attachment is empty")
	case header == "":
		p.total = length
	case strings.HasPrefix(header, "bytes */") && length == 0:
		return piece{query: true}, nil
	default:
		var last int64
		n, err := fmt.Sscanf(header, "bytes %d-%d/%d", &p.offset, &last, &p.total)
		if err != nil || n != 3 || p.offset < 0 || last < p.offset || last >= p.total || last-p.offset+1 != length {
			return p, endpoint.Refuse(http.StatusBadRequest, "Content-Range %.60q does not fit a body of %d bytes", header, length)
		}
	}
	if p.total > MaxAttachment {
		return p, blobRefusal(attach.ErrTooLarge)
	}
	return p, nil
}

func blobRefusal(err error) error {
	switch {
	case errors.Is(err, attach.ErrTooLarge):
		return endpoint.Refuse(http.StatusRequestEntityTooLarge, "%v: want at most %d bytes", attach.ErrTooLarge, MaxAttachment)
	case errors.Is(err, attach.ErrBusy):
		return endpoint.Refuse(http.StatusConflict, "%v", err)
	case errors.Is(err, attach.ErrNotFound):
		return endpoint.Refuse(http.StatusNotFound, "%v", err)
	case errors.Is(err, attach.ErrFull):
		return endpoint.Refuse(http.StatusInsufficientStorage, "%v", err)
	case errors.Is(err, attach.ErrAway):
		return &endpoint.Refusal{Status: http.StatusServiceUnavailable, Text: attach.ErrAway.Error() + "; try again", Wait: 5 * time.Second}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return endpoint.Refuse(http.StatusBadRequest, "the upload broke off; go on with Content-Range")
	}
	return err
}
