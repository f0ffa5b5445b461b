package server

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealth(t *testing.T) {
	for _, c := range []struct {
		method, path string
		code         int
		body         string
	}{
		{"GET", "/health", 200, `{"status":"ok","version":"1.4.0"}`},
		{"HEAD", "/health", 200, ""},
		{"POST", "/health", 405, "Method Not Allowed"},
		{"GET", "/", 404, "404 page not found"},
		{"GET", "/health/x", 404, "404 page not found"},
	} {
		w := httptest.NewRecorder()
		Handler("1.4.0").ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if got := strings.TrimSpace(w.Body.String()); w.Code != c.code || c.body != "" && got != c.body {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, w.Code, got, c.code, c.body)
		}
	}
}
