package interop

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// hit would run if any of it became HTML.
const hit = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`

// What strangers write is text, wherever the page shows it: message, name, group, file.
func TestHostileTexts(t *testing.T) {
	w := newTown(t)
	alice, eve := w.person("alice"), w.person("eve")
	number := alice.register()
	eve.register()
	eve.call("updateProfile", map[string]string{"name": "PROF<img src=x onerror=p>"}, nil)
	id, err := eve.post("/upload", "text/html", []byte(hit), "X-Name", "FILE%3Cimg%20src%3Dx%20onerror%3D%22window.pwned%3D1%22%3E.html")
	if err != nil {
		t.Fatal(err)
	}
	upload := strings.Split(string(id), `"`)[3]
	eve.call("send", map[string]any{"recipient": []string{number}, "message": "MESSAGE" + hit, "uploads": []string{upload}}, nil)
	eve.call("updateGroup", map[string]any{"name": "GROUP" + hit, "members": []string{number}}, nil)
	w.until("all has arrived", func() bool {
		var list []struct{ Name string }
		alice.call("listConversations", nil, &list)
		all := fmt.Sprint(list)
		return strings.Contains(all, "PROF<img") && strings.Contains(all, "GROUP")
	})
	page := newBrowser(t).tab(alice.address())
	page.wait("document.body.innerText.includes('GROUP<img') && document.body.innerText.includes('PROF<img')")
	script[bool](page, `(() => { [...document.querySelectorAll('.list button')].find(b => b.querySelector('strong').innerText.startsWith('PROF<img')).click(); return true })()`)
	page.wait("document.querySelector('.log').innerText.includes('MESSAGE<img') && document.querySelector('.log').innerText.includes('FILE<img')")
	script[bool](page, `(() => { const b = [...document.querySelectorAll('.log button')].find(b => b.innerText.includes('FILE<img')); b.click(); return true })()`)
	script[bool](page, `(() => { [...document.querySelectorAll('.list button')].find(b => b.querySelector('strong').innerText.startsWith('GROUP')).click(); return true })()`)
	page.wait("document.querySelector('.main h1').innerText.includes('GROUP<img')")
	if script[bool](page, "window.pwned !== undefined || document.querySelector('img[src=x]') !== null") {
		t.Error("a text of a stranger became HTML")
	}
}

// Two people, each with a browser: one writes, the other sees it, and answers.
func TestTwoBrowsersTalk(t *testing.T) {
	w := newTown(t)
	alice, bob := w.person("alice"), w.person("bob")
	number := alice.register()
	other := bob.register()
	alice.call("send", map[string]any{"recipient": []string{other}, "message": "first of all"}, nil)
	bob.call("sendMessageRequestResponse", map[string]any{"recipient": []string{number}, "type": "accept"}, nil)
	a, b := newBrowser(t).tab(alice.address()), newBrowser(t).tab(bob.address())
	for _, page := range []*tab{a, b} {
		page.wait("document.querySelector('.list button') !== null && document.querySelector('.list').innerText.includes('first of all')")
		script[bool](page, `(() => { [...document.querySelectorAll('.list button')].find(b => b.innerText.includes('first of all')).click(); return true })()`)
		page.wait("document.querySelector('.log')?.innerText.includes('first of all')")
	}
	a.do(chromedp.SendKeys("textarea", "hello bob\r"))
	b.wait("document.querySelector('.log').innerText.includes('hello bob')")
	b.do(chromedp.SendKeys("textarea", "hello alice\r"))
	a.wait("document.querySelector('.log').innerText.includes('hello alice')")
	a.wait("document.querySelector('.log').innerText.includes('✓✓')")
	// The lock covers it, and the passphrase uncovers it.
	alice.call("lock", nil, nil)
	a.wait("document.querySelector('input[type=password]') !== null && !document.body.innerText.includes('hello bob')")
	a.do(chromedp.SendKeys("input[type=password]", passphrase+"\r"))
	a.wait("document.querySelector('.list')?.innerText.includes('hello alice')")
}
