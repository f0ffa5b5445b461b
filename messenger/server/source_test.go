package server

import (
	"net/http/httptest"
	"net/netip"
	"testing"
)

// Only what our own proxies have added to X-Forwarded-For is believed: the rest is the client's word, who wants to look like many.
func TestSource(t *testing.T) {
	s := &Server{Config: Config{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}}}
	for _, c := range []struct{ remote, forwarded, want string }{
		{"192.0.2.1:5", "", "192.0.2.1"},
		{"192.0.2.1:5", "198.51.100.7", "192.0.2.1"},
		{"10.0.0.1:5", "198.51.100.7", "198.51.100.7"},
		{"10.0.0.1:5", "1.2.3.4, 198.51.100.7", "198.51.100.7"},
		{"10.0.0.1:5", "1.2.3.4, 198.51.100.7, 10.0.0.2", "198.51.100.7"},
		{"10.0.0.1:5", "nonsense", "10.0.0.1"},
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"[::1]:5", "::ffff:198.51.100.7", "198.51.100.7"},
		{"[2001:db8:1:2:3:4:5:6]:5", "", "2001:db8:1:2::/64"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := s.source(r); got != c.want {
			t.Errorf("%s, %q: got %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
	r := httptest.NewRequest("GET", "http://chat.example/", nil)
	r.RemoteAddr = "10.0.0.1:5"
	r.Header.Set("X-Forwarded-Proto", "https")
	if got := s.base(r); got != "https://chat.example" {
		t.Error(got)
	}
	r.RemoteAddr = "192.0.2.1:5"
	if got := s.base(r); got != "http://chat.example" {
		t.Error(got)
	}
}
