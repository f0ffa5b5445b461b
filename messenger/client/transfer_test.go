package client_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
)

// heard is the progress somebody was told of.
type heard struct {
	mu   sync.Mutex
	list []client.Progress
}

func (h *heard) tell(p client.Progress) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, p)
}

// of returns the reports of a step.
func (h *heard) of(what client.Step) (out []client.Progress) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.list {
		if p.What == what {
			out = append(out, p)
		}
	}
	return out
}

// blobs is what happens between people and the server's blobs: requests are noted, and cut when the test says so.
type blobs struct {
	*world
	mu      sync.Mutex
	puts    []string        // mu; Content-Range
	gets    []string        // mu; Range
	cutPut  int64           // mu; the next upload breaks off after so many bytes
	cutGet  int64           // mu; the next download does
	holdGet <-chan struct{} // mu; downloads that are not cut wait for it, or for the one who asked to go
	replace http.Handler    // mu; answers instead of the server
}

func (w *world) watchBlobs() *blobs {
	b := &blobs{world: w}
	w.hostile(b.handle)
	return b
}

func (b *blobs) handle(rw http.ResponseWriter, r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, "/v3/blobs/") {
		return false
	}
	b.mu.Lock()
	put, get, other := int64(0), int64(0), b.replace
	if r.Method == "PUT" {
		b.puts = append(b.puts, r.Header.Get("Content-Range"))
		if r.ContentLength > b.cutPut { // a shorter one is none of the test's files
			put, b.cutPut = b.cutPut, 0
		}
	} else {
		b.gets = append(b.gets, r.Header.Get("Range"))
		get, b.cutGet = b.cutGet, 0
	}
	hold := b.holdGet
	b.mu.Unlock()
	if r.Method == "GET" && get == 0 && hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}
	switch {
	case other != nil:
		other.ServeHTTP(rw, r)
	case put > 0:
		r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, put), broken{}))
		b.server.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case get > 0:
		b.server.ServeHTTP(&cutting{rw, get}, r)
	default:
		return false
	}
	return true
}

func (b *blobs) seen() (puts, gets []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	puts, gets = b.puts, b.gets
	b.puts, b.gets = nil, nil
	return puts, gets
}

func (b *blobs) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// cutting breaks the connection off after some bytes.
type cutting struct {
	http.ResponseWriter
	left int64
}

func (c *cutting) Write(b []byte) (int, error) {
	n, _ := c.ResponseWriter.Write(b[:min(int64(len(b)), c.left)])
	if c.left -= int64(n); c.left == 0 {
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

// random makes a file.
func (w *world) random(size int) (path string, content []byte) {
	w.Helper()
	content = make([]byte, size)
	_, _ = rand.Read(content)
	path = filepath.Join(w.TempDir(), "holiday.bin")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		w.Fatal(err)
	}
	return path, content
}

// underway lists the files of an account's directory for what is on its way, and their sizes.
func (d *device) underway() map[string]int64 {
	d.Helper()
	out := map[string]int64{}
	entries, err := os.ReadDir(filepath.Join(d.dir, "outgoing"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		d.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) { // it was removed just now
			continue
		}
		if err != nil {
			d.Fatal(err)
		}
		out[e.Name()] = info.Size()
	}
	return out
}

// leftNothing waits until nothing is on its way: that a history is taken over, or cannot be, is told before its file is removed.
func (d *device) leftNothing() {
	d.Helper()
	d.waitFor("nothing to be on its way at "+d.name, func() bool { return len(d.underway()) == 0 })
}

// sendsFile sends a file and returns it as the other one has it.
func (d *device) sendsFile(to *device, path string, tell func(client.Progress)) history.Attachment {
	d.Helper()
	m, err := d.acc.Send(d.Context(), client.Draft{To: to.number, Files: []client.File{{Path: path}}, Progress: tell})
	if err != nil {
		d.Fatal(err)
	}
	d.state(m, history.Sent)
	var got *history.Message
	d.waitFor("the file's message", func() bool { got, _ = to.acc.Find(d.Context(), d.number, m.Timestamp); return got != nil })
	return got.Attachments[0]
}

func TestAFileThatBreaksOffGoesOn(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	path, content := w.random(3 << 20)
	between := w.watchBlobs()
	between.set(func() { between.cutPut = 1 << 20 })
	var up, down heard
	file := alice.sendsFile(bob, path, up.tell)
	puts, _ := between.seen()
	if len(puts) != 3 || puts[0] != "" || puts[1] != "bytes */*" || !strings.HasPrefix(puts[2], "bytes 1048576-") {
		t.Errorf("uploads with Content-Range %q, want the whole, a question, and the rest", puts)
	}
	if sealed := up.of(client.Encrypting); len(sealed) < 2 || sealed[len(sealed)-1] != (client.Progress{What: client.Encrypting, Done: 3 << 20, Total: 3 << 20}) {
		t.Errorf("encrypting was told as %+v", sealed)
	}
	sent := up.of(client.Uploading)
	last := sent[len(sent)-1]
	if first := sent[0]; first.Done != 0 || first.Total <= 3<<20 || last.Done != last.Total || last.Total != first.Total || last.Resumed != 1<<20 {
		t.Errorf("uploading was told as %+v … %+v", first, last)
	}
	if left := alice.underway(); len(left) > 0 {
		t.Errorf("after all was sent there is %v", left)
	}

	// The download breaks off, and the program is restarted.
	between.set(func() { between.cutGet = 1 << 20 })
	dir := t.TempDir()
	if _, err := bob.acc.SaveAttachment(t.Context(), file, dir, nil); err == nil || !strings.HasPrefix(err.Error(), "the attachment broke off after 1048576 of ") {
		t.Fatal(err)
	}
	bob.reopen()
	between.seen()
	got, err := bob.acc.SaveAttachment(t.Context(), file, dir, down.tell)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(got); err != nil || !bytes.Equal(b, content) {
		t.Errorf("the file is another one: %v", err)
	}
	if _, gets := between.seen(); !slices.Equal(gets, []string{"bytes=1048576-"}) {
		t.Errorf("downloads with Range %q, want the rest only", gets)
	}
	if list := down.of(client.Downloading); list[0].Done != 1<<20 || list[0].Resumed != 1<<20 || list[len(list)-1].Done != list[0].Total {
		t.Errorf("downloading was told as %+v", list)
	}
	bob.leavesNothing(dir, filepath.Base(got))
	bob.online()
}

// leavesNothing says that a directory has these files and no others, and that nothing is on its way.
func (d *device) leavesNothing(dir string, want ...string) {
	d.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		d.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, want) {
		d.Errorf("the directory has %q, want %q", names, want)
	}
	if left := d.underway(); len(left) > 0 {
		d.Errorf("on its way there is %v", left)
	}
}

