package interop

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// barrier stands before the server and lets the files through, or holds them.
type barrier struct {
	mu   sync.Mutex
	shut chan struct{} // mu; closed: open
}

// barrier puts one before a town's server, open.
func (w *town) barrier() *barrier {
	w.Helper()
	real, err := url.Parse(w.url)
	if err != nil {
		w.Fatal(err)
	}
	b := new(barrier)
	b.open()
	on := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(real); r.Out.Host = r.In.Host }}
	on.ErrorHandler = func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(http.StatusBadGateway) } // who gave up
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v3/blobs/") {
			if !b.pass(r) {
				return
			}
		}
		on.ServeHTTP(rw, r)
	}))
	w.Cleanup(s.CloseClientConnections)
	w.Cleanup(b.open)
	w.url = s.URL
	return b
}

func (b *barrier) pass(r *http.Request) bool {
	b.mu.Lock()
	shut := b.shut
	b.mu.Unlock()
	select {
	case <-shut:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (b *barrier) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shut = make(chan struct{})
}

func (b *barrier) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shut == nil {
		b.shut = make(chan struct{})
	}
	select {
	case <-b.shut:
	default:
		close(b.shut)
	}
}

// A file that takes long shows how far it is, at the sender's and at the receiver's; given up, it does not arrive, or is there to be fetched again.
func TestFilesThatTakeLong(t *testing.T) {
	first, second := newBrowser(t), newBrowser(t)
	w := newTown(t)
	way := w.barrier()
	alice, bob := w.person("alice"), w.person("bob")
	number, other := alice.register(), bob.register()
	alice.call("send", map[string]any{"recipient": []string{other}, "message": "first of all"}, nil)
	bob.call("sendMessageRequestResponse", map[string]any{"recipient": []string{number}, "type": "accept"}, nil)
	a, b := first.tab(alice.address()), second.tab(bob.address())
	for _, page := range []*tab{a, b} {
		page.converse("first of all")
		page.reads("first of all")
	}
	long := bytes.Repeat([]byte("a long film "), 1<<17)
	path := filepath.Join(t.TempDir(), "film.bin")
	if err := os.WriteFile(path, long, 0o600); err != nil {
		t.Fatal(err)
	}
	way.close()
	send := func(text string) {
		t.Helper()
		a.choose("button[aria-label='Add files']", path)
		a.wait("document.querySelector('.compose').innerText.includes('film.bin')")
		a.write(text)
		a.reads(text)
		a.wait("document.querySelector('.m .gauge progress') !== null && document.querySelector('.m .gauge').innerText.includes('On its way to the server: ')")
	}
	send("the wrong one")
	a.pressIn(".m", "Cancel: On its way to the server:")
	a.wait("!document.querySelector('.log').innerText.includes('the wrong one')")
	send("the right one")
	way.open()
	a.wait("document.querySelector('.m .gauge') === null && " + lastOf("✓"))
	b.reads("the right one")
	if script[bool](b, "document.querySelector('.log').innerText.includes('the wrong one')") {
		t.Error("what was given up has arrived")
	}
	way.close()
	b.pressIn(".log", "film.bin (1.5 MB)")
	b.wait("document.querySelector('.m .gauge')?.innerText.includes('Fetching film.bin:')")
	b.pressIn(".m", "Cancel: Fetching film.bin:")
	way.open()
	saves := b.downloads()
	b.wait("document.querySelector('.m .gauge') === null")
	b.pressIn(".log", "film.bin (1.5 MB)")
	if got := w.saved(saves); !bytes.Equal(got, long) {
		t.Errorf("%d bytes are saved, not the %d that were sent", len(got), len(long))
	}
}

// What is pasted is added to the message, a group's picture is chosen, shown to the others, and removed; what begins from now on has the timer that was chosen.
func TestPastingPicturesAndTimers(t *testing.T) {
	_, alice, bob, a, b := acquainted(t)
	pasted := base64.StdEncoding.EncodeToString(meadow(t, 640, 400))
	script[bool](a, fmt.Sprintf(`(() => {
		const d = new DataTransfer(), bytes = Uint8Array.from(atob(%q), (c) => c.charCodeAt(0));
		d.items.add(new File([bytes], 'pasted.png', { type: 'image/png' }));
		document.querySelector('textarea').dispatchEvent(new ClipboardEvent('paste', { clipboardData: d, bubbles: true, cancelable: true }));
		return true })()`, pasted))
	a.wait("document.querySelector('.compose').innerText.includes('pasted.png')")
	a.write("pasted")
	b.wait("document.querySelector('.log img[alt=\"pasted.png\"]')?.naturalWidth === 480")
	a.press("Settings")
	a.wait("[...document.querySelectorAll('.panel select')].some(s => [...s.options].some(o => o.innerText === 'messages go a day after'))")
	a.listens()
	script[bool](a, "(() => { const s = [...document.querySelectorAll('.panel select')].find(s => [...s.options].some(o => o.innerText === 'messages go a day after')); s.value = '86400'; s.dispatchEvent(new Event('change')); return true })()")
	a.said("Done.")
	a.wait(fmt.Sprintf("document.querySelector('.panel dl').innerText.includes(%q)", alice.w.url))
	alice.call("updateGroup", map[string]any{"name": "Meadow walks", "members": []string{bob.number}}, nil)
	for _, page := range []*tab{a, b} {
		page.converse("Meadow walks")
	}
	a.reads("Messages disappear from now on, 1 day after they were read.")
	a.press("Details")
	path := filepath.Join(t.TempDir(), "meadow.png")
	if err := os.WriteFile(path, meadow(t, 900, 600), 0o600); err != nil {
		t.Fatal(err)
	}
	a.press("The picture of the group")
	a.wait("document.querySelector(':popover-open .item') !== null")
	a.choose(":popover-open .item", path)
	a.wait("document.querySelector('.details .face img')?.naturalWidth === 512 && document.querySelector('.details .face img').naturalHeight === 512")
	for _, page := range []*tab{a, b} {
		page.wait("document.querySelector('.list .face img')?.naturalWidth === 512")
	}
	a.pick("The picture of the group", "Remove the picture")
	for _, page := range []*tab{a, b} {
		page.wait("document.querySelector('.list .face img') === null")
	}
}
