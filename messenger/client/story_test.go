package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/archive"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/session"
)

func TestTwoPeopleTalk(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	first := alice.says(bob.number, "hello")
	bob.sees(alice.number, "hello")
	alice.state(first, history.Sent) // Bob does not know her: no receipt yet
	answer := bob.says(alice.number, "hello back")
	alice.sees(bob.number, "hello", "hello back")
	bob.state(answer, history.Delivered)
	second := alice.says(bob.number, "how are you?")
	alice.state(second, history.Delivered)
	if err := bob.acc.MarkRead(t.Context(), alice.number, 0); err != nil {
		t.Fatal(err)
	}
	alice.state(second, history.Read)
	alice.state(first, history.Read)
}

func TestTheOtherIsAway(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	bob.offline()
	m := alice.says(bob.number, "call me when you are back")
	alice.state(m, history.Sent)
	bob.reopen()
	bob.online()
	bob.sees(alice.number, "call me when you are back")
}

func TestWrittenWithoutAConnection(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool { rw.WriteHeader(503); return true })
	alice.offline()
	one := alice.says(bob.number, "one")
	two := alice.says(bob.number, "two")
	alice.reopen() // the program ends, the queue stays
	alice.state(one, history.Queued)
	w.hostile(nil)
	alice.online()
	bob.sees(alice.number, "hello", "hello back", "one", "two")
	alice.state(two, history.Delivered)
}

// The server answers, the answer is lost, and the message is sent again: it is seen once.
func TestSentTwiceSeenOnce(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	var lost atomic.Int64
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != "PUT" || r.URL.Path != "/v1/messages/"+bob.number || lost.Add(1) > 3 {
			return false
		}
		w.web.Config.Handler.ServeHTTP(discard{rw.Header()}, r.WithContext(t.Context())) // the server has it
		panic(http.ErrAbortHandler)
	})
	m := alice.says(bob.number, "once")
	alice.state(m, history.Delivered)
	bob.sees(alice.number, "hello", "hello back", "once")
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func TestReactionsEditsAndDeletions(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	ctx := t.Context()
	m := alice.says(bob.number, "lunch at noon?")
	bob.sees(alice.number, "hello", "hello back", "lunch at noon?")
	if err := bob.acc.React(ctx, alice.number, alice.number, m.Timestamp, "👍", false); err != nil {
		t.Fatal(err)
	}
	w.waitFor("a thumb", func() bool {
		got, _ := alice.acc.Message(ctx, m.Seq)
		return len(got.Reactions) == 1 && got.Reactions[0].Emoji == "👍" && got.Reactions[0].Author == bob.number
	})
	if err := alice.acc.Edit(ctx, bob.number, m.Timestamp, "lunch at one?"); err != nil {
		t.Fatal(err)
	}
	bob.sees(alice.number, "hello", "hello back", "lunch at one?")
	got, _ := bob.acc.Find(ctx, alice.number, m.Timestamp)
	if len(got.Edits) != 1 || got.Edits[0].Body != "lunch at noon?" {
		t.Errorf("%+v", got.Edits)
	}
	if _, err := bob.acc.Send(ctx, client.Draft{To: alice.number, Text: "yes", Quote: &history.Quote{Author: alice.number, Timestamp: m.Timestamp}}); err != nil {
		t.Fatal(err)
	}
	alice.sees(bob.number, "hello", "hello back", "lunch at one?", "yes")
	list, _ := alice.acc.Messages(ctx, bob.number, 0, 1)
	if q := list[0].Quote; q == nil || q.Text != "lunch at one?" || q.Author != alice.number {
		t.Errorf("%+v", q)
	}
	// Nobody changes or takes back another's message.
	if err := bob.acc.DeleteForAll(ctx, alice.number, m.Timestamp); err == nil || !strings.HasPrefix(err.Error(), "no message of "+bob.number) {
		t.Error(err)
	}
	if err := alice.acc.DeleteForAll(ctx, bob.number, m.Timestamp); err != nil {
		t.Fatal(err)
	}
	bob.sees(alice.number, "hello", "hello back", "", "yes")
	if got, _ = bob.acc.Find(ctx, alice.number, m.Timestamp); !got.Deleted || len(got.Reactions)+len(got.Edits) > 0 {
		t.Errorf("%+v", got)
	}
}

