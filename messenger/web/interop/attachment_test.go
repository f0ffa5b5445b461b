package interop

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

// acquainted are two people who have accepted each other, and a page of each with their conversation open.
func acquainted(t *testing.T) (w *town, alice, bob *person, a, b *tab) {
	t.Helper()
	first, second := newBrowser(t), newBrowser(t)
	w = newTown(t)
	alice, bob = w.person("alice"), w.person("bob")
	number, other := alice.register(), bob.register()
	alice.call("send", map[string]any{"recipient": []string{other}, "message": "first of all"}, nil)
	bob.call("sendMessageRequestResponse", map[string]any{"recipient": []string{number}, "type": "accept"}, nil)
	a, b = first.tab(alice.address()), second.tab(bob.address())
	for _, page := range []*tab{a, b} {
		page.converse("first of all")
		page.reads("first of all")
	}
	return w, alice, bob, a, b
}

// meadow is a picture, as a file's bytes.
func meadow(t *testing.T, width, height int) []byte {
	t.Helper()
	p := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			p.Set(x, y, color.RGBA{uint8(255 * x / width), 140, uint8(255 * y / height), 255})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A file whose name is markup and a picture, chosen in the one page and dropped on it, arrive at the other: the name is text, the picture is seen small, and
// what is saved is what was sent.
func TestFilesFromPageToPage(t *testing.T) {
	w, _, _, a, b := acquainted(t)
	dir := t.TempDir()
	keep := func(name string, data []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const markup = `<img src=x onerror="window.pwned=1">.txt`
	text, picture := []byte(hit+"\r\n\x00 and more"), meadow(t, 800, 600)
	for _, way := range []struct {
		how, where string
		hand       func(selector string, files ...string)
	}{{"chosen", "button[aria-label='Add files']", a.choose}, {"dropped", ".log", a.drop}} {
		how := way.how
		name := how + ".png"
		way.hand(way.where, keep(how+markup, text), keep(name, picture))
		a.wait(fmt.Sprintf("document.querySelector('.compose').innerText.includes(%q) && document.querySelector('.compose').innerText.includes(%q)", how+markup, name))
		a.write("see these, " + how)
		for _, page := range []*tab{a, b} {
			page.reads("see these, " + how)
			page.reads(how + markup)
			page.wait(fmt.Sprintf("document.querySelector('.log img[alt=%q]')?.naturalWidth === 480", name))
		}
		saves := b.downloads()
		for label, want := range map[string][]byte{fmt.Sprintf("%s (1 kB)", how+markup): text, fmt.Sprintf("%s (%d kB)", name, (len(picture)+1023)/1024): picture} {
			b.pressIn(".log", label)
			if got := w.saved(saves); !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes are saved, not the %d that were sent", label, len(got), len(want))
			}
		}
	}
	for _, page := range []*tab{a, b} {
		if script[bool](page, "window.pwned !== undefined || document.querySelector('img[src=x]') !== null") {
			t.Error("the name of a file became HTML")
		}
	}
}

// pictured is a small picture as requests carry it.
func pictured(t *testing.T) string {
	t.Helper()
	return "data:image/png;filename=meadow.png;base64," + base64.StdEncoding.EncodeToString(meadow(t, 64, 64))
}
