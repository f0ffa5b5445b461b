package interop

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// socks is a SOCKS5 proxy to a town's server, messenger/client/remote/sockstest's as a child.
type socks struct {
	t      testing.TB
	url    string
	orders io.WriteCloser
	said   *bufio.Scanner
}

func (w *town) socks() *socks {
	w.Helper()
	child := filepath.Join(w.TempDir(), "socks.test")
	build := exec.Command("go", "test", "-c", "-o", child, "./messenger/client/remote/sockstest")
	build.Dir = "../../.."
	build.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		w.Fatalf("go test -c: %v\n%s", err, out)
	}
	cmd := exec.Command(child, "-test.run=^TestProxy$")
	cmd.Env = append(os.Environ(), "COUNTERSIGN_SOCKS="+strings.TrimPrefix(w.url, "http://"))
	orders, err := cmd.StdinPipe()
	if err != nil {
		w.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	p := &socks{w, "", orders, bufio.NewScanner(out)}
	w.Cleanup(func() {
		p.shut()
		_ = cmd.Wait()
	})
	p.url = p.hears("proxy ")
	return p
}

// hears waits for a line that begins so.
func (p *socks) hears(begins string) string {
	p.t.Helper()
	for p.said.Scan() {
		if rest, ok := strings.CutPrefix(p.said.Text(), begins); ok {
			return rest
		}
	}
	p.t.Fatalf("the proxy has ended before it said %q", begins)
	return ""
}

// asked is what it was asked for.
func (p *socks) asked() string {
	p.t.Helper()
	if _, err := io.WriteString(p.orders, "\n"); err != nil {
		p.t.Fatal(err)
	}
	return p.hears("asked ")
}

// shut ends it, and all that goes through it.
func (p *socks) shut() { _ = p.orders.Close() }

// unfold opens what is folded under these words.
func (b *tab) unfold(words string) {
	b.t.Helper()
	b.wait(fmt.Sprintf(`(() => { const found = [...document.querySelectorAll('summary')].find(s => s.innerText === %q); if (found) found.parentElement.open = true; return found !== undefined })()`, words))
}

// The settings show how the server is reached and whether it is, by itself; and lead another way, which is tried first: who does not know the account is
// refused, who does not answer can be taken all the same.
func TestTheWayToTheServerIsChangedOnThePage(t *testing.T) {
	w, elsewhere := newTown(t), newTown(t)
	proxy := w.socks()
	alice, bob := w.person("alice"), w.person("bob")
	alice.register()
	bob.register()
	a := newBrowser(t).tab(alice.address())
	const gone = "http://127.0.0.1:1"
	shows := func(words ...string) {
		t.Helper()
		for _, one := range words {
			a.wait(fmt.Sprintf("document.querySelector('.way dl').innerText.includes(%q)", one))
		}
	}
	wrong := func(words string, untried bool) {
		t.Helper()
		a.press("Try it, and change")
		a.wait(fmt.Sprintf("document.querySelector('.way .error').innerText.includes(%q)", words))
		if got := script[bool](a, "document.querySelector('.way .error button') !== null"); got != untried {
			t.Errorf("%s: it can be taken untried: %v", words, got)
		}
		shows(w.url, "none: this computer connects directly", "below the authorities of this system", "\nconnected")
	}
	const server, through = "Address of the same server", "SOCKS5 proxy"
	a.press("Settings")
	shows(w.url, "\nconnected")
	a.unfold("Reach it another way")
	wrong("Nothing is different.", false)
	a.enter(server, elsewhere.url)
	wrong(elsewhere.url+" is not the server of this account: it does not know "+alice.number+", or not this device. An account lives on one server", false)
	a.enter(server, w.url)
	a.enter(through, "127.0.0.1:9050")
	wrong(`proxy "127.0.0.1:9050": want socks5://host:port`, false)
	a.enter(through, kb.Backspace)
	a.enter(server, gone)
	wrong(gone+" was tried: no answer from the server: ", true)

	a.enter(server, "http://chat.onion")
	a.enter(through, proxy.url)
	a.press("Try it, and change")
	shows("http://chat.onion", proxy.url, "\nconnected")
	if got := proxy.asked(); got != "chat.onion:80" {
		t.Errorf("the proxy was asked for %s", got)
	}
	bob.call("send", map[string]any{"recipient": []string{alice.number}, "message": "through the dark"}, nil)
	a.wait("document.querySelector('.list').innerText.includes('through the dark')")

	proxy.shut()
	shows("not connected: ")
	a.unfold("Reach it another way")
	a.enter(server, gone)
	a.press("Try it, and change")
	a.press("Take it untried")
	shows(gone, "not connected: ")
	a.unfold("Reach it another way")
	a.enter(server, w.url)
	a.enter(through, kb.Backspace)
	a.press("Try it, and change")
	shows(w.url, "none: this computer connects directly", "\nconnected")
}

// Who reaches his server only through a proxy says so when he registers, on the page, too.
func TestRegisteringThroughAProxyOnThePage(t *testing.T) {
	w := newTown(t)
	proxy := w.socks()
	a := w.fresh("alice")
	a.unfold("Behind a proxy, or an authority of its own")
	a.enter("SOCKS5 proxy", proxy.url)
	at := w.url
	w.url = "http://chat.onion"
	a.register(w)
	w.url = at
	a.press("Settings")
	a.wait(fmt.Sprintf("document.querySelector('.way dl').innerText.includes(%q)", proxy.url))
	a.wait("document.querySelector('.way dl').innerText.includes('\\nconnected')")
	if got := proxy.asked(); got != "chat.onion:80" {
		t.Errorf("the proxy was asked for %s", got)
	}
}