func TestServersThatDoNotGoOn(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	path, content := w.random(1 << 20)
	between := w.watchBlobs()
	answers := func(status int, name, value string) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == "PUT" && r.ContentLength > 0 || r.Method == "GET" && r.Header.Get("Range") == "" {
				w.server.ServeHTTP(rw, r)
				return
			}
			rw.Header().Set(name, value)
			rw.WriteHeader(status)
		})
	}
	// A question about an upload that is answered by nonsense has it begun anew, at another place.
	for _, c := range []struct {
		status int
		has    string
	}{{404, ""}, {308, "bytes=0-99999999999"}, {308, "bytes=0--7"}, {308, "nonsense"}, {200, ""}} {
		between.set(func() { between.cutPut, between.replace = 100_000, nil })
		m, err := alice.acc.Send(t.Context(), client.Draft{To: bob.number, Files: []client.File{{Path: path}}, Progress: func(p client.Progress) {
			if p.What == client.Uploading && p.Resumed == 0 && p.Done == 0 {
				between.set(func() {
					if between.cutPut == 0 {
						between.replace = answers(c.status, "Range", c.has)
					}
				})
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		alice.state(m, history.Sent)
		if puts, _ := between.seen(); !slices.Equal(puts, []string{"", "bytes */*", ""}) {
			t.Errorf("%d %q: uploads with Content-Range %q, want the whole, a question, the whole", c.status, c.has, puts)
		}
	}
	between.set(func() { between.replace = nil })
	file := alice.sendsFile(bob, path, nil)
	// A download is begun anew if the server does not know how to go on, at once or the next time.
	whole := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		w.server.ServeHTTP(rw, r)
	})
	for _, c := range []struct {
		server http.Handler
		want   string
	}{
		{whole, ""},
		{answers(206, "Content-Range", "bytes 0-10/20"), "the server does not go on after 100000 bytes of the attachment; it is fetched from its beginning the next time"},
		{answers(416, "", ""), "the server does not go on after 100000 bytes of the attachment; it is fetched from its beginning the next time"},
	} {
		between.set(func() { between.cutGet, between.replace = 100_000, nil })
		if err := bob.acc.Download(t.Context(), file, io.Discard, nil); err == nil {
			t.Fatal("it did not break off")
		}
		between.set(func() { between.replace = c.server })
		var got bytes.Buffer
		err := bob.acc.Download(t.Context(), file, &got, nil)
		if c.want != "" {
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			err = bob.acc.Download(t.Context(), file, &got, nil)
		}
		if err != nil || !bytes.Equal(got.Bytes(), content) {
			t.Errorf("the file is another one: %v", err)
		}
	}
	// What lies here and was changed meanwhile is found out, and not gone on with again.
	between.set(func() { between.cutGet, between.replace = 100_000, nil })
	if err := bob.acc.Download(t.Context(), file, io.Discard, nil); err == nil {
		t.Fatal("it did not break off")
	}
	for name := range bob.underway() {
		if err := os.WriteFile(filepath.Join(bob.dir, "outgoing", name), make([]byte, 100_000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := bob.acc.Download(t.Context(), file, io.Discard, nil); err == nil || !strings.HasSuffix(err.Error(), "digest or MAC differs") {
		t.Error(err)
	}
	if err := bob.acc.Download(t.Context(), file, io.Discard, nil); err != nil {
		t.Error(err)
	}
}

func TestWhatIsTakenBackIsNotUploadedFurther(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	path, _ := w.random(1 << 20)
	begun, ended := make(chan struct{}), make(chan struct{})
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != "PUT" || !strings.HasPrefix(r.URL.Path, "/v3/blobs/") {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		close(begun)
		<-r.Context().Done()
		close(ended)
		return true
	})
	m, err := alice.acc.Send(t.Context(), client.Draft{To: bob.number, Files: []client.File{{Path: path}}})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "the upload to begin", begun)
	if err := alice.acc.DeleteForAll(t.Context(), bob.number, m.Timestamp); err != nil {
		t.Fatal(err)
	}
	wait(t, "the upload to end", ended)
	w.hostile(nil)
	alice.says(bob.number, "never mind")
	bob.sees(alice.number, "hello", "hello back", "never mind")
	if strings.Contains(alice.log.String(), "sending has to wait") {
		t.Error("the upload ended because nobody answered, and not because it was taken back")
	}
	if left := alice.underway(); len(left) > 0 {
		t.Errorf("on its way there is %v", left)
	}
}

func wait(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatal("waited in vain for", what)
	}
}

func TestFilesThatCannotBeSent(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	big := filepath.Join(t.TempDir(), "film.mkv")
	f, err := os.Create(big)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(2<<30), f.Close()); err != nil {
		t.Fatal(err)
	}
	alice.offline()
	refused := func(path, want string, tell func(client.Progress)) {
		t.Helper()
		_, err := alice.acc.Send(t.Context(), client.Draft{To: bob.number, Text: "look", Files: []client.File{{Path: path}}, Progress: tell})
		if err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
		if n, err := alice.acc.Queued(t.Context()); n > 0 || err != nil {
			t.Errorf("queued: %d, %v", n, err)
		}
		if left := alice.underway(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	refused(big, big+" has 2147483648 bytes, want at most 104857600: cut it into parts, or take another way for it", nil)
	dir := t.TempDir()
	refused(dir, dir+" is not a file", nil)
	missing := filepath.Join(dir, "none")
	refused(missing, "stat "+missing+": no such file or directory", nil)

	// One that changes while it is read: it grows, is cut, or is written over.
	path, content := w.random(1 << 20)
	first := func(f func() error) func(client.Progress) {
		done := false
		return func(client.Progress) {
			if !done {
				if done = true; f() != nil {
					t.Error("the file cannot be changed")
				}
			}
		}
	}
	changed := path + " changed while it was read, and nothing was sent: send it again when it is done"
	refused(path, changed, first(func() error { return os.WriteFile(path, append(content, 'x'), 0o600) }))
	refused(path, path+": the file is shorter than it was said to be", first(func() error { return os.Truncate(path, 1000) }))
	refused(path, changed, first(func() error { return os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)) }))

	// One whose sending is given up.
	ctx, cancel := context.WithCancel(t.Context())
	told := 0
	_, err = alice.acc.Send(ctx, client.Draft{To: bob.number, Files: []client.File{{Path: path}}, Progress: func(client.Progress) { told++; cancel() }})
	if !errors.Is(err, context.Canceled) || len(alice.underway()) > 0 || told != 1 {
		t.Errorf("%v, %v, told %d times", err, alice.underway(), told)
	}
	alice.online()
}

