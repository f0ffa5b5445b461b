package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
)

// maxAuthorization bounds what is looked at of an authority's answer; autocert reads all of it in any case.
const maxAuthorization = 64 << 10

// reasons notes why an authority found that a name is not ours, which autocert drops: it says only that no kind of challenge is left.
type reasons struct {
	http.RoundTripper

	mu   sync.Mutex
	last map[string]string // mu; by name; names of our own only
}

// authorization is what is needed of RFC 8555, 7.1.4 and 8.
type authorization struct {
	Identifier struct{ Value string }
	Challenges []struct{ Error struct{ Detail string } }
}

func (r *reasons) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.RoundTripper.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, maxAuthorization))
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	var a authorization
	if json.Unmarshal(head, &a) == nil { // else it is a certificate, or something else that is not looked for
		r.note(&a)
	}
	return resp, nil
}

func (r *reasons) note(a *authorization) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ours := r.last[a.Identifier.Value]; !ours {
		return
	}
	for _, c := range a.Challenges {
		if c.Error.Detail != "" {
			r.last[a.Identifier.Value] = c.Error.Detail
		}
	}
}

// take returns the reason that was given since the last time; empty if none.
func (r *reasons) take(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	reason := r.last[name]
	r.last[name] = ""
	return reason
}
