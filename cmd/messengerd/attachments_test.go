//go:build linux

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/deliver/peer"
)

// put sends one piece to where an attachment shall go, as a client does: without credentials.
func (r *running) put(location, contentRange, body string) (int, string) {
	r.o.Helper()
	req, err := http.NewRequest("PUT", location, strings.NewReader(body))
	must(r.o.T, err)
	if contentRange != "" {
		req.Header.Set("Content-Range", contentRange)
	}
	resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	must(r.o.T, err)
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Range")
}

func (r *running) allocate(login string) api.Attachment {
	r.o.Helper()
	code, body := r.request("http", login, "GET", "/v1/attachments", "")
	var a api.Attachment
	if err := json.Unmarshal([]byte(body), &a); code != 200 || err != nil {
		r.o.Fatalf("%d %s", code, body)
	}
	return a
}

// Attachments in a bucket of a real S3-compatible store: in pieces, by range, while the store is away, and what the doctor says.
func TestAttachmentsInABucket(t *testing.T) {
	store := peer.StartS3(t)
	o := newOperator(t)
	credentials := filepath.Join(o.dir, "credentials")
	write := func(text string) { must(t, os.WriteFile(credentials, []byte(text), 0o600)) }
	write(store.Key + "\nnot the secret\n")
	args := []string{"--attachments", store.URL, "--attachments-credentials", credentials}
	if out, _ := o.run(1, append([]string{"doctor", "--listen", "127.0.0.1:1"}, args...)...); !strings.Contains(out, "wrong    attachments: the store of objects says 403 SignatureDoesNotMatch") {
		t.Error(out)
	}
	write("one line\n")
	if _, stderr := o.run(3, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...); !strings.Contains(stderr, "1 lines, want two: the access key's id, and its secret") {
		t.Error(stderr)
	}
	write(store.Key + "\n" + store.Secret + "\n")
	if out, _ := o.run(0, append([]string{"doctor", "--listen", "127.0.0.1:1"}, args...)...); !strings.Contains(out, "ok       attachments: in "+store.URL) {
		t.Error(out)
	}
	const ann, bob = "+14155550001", "+14155550002"
	r := o.serve(append(args, "--development")...)
	r.register(ann)
	r.register(bob)
	a := r.allocate(ann)
	if code, come := r.put(a.Location, "bytes 0-5/11", "hello "); code != 308 || come != "bytes=0-5" {
		t.Fatalf("%d %s", code, come)
	}
	r.kill() // in the middle
	r = o.serve(append(args, "--development")...)
	location := "http://" + r.address + "/v3/blobs/" + a.IDString
	if code, come := r.put(location, "bytes */11", ""); code != 308 || come != "bytes=0-5" {
		t.Fatalf("%d %s", code, come)
	}
	if code, _ := r.put(location, "bytes 6-10/11", "world"); code != 200 {
		t.Fatal(code)
	}
	read := func(byteRange string, status int) string {
		t.Helper()
		req, err := http.NewRequest("GET", location, nil)
		must(t, err)
		if byteRange != "" {
			req.Header.Set("Range", byteRange)
		}
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		must(t, err)
		if resp.StatusCode != status {
			t.Errorf("%d %s, want %d", resp.StatusCode, b, status)
		}
		return string(b)
	}
	if whole, part := read("", 200), read("bytes=6-8", 206); whole != "hello world" || part != "wor" {
		t.Errorf("%q, %q", whole, part)
	}
	if files, _ := filepath.Glob(filepath.Join(o.home, "messengerd", "data", "attachments", "*", "*")); len(files) != 0 {
		t.Errorf("on this disk: %v", files)
	}
	store.Stop(syscall.SIGKILL)
	second := r.allocate(ann)
	if code, _ := r.put(second.Location, "", "meanwhile"); code != 503 {
		t.Errorf("the store is away: %d", code)
	}
	read("", 503)
	if code, body := r.post(ann, bob, 1); code != 200 {
		t.Errorf("a message: %d %s", code, body)
	}
	if code, body := r.ready(); code != 200 {
		t.Errorf("%d %s", code, body)
	}
	if out, _ := o.run(1, append([]string{"doctor", "--listen", "127.0.0.1:1"}, args...)...); !strings.Contains(out, "wrong    attachments: the store of objects does not answer") {
		t.Error(out)
	}
	store.Start()
	if code, _ := r.put(second.Location, "", "meanwhile"); code != 200 {
		t.Errorf("the store is back: %d", code)
	}
	if got := read("", 200); got != "hello world" {
		t.Error(got)
	}
	r.stop()
	if log := r.read(); strings.Contains(log, store.Key) || strings.Contains(log, store.Secret) || strings.Contains(log, a.IDString) || strings.Contains(log, "blobs/") && strings.Contains(log, "b94d27") {
		t.Errorf("the log tells too much:\n%s", log)
	}
}
