package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	chromium "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// What a person does with a page. Each of these waits until there is what is to be touched.

// press clicks the button with this label: what it says, or what is read aloud of it.
func (b *tab) press(label string) { b.t.Helper(); b.pressIn("body", label) }

// pressIn clicks the button with this label inside of what the selector finds.
func (b *tab) pressIn(where, label string) {
	b.t.Helper()
	b.wait(fmt.Sprintf(`(() => {
		const found = [...document.querySelectorAll(%q)].flatMap(e => [...e.querySelectorAll('button')]).find(b => !b.disabled && (b.innerText.trim() === %q || b.ariaLabel === %q));
		found?.click(); return found !== undefined })()`, where, label, label))
}

// pick opens the menu with this label and presses what is in it. A menu that was drawn before that was there is opened again.
func (b *tab) pick(label, item string) {
	b.t.Helper()
	b.wait(fmt.Sprintf(`(() => {
		const box = document.querySelector(':popover-open'), found = [...box?.querySelectorAll('button') ?? []].find(b => b.innerText.trim() === %q);
		if (found) { found.click(); return true }
		box?.hidePopover();
		[...document.querySelectorAll('button')].find(b => !b.disabled && b.ariaLabel === %q)?.click();
		return false })()`, item, label))
}

// listens has the page remember what its bar says from now on: that is gone after some seconds, or when there is more to say.
func (b *tab) listens() {
	b.t.Helper()
	script[bool](b, `(() => { window.heard = [];
		window.hearing ??= new MutationObserver((all) => { for (const r of all) if (r.target.matches?.('.bar[role=status]')) heard.push(...[...r.addedNodes].map((n) => n.textContent)); });
		hearing.observe(document.body, {subtree: true, childList: true}); return true })()`)
}

// said waits until the bar has said these words since listens.
func (b *tab) said(words string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("heard.some(t => t.includes(%q))", words))
}

// converse opens the conversation of the list in which these words are seen.
func (b *tab) converse(words string) {
	b.t.Helper()
	b.wait(fmt.Sprintf(`(() => { const found = [...document.querySelectorAll('.list button')].find(b => b.innerText.includes(%q)); found?.click(); return found !== undefined })()`, words))
	b.wait("document.querySelector('.log') !== null")
}

// enter types a text into the field whose label begins so, in place of what is there.
func (b *tab) enter(label, text string) {
	b.t.Helper()
	b.wait(fmt.Sprintf(`(() => {
		const found = [...document.querySelectorAll('label')].find(l => l.innerText.startsWith(%q))?.querySelector('input');
		found?.focus(); found?.select(); return found && document.activeElement === found })()`, label))
	b.do(chromedp.KeyEvent(text))
}

// accept takes a message request, and waits until the page has gone on from it.
func (b *tab) accept() {
	b.t.Helper()
	b.pressIn(".main", "Accept")
	b.wait("![...document.querySelectorAll('.main button')].some(b => b.innerText === 'Accept')")
}

// write sends a message in the open conversation. The Enter is one event, as a keyboard's is: chromedp's is two, of which the page can prevent the first
// only, so that a line break stays behind in the field.
func (b *tab) write(text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(".compose textarea", text))
	for _, event := range []input.DispatchKeyEventParams{{Type: input.DispatchKeyEventTypeKeyDown, Text: "\r"}, {Type: input.DispatchKeyEventTypeKeyUp}} {
		event.Key, event.Code, event.WindowsVirtualKeyCode = "Enter", "Enter", 13
		b.ask(chromedp.Call(b.ctx, input.DispatchKeyEvent, event))
	}
}

// reads waits until the open conversation shows the words.
func (b *tab) reads(words string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("document.querySelector('.log')?.innerText.includes(%q)", words))
}

// choose presses a button that opens a file chooser, and chooses the files in it.
func (b *tab) choose(selector string, files ...string) {
	b.t.Helper()
	b.ask(chromedp.Call(b.ctx, page.Enable, page.EnableParams{}))
	b.ask(chromedp.Call(b.ctx, page.SetInterceptFileChooserDialog, page.SetInterceptFileChooserDialogParams{Enabled: true}))
	opened, err := act(b, chromedp.WaitEvent(page.FileChooserOpened, func(page.EventFileChooserOpened) bool { return true }, chromedp.Click(selector)))
	if err != nil {
		b.t.Fatalf("no file chooser opens: %v", err)
	}
	b.ask(chromedp.Call(b.ctx, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: files, BackendNodeID: opened.BackendNodeID}))
}

// drop drops files from the desktop in the middle of what the selector finds, once the page has said that it takes them.
func (b *tab) drop(selector string, files ...string) {
	b.t.Helper()
	at := script[[]float64](b, fmt.Sprintf("(() => { const r = document.querySelector(%q).getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()", selector))
	drag := func(step input.DispatchDragEventType) {
		b.t.Helper()
		b.ask(chromedp.Call(b.ctx, input.DispatchDragEvent, input.DispatchDragEventParams{Type: step, X: at[0], Y: at[1],
			Data: &input.DragData{Items: []*input.DragDataItem{}, Files: files, DragOperationsMask: 1}}))
	}
	script[bool](b, "(() => { window.taken = false; addEventListener('dragover', (e) => { taken = e.defaultPrevented }); return true })()")
	// A mouse that is held there tells it again and again, and a page that draws misses some.
	for end := time.Now().Add(patience); !script[bool](b, "taken"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("the page takes no files:\n%s", b.text())
		}
		drag(input.DispatchDragEventTypeDragEnter)
		drag(input.DispatchDragEventTypeDragOver)
	}
	drag(input.DispatchDragEventTypeDragOver)
	drag(input.DispatchDragEventTypeDrop)
}

// downloads is where the browser saves files from now on.
func (b *tab) downloads() (dir string) {
	b.t.Helper()
	dir = b.t.TempDir()
	b.ask(chromedp.CallBrowser(b.ctx, chromium.SetDownloadBehavior, chromium.SetDownloadBehaviorParams{Behavior: chromium.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir}))
	return dir
}

// saved waits until there is a whole file in a folder of downloads, takes it away, and returns what is in it. What the browser makes of its name is not
// our matter.
func (w *town) saved(dir string) (found []byte) {
	w.Helper()
	w.until("a file is saved", func() bool {
		list, err := filepath.Glob(dir + "/*")
		if err != nil || len(list) != 1 || strings.HasSuffix(list[0], ".crdownload") {
			return false
		}
		found, err = os.ReadFile(list[0])
		return err == nil && len(found) > 0 && os.Remove(list[0]) == nil
	})
	return found
}

// ask wants an answer of the browser to be one.
func (b *tab) ask(_ any, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}
