package interop

import (
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// answer fills in the page's open dialog, field after field, and presses its button.
func (b *tab) answer(button string, values ...string) {
	b.t.Helper()
	b.wait("document.querySelector('dialog[open] button[type=submit]') !== null")
	for i, v := range values {
		script[bool](b, fmt.Sprintf("(() => { const f = document.querySelectorAll('dialog[open] input:not([type=checkbox]), dialog[open] textarea')[%d]; f.value = ''; f.focus(); return true })()", i))
		b.do(chromedp.KeyEvent(v))
	}
	b.pressIn("dialog[open]", button)
	b.wait("document.querySelector('dialog[open]') === null")
}

// Where there is room the details stand beside the conversation, change with it, and can be closed; where there is none they are a screen.
func TestDetailsBesideTheConversation(t *testing.T) {
	_, alice, bob, a, _ := acquainted(t)
	a.do(chromedp.EmulateViewport(1300, 800))
	a.wait("document.querySelector('.beside:not([hidden]) h2') !== null && document.querySelector('.log') !== null")
	a.wait("document.querySelector('.beside').innerText.includes('Not compared yet')")
	alice.call("send", map[string]any{"recipient": []string{bob.number}, "attachments": []string{
		"data:image/png;filename=meadow.png;base64," + base64.StdEncoding.EncodeToString(meadow(t, 300, 200)), "data:text/plain;filename=plan.txt;base64,aGVsbG8="}}, nil)
	a.wait("document.querySelector('.beside .media img')?.naturalWidth === 480 && document.querySelector('.beside .files')?.innerText.includes('plan.txt')")
	a.pressIn(".beside", "Give a name")
	a.answer("Set the name", "Robert <b>")
	for _, where := range []string{".beside h2", ".main h1", ".list [aria-current=true] strong"} {
		a.wait(fmt.Sprintf("document.querySelector(%q)?.innerText === 'Robert <b>'", where))
	}
	script[bool](a, "(() => { const s = document.querySelector('.beside select'); s.value = '3600'; s.dispatchEvent(new Event('change')); return true })()")
	a.reads("disappear")
	a.pressIn(".beside", "Verify")
	a.wait("document.querySelector('.digits') !== null && document.querySelector('.beside:not([hidden])') !== null")
	a.press("← Back")
	a.wait("document.querySelector('.log') !== null")
	// Closed it stays closed, also for others, until one wants it again.
	a.pressIn(".beside", "Close the details")
	a.press("Notes")
	a.wait("document.querySelector('.main h1')?.innerText === 'Note to self' && document.querySelector('.beside').hidden")
	a.press("Details")
	a.wait("document.querySelector('.beside:not([hidden]) h2')?.innerText === 'Note to self'")
	a.do(chromedp.EmulateViewport(900, 800))
	a.wait("document.querySelector('.beside').hidden && document.querySelector('.log') !== null")
	a.press("Details")
	a.wait("document.querySelector('.main h2')?.innerText === 'Note to self' && document.querySelector('.log') === null")
}

// An admin appoints another one with the keyboard alone, removes somebody after a question, and leaves; the others have no such things to press.
func TestMembersAndAdmins(t *testing.T) {
	w, alice, bob, a, b := acquainted(t)
	carol := w.person("carol")
	carol.register()
	alice.call("updateContact", map[string]any{"recipient": []string{bob.number}, "name": "Bob"}, nil)
	bob.call("updateContact", map[string]any{"recipient": []string{alice.number}, "name": "Alice"}, nil)
	alice.call("updateGroup", map[string]any{"name": "Walks", "members": []string{bob.number, carol.number}}, nil)
	for _, page := range []*tab{a, b} {
		page.do(chromedp.EmulateViewport(1300, 800))
		page.converse("Walks")
		page.wait("document.querySelectorAll('.beside .members li').length === 3")
	}
	if got := script[int](b, "document.querySelectorAll('.beside form:not([hidden]), .beside [aria-label=\"What to do with you\"]').length"); got != 0 {
		t.Error("who is no admin is offered what only admins may do")
	}
	admins := func(page *tab, want string) {
		t.Helper()
		page.wait(fmt.Sprintf("[...document.querySelectorAll('.members li')].filter(l => l.innerText.includes('admin')).map(l => l.querySelector('.name').innerText).sort().join() === %q", want))
	}
	admins(b, "Alice")
	if script[bool](a, "document.querySelector('[aria-label=\"What to do with you\"]') !== null") {
		t.Error("the only admin has a menu in which nothing is")
	}
	script[bool](a, "document.querySelector('[aria-label=\"What to do with Bob\"]').focus(); true")
	a.do(chromedp.KeyEvent(kb.Enter))
	a.wait("document.activeElement.innerText === 'Write'")
	for range 2 {
		a.do(chromedp.KeyEvent(kb.ArrowDown))
	}
	a.wait("document.activeElement.innerText === 'Make an admin'")
	a.do(chromedp.KeyEvent(kb.Enter))
	admins(a, "Bob,you")
	admins(b, "Alice,you")
	// Escape leaves the menu, and not the conversation; the focus is where it was.
	b.press("What to do with Alice")
	b.wait("document.activeElement.innerText === 'Write'")
	b.do(chromedp.KeyEvent(kb.Escape))
	b.wait("document.querySelector(':popover-open') === null && document.activeElement.ariaLabel === 'What to do with Alice' && document.querySelector('.log') !== null")
	// Who asks himself first may still say no.
	b.pick("What to do with "+carol.number, "Remove from the group")
	b.pressIn("dialog[open]", "Cancel")
	b.pick("What to do with "+carol.number, "Remove from the group")
	b.answer("Remove")
	for _, page := range []*tab{a, b} {
		page.wait("document.querySelectorAll('.beside .members li').length === 2")
	}
	b.do(chromedp.SendKeys(".beside form input", carol.number+"\r"))
	a.wait("document.querySelectorAll('.beside .members li').length === 3")
	b.pressIn(".beside", "Rename")
	b.answer("Set the name", "Long walks")
	a.wait("document.querySelector('.beside h2')?.innerText === 'Long walks' && document.querySelector('.main h1')?.innerText === 'Long walks'")
	a.pressIn(".beside", "Leave the group")
	a.answer("Leave")
	a.wait("document.querySelector('.beside').innerText.includes('You are not in this group any more') && !document.querySelector('.beside').innerText.includes('Leave the group')")
	admins(b, "you")
}
