package interop

import (
	"fmt"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// helpers of a page with a long conversation: what is on the screen, and going there.
const reading = `
	window.next = () => new Promise((r) => setTimeout(() => requestAnimationFrame(r)));
	window.log = () => document.querySelector('.log');
	window.numbers = () => [...log().querySelectorAll('.m')].map((e) => Number(e.innerText.match(/note (\d+),/)[1]));
	window.visible = () => [...log().querySelectorAll('.m')].filter((e) => { const r = e.getBoundingClientRect(), l = log().getBoundingClientRect(); return r.bottom > l.top && r.top < l.bottom }).map((e) => Number(e.innerText.match(/note (\d+),/)[1]));
	window.open_ = (text) => [...document.querySelectorAll('.list button')].find((b) => b.innerText.includes(text)).click();
	true`

// notes writes notes to oneself, numbered from 0 in their order here, some of several lines.
func (p *person) notes(number string, n int) {
	p.w.Helper()
	for i := range n {
		text := fmt.Sprintf("note %d, with a few words in it", i)
		if i%7 == 3 {
			text += "\nand a second line\nand a third"
		}
		p.call("send", map[string]any{"recipient": []string{number}, "message": text, "noWait": true}, nil)
	}
}

// Whoever scrolls through a long conversation, up to its beginning and down again, sees every message once and in order, never has more than some
// hundreds of them in the page, and what he reads stays where it is when more of it comes.
func TestALongConversationIsReadThroughAWindow(t *testing.T) {
	const n, most = 420, 300
	w := newTown(t)
	alice := w.person("alice")
	me := alice.register()
	alice.notes(me, n)
	page := newBrowser(t).tab(alice.address())
	page.wait("document.querySelector('.list button') !== null")
	script[bool](page, reading)
	script[bool](page, "open_('note'); true")
	page.wait(fmt.Sprintf("log() !== null && numbers().includes(%d)", n-1))
	page.wait(fmt.Sprintf("visible().includes(%d)", n-1))
	script[string](page, "log().style.overflowAnchor = 'none'") // what Chromium does by itself, Safari does not
	type walk struct {
		Seen, Shift float64
		Most        int
		Sorted      bool
	}
	// One step is less than a screen; after each, what was in the middle has moved by just that step.
	step := `(async (way, goal) => {
		const seen = new Set(visible()); let most = 0, shift = 0, sorted = true;
		while (!visible().includes(goal)) {
			const l = log(), middle = l.getBoundingClientRect().top + l.clientHeight / 2;
			const e = [...l.querySelectorAll('.m')].find((e) => e.getBoundingClientRect().bottom > middle), name = e.innerText;
			const before = e.getBoundingClientRect().top, from = l.scrollTop;
			l.scrollTop += way * 300;
			const asked = l.scrollTop - from;
			for (let i = 0; i < 2; i++) await next();
			if (e.isConnected) shift = Math.max(shift, Math.abs(e.getBoundingClientRect().top - before + asked));
			const all = numbers();
			most = Math.max(most, all.length);
			sorted &&= all.every((v, i) => i === 0 || v === all[i - 1] + 1);
			for (const v of visible()) seen.add(v);
		}
		return {Seen: seen.size, Shift: shift, Most: most, Sorted: sorted} })`
	for _, way := range []struct {
		name      string
		way, goal int
	}{{"up", -1, 0}, {"down", 1, n - 1}} {
		got := long[walk](page, fmt.Sprintf("%s(%d, %d)", step, way.way, way.goal))
		if got.Seen != n || got.Most > most || !got.Sorted || got.Shift > 2 {
			t.Errorf("%s: %+v; want all %d seen in order, at most %d at once, and nothing moved", way.name, got, n, most)
		}
	}
}

// A hit of the search far up is gone to, and what a reply answers; the button leads down again, and what comes meanwhile is not lost.
func TestGoingToAMessageFarAway(t *testing.T) {
	const n = 400
	w := newTown(t)
	alice := w.person("alice")
	me := alice.register()
	alice.notes(me, n)
	var first []struct{ Timestamp uint64 }
	alice.call("listMessages", map[string]any{"recipient": []string{me}, "after": 0, "limit": 1}, &first)
	alice.call("send", map[string]any{"recipient": []string{me}, "message": "note 400, which answers", "quoteAuthor": me, "quoteTimestamp": first[0].Timestamp}, nil)
	page := newBrowser(t).tab(alice.address())
	page.wait("document.querySelector('.list button') !== null")
	script[bool](page, reading)
	page.do(chromedp.SendKeys("input[type=search]", "note 17,"))
	page.wait("document.querySelector('.list').innerText.includes('note 17,')")
	script[bool](page, "open_('note 17,'); true")
	page.wait("visible().includes(17) && document.activeElement.innerText.startsWith('note 17,')")
	if script[bool](page, "numbers().includes(400)") {
		t.Error("the whole conversation is in the page")
	}
	alice.call("send", map[string]any{"recipient": []string{me}, "message": "note 401, from elsewhere"}, nil)
	script[bool](page, "document.querySelector('.down').click(); true")
	page.wait("visible().includes(401)")
	script[bool](page, "[...document.querySelectorAll('.quote')].at(-1).click(); true")
	page.wait("visible().includes(0) && document.activeElement.innerText.startsWith('note 0,')")
	// With keys: down and up, and to the end of what is there.
	page.do(chromedp.KeyEvent(kb.ArrowDown))
	page.wait("document.activeElement.innerText.startsWith('note 1,')")
}

// A long list of conversations comes in pieces, too: the rest as one scrolls, and one that is far down goes up when something is said in it.
func TestALongListOfConversations(t *testing.T) {
	const n = 120
	w := newTown(t)
	alice := w.person("alice")
	alice.register()
	var all sync.WaitGroup
	for k := range 4 {
		all.Go(func() {
			for i := k; i < n; i += 4 {
				if err := alice.try("updateGroup", map[string]any{"name": fmt.Sprintf("Group %d.", i)}, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	page := newBrowser(t).tab(alice.address())
	page.wait("document.querySelectorAll('.list button').length >= 50")
	if got := script[int](page, "document.querySelectorAll('.list button').length"); got >= n {
		t.Errorf("%d conversations are there at once", got)
	}
	const whole = n + 1 // with the notes to oneself
	page.wait(fmt.Sprintf("(() => { const l = document.querySelector('.list'); l.scrollTop = l.scrollHeight; return l.querySelectorAll('button').length === %d })()", whole))
	names := script[[]string](page, "[...document.querySelectorAll('.list button strong')].map(e => e.innerText)")
	seen := map[string]bool{}
	for _, name := range names {
		seen[name] = true
	}
	if len(seen) != whole {
		t.Errorf("%d different names, want %d", len(seen), whole)
	}
	var list []struct{ ID, Name string }
	alice.call("listConversations", nil, &list)
	last := list[len(list)-2] // the notes are the last: nothing was said in them
	alice.call("send", map[string]any{"groupId": last.ID, "message": "up with it", "noWait": true}, nil)
	page.wait(fmt.Sprintf("document.querySelector('.list button').innerText.includes(%q) && document.querySelectorAll('.list button').length === %d", last.Name, whole))
}
