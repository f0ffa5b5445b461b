package witness

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// maxRequests is how many requests are worked on at one time; more are told to come again.
const maxRequests = 16

// Handler answers POST /add-checkpoint. told is called after each answer, with the error it gave or nil;
// it may be nil and is called concurrently.
func (w *Witness) Handler(told func(body []byte, err error)) http.Handler {
	busy := make(chan struct{}, maxRequests)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", func(rw http.ResponseWriter, r *http.Request) {
		select {
		case busy <- struct{}{}:
			defer func() { <-busy }()
		default:
			rw.Header().Set("Retry-After", "1")
			http.Error(rw, "busy", http.StatusServiceUnavailable)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, int64(MaxRequest)))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			http.Error(rw, fmt.Sprintf("request of more than %d bytes", MaxRequest), http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			return // the sender went away
		}
		lines, err := w.Add(body)
		answer(rw, lines, err)
		if told != nil {
			told(body, err)
		}
	})
	return mux
}

func answer(rw http.ResponseWriter, lines []byte, err error) {
	var no *Refusal
	switch {
	case err == nil:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = rw.Write(lines)
	case errors.As(err, &no) && no.Status == http.StatusConflict && no.Evidence == "":
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		_, _ = rw.Write(append(strconv.AppendUint(nil, no.Known, 10), '\n'))
	case errors.As(err, &no):
		http.Error(rw, no.Reason, no.Status)
	default:
		http.Error(rw, "internal error", http.StatusInternalServerError) // the cause is for our own eyes
	}
}
