package interop

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// keys types.
func (b *tab) keys(text string) { b.t.Helper(); b.do(chromedp.KeyEvent(text)) }

// focus waits until what has the focus is called so: what it says, what is read aloud of it, or its kind.
func (b *tab) focus(name string) {
	b.t.Helper()
	b.wait(fmt.Sprintf(`(() => { const e = document.activeElement; return [e.innerText?.trim(), e.ariaLabel, e.tagName.toLowerCase()].includes(%q) })()`, name))
}

// tabs presses Tab until something has the focus, at most so often as there could be things on a screen.
func (b *tab) tabs(name string) {
	b.t.Helper()
	for range 60 {
		b.keys(kb.Tab)
		if script[bool](b, fmt.Sprintf(`(() => { const e = document.activeElement; return e.innerText?.trim() === %q || e.ariaLabel === %q })()`, name, name)) {
			return
		}
	}
	b.t.Fatalf("Tab does not lead to %q\n%s", name, b.text())
}

// Whoever has no mouse writes to somebody, makes a group, finds a message, answers and edits it, and decides about members.
func TestEverythingByKeys(t *testing.T) {
	_, alice, bob, a, b := acquainted(t)
	alice.call("updateContact", map[string]any{"recipient": []string{bob.number}, "name": "Bob"}, nil)
	a.do(chromedp.EmulateViewport(1300, 800))
	a.wait("document.querySelector('.list')?.innerText.includes('Bob') && document.querySelector('.beside h2')?.innerText === 'Bob'")
	a.keys(kb.Escape)
	a.wait("document.querySelector('.log') === null && document.activeElement.innerText?.startsWith('B')")
	// A dialog is left by Escape, and only that.
	a.keys("n")
	a.focus("input")
	a.keys("Bo")
	a.keys(kb.Escape)
	a.wait("document.querySelector('dialog') === null && document.activeElement.innerText?.startsWith('B')")
	a.keys("n")
	a.focus("input")
	a.keys("Bob\r")
	a.wait("document.querySelector('.main h1')?.innerText === 'Bob' && document.querySelector('dialog') === null")
	a.focus("textarea")
	a.keys("shall we walk?\r")
	b.reads("shall we walk?")
	// Up to the message, to what can be done with it, and into the answer.
	for range 10 {
		a.do(chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift))) // back out of the field
		if script[bool](a, "document.activeElement.matches('.m')") {
			break
		}
	}
	a.keys(kb.Home)
	a.wait("document.activeElement.innerText.startsWith('first of all')")
	a.keys(kb.ArrowDown)
	a.wait("document.activeElement.innerText.startsWith('shall we walk?')")
	a.tabs("Edit")
	a.keys("\r")
	a.wait("document.querySelector('dialog[open]') !== null")
	a.focus("textarea")
	a.keys(" To the sea?")
	a.tabs("Change it")
	a.keys("\r")
	b.reads("shall we walk? To the sea?")
	a.wait("document.querySelector('dialog') === null")
	// A search, from anywhere but a field, to the message it finds.
	a.tabs("Search conversations and messages")
	a.keys("first of")
	a.wait("document.querySelector('.list').innerText.includes('first of all') && document.querySelectorAll('.list button').length === 1")
	a.keys(kb.Tab)
	a.keys("\r")
	a.wait("document.activeElement.innerText.startsWith('first of all')")
	a.tabs("Reply")
	a.keys("\r")
	a.wait("document.querySelector('.compose').innerText.includes('Reply to')")
	a.focus("textarea")
	a.keys("yes\r")
	b.wait("document.querySelector('.log .quote') !== null")
	// The details: shut and opened again.
	a.tabs("Close the details")
	a.keys("\r")
	a.wait("document.querySelector('.beside').hidden")
	a.tabs("Details")
	a.keys("\r")
	a.wait("!document.querySelector('.beside').hidden")
	a.tabs("Block")
	a.keys("\r")
	a.wait("document.querySelector('dialog[open]') !== null")
	a.keys(kb.Escape)
	a.wait("document.querySelector('dialog') === null && document.activeElement.innerText === 'Block' && document.querySelector('.log') !== null")
}