func TestDisappearingMessages(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	ctx := t.Context()
	if err := alice.acc.SetExpires(ctx, bob.number, 3600); err != nil { // which no machine needs for what comes before it is over
		t.Fatal(err)
	}
	bob.sees(alice.number, "hello", "hello back", "[timer]")
	m := alice.says(bob.number, "burn this")
	bob.sees(alice.number, "hello", "hello back", "[timer]", "burn this")
	alice.state(m, history.Delivered)
	w.skew.Add(int64(3601 * time.Second))
	if err := alice.acc.SetName(ctx, bob.number, "Bob"); err != nil { // anything that wakes her program
		t.Fatal(err)
	}
	alice.reopen()
	alice.online()
	alice.sees(bob.number, "hello", "hello back", "[timer]")
	bob.sees(alice.number, "hello", "hello back", "[timer]", "burn this") // he has not read it
	if err := bob.acc.MarkRead(ctx, alice.number, 0); err != nil {
		t.Fatal(err)
	}
	w.skew.Add(int64(3601 * time.Second))
	bob.reopen()
	bob.online()
	bob.sees(alice.number, "hello", "hello back", "[timer]")
}

func TestSeveralDevices(t *testing.T) {
	for _, draft := range []bool{false, true} {
		t.Run(fmt.Sprintf("draft codec %v", draft), func(t *testing.T) {
			w := newWorld(t)
			alice, phone := w.person("alice"), w.person("bob's phone")
			knows(alice, phone)
			if err := phone.acc.SetName(t.Context(), alice.number, "Alice A."); err != nil {
				t.Fatal(err)
			}
			laptop := phone.link("bob's laptop", draft)
			m := alice.says(phone.number, "to both")
			phone.sees(alice.number, "hello", "hello back", "to both")
			laptop.sees(alice.number, "to both")
			alice.state(m, history.Delivered)
			laptop.says(alice.number, "from the laptop")
			alice.sees(phone.number, "hello", "hello back", "to both", "from the laptop")
			phone.sees(alice.number, "hello", "hello back", "to both", "from the laptop")
			phone.says(alice.number, "from the phone")
			laptop.sees(alice.number, "to both", "from the laptop", "from the phone")
			w.waitFor("Alice's name at the laptop", func() bool {
				k, err := laptop.acc.Contact(t.Context(), alice.number)
				return err == nil && k.Name == "Alice A."
			})
			// Read here, read there.
			if err := laptop.acc.MarkRead(t.Context(), alice.number, 0); err != nil {
				t.Fatal(err)
			}
			w.waitFor("read on the phone", func() bool {
				got, _ := phone.acc.Find(t.Context(), alice.number, m.Timestamp)
				return got.Seen
			})
			devices, err := phone.acc.Devices(t.Context())
			if err != nil || len(devices) != 2 || !devices[0].Signed || !devices[1].Signed || devices[1].Name != "bob's laptop" {
				t.Errorf("%+v, %v", devices, err)
			}
			// Removed, it hears nothing more.
			if err := phone.acc.RemoveDevice(t.Context(), devices[1].ID); err != nil {
				t.Fatal(err)
			}
			if err := <-laptop.done; !errors.Is(err, client.ErrUnlinked) {
				t.Error(err)
			}
			laptop.cancel = nil
			alice.says(phone.number, "only the phone")
			phone.waitFor("the phone to hear", func() bool {
				return strings.HasSuffix(strings.Join(phone.conversation(alice.number), "|"), "only the phone")
			})
		})
	}
}

