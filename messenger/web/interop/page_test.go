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
	page.do(chromedp.EmulateViewport(1300, 800))
	page.wait("document.querySelector('.beside h2')?.innerText.includes('GROUP<img') && document.querySelector('.beside .members').innerText.includes('PROF<img')")
	page.press("Write")
	page.pressIn("dialog[open]", "New group…")
	page.wait("document.querySelector('dialog[open] .choice')?.innerText.includes('PROF<img')")
	page.pressIn("dialog[open]", "Cancel")
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
	// The lock covers it, and the passphrase uncovers it: what was open is open again.
	locked := func(again string) {
		t.Helper()
		alice.call("lock", nil, nil)
		a.wait("document.querySelector('input[type=password]') !== null && !document.body.innerText.includes('hello bob')")
		a.do(chromedp.SendKeys("input[type=password]", passphrase+"\r"))
		a.wait(again)
	}
	locked("document.querySelector('.list').innerText.includes('hello alice') && document.querySelector('.log').innerText.includes('hello bob')")
	a.press("Settings")
	a.wait("document.querySelector('.panel h1')?.innerText === 'Settings'")
	locked("document.querySelector('.panel h1')?.innerText === 'Settings'")
}

// A laptop is linked from page to page: its code is shown on one, read from a picture by the other, and both show the same digits.
func TestLinkingFromPageToPage(t *testing.T) {
	w := newTown(t)
	phone := w.person("phone")
	number := phone.register()
	a := newBrowser(t).tab(phone.address())
	a.wait("document.querySelector('.side') !== null")
	cmd := w.program("messenger", "laptop", "open", "--print")
	b := newBrowser(t).tab(w.begin(cmd, `(http://127\.0\.0\.1:\d+/#\S+)`))
	click := func(page *tab, label string) {
		t.Helper()
		page.wait(fmt.Sprintf("[...document.querySelectorAll('button')].some(b => b.innerText === %q)", label))
		script[bool](page, fmt.Sprintf("(() => { [...document.querySelectorAll('button')].find(b => b.innerText === %q).click(); return true })()", label))
	}
	click(b, "Link to my account")
	b.do(chromedp.SendKeys("input[type=url]", w.url), chromedp.SendKeys("label:nth-of-type(3) input", passphrase), chromedp.SendKeys("label:nth-of-type(4) input", passphrase))
	click(b, "Show the code")
	b.wait("document.querySelector('.qr') !== null")
	code := script[string](b, "document.querySelector('code').innerText")
	click(a, "Settings")
	a.wait("document.querySelector('input[placeholder^=tsdevice]') !== null")
	script[bool](a, phone.photograph([]byte(code)))
	a.wait("document.querySelector('input[placeholder^=tsdevice]').value.startsWith('tsdevice:')")
	click(a, "Let it in")
	a.wait("document.querySelector('[role=alertdialog]') !== null")
	here := script[string](a, "document.querySelector('.digits').innerText")
	click(a, "They are the same")
	b.wait("document.querySelector('[role=alertdialog]') !== null")
	if there := script[string](b, "document.querySelector('[role=alertdialog]').innerText"); !strings.Contains(there, here) || !strings.Contains(there, number) || len(here) != 7 {
		t.Errorf("the phone shows %q, the laptop %q", here, there)
	}
	click(b, "They are the same")
	b.wait("document.querySelector('.side') !== null")
	a.wait("document.querySelector('.main').innerText.includes('laptop')")
}
