package event

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
)

// Handler serves a directory of events as a signing room. Mount it at /events/.
//
//	GET /events/                                   listing, JSON
//	GET /events/<id>/                              names of signatures and statements, JSON
//	GET /events/<id>/<file>                        any file of an event; ranges work
//	PUT /events/<id>/signatures/<role>.<keyid>.json
//	PUT /events/<id>/statements/new                (or its name)
//
// A PUT is answered 204 when the answer holds and is stored durably, 422 with the reason when it does
// not hold, 503 when too many are being checked. Nobody logs in: an answer counts by its signature alone.
type Handler struct {
	Store    *DirStore
	Accepted func(ID)      // called after an answer was stored; may be nil
	Busy     chan struct{} // bounds the checks under way by its capacity; nil for no bound
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/events/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	if rest == "" {
		h.list(w, r)
		return
	}
	first, name, slash := strings.Cut(rest, "/")
	id, err := ParseID(first)
	if err != nil || !slash {
		http.NotFound(w, r)
		return
	}
	switch {
	case r.Method == http.MethodPut:
		h.put(w, r, id, name)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD, PUT")
		http.Error(w, "want GET or PUT", http.StatusMethodNotAllowed)
	case name == "":
		h.answers(w, r, id)
	default:
		h.file(w, r, id, name)
	}
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request) {
	entries, err := h.Store.List(r.Context())
	if err != nil {
		http.Error(w, "the room cannot be read", http.StatusInternalServerError)
		return
	}
	for i := range entries { // where the room lies on its disk is nobody's business
		entries[i].Problem = strings.ReplaceAll(entries[i].Problem, h.Store.path, "events")
	}
	sendJSON(w, listing{listingFormat, append([]Entry{}, entries...)})
}

func (h *Handler) answers(w http.ResponseWriter, r *http.Request, id ID) {
	if _, _, err := h.Store.open(id, fileEvent); err != nil {
		http.NotFound(w, r)
		return
	}
	names, err := h.Store.Answers(r.Context(), id)
	if err != nil {
		http.Error(w, "the event cannot be read", http.StatusInternalServerError)
		return
	}
	sendJSON(w, answers{answersFormat, append([]string{}, names...)})
}

func (h *Handler) file(w http.ResponseWriter, r *http.Request, id ID, name string) {
	f, info, err := h.Store.open(id, name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", info.ModTime(), f)
}

func (h *Handler) put(w http.ResponseWriter, r *http.Request, id ID, name string) {
	if h.Busy != nil {
		select {
		case h.Busy <- struct{}{}:
			defer func() { <-h.Busy }()
		default:
			w.Header().Set("Retry-After", "2")
			http.Error(w, "too many answers are being checked", http.StatusServiceUnavailable)
			return
		}
	}
	err := h.take(w, r, id, name)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
		if h.Accepted != nil {
			h.Accepted(id)
		}
	case errors.As(err, &tooLarge):
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	case errors.Is(err, ErrNoEvent), errors.Is(err, fs.ErrNotExist):
		http.Error(w, "no such event", http.StatusNotFound)
	case isRefusal(err):
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
	default:
		http.Error(w, "the answer cannot be stored", http.StatusInternalServerError)
	}
}

// take reads and stores one answer.
func (h *Handler) take(w http.ResponseWriter, r *http.Request, id ID, name string) error {
	max := int64(maxStatement)
	if strings.HasPrefix(name, dirSignatures) {
		max = maxSignature
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, max))
	if err != nil {
		return err
	}
	switch {
	case signatureName.MatchString(name):
		s, err := ParseSignature(b)
		if err != nil {
			return err
		}
		if s.Name() != name {
			return refusef("the signature belongs under %s", s.Name())
		}
		return h.Store.PutSignature(r.Context(), id, s)
	case statementName.MatchString(name), name == "statements/new":
		return h.Store.PutStatement(r.Context(), id, b)
	}
	return refusef("%q is not a place for an answer", clip(name))
}

func sendJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // a reader who went away is no error of ours
}
