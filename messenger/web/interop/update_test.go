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

	"github.com/chromedp/chromedp"
)

// released is a messenger of version 1.0.0 that updates itself, cmd/updatecmd's TestTown as a child.
type released struct {
	page   string // the address to open
	orders io.Writer
}

func newReleased(t *testing.T) *released {
	t.Helper()
	r, dir := new(released), t.TempDir()
	child := filepath.Join(dir, "town.test")
	build := exec.Command("go", "test", "-c", "-o", child, "./cmd/updatecmd")
	build.Dir = "../../.."
	build.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	cmd := exec.Command(child, "-test.run=^TestTown$", "-test.v")
	cmd.Dir, cmd.Env, cmd.Stderr = "../../../cmd/updatecmd", append(os.Environ(), "COUNTERSIGN_TOWN=1"), os.Stderr
	orders, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	t.Cleanup(func() {
		_ = orders.Close() // it ends what it has started, and itself
		var rest strings.Builder
		for said.Scan() {
			fmt.Fprintln(&rest, said.Text())
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the released messenger: %v\n%s", err, &rest)
		}
	})
	for r.orders = orders; r.page == "" && said.Scan(); {
		r.page, _ = strings.CutPrefix(said.Text(), "page ")
		if r.page == said.Text() {
			r.page = "" // what a test says
		}
	}
	if r.page == "" {
		t.Fatal("it has ended before its page was there")
	}
	return r
}

// The page stays open while its messenger is updated, and is not loaded again: it shows how the update goes on and what runs then, asks for the passphrase,
// and shows the conversation that was open with what was written there and not yet sent. The picture of the verdict is of the new version, with the people
// who vouch for it.
func TestThePageStaysThroughAnUpdate(t *testing.T) {
	first := newBrowser(t)
	w, r := newTown(t), newReleased(t)
	a := first.tab(r.page)
	a.register(w)
	number := a.number()
	bob := w.person("bob")
	bob.register()
	say := func(text string) {
		t.Helper()
		bob.call("send", map[string]any{"recipient": []string{number}, "message": text}, nil)
	}
	say("hello, it is Bob")
	a.converse("hello, it is Bob")
	a.accept()
	say("before the update")
	a.reads("before the update")
	verdict := func(version string) {
		t.Helper()
		a.press("Audited?")
		a.wait(fmt.Sprintf("document.querySelector('.ring text.big')?.textContent === %q && document.querySelector('.panel').innerText.includes('Yes: these are the bytes that the auditors vouch for.')", version))
		if n := script[int](a, "[...document.querySelectorAll('.people li')].filter(l => l.innerText.includes('signed') && l.innerText.includes('rebuilt the same bytes')).length"); n < 3 {
			t.Errorf("%d people vouch for %s in the picture", n, version)
		}
	}
	verdict("1.0.0")
	a.converse("before the update")
	a.do(chromedp.SendKeys("textarea", "half a thought"))
	script[bool](a, `(() => { window.loadedOnce = true; window.told = [];
		new MutationObserver(() => told.push(document.querySelector('.bar[role=status]')?.textContent)).observe(document.body, {subtree: true, childList: true, characterData: true}); return true })()`)

	if _, err := io.WriteString(r.orders, "publish\n"); err != nil {
		t.Fatal(err)
	}
	a.wait("document.querySelector('input[type=password]') !== null")
	a.wait("document.body.innerText.includes('The messenger is version 1.1.0 now; it was 1.0.0.')")
	if told := script[[]string](a, "told.filter(t => /^Update 1.1.0/.test(t))"); len(told) == 0 {
		t.Errorf("the page has not shown the update going on: %q", script[[]string](a, "[...new Set(told)]"))
	}
	say("while it was locked")
	a.do(chromedp.SendKeys("input[type=password]", passphrase+"\r"))
	a.reads("before the update")
	a.reads("while it was locked")
	a.wait("document.querySelector('textarea').value === 'half a thought'")
	a.wait("told.some(t => t?.startsWith('The messenger is version 1.1.0 now; it was 1.0.0. See'))")
	say("after the update")
	a.reads("after the update")
	verdict("1.1.0")
	if !script[bool](a, "window.loadedOnce === true") {
		t.Error("the page was loaded again")
	}
}
