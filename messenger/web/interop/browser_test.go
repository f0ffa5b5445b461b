package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"
)

// browser is a chromium of its own, with a profile that ends with the test.
type browser struct {
	t   testing.TB
	ctx context.Context
}

// newBrowser starts one; flags are pairs of a name and a value.
func newBrowser(t testing.TB, flags ...string) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is missing: apt-get install chromium")
		}
		t.Skip("chromium is missing: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WSURLReadTimeout(patience))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	for i := 0; i+1 < len(flags); i += 2 {
		options = append(options, chromedp.Flag(flags[i], flags[i+1]))
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return &browser{t, ctx}
}

// tab opens a tab at an address.
func (b *browser) tab(url string) *tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	out := &tab{b.t, ctx}
	if err := chromedp.Do(ctx); err != nil { // opens it, for as long as the test lasts
		b.t.Fatal(err)
	}
	out.do(chromedp.Navigate(url))
	return out
}

// tab is one tab. Each thing it does ends after patience.
type tab struct {
	t   testing.TB
	ctx context.Context
}

// act does one thing in a tab.
func act[T any](b *tab, a chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, a)
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if _, err := act(b, chromedp.Steps(steps...)); err != nil {
		b.t.Fatal(err)
	}
}

// script runs a script in the tab, awaits it if it is a promise, and returns its value.
func script[T any](b *tab, code string) T {
	b.t.Helper()
	v, err := act(b, chromedp.Evaluate[T](code, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", code, err)
	}
	return v
}

// long is script for what has much to do: it may take as long as it takes.
func long[T any](b *tab, code string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](code, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", code, err)
	}
	return v
}

// wait waits until a script's value is true. What throws is not true yet: the page is perhaps drawing what the script looks for.
func (b *tab) wait(condition string) {
	b.t.Helper()
	attempt := fmt.Sprintf("(() => { try { return %s } catch { return false } })()", condition)
	if _, err := act(b, chromedp.Poll[bool](attempt, chromedp.WithPollingTimeout(0))); err != nil {
		b.t.Fatalf("waited in vain: %s: %v\n%s", condition, err, b.text())
	}
}

func (b *tab) text() string {
	v, err := act(b, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return v
}
