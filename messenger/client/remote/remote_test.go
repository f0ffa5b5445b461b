package remote

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
)

func TestWhichServersAreTaken(t *testing.T) {
	for url, want := range map[string]string{
		"https://chat.example.org/":  "",
		"http://127.0.0.1:8080":      "",
		"http://abcdef.onion":        "",
		"http://chat.example.org":    `server "http://chat.example.org": passwords would cross the network in the clear; want https`,
		"chat.example.org":           `server "chat.example.org": want an address such as https://chat.example.org`,
		"https://u:p@chat.example":   `server "https://u:p@chat.example": want an address such as https://chat.example.org`,
		"ftp://chat.example.org":     `server "ftp://chat.example.org": want an address such as https://chat.example.org`,
		"https://chat.example.org?x": `server "https://chat.example.org?x": want an address such as https://chat.example.org`,
	} {
		_, err := New(Options{URL: url})
		if got := text(err); got != want {
			t.Errorf("%s: %q", url, got)
		}
	}
	if _, err := New(Options{URL: "https://x.example", CA: []byte("nonsense")}); text(err) != "certificate authority: no certificate in PEM form" {
		t.Error(err)
	}
	for _, proxy := range []string{"http://ann:secret@127.0.0.1:1", "ann:secret@127.0.0.1", "socks5//ann:secret@h"} {
		if _, err := New(Options{URL: "https://x.example", Proxy: proxy}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want a refusal without the password", proxy, err)
		}
	}
	if _, err := New(Options{URL: "https://x.example", Proxy: "http://127.0.0.1:1"}); text(err) != `proxy "http://127.0.0.1:1": want socks5://host:port` {
		t.Error(err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A server may answer anything.
func TestWhatIsMadeOfAnswers(t *testing.T) {
	var answer func(http.ResponseWriter)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
	defer web.Close()
	s, err := New(Options{URL: web.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	status := func(code int, body string, header ...string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		answer func(http.ResponseWriter)
		want   string
	}{
		{status(200, `{"needsSync":true}`), ""},
		{status(200, `nonsense`), "the server's answer is not the JSON wanted: invalid character 'o' in literal null (expecting 'u')"},
		{status(200, strings.Repeat(" ", maxAnswer+1)), "the server's answer is longer than 4194304 bytes"},
		{status(404, `{"error":"nobody\u001b[31m here"}`), "the server says: nobody[31m here (404)"},
		{status(500, `x`), "the server says: 500 internal server error"},
		{status(302, ``, "Location", "https://evil.example"), "the server says: 302 found"},
		{status(409, `{"missingDevices":[2],"extraDevices":[3]}`), "the recipient's devices are others: 1 missing, 1 too many, 0 installed anew"},
		{status(410, `{"staleDevices":[1]}`), "the recipient's devices are others: 0 missing, 0 too many, 1 installed anew"},
	} {
		answer = c.answer
		if _, err := s.Send(t.Context(), Login{"+1", "p"}, "+2", api.Messages{}); text(err) != c.want {
			t.Errorf("got %q, want %q", text(err), c.want)
		}
	}
	answer = status(429, "", "Retry-After", "7")
	_, err = s.Send(t.Context(), Login{}, "+2", api.Messages{})
	var e *StatusError
	if !errors.As(err, &e) || e.Wait != 7*time.Second || e.Refused() || Status(err) != 429 {
		t.Error(err)
	}
	// Attachments are fetched over https or from the server itself, and never more than was said.
	for _, place := range []string{"http://evil.example/x", "https://u:p@evil.example/x", "file:///etc/passwd", ""} {
		answer = status(200, fmt.Sprintf(`{"location":%q}`, place))
		if err := s.Download(t.Context(), Login{}, Blob{ID: 1, Size: 5}, 0, gone{}); err == nil || !strings.HasPrefix(err.Error(), "the server keeps attachments at ") {
			t.Errorf("%q: %v", place, err)
		}
	}
	first := true
	answer = func(w http.ResponseWriter) {
		if first {
			first = false
			fmt.Fprintf(w, `{"location":%q}`, web.URL+"/blob")
			return
		}
		_, _ = io.WriteString(w, "far too long")
	}
	if err := s.Download(t.Context(), Login{}, Blob{ID: 1, Size: 5}, 0, gone{}); text(err) != "the attachment has 6 bytes or more, its sender said 5" {
		t.Error(err)
	}
}

// gone is where a download goes that nobody keeps.
type gone struct{}

func (gone) Write(b []byte) (int, error) { return len(b), nil }
func (gone) Reset() error                { return nil }
