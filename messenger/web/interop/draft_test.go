package interop

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// What one has begun to write is there when the page was loaded again, even at once.
func TestADraftOutlivesThePage(t *testing.T) {
	w, alice, bob, a, _ := acquainted(t)
	a.do(chromedp.SendKeys("textarea", "not yet"))
	a.do(chromedp.Reload()) // at once: it is kept when the page goes
	kept := func() string {
		var list []struct{ Draft string }
		alice.call("listConversations", map[string]any{"recipient": bob.number}, &list)
		return list[0].Draft
	}
	w.until("it is kept", func() bool { return kept() == "not yet" })
	a.do(chromedp.Reload())
	a.converse("first of all")
	a.wait("document.querySelector('textarea').value === 'not yet'")
	a.pressIn(".compose", "Send")
	a.reads("not yet")
	w.until("nothing is kept", func() bool { return kept() == "" })
}
