package tui_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
)

// What a command asks of the account, about the message that is marked or, without a mark, the usual one.
func TestCommands(t *testing.T) {
	at := func(seq int64) string { return fmt.Sprint(everything()[seq-1].Timestamp) }
	for _, c := range []struct {
		with  string
		up    int // presses
		typed string
		keys  string // answers
		want  string
	}{
		{bob, 0, "/react +1", "", `sendReaction {"emoji":"👍","recipient":"+2000","remove":false,"targetAuthor":"+2000","targetTimestamp":` + at(9) + `}`},
		{bob, 11, "/react 👍", "", `sendReaction {"emoji":"👍","recipient":"+2000","remove":true,"targetAuthor":"+1000","targetTimestamp":` + at(3) + `}`},
		{bob, 0, "/delete", "e", `remoteDelete {"recipient":"+2000","targetTimestamp":` + at(8) + `}`},
		{bob, 0, "/delete", "h", `deleteMessage {"seq":8}`},
		{bob, 10, "/delete", "eh", `deleteMessage {"seq":4}`}, // nobody takes back what another has said
		{bob, 0, "/retry", "", `retryMessage {"seq":7}`},
		{bob, 0, "/save /tmp", "", `saveAttachment {"directory":"/tmp","id":"6/0","progress":"1"}`},
		{bob, 0, "/timer 1d", "", `updateContact {"expiration":86400,"recipient":"+2000"}`},
		{bob, 0, "/timer off", "", `updateContact {"expiration":0,"recipient":"+2000"}`},
		{choir, 0, "/timer 4w", "", `updateGroup {"expiration":2419200,"groupId":"` + choir + `"}`},
		{bob, 0, "/verify " + strings.Repeat("12345 ", 12), "", `trust {"recipient":"+2000","verifiedSafetyNumber":"` + strings.Repeat("12345", 12) + `"}`},
		{choir, 0, "/ask", "", `askForMissing {"groupId":"` + choir + `"}`},
		{carol, 0, "/accept", "", `sendMessageRequestResponse {"recipient":"+3000","type":"accept"}`},
		{carol, 0, "/block", "y", `block {"recipient":["+3000"]}`},
		{choir, 0, "/unblock", "", `unblock {"groupId":["` + choir + `"]}`},
		{bob, 0, "/mute", "", `mute {"muted":true,"recipient":"+2000"}`},
		{bob, 0, "/name Robert", "", `updateContact {"name":"Robert","recipient":"+2000"}`},
		{bob, 0, "/search old bridge", "", `searchMessages {"limit":100,"query":"old bridge","recipient":"+2000"}`},
		{bob, 0, "/introduce carol", "", `introduce {"recipient":["+2000","carol"]}`},
		{bob, 0, "/go dave", "", `resolve {"name":"dave"}`},
	} {
		f := newFake()
		f.set("listMessages", everything())
		f.set("searchMessages", []*history.Message{})
		s := f.screen(t, c.with, 100, 40)
		s.shows("Choir", "another")
		for range c.up {
			s.press("up")
		}
		s.enters(c.typed)
		s.types(c.keys)
		s.asks(f, 1, c.want)
	}
}

// What is sent says what it answers or changes.
func TestSendingWithMore(t *testing.T) {
	for _, c := range []struct {
		up          int
		typed, then string
		want        map[string]any
	}{
		{0, "/reply yes", "", map[string]any{"message": "yes", "quoteAuthor": bob, "quoteTimestamp": float64(everything()[8].Timestamp)}},
		{11, "/reply", "to my own", map[string]any{"message": "to my own", "quoteAuthor": me, "quoteTimestamp": float64(everything()[2].Timestamp)}},
		{0, "/edit gone soon", "", map[string]any{"message": "gone soon", "editTimestamp": float64(everything()[7].Timestamp)}},
		{11, "/edit", " indeed", map[string]any{"message": "an answer indeed", "editTimestamp": float64(everything()[2].Timestamp)}},
		{0, "/file '/tmp/my photo.jpg'", "", map[string]any{"attachments": []any{"/tmp/my photo.jpg"}, "message": "", "progress": "1"}},
		{0, "//etc is a directory", "", map[string]any{"message": "/etc is a directory"}},
	} {
		f := newFake()
		f.set("listMessages", everything())
		s := f.screen(t, bob, 100, 40)
		s.shows("another")
		for range c.up {
			s.press("up")
		}
		s.enters(c.typed)
		if c.then != "" {
			s.enters(c.then)
		}
		s.until("it is sent", func() bool { return len(f.changes()) == 1 })
		var got map[string]any
		if err := json.Unmarshal([]byte(strings.TrimPrefix(f.changes()[0], "send ")), &got); err != nil {
			t.Fatal(f.changes(), err)
		}
		once, _ := got["once"].(string)
		if _, edits := c.want["editTimestamp"]; (len(once) == 32) == edits {
			t.Errorf("%s: once %q", c.typed, once)
		}
		delete(got, "once")
		c.want["recipient"], c.want["noWait"] = bob, true
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s\n got %v\nwant %v", c.typed, got, c.want)
		}
	}
}