func TestAFullDisk(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	path, content := w.random(1 << 20)
	file := alice.sendsFile(bob, path, nil)
	err := bob.acc.Download(t.Context(), file, &full{left: 500_000}, nil)
	if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "there is no room left on the disk; make some, and do it again: ") {
		t.Errorf("got %v", err)
	}
	if left := bob.underway(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	var got bytes.Buffer
	if err := bob.acc.Download(t.Context(), file, &got, nil); err != nil || !bytes.Equal(got.Bytes(), content) {
		t.Error(err)
	}
}

// full is a disk that has room for so many bytes.
type full struct{ left int }

func (f *full) Write(b []byte) (int, error) {
	n := min(len(b), f.left)
	if f.left -= n; n < len(b) {
		return n, &os.PathError{Op: "write", Path: "holiday.bin", Err: syscall.ENOSPC}
	}
	return n, nil
}

func TestProgressIsNotToldTooOften(t *testing.T) {
	now := time.Unix(0, 0)
	var got []string
	add := client.MeterForTest(func() time.Time { return now }, func(p client.Progress) { got = append(got, fmt.Sprint(p.Done)) }, 1000)
	for range 990 { // of a millisecond each
		now = now.Add(time.Millisecond)
		add(1)
	}
	now = now.Add(-time.Hour) // a clock that is set back
	add(1)
	add(1)
	add(8)
	if want := "0 100 200 300 400 500 600 700 800 900 991 1000"; strings.Join(got, " ") != want {
		t.Errorf("told %s, want %s", got, want)
	}
}

