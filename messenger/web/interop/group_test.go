package interop

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// A group from its beginning to its end: made on the one page, with a name and two others; written in; one is added, one is removed, one leaves. Both pages
// tell of all of it.
func TestAGroupOnThePage(t *testing.T) {
	w, alice, bob, a, b := acquainted(t)
	carol, dave := w.person("carol"), w.person("dave")
	for _, p := range []*person{carol, dave} {
		p.register()
		p.call("send", map[string]any{"recipient": []string{alice.number}, "message": "it is me"}, nil)
		alice.call("sendMessageRequestResponse", map[string]any{"recipient": []string{p.number}, "type": "accept"}, nil)
	}
	alice.call("updateContact", map[string]any{"recipient": []string{bob.number}, "name": "Bob"}, nil)
	a.wait("document.querySelector('.list')?.innerText.includes('Bob')")
	a.press("Write")
	a.pressIn("dialog[open]", "New group…")
	a.wait("document.querySelector('dialog[open] fieldset') !== null")
	a.answer("Make the group", "Mountain walk", "Bob, "+carol.number)
	a.converse("Mountain walk")
	a.write("Who brings the rope?")
	b.converse("Mountain walk")
	b.reads(`added you to the group "Mountain walk"`)
	b.wait("document.querySelector('.log').innerText.split('Who brings the rope?').length === 2") // once, though it came while it was opened
	b.write("I do")
	a.reads("I do")
	a.wait("[...document.querySelectorAll('.m')].at(-1).querySelector('.who').innerText === 'Bob'")

	members := func(page *tab, want ...string) {
		t.Helper()
		page.wait(fmt.Sprintf("document.querySelectorAll('.members li').length === %d", len(want)))
		for _, name := range want {
			page.wait(fmt.Sprintf("document.querySelector('.members').innerText.includes(%q)", name))
		}
	}
	a.press("Details")
	members(a, "you", "Bob", carol.number)
	a.do(chromedp.SendKeys(".panel label input", dave.number))
	a.press("Add")
	members(a, "you", "Bob", carol.number, dave.number)
	b.reads(fmt.Sprintf("%s added %s.", alice.number, dave.number))
	a.pick("What to do with "+carol.number, "Remove from the group")
	a.answer("Remove")
	members(a, "you", "Bob", dave.number)
	b.reads(fmt.Sprintf("%s removed %s.", alice.number, carol.number))
	a.press("← Back")
	a.reads("You removed " + carol.number)
	a.write("Only the three of us")
	b.reads("Only the three of us")
	// Dave, who came late, has that, and not what was said before; Carol has not.
	w.until("Dave reads it", func() bool { return dave.last("Mountain walk") == "Only the three of us" })
	alice.tells(carol, "farewell")
	if got := carol.last("Mountain walk"); got == "Only the three of us" {
		t.Error("who was removed reads on")
	}

	b.press("Details")
	members(b, "you", alice.number, dave.number)
	b.press("Leave the group")
	b.answer("Leave")
	b.press("← Back")
	b.reads("You left.")
	a.reads("Bob left.")
	a.write("And then there were two")
	a.press("Details")
	members(a, "you", dave.number)
	w.until("Dave reads on", func() bool { return dave.last("Mountain walk") == "And then there were two" })
	alice.tells(bob, "farewell")
	if got := bob.last("Mountain walk"); got == "And then there were two" {
		t.Error("who has left reads on")
	}
}

// tells writes to somebody and waits until it is there: then what was written to him before is there, too.
func (p *person) tells(to *person, text string) {
	p.w.Helper()
	p.call("send", map[string]any{"recipient": []string{to.number}, "message": text}, nil)
	p.w.until(text+" is with "+to.name, func() bool {
		var list []struct{ Body string }
		to.call("listMessages", map[string]any{"recipient": []string{p.number}, "limit": 1}, &list)
		return len(list) == 1 && list[0].Body == text
	})
}

// last is the newest text in the conversation of that name.
func (p *person) last(name string) string {
	p.w.Helper()
	var list []struct {
		Name string
		Last struct{ Body string }
	}
	p.call("listConversations", nil, &list)
	for _, c := range list {
		if c.Name == name {
			return c.Last.Body
		}
	}
	return ""
}
