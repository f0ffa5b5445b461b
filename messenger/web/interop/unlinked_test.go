package interop

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// Bob's number is registered anew. His old messenger's page says what has happened and what to do, and still shows what is there.
func TestThePageOfAReplacedMessenger(t *testing.T) {
	w, _, bob, _, b := acquainted(t)
	w.person("mallory").takeOver(bob.number)
	b.wait("document.querySelector('.bar:not([hidden])')?.innerText.includes('was registered anew on another device')")
	b.do(chromedp.Reload())
	b.wait("document.querySelector('.bar:not([hidden])')?.innerText.includes('was registered anew on another device')")
	b.converse("first of all")
	b.reads("first of all")
	b.pressIn("nav", "Notes")
	b.reads("register the number again")
}
