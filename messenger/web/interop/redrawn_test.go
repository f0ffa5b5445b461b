package interop

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// has is true when something of this kind, called so, has the focus.
func has(kind, name string) string {
	return fmt.Sprintf("(() => { const e = document.activeElement; return e.matches(%q) && (e.ariaLabel ?? (e.querySelector('strong') ?? e).innerText) === %q })()", kind, name)
}

// open focuses it, and opens what is behind it.
func (b *tab) open(kind, name string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("(() => { [...document.querySelectorAll(%q)].find(e => (e.ariaLabel ?? (e.querySelector('strong') ?? e).innerText) === %q)?.focus(); return %s })()", kind, name, has(kind, name)))
	b.keys("\r")
}

// Whoever has no mouse is where he was, whatever is drawn anew meanwhile because something has happened: behind a dialog, behind a menu, under the focus itself.
func TestTheFocusOutlivesWhatIsDrawnAnew(t *testing.T) {
	_, alice, bob, a, _ := acquainted(t)
	name := func(name string) {
		t.Helper()
		alice.call("updateContact", map[string]any{"recipient": []string{bob.number}, "name": name}, nil)
	}
	name("Bob")
	a.do(chromedp.EmulateViewport(1300, 800))
	a.wait("document.querySelector('.beside h2')?.innerText === 'Bob' && document.querySelector('.list')?.innerText.includes('Bob')")

	a.open(".beside button", "Block")
	a.wait("document.querySelector('dialog[open]') !== null")
	name("Robert")
	a.wait("document.querySelector('.beside h2')?.innerText === 'Robert' && document.querySelector('.list')?.innerText.includes('Robert')")
	a.keys(kb.Escape)
	a.wait("document.querySelector('dialog') === null && " + has(".beside button", "Block"))
	name("Bob")
	a.wait("document.querySelector('.beside h2')?.innerText === 'Bob' && " + has(".beside button", "Block"))

	a.wait("(() => { [...document.querySelectorAll('.list button')].find(e => e.innerText.includes('Bob')).focus(); return " + has(".list button", "Bob") + " })()")
	a.keys("n")
	a.wait("document.querySelector('dialog[open]') !== null")
	alice.tells(bob, "in the meantime")
	a.wait("document.querySelector('.list').innerText.includes('in the meantime')")
	a.keys(kb.Escape)
	a.wait("document.querySelector('dialog') === null && " + has(".list button", "Bob"))

	a.wait("(() => { const m = [...document.querySelectorAll('.m')].at(-1); m.focus(); [...m.querySelectorAll('button')].find(b => b.innerText === 'Edit').focus(); return " + has(".m button", "Edit") + " })()")
	var list []struct{ Timestamp uint64 }
	bob.call("listMessages", map[string]any{"recipient": []string{alice.number}, "limit": 1}, &list)
	bob.call("sendReaction", map[string]any{"recipient": []string{alice.number}, "targetAuthor": alice.number, "targetTimestamp": list[0].Timestamp, "emoji": "🙂"}, nil)
	a.reads("🙂")
	a.wait(has(".m button", "Edit"))

	// A longer word finds the same again, in another line.
	search := func(words string) {
		t.Helper()
		script[bool](a, fmt.Sprintf("(() => { const q = document.querySelector('input[type=search]'); q.value = %q; q.dispatchEvent(new Event('input')); return true })()", words))
	}
	search("meantim")
	a.wait("(() => { const l = document.querySelectorAll('.list button'); if (l.length !== 1 || !l[0].innerText.includes('in the meantime')) return false; l[0].focus(); window.old = l[0]; return true })()")
	search("meantime")
	a.wait("!old.isConnected && document.activeElement.matches('.list button')")
	search("")

	var made struct{ GroupID string }
	alice.call("updateGroup", map[string]any{"name": "Walks", "members": []string{bob.number}}, &made)
	a.converse("Walks")
	a.open(".beside button", "What to do with Bob")
	a.wait("document.querySelector(':popover-open') !== null && document.activeElement.innerText === 'Write'")
	alice.call("updateGroup", map[string]any{"groupId": made.GroupID, "name": "Long walks"}, nil)
	a.wait("document.querySelector('.beside h2')?.innerText === 'Long walks'")
	a.keys(kb.Escape)
	a.wait("document.querySelector(':popover-open') === null && " + has(".beside button", "What to do with Bob"))
}

// A group's picture that was not here when the page asked for it is asked for again, also when something else has happened before the page had its answer.
func TestAPictureThatComesWhileItIsAskedFor(t *testing.T) {
	_, alice, bob, _, b := acquainted(t)
	script[bool](b, `(() => { const real = fetch; let answer = null; window.early = 0; window.late = () => answer();
		const asked = new Promise((go) => { answer = go; });
		window.fetch = async (to, with_) => {
			if (!String(with_?.body).includes('"getAvatar"') || early++) return real(to, with_);
			await asked;
			return new Response(JSON.stringify({jsonrpc: '2.0', id: 1, error: {code: -1, message: 'no picture of this group is here'}})) };
		return true })()`)
	var made struct{ GroupID string }
	alice.call("updateGroup", map[string]any{"name": "Meadows", "members": []string{bob.number}, "avatar": pictured(t)}, &made)
	b.wait("early === 1 && document.querySelector('.list').innerText.includes('Meadows')")
	bob.w.until("the picture is here", func() bool {
		return bob.try("getAvatar", map[string]string{"groupId": made.GroupID}, nil) == nil
	})
	alice.call("send", map[string]any{"groupId": made.GroupID, "message": "how green"}, nil)
	b.wait("document.querySelector('.list').innerText.includes('how green')")
	script[bool](b, "late(); true")
	b.wait("document.querySelector('.list .face img')?.naturalWidth === 64")
}

// An answer that comes late does not put an older list over a newer one.
func TestALateAnswerDoesNotBringTheOldListBack(t *testing.T) {
	_, alice, bob, a, _ := acquainted(t)
	a.press("Notes") // so that nothing is read, of which the list would hear
	a.wait("document.querySelector('.main h1').innerText === 'Note to self' && document.querySelector('.log .line') !== null")
	script[bool](a, `(() => { const real = fetch; let go = null; window.held = 0; window.late = () => go();
		const released = new Promise((f) => { go = f; });
		window.fetch = async (to, with_) => {
			const r = await real(to, with_);
			if (String(with_?.body).includes('"listConversations"') && !held++) await released;
			return r };
		return true })()`)
	bob.tells(alice, "early")
	a.wait("held === 1")
	bob.tells(alice, "later")
	script[bool](a, "new Promise((f) => setTimeout(() => f(true), 1000))") // whoever would show it before the early one has the time to
	script[bool](a, "late(); true")
	a.wait("document.querySelector('.list').innerText.includes('later')")
	script[bool](a, "new Promise((f) => setTimeout(() => f(true), 300))")
	if got := script[string](a, "document.querySelector('.list').innerText"); !strings.Contains(got, "later") || strings.Contains(got, "early") {
		t.Errorf("the list shows %s", got)
	}
}
