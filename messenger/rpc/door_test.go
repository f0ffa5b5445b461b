package rpc_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/session"
)

// atDoor is a connection to a messenger whose account is not open. What is opened comes over the channel, and is the caller's to close.
func atDoor(t *testing.T, dir string) (*rpc.Client, <-chan *client.Account) {
	t.Helper()
	opened := make(chan *client.Account, 1)
	s := &rpc.Server{Version: "1.4.0", Log: silent, Patience: patience, Door: &rpc.Door{Options: client.Options{Dir: dir, World: session.World{Now: time.Now, Rand: rand.Reader}, Log: silent},
		Opened: func(a *client.Account) { opened <- a }}}
	ours, theirs := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(context.Background(), theirs) }()
	c := rpc.NewClient(ours)
	t.Cleanup(func() {
		c.Close()
		theirs.Close()
		<-ended
		select {
		case a := <-opened:
			_ = a.Close()
		default:
		}
	})
	return c, opened
}

// fails wants a call to be answered with an error of that code and text.
func fails(t *testing.T, c *rpc.Client, method string, params any, code int, want string) {
	t.Helper()
	var e *rpc.Error
	if err := c.Call(t.Context(), method, params, nil); !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, want) {
		t.Errorf("%s: %v, want code %d and %q", method, err, code, want)
	}
}

func state(t *testing.T, c *rpc.Client) string {
	t.Helper()
	var s struct{ State string }
	if err := c.Call(t.Context(), "status", nil, &s); err != nil {
		t.Fatal(err)
	}
	return s.State
}

