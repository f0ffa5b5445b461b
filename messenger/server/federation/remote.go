package federation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// Remote is a peer, as we ask it. Its methods return refusals that our users' clients understand, and never more of what the peer said than
// could be checked.
type Remote struct {
	peer      Peer
	options   *Options
	transport *http.Transport
	slots     chan struct{} // requests under way
	streams   chan struct{} // attachments under way
	later     chan struct{} // receipts that are sent when the peer is back
	downloads downloads
	breaker   breaker
	closed    context.Context // ends with the node
	close     context.CancelFunc
}

func newRemote(p Peer, o *Options) *Remote {
	closed, end := context.WithCancel(context.Background())
	return &Remote{peer: p, options: o, slots: make(chan struct{}, p.AtOnce), streams: make(chan struct{}, (p.AtOnce+1)/2), later: make(chan struct{}, maxLater),
		downloads: downloads{users: map[string]int{}}, breaker: breaker{now: o.Now}, closed: closed, close: end,
		transport: &http.Transport{ // no proxy, no HTTP/2, no compression: a peer cannot make a little into much
			DialContext: o.Dial, TLSClientConfig: dialTLS(o.Key, p.Pins), TLSHandshakeTimeout: greeting, DisableCompression: true,
			MaxIdleConnsPerHost: p.AtOnce, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 8 << 10,
		}}
}

// Name is what our operator calls the peer; empty for none.
func (r *Remote) Name() string {
	if r == nil {
		return ""
	}
	return r.peer.Name
}

// question is one request to a peer.
type question struct {
	method, route string // route is the pattern, for counters
	path          string
	body          any // nil is none
	limit         int64
	into          any // nil: only the status matters
}

// outcomes for counters where there is no status.
const (
	unreachable = "unreachable"
	nonsense    = "nonsense"
)

// reply is a status with what we read of the answer.
type reply struct {
	status int
	body   []byte
	wait   time.Duration // Retry-After, within bounds
}

// ask sends one request and reads the whole answer, both within the limits. An error is a refusal for our user: 503, for nothing is known about
// what became of the request.
func (r *Remote) ask(ctx context.Context, q question) (reply, error) {
	leave, err := r.enter(r.slots)
	if err != nil {
		return reply{}, err
	}
	defer leave()
	limited, cancel := context.WithTimeout(ctx, r.options.Patience)
	defer cancel()
	resp, err := r.send(limited, q, nil)
	var a reply
	if err == nil {
		defer resp.Body.Close()
		a = reply{status: resp.StatusCode, wait: retryAfter(resp.Header)}
		a.body, err = io.ReadAll(io.LimitReader(resp.Body, q.limit+1))
	}
	if ctx.Err() != nil { // our user left, or we are stopping: not the peer's doing
		return reply{}, fmt.Errorf("peer %s: %w", r.peer.Name, ctx.Err())
	}
	r.breaker.note(err == nil)
	if err != nil {
		r.count(q.route, unreachable)
		return reply{}, r.away(pause)
	}
	if int64(len(a.body)) > q.limit {
		return reply{}, r.nonsense(q)
	}
	r.count(q.route, strconv.Itoa(a.status))
	return a, nil
}

// enter takes a slot, unless the peer is to be left alone or has all it may have.
func (r *Remote) enter(slots chan struct{}) (leave func(), err error) {
	if wait := r.breaker.try(); wait > 0 {
		return nil, r.away(wait)
	}
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	default:
		r.options.Counters.Limited("to peer " + r.peer.Name + ": at once")
		return nil, r.away(time.Second)
	}
}

// send makes the request.
func (r *Remote) send(ctx context.Context, q question, header http.Header) (*http.Response, error) {
	var body io.Reader
	if q.body != nil {
		j, err := marshal(q.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(j)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, r.peer.URL.String()+q.path, body)
	if err != nil {
		return nil, err
	}
	req.Header["Idempotency-Key"] = nil // not sent; it lets net/http repeat on a new connection what died with an idle one. All requests bear it
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", "messengerd")
	return r.transport.RoundTrip(req) // follows no redirect
}

// away refuses because the peer does not answer.
func (r *Remote) away(wait time.Duration) error {
	return &endpoint.Refusal{Status: http.StatusServiceUnavailable, Text: fmt.Sprintf("the server %s does not answer; keep the message and try again", r.peer.Name), Wait: wait}
}

// nonsense refuses because the peer's answer cannot be true.
func (r *Remote) nonsense(q question) error {
	r.count(q.route, nonsense)
	return endpoint.Refuse(http.StatusBadGateway, "the server %s gave an answer that makes no sense", r.peer.Name)
}

func (r *Remote) count(route, outcome string) {
	r.options.Counters.Federated(r.peer.Name, "out", route, outcome)
}

// refused makes of a status that is no success what our user is told. The peer's own words are not passed on.
func (r *Remote) refused(q question, a reply) error {
	switch a.status {
	case http.StatusNotFound:
		return store.ErrNotFound
	case http.StatusTooManyRequests:
		return endpoint.TooMany(a.wait)
	case http.StatusRequestEntityTooLarge, http.StatusLengthRequired: // 6: 413 is a rate limit, too; 8: 411 becomes 413
		if a.wait > 0 {
			return endpoint.TooMany(a.wait)
		}
		return endpoint.Refuse(http.StatusRequestEntityTooLarge, "too large for the server %s", r.peer.Name)
	case http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusBadRequest:
		return endpoint.Refuse(http.StatusBadRequest, "the server %s refuses this", r.peer.Name) // 403 would tell clients of 2016 that their password is wrong
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return r.away(max(a.wait, time.Second))
	}
	return r.nonsense(q)
}

// retryAfter reads the header within bounds: 0 if there is none, else a second to an hour.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseUint(h.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return min(max(time.Duration(n)*time.Second, time.Second), time.Hour)
}

// get asks, and reads a JSON answer that check has to agree with.
func (r *Remote) get(ctx context.Context, q question, check func() error) error {
	a, err := r.ask(ctx, q)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return r.refused(q, a)
	}
	if err := decode(bytes.NewReader(a.body), q.limit, q.into); err != nil {
		return r.nonsense(q)
	}
	if err := check(); err != nil {
		return r.nonsense(q)
	}
	return nil
}

// Hello asks a peer for its name and ours, past the breaker and the limits: for the doctor. Errors are the network's own, ErrPin among them.
func (r *Remote) Hello(ctx context.Context) (h Hello, err error) {
	q := question{method: http.MethodGet, path: "/v3/federation/hello"}
	ctx, cancel := context.WithTimeout(ctx, r.options.Patience)
	defer cancel()
	resp, err := r.send(ctx, q, nil)
	if err != nil {
		return h, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return h, fmt.Errorf("status %d, want 200", resp.StatusCode)
	}
	if err := api.Decode(resp.Body, smallAnswer, &h); err != nil {
		return h, err
	}
	return h, errors.Join(CheckName(h.Name), CheckName(h.You))
}
