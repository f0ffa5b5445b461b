package rpc_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// gate stands before a server and lets through what the test does not answer itself.
func gate(t *testing.T, server string) (address string, before *atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]) {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	before = new(atomic.Pointer[func(http.ResponseWriter, *http.Request) bool])
	through := httputil.NewSingleHostReverseProxy(u)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := before.Load(); f == nil || !(*f)(w, r) {
			through.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(web.Close)
	return web.URL, before
}

// someFile makes a file of so many bytes.
func someFile(t *testing.T, size int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "film.bin")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", size)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// told waits for a progress notification that is as wanted. It returns how many others there were, of every name.
func told(t *testing.T, c *rpc.Client, want func(rpc.Progress) bool) (before int) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case n, ok := <-c.Notifications():
			var p rpc.Progress
			if !ok {
				t.Fatal("the connection has ended")
			}
			if n.Method != "progress" {
				continue
			}
			if err := json.Unmarshal(n.Params, &p); err != nil || p.ID != "mine" || p.Done > p.Total {
				t.Fatalf("told %s, %v", n.Params, err)
			}
			if want(p) {
				return before
			}
			before++
		case <-timeout:
			t.Fatal("not told")
		}
	}
}

// theFile waits until somebody has sent a file, and returns its id.
func theFile(t *testing.T, c *rpc.Client, from string) string {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var list []struct {
			Seq         int64
			Attachments []any
		}
		if err := c.Call(t.Context(), "listMessages", map[string]string{"recipient": from}, &list); err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			if len(m.Attachments) > 0 {
				return fmt.Sprint(m.Seq, "/0")
			}
		}
	}
	t.Fatal("no file has come")
	return ""
}

func finished(what client.Step) func(rpc.Progress) bool {
	return func(p rpc.Progress) bool { return p.What == what && p.Done == p.Total && p.Total > 0 }
}

func TestWhoAskedIsToldHowFarItIs(t *testing.T) {
	url, invite := newServer(t)
	aliceDir, number := daemon(t, url, invite())
	bobDir, bob := daemon(t, url, invite())
	alice, other, reader := dial(t, aliceDir), dial(t, aliceDir), dial(t, bobDir)
	send := map[string]any{"recipient": bob, "message": "film", "attachments": someFile(t, 300_000), "progress": "mine"}
	if err := alice.Call(t.Context(), "send", send, nil); err != nil {
		t.Fatal(err)
	}
	told(t, alice, finished(client.Uploading))
	send["noWait"] = true
	if err := alice.Call(t.Context(), "send", send, nil); err != nil {
		t.Fatal(err)
	}
	told(t, alice, finished(client.Uploading))

	save := map[string]any{"id": theFile(t, reader, number), "directory": t.TempDir(), "progress": "mine"}
	for _, method := range []string{"saveAttachment", "getAttachment"} {
		if err := reader.Call(t.Context(), method, save, nil); err != nil {
			t.Fatal(err)
		}
		told(t, reader, finished(client.Downloading))
	}
	save["progress"] = strings.Repeat("x", 101)
	if err := reader.Call(t.Context(), "saveAttachment", save, nil); err == nil || err.Error() != "progress: a name of 101 bytes, want at most 100" {
		t.Error(err)
	}
	send["attachments"] = t.TempDir()
	if err := alice.Call(t.Context(), "send", send, nil); err == nil || !strings.HasSuffix(err.Error(), " is not a file") || !err.(*rpc.Error).Usage() {
		t.Errorf("a directory to be sent: %v", err)
	}
	// The other connection has heard everything else.
	if err := other.Call(t.Context(), "version", nil, nil); err != nil {
		t.Fatal(err)
	}
	for sent := 0; sent < 2 || len(other.Notifications()) > 0; {
		n, ok := <-other.Notifications()
		var e client.Event
		switch {
		case !ok:
			t.Fatal("the other connection has ended")
		case n.Method == "progress":
			t.Errorf("who has not asked is told %s", n.Params)
		case n.Method == "event" && json.Unmarshal(n.Params, &e) == nil && e.Type == client.EventMessage:
			sent++
		}
	}
}

// Who leaves gives up what he has asked for; what has come is gone on with.
func TestADownloadIsGivenUp(t *testing.T) {
	url, invite := newServer(t)
	aliceDir, number := daemon(t, url, invite())
	through, before := gate(t, url)
	bobDir, bob := daemon(t, through, invite())
	path := someFile(t, 300_000)
	if err := dial(t, aliceDir).Call(t.Context(), "send", map[string]any{"recipient": bob, "attachments": path}, nil); err != nil {
		t.Fatal(err)
	}
	reader := dial(t, bobDir)
	over, first := make(chan error, 1), new(atomic.Bool) // over: nil: it was given up
	var resumed atomic.Value
	slowly := func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/v3/blobs/") {
			return false
		}
		if !first.CompareAndSwap(false, true) {
			resumed.Store(r.Header.Get("Range"))
			return false
		}
		over <- slowest(w, r, url)
		return true
	}
	before.Store(&slowly)
	save := map[string]any{"id": theFile(t, reader, number), "directory": t.TempDir(), "progress": "mine"}
	asked := make(chan error, 1)
	go func() { asked <- reader.Call(t.Context(), "saveAttachment", save, nil) }()
	told(t, reader, func(p rpc.Progress) bool { return p.Done > 0 })
	reader.Close()
	<-asked
	if err := <-over; err != nil {
		t.Error("the download goes on for somebody who has left:", err)
	}
	again := dial(t, bobDir)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) { // as long as the first is not quite over, the second is for itself
		save["directory"] = t.TempDir()
		if err := again.Call(t.Context(), "saveAttachment", save, nil); err != nil {
			t.Fatal(err)
		}
		if r, _ := resumed.Load().(string); strings.HasPrefix(r, "bytes=") {
			return
		}
	}
	t.Error("it was begun anew, not gone on with")
}

// slowest passes a server's file on, so slowly that it takes a minute and more, and is never so silent that it would be given up for that. Nil: the client gave
// it up before its end.
func slowest(w http.ResponseWriter, r *http.Request, server string) error {
	resp, err := http.Get(server + r.URL.Path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for b := make([]byte, 50); ; time.Sleep(10 * time.Millisecond) {
		n, err := io.ReadFull(resp.Body, b)
		if err != nil {
			return fmt.Errorf("read to its end: %w", err)
		}
		if _, err := w.Write(b[:n]); err != nil || http.NewResponseController(w).Flush() != nil || r.Context().Err() != nil {
			return nil
		}
	}
}
