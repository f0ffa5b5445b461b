package interop

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// identity is what a person's messenger says of another's key.
type identity struct {
	TrustLevel, SafetyNumber string
	ScannableSafetyNumber    []byte
}

func (p *person) identity(number string) identity {
	p.w.Helper()
	var list []identity
	p.call("listIdentities", map[string]string{"number": number}, &list)
	if len(list) != 1 {
		p.w.Fatalf("%s knows %d keys of %s", p.name, len(list), number)
	}
	return list[0]
}

// photograph is a script that gives the page a picture of a code, as a file.
func (p *person) photograph(data []byte) string {
	p.w.Helper()
	var code json.RawMessage
	p.call("qrCode", map[string][]byte{"data": data}, &code)
	return fmt.Sprintf(`(async () => {
		const code = %s, side = (code.size + 8) * 8, c = new OffscreenCanvas(side, side), ctx = c.getContext('2d');
		ctx.fillStyle = '#fff'; ctx.fillRect(0, 0, side, side); ctx.scale(8, 8); ctx.translate(4, 4);
		ctx.fillStyle = '#000'; ctx.fill(new Path2D(code.path));
		const files = new DataTransfer(); files.items.add(new File([await c.convertToBlob()], 'photo.png', {type: 'image/png'}));
		const input = document.querySelector('input[type=file][accept="image/*"]');
		input.files = files.files; input.dispatchEvent(new Event('change')); return true })()`, code)
}

// The code on one screen is read by the other page from a picture, digits in halves; and whoever comes back from there still sees what arrives.
func TestVerifyOnThePage(t *testing.T) {
	b := newBrowser(t)
	w := newTown(t)
	alice, bob := w.person("alice"), w.person("bob")
	number, other := alice.register(), bob.register()
	alice.call("send", map[string]any{"recipient": []string{other}, "message": "first of all"}, nil)
	bob.call("sendMessageRequestResponse", map[string]any{"recipient": []string{number}, "type": "accept"}, nil)
	bob.call("send", map[string]any{"recipient": []string{number}, "message": "yes?"}, nil)
	page := b.tab(alice.address())
	page.wait("document.querySelector('.list')?.innerText.includes('yes?')")
	press := func(label string) {
		t.Helper()
		page.wait(fmt.Sprintf("[...document.querySelectorAll('.main button')].some(b => b.innerText === %q)", label))
		script[bool](page, fmt.Sprintf("(() => { [...document.querySelectorAll('.main button')].find(b => b.innerText === %q).click(); return true })()", label))
	}
	trusted := func(want string) {
		t.Helper()
		if got := alice.identity(other).TrustLevel; got != want {
			t.Errorf("the contact is %s, want %s", got, want)
		}
	}
	script[bool](page, `(() => { [...document.querySelectorAll('.list button')].find(b => b.innerText.includes('yes?')).click(); return true })()`)
	press("Verify")
	page.wait("document.querySelector('input[type=file][accept]') !== null")
	page.listens()
	// One's own code is not the other one's.
	script[bool](page, alice.photograph(alice.identity(other).ScannableSafetyNumber))
	page.said("safety numbers differ: ")
	trusted("TRUSTED_UNVERIFIED")
	script[bool](page, bob.photograph(bob.identity(number).ScannableSafetyNumber))
	page.wait("document.querySelector('.log') !== null")
	trusted("TRUSTED_VERIFIED")
	bob.call("send", map[string]any{"recipient": []string{number}, "message": "still there"}, nil)
	page.wait("document.querySelector('.log').innerText.includes('still there')")

	press("Verify")
	press("I do not vouch for it any more")
	page.wait("document.querySelector('.log') !== null")
	trusted("TRUSTED_UNVERIFIED")
	press("Verify")
	page.wait("document.querySelector('input[inputmode=numeric]') !== null")
	script[bool](page, `(() => {
		const all = document.querySelector('details .digits').textContent.replace(/\D/g, ''), mine = document.querySelector('.digits').textContent.replace(/\D/g, '');
		window.half = all.startsWith(mine) ? all.slice(30) : all.slice(0, 30); return true })()`)
	half := script[string](page, "half")
	page.do(chromedp.SendKeys("input[inputmode=numeric]", fmt.Sprint((half[0]-'0'+1)%10)+half[1:]))
	page.listens()
	press("Compare")
	page.said("safety numbers differ: the key we have for them is not theirs")
	trusted("TRUSTED_UNVERIFIED")
	script[bool](page, "(() => { document.querySelector('input[inputmode=numeric]').value = half; return true })()")
	press("Compare")
	page.wait("document.querySelector('.log') !== null")
	trusted("TRUSTED_VERIFIED")
}

// The camera films while one scans, and no longer than one does.
func TestTheCameraStops(t *testing.T) {
	b := newBrowser(t, "use-fake-device-for-media-stream", "device-count=1", "use-fake-ui-for-media-stream", "true")
	w := newTown(t)
	alice := w.person("alice")
	alice.register()
	page := b.tab(alice.address())
	press := func(label string) {
		t.Helper()
		page.wait(fmt.Sprintf("[...document.querySelectorAll('button')].some(b => b.innerText === %q)", label))
		script[bool](page, fmt.Sprintf("(() => { [...document.querySelectorAll('button')].find(b => b.innerText === %q).click(); return true })()", label))
	}
	press("Settings")
	press("Scan with the camera")
	page.wait("document.querySelector('video')?.videoWidth > 0")
	script[bool](page, "(() => { window.film = document.querySelector('video').srcObject.getTracks()[0]; return film.readyState === 'live' })()")
	press("Audited?")
	page.wait("film.readyState === 'ended' && document.querySelector('video') === null")
}
