package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The world of these tests: mirrors in memory behind one http.RoundTripper, each honest or with one fault.
// Nothing listens, nothing waits for a real clock.

// small is a metadata file and big a target; the stale and mixed mirrors have others under these names.
var (
	small = []byte(`{"signed":{"version":7},"signatures":[]}`)
	old   = []byte(`{"signed":{"version":5},"signatures":[]}`)
	big   = pattern(300_000)
)

const (
	smallPath = "metadata/timestamp.json"
	bigPath   = "targets/stable/1.4.0/linux-amd64/messenger"
)

// pattern returns n bytes in which no two places look alike.
func pattern(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		sum := sha256.Sum256(fmt.Append(nil, i))
		b.Write(sum[:])
	}
	return b.Bytes()[:n]
}

var errWrongVersion = errors.New("version 7 wanted")

// judge stands for the client that verifies metadata.
func judge(b []byte) error {
	if !bytes.Equal(b, small) {
		return errWrongVersion
	}
	return nil
}

// faults is what a mirror can do to us. Each gets the request and the right bytes.
var faults = map[string]func(req *http.Request, right []byte) (*http.Response, error){
	"404":       func(r *http.Request, _ []byte) (*http.Response, error) { return status(r, 404), nil },
	"403":       func(r *http.Request, _ []byte) (*http.Response, error) { return status(r, 403), nil },
	"500":       func(r *http.Request, _ []byte) (*http.Response, error) { return status(r, 500), nil },
	"truncated": func(r *http.Request, b []byte) (*http.Response, error) { return answerWith(r, b[:len(b)/2], -1), nil },
	"truncated with length": func(r *http.Request, b []byte) (*http.Response, error) {
		return answerWith(r, b[:len(b)/2], int64(len(b))), nil
	},
	"longer": func(r *http.Request, b []byte) (*http.Response, error) {
		return answerWith(r, append(bytes.Clone(b), "more"...), -1), nil
	},
	"endless": func(r *http.Request, b []byte) (*http.Response, error) {
		resp := answerWith(r, nil, -1)
		resp.Body = io.NopCloser(zeros{})
		return resp, nil
	},
	"wrong content-length, more": func(r *http.Request, b []byte) (*http.Response, error) { return answerWith(r, b, int64(len(b))+1), nil },
	"wrong content-length, less": func(r *http.Request, b []byte) (*http.Response, error) {
		return answerWith(r, b[:len(b)-1], int64(len(b))-1), nil
	},
	"redirect loop": func(r *http.Request, _ []byte) (*http.Response, error) {
		resp := status(r, 302)
		resp.Header.Set("Location", r.URL.String())
		return resp, nil
	},
	"redirect to another scheme": func(r *http.Request, _ []byte) (*http.Response, error) {
		resp := status(r, 302)
		resp.Header.Set("Location", "file:///etc/passwd")
		return resp, nil
	},
	"stale": func(r *http.Request, b []byte) (*http.Response, error) {
		if len(b) == len(small) {
			return answerWith(r, old, int64(len(old))), nil
		}
		return status(r, 404), nil // it has not got the new version yet
	},
	"mixed": func(r *http.Request, b []byte) (*http.Response, error) {
		mix := bytes.Clone(b)
		copy(mix[len(mix)/2:], pattern(len(mix)))
		return answerWith(r, mix, int64(len(mix))), nil
	},
	"compressed": func(r *http.Request, b []byte) (*http.Response, error) {
		resp := answerWith(r, b, -1)
		resp.Header.Set("Content-Encoding", "gzip")
		return resp, nil
	},
	"1-byte drip": func(r *http.Request, b []byte) (*http.Response, error) {
		resp := answerWith(r, nil, int64(len(b)))
		resp.Body = &drip{ctx: r.Context(), left: b}
		return resp, nil
	},
	"connection reset": func(r *http.Request, b []byte) (*http.Response, error) {
		resp := answerWith(r, nil, int64(len(b)))
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(b[:len(b)/2]), broken{syscall.ECONNRESET}))
		return resp, nil
	},
	"connection refused": func(*http.Request, []byte) (*http.Response, error) { return nil, syscall.ECONNREFUSED },
	"hang": func(r *http.Request, _ []byte) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	},
	"hang in body": func(r *http.Request, b []byte) (*http.Response, error) {
		resp := answerWith(r, nil, int64(len(b)))
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(b[:10]), hanging{r.Context()}))
		return resp, nil
	},
	"silent reader": func(r *http.Request, b []byte) (*http.Response, error) {
		resp := answerWith(r, nil, int64(len(b)))
		resp.Body = io.NopCloser(silent{})
		return resp, nil
	},
}

