// Package endpoint is what all handlers of the server share: a table of routes, who may call them, how an answer or a refusal becomes
// HTTP, and the same routes through a websocket (7.1).
//
// A handler gets a Call and returns a body or an error; it never writes. So one table serves both transports, a test can compare it with
// the OpenAPI file, and what a refusal looks like is decided once.
package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// Access says who may call a route.
type Access int

// Accesses.
const (
	Anyone Access = iota // no credentials asked for
	Device               // any device of an account
	Master               // the account's first device; others get 401
)

// Caller is an authenticated device, as it was when the call began.
type Caller struct {
	Account store.Account
	Device  store.Device
}

// Route is one row of the table.
type Route struct {
	Method string
	// Path is a pattern of net/http without trailing slash; requests may have one or not (6.7).
	Path string
	Who  Access
	// Body is how many bytes a request may have; 0 is none.
	Body int64
	// Handle answers. A nil body is status 204.
	Handle func(*Call) (any, error)
	// Direct handles the request itself: streams and websockets. It cannot be reached through a websocket.
	Direct func(w http.ResponseWriter, r *http.Request)
}

// Call is one request.
type Call struct {
	*http.Request
	Caller *Caller // nil for Anyone
	limit  int64
}

// Context is the request's.
func (c *Call) Context() context.Context { return c.Request.Context() }

// Decode reads the JSON body.
func (c *Call) Decode(v any) error {
	var body io.Reader = c.Body
	if _, known := body.(interface{ Len() int }); !known && c.ContentLength > 0 {
		body = sized{body, int(c.ContentLength)} // so that it is read without growing
	}
	err := api.Decode(body, c.limit, v)
	switch {
	case errors.Is(err, api.ErrTooLarge):
		return Refuse(http.StatusRequestEntityTooLarge, "%v", err)
	case err != nil:
		return Refuse(http.StatusUnprocessableEntity, "%v", err)
	}
	return nil
}

// sized is a body that says how long it is.
type sized struct {
	io.Reader
	n int
}

func (s sized) Len() int { return s.n }

// Text is a body of plain text.
type Text string

// Status is a body with another status than 200.
type Status struct {
	Code int
	Body any
}

// Router answers requests by a table. Authenticate finds out who calls, or returns an error of Refuse.
type Router struct {
	mux          *http.ServeMux
	routes       []Route
	inHand       inHand
	Authenticate func(*http.Request) (*Caller, error)
	// Done is told of every answer: for counters, so it gets the pattern, never the path.
	Done func(route string, status int)
	// Failed is told of errors that are no refusals. They hold no address.
	Failed func(route string, err error)
}

// NewRouter returns a router over a table. Two rows for one request are a mistake of ours, and a panic.
func NewRouter(routes []Route, authenticate func(*http.Request) (*Caller, error)) *Router {
	rt := &Router{mux: http.NewServeMux(), routes: routes, inHand: inHand{bytes: map[store.AccountKey]int64{}}, Authenticate: authenticate,
		Done: func(string, int) {}, Failed: func(string, error) {}}
	for i := range routes {
		r := &routes[i]
		rt.mux.HandleFunc(r.Method+" "+r.Path, func(w http.ResponseWriter, req *http.Request) { rt.serve(w, req, r) })
	}
	return rt
}

// Routes returns the table.
func (rt *Router) Routes() []Route { return rt.routes }

// ServeHTTP implements http.Handler.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p := r.URL.Path; len(p) > 1 && strings.HasSuffix(p, "/") {
		u := *r.URL
		u.Path, u.RawPath = strings.TrimRight(p, "/"), strings.TrimRight(u.RawPath, "/")
		r2 := *r
		r2.URL, r = &u, &r2
	}
	rt.mux.ServeHTTP(w, r)
}

func (rt *Router) serve(w http.ResponseWriter, req *http.Request, r *Route) {
	name := r.Method + " " + r.Path
	if r.Direct != nil {
		if tunnelled(req.Context()) != nil {
			rt.refuse(w, req, name, Refuse(http.StatusNotFound, "not through a websocket"))
			return
		}
		r.Direct(w, req)
		return
	}
	call := &Call{Request: req, limit: r.Body}
	if err := rt.admit(call, r); err != nil {
		rt.refuse(w, req, name, err)
		return
	}
	if call.Caller != nil {
		put, err := rt.inHand.take(call.Caller.Account.Key, req, r.Body)
		if err != nil {
			rt.refuse(w, req, name, err)
			return
		}
		defer put()
	}
	body, err := r.Handle(call)
	if err != nil {
		rt.refuse(w, req, name, err)
		return
	}
	rt.Done(name, write(w, body))
}

// admit finds out who calls, and whether they may.
func (rt *Router) admit(call *Call, r *Route) error {
	if call.ContentLength > r.Body {
		return Refuse(http.StatusRequestEntityTooLarge, "a body of %d bytes, want at most %d", call.ContentLength, r.Body)
	}
	if r.Who == Anyone {
		return nil
	}
	caller, err := rt.Authenticate(call.Request)
	if err != nil {
		return err
	}
	if r.Who == Master && caller.Device.ID != store.MasterDevice {
		return Refuse(http.StatusUnauthorized, "only the account's first device may do this")
	}
	call.Caller = caller
	return nil
}

// write sends a body and returns the status.
func write(w http.ResponseWriter, body any) int {
	status := http.StatusOK
	if s, ok := body.(Status); ok {
		status, body = s.Code, s.Body
	}
	switch b := body.(type) {
	case nil:
		if status == http.StatusOK {
			status = http.StatusNoContent
		}
		w.WriteHeader(status)
	case Text:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(b)) // an asker who left needs no answer
	default:
		j, err := json.Marshal(b)
		if err != nil {
			panic("internal error: an answer that is no JSON: " + err.Error())
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write(j)
	}
	return status
}

// seconds rounds a wait up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