func TestLinkingNeedsBothScreens(t *testing.T) {
	w := newWorld(t)
	bob := w.person("bob")
	code := make(chan string, 1)
	done := make(chan error, 1)
	stranger := &device{world: w, name: "stranger", dir: filepath.Join(t.TempDir(), "s"), log: new(logBook)}
	go func() {
		_, err := client.Link(t.Context(), w.options(stranger), []byte("x"), client.Linking{
			Show: func(c string) error { code <- c; return nil }, Confirm: func(string, string) (bool, error) { return false, nil }})
		done <- err
	}()
	shown := <-code
	if _, err := bob.acc.AddDevice(t.Context(), shown, func(string) (bool, error) { return false, nil }); !errors.Is(err, client.ErrNotConfirmed) {
		t.Error(err)
	}
	go func() { // Bob says yes, the person at the new screen says no
		_, _ = bob.acc.AddDevice(t.Context(), shown, func(string) (bool, error) { return true, nil })
	}()
	if err := <-done; !errors.Is(err, client.ErrNotConfirmed) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(stranger.dir, "account.db")); !errors.Is(err, os.ErrNotExist) {
		t.Error("something was left behind", err)
	}
	devices, err := bob.acc.Devices(t.Context())
	if err != nil || len(devices) != 1 {
		t.Error(devices, err)
	}
	// A code is good once.
	if _, err := bob.acc.AddDevice(t.Context(), shown, func(string) (bool, error) { return true, nil }); err == nil || !strings.Contains(err.Error(), "nobody waits at this address") {
		t.Error(err)
	}
}