func status(r *http.Request, code int) *http.Response {
	return &http.Response{StatusCode: code, Status: fmt.Sprintf("%d %s", code, http.StatusText(code)),
		Header: http.Header{}, Body: http.NoBody, Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
}

func answerWith(r *http.Request, b []byte, length int64) *http.Response {
	resp := status(r, 200)
	resp.ContentLength = length
	resp.Body = io.NopCloser(bytes.NewReader(b))
	return resp
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

type hanging struct{ ctx context.Context }

func (h hanging) Read([]byte) (int, error) { <-h.ctx.Done(); return 0, h.ctx.Err() }

// silent gives nothing and no error, over and over.
type silent struct{}

func (silent) Read([]byte) (int, error) { time.Sleep(400 * time.Millisecond); return 0, nil }

// drip gives one byte a second, a little off the beat of whoever measures.
type drip struct {
	ctx   context.Context
	left  []byte
	begun bool
}

func (d *drip) Read(p []byte) (int, error) {
	wait := time.Second
	if !d.begun {
		d.begun, wait = true, 700*time.Millisecond
	}
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(wait):
	}
	if len(d.left) == 0 {
		return 0, io.EOF
	}
	p[0], d.left = d.left[0], d.left[1:]
	return 1, nil
}

func (d *drip) Close() error { return nil }

// mirrors is the network: the host name of a request says how its mirror behaves.
type mirrors struct {
	mu       sync.Mutex
	files    map[string][]byte
	old      map[string][]byte // what a mirror that replays the past has
	affected *regexp.Regexp    // the paths on which mirrors misbehave; nil: all
	requests []string          // "host path range"
}

func newMirrors() *mirrors {
	return &mirrors{files: map[string][]byte{smallPath: small, bigPath: big}}
}

// host turns the name of a fault into a host name.
func host(fault string) string { return strings.NewReplacer(" ", "-", ",", "").Replace(fault) }

func (m *mirrors) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	m.requests = append(m.requests, strings.TrimSpace(r.URL.Host+" "+r.URL.Path+" "+r.Header.Get("Range")))
	m.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/")
	right, there := m.files[name]
	bad := m.affected == nil || m.affected.MatchString(name)
	if past, ok := m.old[name]; bad && r.URL.Host == host("replays the past") {
		if !ok {
			return status(r, 404), nil
		}
		return answerWith(r, past, int64(len(past))), nil
	}
	if !bad {
		return m.honest(r, right, there)
	}
	for name, fault := range faults {
		if r.URL.Host == host(name) {
			if !there {
				right = pattern(100) // it makes something up
			}
			return fault(r, right)
		}
	}
	return m.honest(r, right, there)
}

// honest is the standard library's file server.
func (m *mirrors) honest(r *http.Request, right []byte, there bool) (*http.Response, error) {
	if !there {
		return status(r, 404), nil
	}
	if r.URL.Host == "no-range" {
		return answerWith(r, right, int64(len(right))), nil
	}
	rec := httptest.NewRecorder()
	http.ServeContent(rec, r, "", time.Time{}, bytes.NewReader(right))
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

// courier returns a courier over mirrors of these behaviours, and the list its events go to.
func (m *mirrors) courier(behaviours ...string) (*Courier, *[]Event) {
	events := &[]Event{}
	c := &Courier{Report: func(e Event) { *events = append(*events, e) }}
	for _, b := range behaviours {
		c.Sources = append(c.Sources, HTTP("https://"+host(b)+"/", &http.Client{Transport: m}))
	}
	return c, events
}