// What cannot be done is said, and stays in the field.
func TestCommandsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ with, typed, want string }{
		{bob, "/nonsense 1", "no command /nonsense: /help lists them"},
		{bob, "/react", "/react EMOJI: react to a message"},
		{bob, "/timer soon", `"soon", want a time of up to a year`},
		{bob, "/timer 53w", `"53w", want a time of up to a year`},
		{bob, "/timer 99999999999999999999d", "want a time of up to a year"},
		{bob, "/file relative", "want an absolute path in a test"},
		{bob, "/ask", "/ask is for groups"},
		{bob, "/verify " + strings.Repeat("1", 59), "59 digits, want the 60 of a safety number"},
		{choir, "/verify", "/verify NAME: whom of the group?"},
		{choir, "/verify Dave", `"Dave" is not here: /members says who is`},
		{bob, "/edit", "only what you wrote yourself can be changed"},
		{bob, "/save", "there is no file here to save"},
		{bob, "/reply x", "there is no message to answer"},
		{bob, "/retry", "nothing of yours has failed here"},
	} {
		f := newFake()
		s := f.screen(t, c.with, 130, 20)
		s.shows("Choir", "Nothing was said yet.")
		s.enters(c.typed)
		s.shows(c.want)
		if !strings.Contains(s.view(), "> "+c.typed) || len(f.changes()) != 0 {
			t.Errorf("%s: asked %q\n%s", c.typed, f.changes(), s.view())
		}
	}
}

func TestCompletion(t *testing.T) {
	f := newFake()
	o := options(f)
	o.With = bob
	o.List = func(dir string) ([]string, error) {
		if dir != "/home/" {
			return nil, errors.New("no such directory: " + dir)
		}
		return []string{".hidden", "photo-1.jpg", "photo-2.jpg", "papers/", "evil\u202ename", "empty"}, nil
	}
	s := newScreen(t, o, 130, 20)
	s.shows("Choir")
	s.types("/m")
	s.shows("Tab: /members /mute")
	s.types("e")
	s.shows("/members: who is here")
	s.press("tab", "enter")
	s.shows("Bob  (Esc closes)")
	s.press("esc")
	s.hides("(Esc closes)")
	for _, c := range []struct{ typed, want string }{
		{"/un", "/unblock"}, {"/re", "/re"}, {"/rea", "/react "}, {"/file /home/ph", "/file /home/photo-"}, {"/file /home/pa", "/file /home/papers/"},
		{"/save /home/p", "/save /home/papers/"}, {"/file /home/x", "/file /home/x"}, {"/file /home/ev", "/file /home/ev"}, {"/file /home/em", "/file /home/empty"},
	} {
		s.types(c.typed)
		s.press("tab")
		if !strings.Contains(s.view(), "> "+strings.TrimSpace(c.want)+" ") {
			t.Errorf("%q became\n%s", c.typed, s.view())
		}
		s.press("ctrl+c")
	}
	s.types("/file /else/p")
	s.press("tab")
	s.shows("no such directory: /else/")
}

// What is not handed over because the account says no is back in the field, with the reason.
func TestTheAccountSaysNo(t *testing.T) {
	f := newFake()
	f.set("send", refusal("the text is too long"))
	s := f.screen(t, bob, 100, 20)
	s.shows("Choir")
	s.enters("something long")
	s.shows("the text is too long", "> something long")
	f.set("listMessages", errors.New("the disk is full"))
	s.press("ctrl+n")
	s.shows("the disk is full")
	n := f.calls("listMessages")
	for range 5 {
		f.tells(client.Event{Type: client.EventTyping, Conversation: bob, Author: bob})
		s.press("down")
	}
	if again := f.calls("listMessages"); again != n {
		t.Errorf("it is asked for %d times more", again-n)
	}
	f.set("listMessages", everything())
	s.press("ctrl+p", "ctrl+n")
	s.shows("another")
}
