package interop

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The screens of the page as pictures, for people to look at: a telephone's width and a desk's, light and dark. They go into the folder that PAGE_PICTURES
// names:
//
//	PAGE_PICTURES=/tmp/pictures go test -run TestScreens .
func TestScreens(t *testing.T) {
	dir := os.Getenv("PAGE_PICTURES")
	if dir == "" {
		t.Skip("PAGE_PICTURES names no folder")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w := newTown(t)
	take := func(page *tab, name string) {
		t.Helper()
		for _, theme := range []string{"light", "dark"} {
			script[bool](page, fmt.Sprintf("(() => { document.documentElement.dataset.theme = %q; return true })()", theme))
			shot, err := act(page, chromedp.CaptureScreenshot())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name+"-"+theme+".png"), shot, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	door := w.fresh("nobody")
	door.wait("document.querySelector('input[type=url]') !== null")
	alice, group := neighbours(t, w)
	b := newBrowser(t)
	for _, size := range []struct{ width, height int64 }{{390, 844}, {1280, 800}} {
		name := func(screen string) string { return fmt.Sprintf("%s-%d", screen, size.width) }
		door.do(chromedp.EmulateViewport(size.width, size.height))
		take(door, name("first"))

		page := b.tab(alice.address())
		page.do(chromedp.EmulateViewport(size.width, size.height))
		page.wait("document.querySelector('.list')?.innerText.includes('Mountain walk')")
		take(page, name("list"))
		page.converse(group)
		page.wait("document.querySelector('.log img')?.naturalWidth > 0 && document.querySelector('.log').innerText.includes('six then')")
		script[bool](page, "(() => { document.activeElement.blur(); return true })()")
		take(page, name("group"))
		if size.width < 1000 {
			page.press("Details")
			page.wait("document.querySelectorAll('.members li').length === 3")
			take(page, name("details"))
			page.press("← Back")
			page.press("Back to the list")
		}
		page.converse("Bob Berger")
		page.reads("with the children")
		take(page, name("conversation"))
		page.pressIn(".main header", "Verify")
		page.wait("document.querySelector('.main .qr') !== null")
		take(page, name("verify"))
		if size.width < 1000 {
			page.press("← Back")
			page.press("Back to the list")
		}
		page.press("Settings")
		page.wait("document.querySelector('.panel table') !== null")
		take(page, name("settings"))
		if size.width < 1000 {
			page.press("Back to the list")
		}
		script[bool](page, "(() => {"+strings.TrimSuffix(strings.TrimSpace(painted), "true")+"; return true })()")
		page.press("Audited?")
		page.wait("document.querySelectorAll('.person.signed').length === 3")
		take(page, name("audited"))
	}
}

// neighbours are three people who have something to say to each other; the first one's messenger, and the name of their group.
func neighbours(t *testing.T, w *town) (alice *person, group string) {
	t.Helper()
	alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
	to := func(p *person) []string { return []string{p.number} }
	for p, name := range map[*person]string{alice: "Alice Arnaud", bob: "Bob Berger", carol: "Carol Costa"} {
		p.register()
		p.call("updateProfile", map[string]string{"name": name}, nil)
	}
	for _, p := range []*person{bob, carol} {
		alice.call("send", map[string]any{"recipient": to(p), "message": "Hello, it is me, on the new messenger."}, nil)
		p.call("sendMessageRequestResponse", map[string]any{"recipient": to(alice), "type": "accept"}, nil)
		p.call("send", map[string]any{"recipient": to(alice), "message": "Good to see you here!"}, nil)
	}
	bob.call("send", map[string]any{"recipient": to(alice), "message": "Shall we all go up on Sunday, with the children?"}, nil)
	group = "Mountain walk"
	alice.call("updateGroup", map[string]any{"name": group, "members": []string{bob.number, carol.number}}, nil)
	in := func(p *person) string {
		var id string
		w.until(p.name+" is in the group", func() bool {
			var list []struct{ ID, Name string }
			p.call("listConversations", nil, &list)
			for _, c := range list {
				if c.Name == group {
					id = c.ID
				}
			}
			return id != ""
		})
		return id
	}
	arrives := func(text string) {
		w.until(text, func() bool { return alice.last(group) == text })
	}
	say := func(p *person, text string, more ...any) {
		params := map[string]any{"groupId": in(p), "message": text}
		for i := 0; i+1 < len(more); i += 2 {
			params[more[i].(string)] = more[i+1]
		}
		p.call("send", params, nil)
		arrives(text)
	}
	say(alice, "Who brings the rope?")
	say(bob, "I do, and the thermos. The path by the lake is open again, the hut too. We could be up by noon if we leave at six.")
	say(carol, "This is what it looked like in June.", "attachments", []string{"data:image/png;filename=meadow.png;base64," + base64.StdEncoding.EncodeToString(meadow(t, 640, 360))})
	var list []struct {
		Author, Body string
		Timestamp    uint64
	}
	alice.call("listMessages", map[string]any{"groupId": in(alice)}, &list)
	alice.call("sendReaction", map[string]any{"groupId": in(alice), "targetAuthor": carol.number, "targetTimestamp": list[len(list)-1].Timestamp, "emoji": "❤️"}, nil)
	say(alice, "Lovely. At six then!", "quoteAuthor", bob.number, "quoteTimestamp", list[len(list)-2].Timestamp)
	return alice, group
}
