package endpoint

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// Refusal is an answer other than success.
type Refusal struct {
	Status int
	// Body is sent as JSON; nil is an api.Error with the text.
	Body any
	Text string
	Wait time.Duration // for Retry-After
}

func (r *Refusal) Error() string { return fmt.Sprintf("%d: %s", r.Status, r.Text) }

// Refuse returns a refusal whose text is for the person at the other end.
func Refuse(status int, format string, args ...any) error {
	return &Refusal{Status: status, Text: fmt.Sprintf(format, args...)}
}

// RefuseWith returns a refusal with a body that clients read.
func RefuseWith(status int, body any) error {
	return &Refusal{Status: status, Body: body, Text: http.StatusText(status)}
}

// TooMany refuses by a rate limit. Which status that is depends on the generation of the path (6.8).
func TooMany(wait time.Duration) error {
	return &Refusal{Status: http.StatusTooManyRequests, Text: "too often; try again later", Wait: wait}
}

// refusalOf makes a refusal of any error. What handlers did not expect of the store is about the server, not about the caller.
func refusalOf(err error) (r *Refusal, expected bool) {
	switch {
	case errors.As(err, &r):
		return r, true
	case errors.Is(err, store.ErrNotFound):
		return &Refusal{Status: http.StatusNotFound, Text: "no such user, device or thing"}, true
	case errors.Is(err, store.ErrUnavailable):
		return &Refusal{Status: http.StatusServiceUnavailable, Text: "the server's database does not answer; try again", Wait: 5 * time.Second}, false
	}
	return &Refusal{Status: http.StatusInternalServerError, Text: "internal error"}, false
}

func (rt *Router) refuse(w http.ResponseWriter, req *http.Request, route string, err error) {
	r, expected := refusalOf(err)
	if !expected {
		rt.Failed(route, err)
	}
	status, body := r.Status, r.Body
	if body == nil {
		body = api.Error{Error: r.Text}
	}
	if r.Wait > 0 {
		w.Header().Set("Retry-After", seconds(r.Wait))
	}
	if status == http.StatusTooManyRequests && !strings.HasPrefix(req.URL.Path, "/v3/") {
		status = http.StatusRequestEntityTooLarge // what clients of 2016 know
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="messenger"`)
	}
	write(w, Status{status, body})
	rt.Done(route, status)
}

// Write sends a refusal for a Direct route.
func (rt *Router) Write(w http.ResponseWriter, req *http.Request, route string, err error) {
	rt.refuse(w, req, route, err)
}
