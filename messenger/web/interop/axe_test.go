package interop

import (
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

// axe-core, from npm, judges each screen by WCAG 2, levels A and AA: who hears the page, or has only keys, finds what the others find.
func TestEverybodyCanUseThePage(t *testing.T) {
	source, err := os.ReadFile("axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("axe-core is missing (npm ci in messenger/web/interop/axe): %v", err)
		}
		t.Skip("axe-core is missing: run npm ci --ignore-scripts in messenger/web/interop/axe")
	}
	b := newBrowser(t)
	w := newTown(t)
	alice, bob := w.person("alice"), w.person("bob")
	alice.register()
	other := bob.register()
	alice.call("send", map[string]any{"recipient": []string{other}, "message": "Shall we meet?"}, nil)
	page := b.tab(alice.address())
	page.wait("document.querySelector('.list button') !== null")
	script[bool](page, string(source)+"; true")
	judge := func(screen, there string) {
		t.Helper()
		page.wait("document.querySelector('" + there + "') !== null")
		for _, theme := range []string{"light", "dark"} {
			script[string](page, fmt.Sprintf("document.documentElement.dataset.theme = %q", theme))
			checks := script[int](page, `axe.run(document, {runOnly: ['wcag2a', 'wcag2aa']}).then(r => { window.found = r.violations.map(v => v.id + ' (' + v.impact + '): ' + v.nodes.map(n => n.html.slice(0, 100)).join(', ')).join('; '); return r.passes.length })`)
			if found := script[string](page, "window.found"); found != "" || checks == 0 {
				t.Errorf("%s, %s, by %d rules: %s", screen, theme, checks, found)
			}
		}
	}
	click := func(label string) {
		t.Helper()
		script[bool](page, fmt.Sprintf("(() => { [...document.querySelectorAll('button')].find(b => b.innerText.includes(%q)).click(); return true })()", label))
	}
	judge("list", ".list button")
	click("Shall we meet?")
	judge("conversation", ".log .m")
	click("Verify")
	judge("safety number", ".digits")
	click("Shall we meet?")
	click("Details")
	judge("details", "select")
	click("Settings")
	judge("settings", "table")
	click("Audited?")
	judge("audited", ".ring")
	click("Write")
	judge("whom to write to", "dialog[open]")
	page.pressIn("dialog[open]", "New group…")
	judge("a new group", "dialog[open] fieldset")
	page.answer("Make the group", "Walks", other)
	page.do(chromedp.EmulateViewport(1300, 800))
	page.wait("document.querySelectorAll('.beside .members li').length === 2")
	page.write("Where to?")
	page.reads("Where to?")
	judge("a group and its details", ".m.mine")
	page.press("What to do with " + other)
	judge("what to do with a member", ":popover-open")
	page.pressIn(":popover-open", "Remove from the group")
	judge("a question", "dialog[open]")
	page.pressIn("dialog[open]", "Cancel")
	script[bool](page, "document.querySelector('.m.mine').focus(); true")
	page.pressIn(".m:focus", "Edit")
	judge("an edit", "dialog[open]")
	page.answer("Change it", "Where to, and when?")
	page.press("edited")
	judge("earlier versions", ":popover-open")
	alice.call("lock", nil, nil)
	judge("lock", "input[type=password]")
}
