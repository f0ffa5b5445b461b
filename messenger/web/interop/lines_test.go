package interop

import (
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
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
)

// swallow puts a server between the people and theirs that says of messages to certain numbers that it has them, and throws them away.
func (w *town) swallow() (set func(numbers ...string)) {
	w.Helper()
	real, err := url.Parse(w.url)
	if err != nil {
		w.Fatal(err)
	}
	var lost atomic.Value
	set = func(numbers ...string) { lost.Store(strings.Join(numbers, " ")) }
	set()
	on := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(real) }}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		to, is := strings.CutPrefix(r.URL.Path, "/v1/messages/")
		if r.Method != "PUT" || !is || !strings.Contains(lost.Load().(string), to) {
			on.ServeHTTP(rw, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprint(rw, `{"needsSync":false}`)
	}))
	w.Cleanup(s.CloseClientConnections)
	w.url = s.URL
	return set
}

// liar is somebody whose messenger can be ended, put back to what it was, and begun again, so that he says two things where an honest program says one.
func (w *town) liar(name string, begun func(p *person)) {
	w.Helper()
	cmd := w.program("messenger", name, "open", "--print")
	p := &person{w: w, name: name}
	p.token, p.at = w.enter(w.begin(cmd, `(http://127\.0\.0\.1:\d+/#\S+)`))
	_ = p.try("unlock", map[string]string{"passphrase": passphrase}, nil) // the first time there is nothing to unlock
	begun(p)
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait()                                                                                // until its children have ended, too
	sockets, _ := filepath.Glob(filepath.Join(w.dir, name, "messenger/data/accounts/*/rpc.sock")) // which no copy can have
	for _, s := range sockets {
		_ = os.Remove(s)
	}
}

// Somebody tells the others different things. Who answers one of them opens a gap for those who got the other; they ask for it on the page, and then see both,
// side by side, and who has which.
func TestBothVersionsSideBySide(t *testing.T) {
	w := newTown(t)
	lose := w.swallow()
	alice, carol := w.person("alice"), w.person("carol")
	alice.register()
	carol.register()
	home, kept := filepath.Join(w.dir, "bob"), filepath.Join(w.dir, "bob-kept")
	var number string
	var made struct{ GroupID string }
	last := func(p *person) string { return p.last("Friends") }
	w.liar("bob", func(bob *person) {
		number = bob.register()
		bob.call("updateGroup", map[string]any{"name": "Friends", "members": []string{alice.number, carol.number}}, &made)
		bob.call("send", map[string]any{"groupId": made.GroupID, "message": "good evening"}, nil)
		w.until("all have the first message", func() bool { return last(alice) == "good evening" && last(carol) == "good evening" })
	})
	if err := os.CopyFS(kept, os.DirFS(home)); err != nil {
		t.Fatal(err)
	}
	tell := func(what string, to *person, not string) {
		t.Helper()
		lose(not)
		w.liar("bob", func(bob *person) {
			bob.call("send", map[string]any{"groupId": made.GroupID, "message": what}, nil)
			w.until(to.name+" has it", func() bool { return last(to) == what })
		})
		lose()
		if err := os.RemoveAll(home); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(home, os.DirFS(kept)); err != nil {
			t.Fatal(err)
		}
	}
	tell("shall we meet at noon?", carol, alice.number)
	tell("shall we give all our money to Bob?", alice, carol.number)
	alice.call("send", map[string]any{"groupId": made.GroupID, "message": "yes"}, nil)
	carol.call("sendMessageRequestResponse", map[string]any{"groupId": made.GroupID, "type": "accept"}, nil)
	page := newBrowser(t).tab(carol.address())
	page.converse("Friends")
	page.reads("yes")
	page.reads("answered something you have not received")
	page.pressIn(".notice.alarm", "Ask for it now")
	page.wait("document.querySelectorAll('.version').length === 2")
	versions := script[[]string](page, "[...document.querySelectorAll('.version')].map(e => e.innerText)")
	for i, want := range [][]string{{"shall we give all our money to Bob?", "Seen by " + alice.number, "Came from " + alice.number + " only"}, {"shall we meet at noon?", "Seen by " + number + ", who wrote it"}} {
		for _, part := range want {
			if !strings.Contains(versions[i], part) {
				t.Errorf("version %d is without %q: %s", i, part, versions[i])
			}
		}
	}
	if script[bool](page, "(() => { const [a, b] = [...document.querySelectorAll('.version')].map(e => e.getBoundingClientRect()); return a.top !== b.top || a.right > b.left })()") {
		t.Error("the two do not stand side by side")
	}
	page.do(chromedp.EmulateViewport(390, 844))
	page.wait("(() => { const [a, b] = [...document.querySelectorAll('.version')].map(e => e.getBoundingClientRect()); return b.top >= a.bottom && b.right <= 390 })()")
}

// What everybody in a group has seen stands above a line, which moves as they write. What an edited message said before is a press away, and edits are made in
// a dialog.
func TestTheWatermarkAndEarlierVersions(t *testing.T) {
	_, alice, bob, a, b := acquainted(t)
	alice.call("updateContact", map[string]any{"recipient": []string{bob.number}, "name": "Bob"}, nil)
	a.press("Write")
	a.wait("document.querySelector('dialog[open]') !== null && document.activeElement.tagName === 'INPUT'")
	a.pressIn("dialog[open]", "New group…")
	a.wait("document.querySelector('dialog[open] fieldset') !== null")
	a.wait("(() => { const l = [...document.querySelectorAll('dialog[open] .choice')].find(l => l.innerText.includes('Bob')); l?.click(); return l !== undefined })()")
	script[bool](a, "document.querySelector('dialog[open] input:not([type=checkbox])').focus(); true")
	a.do(chromedp.KeyEvent("Two of us\r"))
	a.wait("document.querySelector('.main h1')?.innerText === 'Two of us' && document.querySelector('dialog') === null")
	a.write("one")
	b.converse("Two of us")
	b.reads("one")
	b.write("two")
	a.reads("two")
	above := func(text string) string {
		return fmt.Sprintf("document.querySelector('.line.mark')?.previousElementSibling?.innerText.startsWith(%q)", text)
	}
	a.wait("document.querySelector('.line.mark') !== null && document.querySelector('.line.mark').innerText.includes('Everybody has all above')")
	a.wait(above("Bob\ntwo"))
	a.write("three") // nobody has said yet that he has it
	a.wait(above("Bob\ntwo") + " && document.querySelector('.line.mark').nextElementSibling?.innerText.startsWith('three')")
	script[bool](a, "(() => { const m = [...document.querySelectorAll('.m.mine')].at(-1); m.focus(); return true })()")
	a.pressIn(".m:focus", "Edit")
	a.answer("Change it", "three, or four")
	b.reads("three, or four")
	b.press("edited")
	b.wait("document.querySelector(':popover-open li')?.innerText.endsWith('three') && document.querySelectorAll(':popover-open li').length === 2")
}