func TestFilesAndLongTexts(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "picture.png")
	picture := bytes.Repeat([]byte("pixels "), 50_000)
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("a long letter, ", 500)
	m, err := alice.acc.Send(ctx, client.Draft{To: bob.number, Text: long, Files: []client.File{{Path: path, Caption: "us"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil { // what was sent does not depend on it any more
		t.Fatal(err)
	}
	alice.state(m, history.Delivered)
	bob.sees(alice.number, "hello", "hello back", long)
	list, _ := bob.acc.Messages(ctx, alice.number, 0, 1)
	if len(list[0].Attachments) != 1 || list[0].Attachments[0].FileName != "picture.png" || list[0].Attachments[0].ContentType != "image/png" || list[0].Attachments[0].Caption != "us" {
		t.Fatalf("%+v", list[0].Attachments)
	}
	dir := t.TempDir()
	for _, want := range []string{"picture.png", "picture-1.png"} {
		got, err := bob.acc.SaveAttachment(ctx, list[0].Attachments[0], dir, nil)
		if err != nil || filepath.Base(got) != want {
			t.Fatal(got, err)
		}
		if b, _ := os.ReadFile(got); !bytes.Equal(b, picture) {
			t.Error("another picture came")
		}
	}
	if left, _ := os.ReadDir(filepath.Join(alice.dir, "outgoing")); len(left) != 0 {
		t.Error("left behind:", left)
	}
}

func TestBlockAndRequests(t *testing.T) {
	w := newWorld(t)
	alice, bob, mallory := w.person("alice"), w.person("bob"), w.person("mallory")
	m := mallory.says(alice.number, "buy this")
	alice.sees(mallory.number, "buy this")
	mallory.state(m, history.Sent)
	v, _ := alice.acc.Conversations(t.Context())
	if v[0].Accepted || v[0].Unread != 1 {
		t.Errorf("%+v", v)
	}
	if err := alice.acc.Block(t.Context(), mallory.number, true); err != nil {
		t.Fatal(err)
	}
	mallory.state(mallory.says(alice.number, "buy it now"), history.Sent)
	bob.says(alice.number, "after that") // once that is here, what Mallory said before it was here too, and is not waiting for the block to go
	alice.sees(bob.number, "after that")
	if _, err := alice.acc.Send(t.Context(), client.Draft{To: mallory.number, Text: "no"}); err == nil || err.Error() != mallory.number+" is blocked; unblock first" {
		t.Error(err)
	}
	if err := alice.acc.Block(t.Context(), mallory.number, false); err != nil {
		t.Fatal(err)
	}
	mallory.says(alice.number, "please")
	alice.sees(mallory.number, "buy this", "please")
}

func TestProfilesAndUsernames(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	ctx := t.Context()
	if err := alice.acc.SetProfileName(ctx, "Alice Liddell"); err != nil {
		t.Fatal(err)
	}
	if err := alice.acc.SetUsername(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	to, err := bob.acc.Resolve(ctx, "alice@"+strings.TrimPrefix(w.web.URL, "http://"))
	if err != nil || to != alice.number {
		t.Fatal(to, err)
	}
	bob.says(to, "hello")
	alice.sees(bob.number, "hello")
	alice.says(bob.number, "hello back")
	w.waitFor("her name", func() bool {
		k, err := bob.acc.Contact(ctx, alice.number)
		return err == nil && k.ProfileName == "Alice Liddell"
	})
	if _, err := bob.acc.Resolve(ctx, "nobody"); err == nil || err.Error() != `"nobody" is no number, no contact or group of yours, and no username the server knows` {
		t.Error(err)
	}
}

func TestNotRegistered(t *testing.T) {
	w := newWorld(t)
	alice := w.person("alice")
	m := alice.says("+99900000000000", "anybody there?")
	if d := alice.state(m, history.Failed); d.Why != "not registered with the server, or gone" {
		t.Error(d)
	}
}

func TestVerifying(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	ctx := t.Context()
	a, err := alice.acc.Safety(ctx, bob.number)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bob.acc.Safety(ctx, alice.number)
	if err != nil || a.Digits != b.Digits || len(a.Digits) != 71 {
		t.Fatal(a.Digits, b.Digits, err)
	}
	if err := a.Compare(b.Digits); err != nil {
		t.Error(err)
	}
	wrong := "0" + b.Digits[1:]
	if b.Digits[0] == '0' {
		wrong = "1" + b.Digits[1:]
	}
	if err := a.Compare(wrong); err == nil {
		t.Error("other digits are the same")
	}
	if err := alice.acc.SetVerified(ctx, a, true); err != nil {
		t.Fatal(err)
	}
	if k, _ := alice.acc.Contact(ctx, bob.number); k.Trust != session.Verified {
		t.Error(k)
	}
}

// A caller who was cut off says the same again, after a restart even, and it is one message.
func TestSentOnce(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	d := client.Draft{To: bob.number, Text: "once", Once: "order 1", Quote: &history.Quote{Author: alice.number, Timestamp: 5}}
	first, err := alice.acc.Send(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	alice.state(first, history.Delivered)
	alice.reopen()
	alice.online()
	var at sync.WaitGroup
	for range 8 {
		at.Go(func() {
			d := d
			d.Quote = &history.Quote{Author: alice.number, Timestamp: 5}
			if m, err := alice.acc.Send(t.Context(), d); err != nil || m.Seq != first.Seq || m.State().State != history.Delivered {
				t.Errorf("%+v, %v", m, err)
			}
		})
	}
	at.Wait()
	d.Text = "twice"
	if _, err := alice.acc.Send(t.Context(), d); err == nil || err.Error() != `another message was sent there under the name "order 1"` {
		t.Error(err)
	}
	if err := alice.acc.Remove(t.Context(), first.Seq); err != nil {
		t.Fatal(err)
	}
	d.Text = "once"
	if m, err := alice.acc.Send(t.Context(), d); err != nil || m.Timestamp != first.Timestamp {
		t.Errorf("a removed one: %+v, %v", m, err)
	}
	d.To = alice.number // elsewhere the name is free
	if m, err := alice.acc.Send(t.Context(), d); err != nil || m.Timestamp == first.Timestamp {
		t.Errorf("%+v, %v", m, err)
	}
	alice.says(bob.number, "the end")
	bob.sees(alice.number, "hello", "hello back", "once", "the end")
}

// A server makes Alice wait an hour since Bob's queue is full. As soon as he writes, she tries again, but not more than once a minute.
func TestWaitingEndsWhenHeard(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	w.stop()
	full := func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != "PUT" || r.URL.Path != "/v1/messages/"+bob.number {
			return false
		}
		rw.Header().Set("Retry-After", "3600")
		rw.WriteHeader(http.StatusRequestEntityTooLarge)
		return true
	}
	waits := func(text string) *history.Message {
		t.Helper()
		w.hostile(full)
		told := func() int { return strings.Count(alice.log.String(), "one recipient has to wait") }
		before := told()
		m := alice.says(bob.number, text)
		w.waitFor(text+" has to wait, or a receipt before it", func() bool { return told() > before })
		if err := alice.acc.Flush(t.Context()); err != nil { // until that is noted
			t.Fatal(err)
		}
		w.hostile(nil)
		return m
	}
	first := waits("one")
	bob.says(alice.number, "I am here")
	alice.state(first, history.Delivered)
	second := waits("two")
	bob.says(alice.number, "still here")
	alice.sees(bob.number, "hello", "hello back", "one", "I am here", "two", "still here")
	if err := alice.acc.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	alice.state(second, history.Queued)
	w.skew.Add(int64(time.Minute))
	bob.says(alice.number, "and now")
	alice.state(second, history.Delivered)
}

// A crash just before a file's job is done leaves the file for the next try; what a crash just after it has left is removed at the next start.
func TestFilesAcrossACrash(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	alice.offline()
	path := filepath.Join(t.TempDir(), "file.bin")
	if err := os.WriteFile(path, []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := alice.acc.Send(t.Context(), client.Draft{To: bob.number, Text: "look", Files: []client.File{{Path: path}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.CutForTest(t.Context(), alice.acc); err == nil || err.Error() != "a crash" {
		t.Fatal(err)
	}
	outgoing := filepath.Join(alice.dir, "outgoing")
	for _, name := range []string{"1.blob", "2.incoming"} {
		if err := os.WriteFile(filepath.Join(outgoing, name), []byte("left"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	alice.reopen()
	if left, _ := os.ReadDir(outgoing); len(left) != 1 {
		t.Error("want the file that waits, and nothing else:", left)
	}
	alice.online()
	alice.state(m, history.Delivered)
	bob.sees(alice.number, "hello", "hello back", "look")
	alice.reopen()
	if left, _ := os.ReadDir(outgoing); len(left) != 0 {
		t.Error("left behind:", left)
	}
	alice.online()
}

// What a person has begun to write outlives the program, goes with a contact's new number, and is no message.
func TestADraftIsKept(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	ctx := t.Context()
	draft := func(id string) string {
		t.Helper()
		list, err := bob.acc.Conversations(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range list {
			if v.ID == id {
				return v.Draft
			}
		}
		return "no conversation"
	}
	if err := bob.acc.KeepDraft(ctx, alice.number, "one more th"); err != nil {
		t.Fatal(err)
	}
	if err := bob.acc.KeepDraft(ctx, alice.number, strings.Repeat("x", 64<<10+1)); err == nil || err.Error() != "a draft of 65537 bytes, want at most 65536" {
		t.Error(err)
	}
	// It stays on this device: neither a backup nor a new device's history has it.
	var file bytes.Buffer
	if _, err := bob.acc.Backup(ctx, &file, archive.Seed{1}); err != nil {
		t.Fatal(err)
	}
	r, err := archive.NewReader(&file, archive.Seed{1})
	if err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(r); err != nil || !bytes.Contains(all, []byte(alice.number)) || bytes.Contains(all, []byte("one more th")) {
		t.Errorf("%s, %v", all, err)
	}
	bob.reopen()
	bob.online()
	old := alice.number
	if got := draft(old); got != "one more th" {
		t.Errorf("%q", got)
	}
	alice.moves(telephone)
	bob.notice(telephone, "number-changed")
	if got := draft(telephone); got != "one more th" {
		t.Errorf("after the change of number: %q", got)
	}
	if err := bob.acc.KeepDraft(ctx, telephone, ""); err != nil || draft(telephone) != "" {
		t.Error(err, draft(telephone))
	}
	if got := bob.conversation(telephone); strings.Contains(strings.Join(got, "|"), "one more th") {
		t.Errorf("%q", got)
	}
}
