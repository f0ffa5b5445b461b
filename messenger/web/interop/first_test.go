package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// register makes an account on the page, as a new user does.
func (b *tab) register(w *town) {
	b.t.Helper()
	b.enter("Server", w.url)
	b.enter("Invite", w.invite())
	b.enter("Choose a passphrase", passphrase)
	b.enter("The same again", passphrase)
	b.press("Register")
	b.wait("document.querySelector('.side') !== null")
}

// fresh starts somebody's messenger and opens its page in a browser of his own; there is no account yet.
func (w *town) fresh(name string) *tab {
	w.Helper()
	b := newBrowser(w)
	return b.tab(w.begin(w.program("messenger", name, "open", "--print"), `(http://127\.0\.0\.1:\d+/#\S+)`))
}

// number is one's own, as the settings show it.
func (b *tab) number() string {
	b.t.Helper()
	b.press("Settings")
	b.wait("/You are \\+\\d+/.test(document.querySelector('.panel')?.innerText)")
	return script[string](b, "document.querySelector('.panel').innerText.match(/You are (\\+\\d+)/)[1]")
}

// on presses a button of the message that has these words.
func (b *tab) on(words, label string) {
	b.t.Helper()
	b.wait(fmt.Sprintf(`(() => {
		const m = [...document.querySelectorAll('.log .m')].find(m => m.innerText.includes(%q));
		const found = m && [...m.querySelectorAll('button')].find(b => b.textContent === %q || b.ariaLabel === %q); // seen when one points there
		found?.click(); return found !== undefined })()`, words, label, label))
}

// Two people who have nothing: each makes an account on the page, one writes to the other, who accepts; they react, edit and take back, each seen at the
// other; one finds it again by its words, saves a backup, and has it all on another computer.
func TestTheFirstDayOnThePage(t *testing.T) {
	w := newTown(t)
	start := time.Now()
	a := w.fresh("alice")
	a.register(w)
	t.Logf("from the program's start to an account: %s", time.Since(start).Round(100*time.Millisecond))
	b := w.fresh("bob")
	b.register(w)
	number := b.number()

	a.press("Write")
	a.answer("Write", number)
	a.wait("document.querySelector('textarea') !== null")
	a.write("Is this thing on?")
	b.converse("Is this thing on?")
	b.reads("Is this thing on?")
	b.accept()
	b.write("Loud and clear")
	a.reads("Loud and clear")

	a.on("Loud and clear", "React with 👍")
	b.wait("[...document.querySelectorAll('.m')].find(m => m.innerText.includes('Loud and clear')).innerText.includes('👍')")
	a.write("See you at six")
	b.reads("See you at six")
	a.on("See you at six", "Edit")
	a.answer("Change it", "See you at seven")
	b.reads("See you at seven")
	b.wait("!document.querySelector('.log').innerText.includes('See you at six')")
	a.write("Oh, and never mind")
	b.reads("Oh, and never mind")
	a.on("Oh, and never mind", "Take back")
	for _, page := range []*tab{a, b} {
		page.reads("taken back")
		page.wait("!document.querySelector('.log').innerText.includes('Oh, and never mind')")
	}

	a.do(chromedp.SendKeys("input[type=search]", "seven"))
	a.wait("document.querySelectorAll('.list button').length === 1 && document.querySelector('.list').innerText.includes('See you at seven')")
	script[bool](a, "(() => { const q = document.querySelector('input[type=search]'); q.value = ''; q.dispatchEvent(new Event('input')); return true })()")

	saves := a.downloads()
	a.press("Settings")
	a.press("Save a backup")
	a.wait("document.querySelector('.panel .digits')?.innerText.trim().split(/\\s+/).length === 9")
	words := script[string](a, "document.querySelector('.panel .digits').innerText")
	file := filepath.Join(t.TempDir(), "messenger.csbk")
	if err := os.WriteFile(file, w.saved(saves), 0o600); err != nil {
		t.Fatal(err)
	}
	c := w.fresh("alice-again")
	c.press("From a backup")
	c.wait("document.querySelector('input[type=file]') !== null")
	c.do(chromedp.SetUploadFiles("input[type=file]", []string{file}))
	c.enter("The nine recovery words", words)
	c.enter("Choose a passphrase", passphrase)
	c.enter("The same again", passphrase)
	c.press("Restore")
	c.converse("taken back")
	c.reads("See you at seven")
	c.reads("Loud and clear")
}

// What disappears is seen, and then gone on both pages; what was there before stays.
func TestAMessageDisappearsFromBothPages(t *testing.T) {
	_, alice, bob, a, b := acquainted(t)
	// Someone who is slow has it on record that it was there.
	for _, page := range []*tab{a, b} {
		script[bool](page, `(() => { window.was = false; const look = () => { was ||= document.querySelector('.log')?.innerText.includes('burn this') };
			new MutationObserver(look).observe(document.querySelector('.log'), {subtree: true, childList: true}); return true })()`)
	}
	alice.call("updateContact", map[string]any{"recipient": []string{bob.number}, "expiration": 3}, nil)
	a.write("burn this")
	for _, page := range []*tab{a, b} {
		page.wait("was && !document.querySelector('.log').innerText.includes('burn this') && document.querySelector('.log').innerText.includes('first of all')")
	}
	for _, p := range []*person{alice, bob} {
		var list []struct{ Body string }
		p.call("searchMessages", map[string]any{"query": "burn"}, &list)
		if len(list) != 0 {
			t.Errorf("%s still finds %+v", p.name, list)
		}
	}
}
