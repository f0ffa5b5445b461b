package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/countersign-project/countersign/messenger/attachment"
)

// upload takes the bytes of a file into the account, which encrypts them on the way: no plain copy touches the disk. X-Name has the file's
// name, percent-encoded. The answer's id is for "uploads" of the method send.
func (p *Page) upload(s *session, w http.ResponseWriter, q *http.Request) {
	name, err := url.PathUnescape(q.Header.Get("X-Name"))
	switch {
	case !p.use(s) || p.Server().Account == nil:
		http.Error(w, "locked", http.StatusForbidden)
	case err != nil || len(name) > 1000:
		http.Error(w, "X-Name: want a percent-encoded file name", http.StatusBadRequest)
	case q.ContentLength < 0:
		http.Error(w, "want Content-Length", http.StatusLengthRequired)
	case q.ContentLength > attachment.MaxSize:
		http.Error(w, fmt.Sprintf("a file of %d bytes, want at most %d", q.ContentLength, attachment.MaxSize), http.StatusRequestEntityTooLarge)
	default:
		id, err := p.Server().Upload(q.Context(), http.MaxBytesReader(w, q.Body, q.ContentLength), q.ContentLength, name, q.Header.Get("Content-Type"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		writeJSON(w, map[string]string{"id": id})
	}
}

// file answers {"id":"17/0"} with the bytes of a file somebody has sent, as something to be saved and never to be shown: whoever opens this
// address by itself gets a sandbox without scripts. With "progress" how far it is comes as notifications of that name over /events. If the bytes do not prove whole the connection breaks off before its end.
func (p *Page) file(s *session, w http.ResponseWriter, q *http.Request) {
	var in struct {
		ID       string `json:"id"`
		Progress string `json:"progress"`
	}
	if !isJSON(q) || json.NewDecoder(http.MaxBytesReader(w, q.Body, maxToken)).Decode(&in) != nil {
		http.Error(w, "want {\"id\":…} as application/json", http.StatusBadRequest)
		return
	}
	if !p.use(s) || p.Server().Account == nil {
		http.Error(w, "locked", http.StatusForbidden)
		return
	}
	f, err := p.Server().Attachment(q.Context(), in.ID)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	tell, err := s.rpc().Progress(in.Progress)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out := &body{w: w, size: f.Size}
	if err := p.Server().Account.Download(q.Context(), f, out, tell); err != nil {
		if out.begun {
			panic(http.ErrAbortHandler)
		}
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	out.begin() // of an empty file
}

// body sends the headers of a file with its first bytes, when it is known to be there.
type body struct {
	w     http.ResponseWriter
	size  int64
	begun bool
}

func (b *body) begin() {
	if b.begun {
		return
	}
	b.begun = true
	h := b.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", "attachment")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Length", strconv.FormatInt(b.size, 10))
}

// Write sends.
func (b *body) Write(p []byte) (int, error) {
	b.begin()
	return b.w.Write(p)
}