// A note with a file is uploaded once, is on the other devices then, and is shown here at once; a long text is such a file, too.
func TestANoteWithAFile(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	phone := w.person("phone")
	laptop := phone.link("laptop", false)
	path, content := w.random(300_000)
	between := w.watchBlobs()
	open := make(chan struct{})
	between.set(func() {
		between.replace = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			<-open
			w.server.ServeHTTP(rw, r)
		})
	})
	long := strings.Repeat("a long note, ", 1000)
	m, err := phone.acc.Send(ctx, client.Draft{To: phone.number, Text: long, Files: []client.File{{Path: path, Caption: "keep"}}})
	if err != nil {
		t.Fatal(err)
	}
	// Before the server has anything.
	file := func(d *device) history.Attachment {
		t.Helper()
		got, err := d.acc.Find(ctx, phone.number, m.Timestamp)
		if err != nil || got == nil || got.State().State != history.Sent {
			t.Fatalf("%+v, %v", got, err)
		}
		return got.Attachments[len(got.Attachments)-1]
	}
	same := func(d *device) {
		t.Helper()
		var got bytes.Buffer
		if err := d.acc.Download(ctx, file(d), &got, nil); err != nil || !bytes.Equal(got.Bytes(), content) {
			t.Errorf("%s has another file: %v", d.name, err)
		}
	}
	same(phone)
	if id := file(phone).ID; id != 0 {
		t.Errorf("the file has the number %d already", id)
	}
	phone.reopen()
	phone.online()
	same(phone)
	close(open)
	w.waitFor("the note on the laptop", func() bool {
		got, err := laptop.acc.Find(ctx, phone.number, m.Timestamp)
		return err == nil && got != nil && got.Body == long
	})
	if f := file(laptop); f.Caption != "keep" || f.FileName != "holiday.bin" {
		t.Errorf("%+v", f)
	}
	same(laptop)
	w.waitFor("the file to be at the server", func() bool { return file(phone).ID != 0 && len(phone.underway()) == 0 })
	same(phone)
	// Without other devices it is just as well.
	alone := w.person("alone")
	m, err = alone.acc.Send(ctx, client.Draft{To: alone.number, Files: []client.File{{Path: path}}})
	if err != nil {
		t.Fatal(err)
	}
	w.waitFor("the file to be at the server", func() bool {
		got, err := alone.acc.Message(ctx, m.Seq)
		return err == nil && got.Attachments[0].ID != 0
	})
	w.waitFor("nothing to be queued", func() bool { n, err := alone.acc.Queued(ctx); return n == 0 && err == nil })
}

// A server that refuses the file for good: the note stays here, and says so.
func TestANoteWhoseFileIsRefused(t *testing.T) {
	w := newWorld(t)
	phone := w.person("phone")
	path, _ := w.random(1000)
	between := w.watchBlobs()
	between.set(func() {
		between.replace = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(403) })
	})
	if _, err := phone.acc.Send(t.Context(), client.Draft{To: phone.number, Text: "look", Files: []client.File{{Path: path}}}); err != nil {
		t.Fatal(err)
	}
	if got, want := phone.notice(phone.number, "note-not-sent"), "A note with a file did not reach your other devices: the server says: 403 forbidden"; got != want {
		t.Errorf("got %q", got)
	}
	phone.says(phone.number, "on")
	w.waitFor("nothing to be queued", func() bool { n, err := phone.acc.Queued(t.Context()); return n == 0 && err == nil })
}

// A message whose file the server has refused cannot be sent again without it.
func TestAMessageWhoseFileIsRefused(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	path, _ := w.random(1000)
	between := w.watchBlobs()
	between.set(func() {
		between.replace = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(403) })
	})
	m, err := alice.acc.Send(t.Context(), client.Draft{To: bob.number, Files: []client.File{{Path: path}}})
	if err != nil {
		t.Fatal(err)
	}
	alice.state(m, history.Failed)
	between.set(func() { between.replace = nil })
	if err := alice.acc.Try(t.Context(), m.Seq); err == nil || err.Error() != fmt.Sprintf("a file of message %d never reached the server: send it as a new message", m.Seq) {
		t.Error(err)
	}
}
