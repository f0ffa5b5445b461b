package s3

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	for url, want := range map[string]string{
		"https://s3.example.org/chat": "", "https://s3.example.org/chat/": "", "http://127.0.0.1:9000/chat/a/b": "", "http://localhost/chat": "",
		"http://s3.example.org/chat":         "in the clear",
		"s3://chat":                          "want https://host/bucket",
		"https://s3.example.org/chat?x=1":    "want https://host/bucket",
		"https://me:you@s3.example.org/chat": "want https://host/bucket",
		"https://s3.example.org/":            "want the name of a bucket",
		"https://s3.example.org/Chat":        "want the name of a bucket",
		"https://s3.example.org/chat/../x":   "want the name of a bucket",
		"https://s3.example.org/chat/a b":    "want the name of a bucket",
	} {
		_, err := New(Options{URL: url, Key: "k", Secret: "s", Now: time.Now})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	if _, err := New(Options{URL: "https://s3.example.org/chat", Key: "k"}); err == nil {
		t.Error("no secret")
	}
}

// A store that misbehaves: whatever it says ends in an error, soon, and without much memory.
func TestHostileStore(t *testing.T) {
	asked := 0
	var answer http.HandlerFunc
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked++; answer(w, r) }))
	defer srv.Close()
	b, err := New(Options{URL: srv.URL + "/chat", Key: "k", Secret: "s", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	endless := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(200)
		for {
			if _, err := io.WriteString(w, "<ListBucketResult><Contents><Key>"+strings.Repeat("x", 1<<16)); err != nil {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
		asked  int
	}{
		"ill": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, "says 503", 3},
		"conflict": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(409)
			_, _ = io.WriteString(w, "<Error><Code>OperationAborted</Code></Error>")
		}, "says 409 OperationAborted", 3},
		"overloaded": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, "says 429", 3},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		}, "says 307", 1},
		"code": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code></Error>")
		}, "says 403 AccessDenied", 1},
		"code to print": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			_, _ = io.WriteString(w, "<Error><Code>\x1b[2J</Code></Error>")
		}, "says 403", 1},
		"no XML":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }, "the store's list", 1},
		"endless": {endless, "the store's list", 1},
		"goes in circles": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken></ListBucketResult>")
		}, "does not go on", 2},
	} {
		t.Run(name, func(t *testing.T) {
			asked, answer = 0, c.answer
			err := b.List(t.Context(), "blobs/", func(Object) error { return nil })
			if err == nil || !strings.Contains(err.Error(), c.want) || asked != c.asked || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%v after %d requests, want %q after %d", err, asked, c.want, c.asked)
			}
		})
	}
	// Names that are not ours are not visited; a range that is answered with the whole is refused.
	answer = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<ListBucketResult><Contents><Key>blobs/../x</Key></Contents><Contents><Key>other</Key></Contents><Contents><Key>blobs/a b</Key></Contents><Contents><Key>blobs/ab</Key><Size>5</Size></Contents></ListBucketResult>")
	}
	var seen []string
	if err := b.List(t.Context(), "blobs/", func(o Object) error { seen = append(seen, o.Name); return nil }); err != nil || fmt.Sprint(seen) != "[blobs/ab]" {
		t.Errorf("%v, %v", seen, err)
	}
	if _, err := b.Get(t.Context(), "blobs/ab", 5); err == nil || !strings.Contains(err.Error(), "want 206") {
		t.Error(err)
	}
	srv.Close()
	if _, err := b.Head(t.Context(), "blobs/ab"); !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "blobs/ab") {
		t.Error(err)
	}
}