func TestTheDoorMakesAnAccountAndUnlocksIt(t *testing.T) {
	url, invite := newServer(t)
	dir := filepath.Join(t.TempDir(), "account")
	c, opened := atDoor(t, dir)
	if s := state(t, c); s != "none" {
		t.Error(s)
	}
	fails(t, c, "listMessages", nil, rpc.CodeLocked, "there is no open account")
	fails(t, c, "nonsense", nil, -32601, `no method "nonsense"`)
	fails(t, c, "register", map[string]string{"passphrase": "x", "invite": "y"}, rpc.CodeUser, "want server")
	fails(t, c, "register", map[string]string{"server": url, "passphrase": "x"}, rpc.CodeUser, "want invite or number")
	fails(t, c, "register", map[string]string{"server": url, "invite": "x"}, rpc.CodeUser, "want a passphrase")
	fails(t, c, "register", map[string]string{"server": url, "invite": "made up", "passphrase": "x"}, -4, "the server says")
	if s := state(t, c); s != "none" {
		t.Error("what was refused leaves something behind:", s)
	}
	var made struct{ Number string }
	if err := c.Call(t.Context(), "register", map[string]string{"server": url, "invite": invite(), "passphrase": "open sesame"}, &made); err != nil || made.Number == "" {
		t.Fatal(made, err)
	}
	if err := (<-opened).Close(); err != nil {
		t.Fatal(err)
	}
	fails(t, c, "unlock", map[string]string{"passphrase": "open sesame"}, rpc.CodeUser, "connect again")

	c, opened = atDoor(t, dir)
	if s := state(t, c); s != "locked" {
		t.Error(s)
	}
	fails(t, c, "register", map[string]string{"server": url, "invite": invite(), "passphrase": "x"}, rpc.CodeUser, "there is an account on this computer already")
	fails(t, c, "unlock", map[string]string{"passphrase": "open barley"}, rpc.CodeLocked, "does not open")
	if err := c.Call(t.Context(), "unlock", map[string]string{"passphrase": "open sesame"}, nil); err != nil {
		t.Fatal(err)
	}
	a := <-opened
	if own, err := a.Own(t.Context()); err != nil || own.Number != made.Number {
		t.Error(own.Number, err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// notified waits for a notification and reads it.
func notified(t *testing.T, c *rpc.Client, method string, into any) {
	t.Helper()
	for {
		select {
		case n, ok := <-c.Notifications():
			if !ok {
				t.Fatal("the connection has ended before ", method)
			}
			if n.Method == method {
				if err := json.Unmarshal(n.Params, into); err != nil {
					t.Fatal(err)
				}
				return
			}
		case <-time.After(patience):
			t.Fatal("no notification ", method)
		}
	}
}

func TestTheDoorLinksAndRestores(t *testing.T) {
	url, invite := newServer(t)
	phoneDir, number := daemon(t, url, invite())
	phone := dial(t, phoneDir)
	laptop, opened := atDoor(t, filepath.Join(t.TempDir(), "laptop"))
	linked, added := make(chan error, 1), make(chan error, 1)
	var as struct{ Number string }
	go func() {
		linked <- laptop.Call(t.Context(), "link", map[string]string{"server": url, "passphrase": "x", "name": "laptop"}, &as)
	}()
	var code struct{ URI string }
	notified(t, laptop, "linkCode", &code)
	go func() { added <- phone.Call(t.Context(), "addDevice", map[string]string{"uri": code.URI}, nil) }()
	type question struct{ ID, Digits, Number string }
	var here, there question
	notified(t, phone, "confirmDevice", &here)
	if err := phone.Call(t.Context(), "confirmDevice", map[string]any{"id": here.ID, "accept": true}, nil); err != nil {
		t.Fatal(err)
	}
	notified(t, laptop, "confirmDevice", &there)
	if here.Digits != there.Digits || len(here.Digits) != 6 || there.Number != number {
		t.Errorf("the phone shows %+v, the laptop %+v", here, there)
	}
	if err := laptop.Call(t.Context(), "confirmDevice", map[string]any{"id": there.ID, "accept": true}, nil); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(<-linked, <-added); err != nil || as.Number != number {
		t.Fatal(as, err)
	}
	_ = (<-opened).Close()

	// A backup of the phone becomes an account elsewhere.
	var sent rpc.Sent
	if err := phone.Call(t.Context(), "send", map[string]any{"noteToSelf": true, "message": "remember"}, &sent); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "backup")
	var made rpc.Backup
	if err := phone.Call(t.Context(), "backup", map[string]string{"path": file}, &made); err != nil {
		t.Fatal(err)
	}
	fresh, opened := atDoor(t, filepath.Join(t.TempDir(), "fresh"))
	fails(t, fresh, "restore", map[string]string{"path": file, "recoveryWords": "not nine words", "passphrase": "x"}, rpc.CodeUser, "words")
	var restored struct {
		Number   string
		Messages int
	}
	if err := fresh.Call(t.Context(), "restore", map[string]string{"path": file, "recoveryWords": made.Words, "passphrase": "x"}, &restored); err != nil || restored.Number != number || restored.Messages != made.Messages {
		t.Fatal(restored, made.Messages, err)
	}
	_ = (<-opened).Close()
}

// A caller without files of its own hands the bytes in; no plain copy is made.
func TestUploads(t *testing.T) {
	url, invite := newServer(t)
	dir := t.TempDir()
	c, opened := atDoor(t, dir)
	if err := c.Call(t.Context(), "register", map[string]string{"server": url, "invite": invite(), "passphrase": "x"}, nil); err != nil {
		t.Fatal(err)
	}
	a := <-opened
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx, nil) }()
	defer func() { cancel(); <-ran; a.Close() }()
	_, bob := daemon(t, url, invite())
	to := `"recipient":"` + bob + `"`
	s := &rpc.Server{Account: a, Version: "1.4.0", Log: silent, Patience: patience}
	lines := make(chan []byte, 1000)
	caller := s.Apart(t.Context(), func(line []byte) { lines <- line })
	defer caller.Close()
	ask := func(method, params, want string) string {
		t.Helper()
		got := string(caller.Answer([]byte(`{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":` + params + `}`)))
		if !strings.Contains(got, want) {
			t.Errorf("%s %s: %s, want %s", method, params, got, want)
		}
		return got
	}
	secret := []byte(strings.Repeat("a secret text ", 5000))
	id, err := s.Upload(t.Context(), bytes.NewReader(secret), int64(len(secret)), "../../notes<b>.txt", "text/plain")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Upload(t.Context(), strings.NewReader("short"), 500, "x", ""); err == nil {
		t.Error("a file that ends early was taken")
	}
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, secret[:28]) {
				t.Errorf("%s holds the plain text", path)
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	ask("send", `{`+to+`,"message":"with a file","uploads":["`+id+`"]}`, `"timestamp":`)
	ask("send", `{`+to+`,"uploads":["`+id+`"]}`, "no upload")
	ask("discardUpload", `{"id":"`+id+`"}`, "no upload")
	lost, err := s.Upload(t.Context(), strings.NewReader("x"), 1, "x", "")
	if err != nil {
		t.Fatal(err)
	}
	ask("send", `{"noteToSelf":true,"uploads":["`+lost+`"]}`, `"timestamp":`)
	ask("send", `{"recipient":["+1","+2"],"uploads":["`+id+`"]}`, `"error"`)
	var full struct {
		Result []struct {
			Seq         int64
			Attachments []struct{ FileName string }
		}
	}
	if err := json.Unmarshal([]byte(ask("listMessages", `{`+to+`}`, "with a file")), &full); err != nil || len(full.Result) != 1 || len(full.Result[0].Attachments) != 1 || full.Result[0].Attachments[0].FileName != "notes<b>.txt" {
		t.Fatalf("%+v, %v", full, err)
	}
	ask("listMedia", `{`+to+`}`, `"next":0}`)
	ask("listMedia", `{`+to+`}`, `"fileName":"notes\u003cb\u003e.txt"`)
	ask("getMessage", `{"seq":1}`, `"state":{"state":"sent"`)
	ask("mute", `{`+to+`,"muted":true}`, `{}`)
	ask("listConversations", `{}`, `"muted":true`)
	ask("listConversations", `{}`, `"last":{"seq":1,`)
	if line := string(<-lines); !strings.Contains(line, `"method":"event"`) {
		t.Error(line)
	}
	f, err := s.Attachment(t.Context(), "1/0")
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	tell, err := caller.Progress("mine")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Download(t.Context(), f, &got, tell); err != nil || !bytes.Equal(got.Bytes(), secret) {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
	for progress := false; !progress; {
		select {
		case line := <-lines:
			progress = strings.HasPrefix(string(line), `{"jsonrpc":"2.0","method":"progress","params":{"id":"mine","what":"downloading","done":`)
		case <-time.After(patience):
			t.Fatal("no progress")
		}
	}
	for _, id := range []string{"1/1", "2/1", "3/0", "1/-1", "x", ""} {
		if _, err := s.Attachment(t.Context(), id); err == nil {
			t.Errorf("attachment %q was found", id)
		}
	}
}
