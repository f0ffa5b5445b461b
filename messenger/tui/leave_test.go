package tui_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// Who sends and leaves at once has sent; where it cannot be handed over, he is asked.
func TestLeavingWithSomethingUnsent(t *testing.T) {
	f := newFake()
	answer := make(chan any, 1)
	f.set("send", func(string) any { return <-answer })
	s := f.screen(t, bob, 100, 20)
	s.shows("Choir")
	s.enters("the last word")
	s.enters("/quit")
	s.shows("leaves as soon as everything is handed over")
	if s.quit {
		t.Error("it has left")
	}
	answer <- rpc.Sent{}
	s.until("it ends", func() bool { return s.quit })

	s = f.screen(t, bob, 100, 20)
	s.shows("Choir")
	s.enters("too long")
	s.press("ctrl+c")
	answer <- refusal("the text is too long")
	s.shows("the text is too long", "> too long")
	s.press("ctrl+c")
	s.enters("never answered")
	s.press("ctrl+c", "ctrl+c")
	s.shows("lost if you leave: 1")
	if s.quit {
		t.Error("it has left")
	}
	s.types("y")
	s.until("it ends", func() bool { return s.quit })
	close(answer)
}

// How far a big file is stands above the field.
func TestProgress(t *testing.T) {
	f := newFake()
	one := wrote(6, bob, bob, "look", 30)
	one.Attachments = []history.Attachment{{FileName: "film\x1b.mp4", Size: 5 << 20}}
	f.set("listMessages", []*history.Message{one})
	answer := make(chan any)
	f.set("saveAttachment", func(string) any { return <-answer })
	s := f.screen(t, bob, 100, 20)
	s.shows("Choir", "film.mp4")
	s.enters("/save /tmp")
	tells := func(done int64) {
		b, err := json.Marshal(rpc.Progress{ID: "1", Progress: client.Progress{What: client.Downloading, Done: done, Total: 5 << 20}})
		if err != nil {
			t.Fatal(err)
		}
		f.notices <- rpc.Notification{Method: "progress", Params: b}
	}
	tells(0)
	s.shows("fetching film.mp4: 0 % of 5.0 MiB")
	tells(2 << 20)
	s.shows("fetching film.mp4: 40 % of 5.0 MiB")
	s.tame()
	tells(5 << 20)
	s.hides("fetching film")
	answer <- map[string]string{"path": "/tmp/film.mp4"}
	s.shows("saved as /tmp/film.mp4")
}

// What is written quickly keeps its order, whatever the account is busy with; another conversation does not wait.
func TestOrderOfSending(t *testing.T) {
	f := newFake()
	answer := make(chan any)
	f.set("send", func(string) any { return <-answer })
	s := f.screen(t, bob, 100, 20)
	s.shows("Choir")
	s.enters("/file /tmp/film")
	s.enters("look at that")
	s.shows("you: look at that  (not handed to the daemon yet)")
	s.press("ctrl+n")
	s.enters("to others")
	s.until("two are handed over", func() bool { return len(f.changes()) == 2 })
	answer <- rpc.Sent{}
	answer <- rpc.Sent{}
	s.until("the third is", func() bool { return len(f.changes()) == 3 })
	sent := f.changes()
	if first := sent[0] + sent[1]; !strings.Contains(first, "/tmp/film") || !strings.Contains(first, "to others") || !strings.Contains(sent[2], "look at that") {
		t.Errorf("%q", sent)
	}
	answer <- rpc.Sent{}
	s.press("ctrl+p")
	s.hides("not handed")
}

// What the account does not take comes back with what it was about.
func TestGivenBack(t *testing.T) {
	f := newFake()
	f.set("listMessages", everything())
	f.set("send", refusal("too late to change it"))
	s := f.screen(t, bob, 100, 30)
	s.shows("Choir", "another")
	s.enters("/edit other words")
	s.shows("too late to change it", "changing what you wrote at 12:20", "> other words")
	s.press("esc")
	f.set("send", refusal("no such file"))
	s.enters("/file /tmp/nowhere")
	s.shows("no such file", "> /file /tmp/nowhere")
	s.press("ctrl+c")
	s.give(paste(strings.Repeat("long ", 20_000)))
	s.shows("too long for one message: it was cut at 60000 characters")
}
