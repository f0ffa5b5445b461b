package tui_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
)

// everything is a conversation with one of each kind of entry.
func everything() []*history.Message {
	long := wrote(2, bob, bob, "a long text that goes over the end of the line because it says more than there is room for on one", 60)
	reply := wrote(3, bob, me, "an answer", 50)
	reply.Quote = &history.Quote{Author: bob, Timestamp: long.Timestamp, Text: long.Body}
	reply.Reactions = []history.Reaction{{Author: bob, Emoji: "👍"}, {Author: me, Emoji: "👍"}}
	edited := wrote(4, bob, bob, "edited text", 40)
	edited.Edits, edited.Edited = []history.Version{{Body: "the first text", Timestamp: edited.Timestamp}}, uint64(at(39))
	deleted := wrote(5, bob, bob, "", 38)
	deleted.Deleted = true
	file := wrote(6, bob, bob, "look", 30)
	file.Attachments = []history.Attachment{{FileName: "photo.jpg", Size: 1234567}}
	failed := wrote(7, bob, me, "did not go", 20)
	failed.Delivery = map[string]history.Delivery{bob: {State: history.Failed, Why: "not registered with the server, or gone"}}
	timed := wrote(8, bob, me, "soon gone", 10)
	timed.ExpiresAt, timed.Expires, timed.Delivery = now.UnixMilli()+90_000, 3600, map[string]history.Delivery{bob: {State: history.Queued, Why: "no connection"}}
	vouched := wrote(9, bob, bob, "from others", 8)
	vouched.Vouchers = []string{carol}
	notice := func(seq int64, kind, body string) *history.Message {
		return &history.Message{Seq: seq, Conversation: bob, Kind: history.Notice, Notice: kind, Author: bob, Body: body, Received: at(5), Timestamp: uint64(at(5))}
	}
	return []*history.Message{wrote(1, bob, bob, "yesterday", 24*60), long, reply, edited, deleted, file, failed, timed, vouched,
		notice(10, "timer", "Bob set messages to disappear."), notice(11, "key-changed-verified", "The safety number has changed."), notice(12, "gap", "Bob answered something you have not received."),
		notice(13, "equivocation", "Bob said two things:\n  one\n  another")}
}

func TestEveryKindOfEntry(t *testing.T) {
	f := newFake()
	f.set("listMessages", everything())
	s := f.screen(t, bob, 100, 34)
	s.shows("Bob · unverified", "another", "(3)")
	s.golden("everything.txt")
	s.tame()
	narrow := f.screen(t, bob, 40, 50)
	narrow.shows("Bob · unverified", "another")
	narrow.golden("narrow.txt")
	// What a message said before it was edited is shown when it is marked.
	for range 10 {
		s.press("up")
	}
	s.shows("before, at 11:50: the first text")
	s.press("esc")
	s.hides("the first text")
}

// Whatever others call themselves and write, a terminal gets nothing to obey.
func TestHostileText(t *testing.T) {
	evil := "\x1b]0;title\x07\x1b[31m\u009b2J\x9b\u202e\u2066" + "x\r\x00\x7f\u0085y"
	f := newFake()
	contacts := []client.Contact{{Number: bob, Name: evil}, {Number: carol, ProfileName: "a\nb" + evil}}
	f.set("listContacts", contacts)
	one := wrote(1, bob, bob, evil+"\n\t"+evil, 3)
	one.Quote = &history.Quote{Author: carol, Text: evil}
	one.Reactions = []history.Reaction{{Author: carol, Emoji: evil}}
	one.Attachments = []history.Attachment{{FileName: evil, Caption: evil, Size: 1}}
	one.Vouchers = []string{carol, evil}
	one.Edits, one.Edited = []history.Version{{Body: evil}}, 5
	mine := wrote(2, bob, me, evil, 2)
	mine.Delivery = map[string]history.Delivery{bob: {State: history.Failed, Why: evil}}
	f.set("listMessages", []*history.Message{one, mine, {Seq: 3, Conversation: bob, Kind: history.Notice, Notice: "gap", Body: evil, Received: at(1)}})
	f.set("searchMessages", []*history.Message{one})
	for _, size := range [][2]int{{100, 30}, {30, 20}, {5, 3}, {1, 1}} {
		s := f.screen(t, bob, size[0], size[1])
		s.until("a name", func() bool {
			return size[0] < 40 || strings.Contains(s.view(), "y · unverified") && strings.Contains(s.view(), "!! ")
		})
		s.tame()
		s.press("up", "up", "up") // marks it, with its versions
		s.tame()
		s.enters("/reply")
		s.tame()
		s.enters("/search x")
		s.until("results", func() bool { return size[0] < 40 || strings.Contains(s.view(), "1 found") })
		s.tame()
		s.enters("/members")
		s.tame()
		s.give(paste(evil))
		s.tame()
		s.enters("/nonsense" + evil)
		s.tame()
	}
}

