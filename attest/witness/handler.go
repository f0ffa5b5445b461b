package witness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Bounds on what strangers can make a witness hold open or work on.
const (
	maxRequests = 16               // worked on at one time; more are told to come again
	bodyTimeout = 10 * time.Second // to send a request, which is at most 150 kB
	timeout     = 30 * time.Second // to take the answer; between two requests
	maxHeader   = 8 << 10
	graceful    = 10 * time.Second // to finish answers when it ends
)

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
	case errors.As(err, &no) && no.Status == http.StatusConflict && !no.Fork:
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		_, _ = rw.Write(append(strconv.AppendUint(nil, no.Known, 10), '\n'))
	case errors.As(err, &no):
		http.Error(rw, no.Reason, no.Status)
	default:
		http.Error(rw, "internal error", http.StatusInternalServerError) // the cause is for our own eyes
	}
}

// Serve answers on ln until ctx ends, then lets answers under way finish.
func Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: bodyTimeout, ReadTimeout: bodyTimeout, WriteTimeout: timeout, IdleTimeout: timeout, MaxHeaderBytes: maxHeader}
	closed := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceful)
		defer cancel()
		err := srv.Shutdown(end)
		if errors.Is(err, context.DeadlineExceeded) {
			err = srv.Close()
		}
		closed <- err
	})
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return err
	}
	return <-closed
}
