package interop

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The address works once; what it has bought stays in the tab, and nothing of it in the address or in a cookie.
func TestAnAddressIsForOneBrowser(t *testing.T) {
	b := newBrowser(t)
	w := newTown(t)
	alice := w.person("alice")
	alice.register()
	address := alice.address()
	first := b.tab(address)
	first.wait("sessionStorage.token !== undefined")
	if at := script[string](first, "location.href"); at != "http://"+alice.at+"/" {
		t.Errorf("the key stays in the address: %s", at)
	}
	if cookies := script[string](first, "document.cookie"); cookies != "" {
		t.Errorf("cookies %q", cookies)
	}
	first.do(chromedp.Reload())
	first.wait("sessionStorage.token !== undefined")
	second := newBrowser(t).tab(address)
	second.wait("document.body.innerText.includes('messenger open')")
	if token := script[bool](second, "sessionStorage.token !== undefined"); token {
		t.Error("the address worked twice")
	}
	if !strings.HasPrefix(alice.address(), "http://"+alice.at+"/#") {
		t.Error("another opening is at another place")
	}
}