func TestTypingDraftsAndSending(t *testing.T) {
	f := newFake()
	s := f.screen(t, bob, 100, 20)
	s.shows("Nothing was said yet.", "Choir")
	s.types("first")
	s.press("alt+enter")
	s.types("second")
	s.shows("> first", "> second")
	s.press("ctrl+n")
	s.shows("Choir · ")
	s.hides("> first")
	s.types("for the choir")
	s.press("ctrl+p")
	s.shows("> first", "> second")
	s.press("enter")
	s.until("it is sent", func() bool { return len(f.changes()) == 1 })
	got := f.changes()[0]
	if !strings.Contains(got, `"message":"first\nsecond"`) || !strings.Contains(got, `"recipient":"+2000"`) || !strings.Contains(got, `"once":"`) {
		t.Error(got)
	}
	s.hides("> first")
	s.press("alt+2")
	s.shows("> for the choir")
	s.give(paste(" and\nmore"))
	s.shows("> for the choir and", "> more")
	s.press("ctrl+c")
	s.shows("Ctrl+C again leaves")
	s.hides("more")
	s.press("ctrl+c")
	s.until("it ends", func() bool { return s.quit })
}

// What somebody reads further up stays where it is when something new comes, and more is read when the top is near.
func TestGoingBack(t *testing.T) {
	f := newFake()
	all := []*history.Message{}
	for i := range 250 {
		all = append(all, wrote(int64(i+1), bob, bob, "message number "+pad(i+1), 500-i))
	}
	f.set("listMessages", func(params string) any {
		before, limit := numbers(params)
		list := []*history.Message{}
		for _, m := range all {
			if before == 0 || m.Seq < before {
				list = append(list, m)
			}
		}
		return list[max(0, len(list)-limit):]
	})
	s := f.screen(t, bob, 100, 24)
	s.shows("message number 250")
	s.press("pgup", "pgup")
	s.hides("message number 250")
	s.shows("more lines")
	before, below := firstMessage(s.view()), moreLines(s.view())
	f.tells(client.Event{Type: client.EventMessage, Conversation: bob, Message: wrote(251, bob, bob, "something new", 1)})
	s.until("it is taken in", func() bool { return moreLines(s.view()) == below+1 })
	if got := firstMessage(s.view()); got != before {
		t.Errorf("%q is at the top, was %q", got, before)
	}
	s.until("the first message", func() bool {
		s.press("pgup")
		return strings.Contains(s.view(), "message number 001")
	})
	s.press("pgup", "pgup")
	s.shows("message number 001")
	s.press("ctrl+end")
	s.shows("something new")
}

// moreLines is how many lines are said to be further down.
func moreLines(view string) (n int) {
	if _, rest, ok := strings.Cut(view, "↓ "); ok {
		_, _ = fmt.Sscan(rest, &n)
	}
	return n
}

func firstMessage(view string) string {
	_, rest, _ := strings.Cut(view, "message number ")
	return rest[:3]
}

// The key of a verified contact has changed: before anything is sent the person is asked, as 'messenger send' says it.
func TestAChangedKeyInterrupts(t *testing.T) {
	f := newFake()
	f.set("listContacts", []client.Contact{{Number: bob, Name: "Bob", Trust: "changed"}})
	s := f.screen(t, bob, 150, 24)
	s.shows("SAFETY NUMBER CHANGED")
	s.enters("the secret")
	s.shows("The safety number of Bob has changed", "[v] show the new number", "[ctrl+y] accept it without comparing, and send", "[h] hold", "> the secret")
	s.types("and so on ya") // are no answers: who writes on has not decided
	s.shows("[ctrl+y] accept")
	s.press("esc")
	s.hides("[ctrl+y] accept")
	s.shows("> the secret")
	if got := f.changes(); len(got) != 0 {
		t.Fatalf("asked %q", got)
	}
	s.press("enter")
	f.set("listIdentities", []map[string]any{{"number": bob, "trustLevel": "UNTRUSTED", "safetyNumber": strings.Repeat("12345 ", 12), "addedTimestamp": now.UnixMilli()}})
	s.types("v")
	s.shows("CHANGED: nothing is sent until you verify or accept it", "12345 12345 12345 12345", "/verify DIGITS")
	s.press("esc", "enter")
	s.press("ctrl+y")
	s.until("it is accepted and sent", func() bool { return len(f.changes()) == 3 })
	if got := f.changes(); got[1] != `trust {"recipient":"+2000","trustAllKnownKeys":true}` || !strings.HasPrefix(got[2], `send {"message":"the secret"`) {
		t.Errorf("%q", got)
	}
	// A key that is found to have changed while it is sent interrupts, too: once.
	failed := wrote(20, bob, me, "the secret", 1)
	failed.Delivery = map[string]history.Delivery{bob: {State: history.Failed, Held: true, Why: "the safety number of " + bob + " has changed since it was verified: verify it again, or accept it, before anything is sent"}}
	f.tells(client.Event{Type: client.EventUpdate, Conversation: bob, Message: failed})
	s.shows("NOT SENT: the safety number of +2000 has changed since it was verified", "[v] show")
	s.press("esc")
	f.tells(client.Event{Type: client.EventUpdate, Conversation: bob, Message: failed})
	f.tells(client.Event{Type: client.EventMessage, Conversation: bob, Message: wrote(21, bob, bob, "afterwards", 0)})
	s.shows("afterwards")
	s.hides("[v] show")
}
