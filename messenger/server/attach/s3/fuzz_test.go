package s3

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
)

// said answers every request with the same status, length and body, and counts them.
type said struct {
	status int
	body   string
	asked  int
}

// RoundTrip implements http.RoundTripper.
func (s *said) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked++
	h := http.Header{"Last-Modified": {s.body}, "Content-Length": {s.body}}
	return &http.Response{StatusCode: s.status, Header: h, ContentLength: int64(len(s.body)), Body: io.NopCloser(strings.NewReader(s.body)), Request: r}, nil
}

// FuzzAnswers gives a store's answer to every question of ours: nothing panics, nothing goes on for ever, what is visited has a name that we could have
// given and lies below what was asked for, and no error carries control characters to a terminal.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		"", "<ListBucketResult/>", "Tue, 05 May 2026 10:00:00 GMT", "-1",
		"<ListBucketResult><Contents><Key>p/blobs/ab</Key><Size>5</Size><LastModified>2026-05-05T10:00:00Z</LastModified></Contents></ListBucketResult>",
		"<ListBucketResult><Contents><Key>p/blobs/../x</Key><Size>-5</Size></Contents><IsTruncated>true</IsTruncated><NextContinuationToken>a</NextContinuationToken></ListBucketResult>",
		"<ListBucketResult><Contents><Key>p/blobs/ab</Key><Size>-5</Size></Contents></ListBucketResult>", "<Error><Code>Access\x1bDenied</Code></Error>", "<!DOCTYPE x [<!ENTITY a 'b'>]><ListBucketResult>&a;</ListBucketResult>",
	} {
		f.Add(200, body)
		f.Add(206, body)
		f.Add(403, body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || status >= 500 || status == 429 || status == 409 {
			t.Skip("no final answer: it is asked again after a pause")
		}
		s := &said{status: status, body: body}
		b, err := New(Options{URL: "https://s3.example.org/chat/p", Key: "k", Secret: "s", Now: time.Now, HTTP: s})
		if err != nil {
			t.Fatal(err)
		}
		list := b.List(t.Context(), "blobs/", func(o Object) error {
			if !objectName.MatchString(o.Name) || !strings.HasPrefix(o.Name, "blobs/") || o.Size < 0 {
				t.Errorf("visited %q of %d bytes", o.Name, o.Size)
			}
			return nil
		})
		o, head := b.Head(t.Context(), "blobs/ab")
		if head == nil && (o.Name != "blobs/ab" || o.Size < 0) {
			t.Errorf("%+v", o)
		}
		r, get := b.Get(t.Context(), "blobs/ab", 3)
		if get == nil {
			r.Close()
		}
		for _, err := range []error{list, head, get, b.Delete(t.Context(), "blobs/ab")} {
			if err != nil && strings.ContainsFunc(err.Error(), func(c rune) bool { return unicode.In(c, unicode.Cc, unicode.Cf) }) {
				t.Errorf("%q", err)
			}
		}
		if s.asked > 8 {
			t.Errorf("%d requests", s.asked)
		}
	})
}
