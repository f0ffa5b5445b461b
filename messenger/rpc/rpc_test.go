package rpc_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/server"
	"github.com/countersign-project/countersign/messenger/server/attach"
	"github.com/countersign-project/countersign/messenger/server/deliver"
	"github.com/countersign-project/countersign/messenger/server/metric"
	"github.com/countersign-project/countersign/messenger/server/route"
	serverstore "github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/store/engine"
	"github.com/countersign-project/countersign/messenger/server/verify"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
)

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// patience only ends a test that would wait for ever.
const patience = 2 * time.Minute

// newServer is a real server on a loopback port. It returns its address and invites.
func newServer(t *testing.T) (url string, invite func() string) {
	t.Helper()
	dir := t.TempDir()
	s, err := engine.Open(t.Context(), filepath.Join(dir, "store.db"), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := attach.NewDisk(filepath.Join(dir, "attachments"), 0)
	if err != nil {
		t.Fatal(err)
	}
	router, presence := route.NewLocal("test", 0), new(deliver.Alone)
	c := server.Config{Version: "1.4.0", Store: s, Router: router, Blobs: blobs, Verifier: verify.None{}, Metrics: metric.New("1.4.0"),
		Sender: &deliver.Sender{Queue: s, Presence: presence, Router: router, Now: time.Now},
		Hub:    deliver.NewHub(s, presence, router, time.Now, deliver.Options{Poll: -1}), Log: silent, Now: time.Now, Rand: rand.Reader}
	srv, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = srv.Drain(ctx)
		web.Close()
		c.Sender.Close()
		_ = c.Hub.Close(ctx)
		_ = s.Close()
	})
	n := 0
	return web.URL, func() string {
		n++
		text := fmt.Sprint("invite number ", n)
		if err := s.PutInvite(t.Context(), serverstore.Invite{Hash: server.HashInvite(text), Uses: 1, Created: time.Now(), Expires: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		return text
	}
}

// daemon registers somebody and runs what the daemon runs. It returns the account's directory and number.
func daemon(t *testing.T, url, invite string) (dir, number string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "rpc") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	a, err := client.Register(t.Context(), client.Options{Dir: dir, Server: remote.Options{URL: url}, World: session.World{Now: time.Now, Rand: rand.Reader},
		Log: silent, Cost: store.Cost{Time: 1, Memory: 8, Threads: 1}}, []byte("x"), client.Registration{Invite: invite})
	if err != nil {
		t.Fatal(err)
	}
	return dir, serve(t, dir, a)
}

// serve runs an account as a daemon does. It returns its number.
func serve(t *testing.T, dir string, a *client.Account) (number string) {
	t.Helper()
	l, err := rpc.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() {
		done <- (&rpc.Server{Account: a, Version: "1.4.0", Log: silent, Patience: patience}).ServeSocket(ctx, l)
	}()
	ready := make(chan struct{})
	go func() { done <- a.Run(ctx, func() { close(ready) }) }()
	<-ready
	t.Cleanup(func() {
		cancel()
		<-done
		<-done
		_ = a.Close()
		_ = os.RemoveAll(dir)
	})
	own, err := a.Own(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return own.Number
}

func dial(t *testing.T, dir string) *rpc.Client {
	t.Helper()
	c, err := rpc.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// echo is a whole bot: it says everything again that is said to it.
func echo(conn io.ReadWriter) error {
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		var in struct {
			Params struct{ Envelope rpc.Envelope }
		}
		if e := &in.Params.Envelope; json.Unmarshal(lines.Bytes(), &in) == nil && e.Data != nil {
			fmt.Fprintf(conn, `{"jsonrpc":"2.0","id":1,"method":"send","params":{"recipient":[%q],"message":%q}}`+"\n", e.Source, "you said: "+e.Data.Message)
		}
	}
	return lines.Err()
}

func TestABotOfTenLines(t *testing.T) {
	url, invite := newServer(t)
	botDir, bot := daemon(t, url, invite())
	aliceDir, _ := daemon(t, url, invite())
	conn, err := net.Dial("unix", filepath.Join(botDir, rpc.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- echo(conn) }()
	alice := dial(t, aliceDir)
	var sent rpc.Sent
	if err := alice.Call(t.Context(), "send", map[string]any{"recipient": bot, "message": "hello"}, &sent); err != nil {
		t.Fatal(err)
	}
	if len(sent.Results) != 1 || sent.Results[0].Type != "SUCCESS" || sent.Results[0].Address["number"] != bot || sent.Timestamp == 0 {
		t.Errorf("%+v", sent)
	}
	timeout := time.After(patience)
	for {
		var p struct {
			Envelope rpc.Envelope
			Account  string
		}
		select {
		case n := <-alice.Notifications():
			if n.Method != "receive" || json.Unmarshal(n.Params, &p) != nil || p.Envelope.Data == nil {
				continue
			}
		case <-timeout:
			t.Fatal("the bot does not answer")
		}
		if e := p.Envelope; e.SourceNumber != bot || e.Data.Message != "you said: hello" || e.Data.Timestamp != e.Timestamp {
			t.Errorf("%+v", e)
		}
		break
	}
	conn.Close()
	<-ended
}

func TestWhatIsAnswered(t *testing.T) {
	url, invite := newServer(t)
	dir, number := daemon(t, url, invite())
	conn, err := net.Dial("unix", filepath.Join(dir, rpc.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewScanner(conn)
	for _, c := range []struct{ ask, want string }{
		{`{"jsonrpc":"2.0","id":1,"method":"version"}`, `{"jsonrpc":"2.0","id":1,"result":{"version":"1.4.0"}}`},
		{`{"jsonrpc":"2.0","id":"x","method":"listAccounts","params":{"account":"ignored"}}`, `{"jsonrpc":"2.0","id":"x","result":[{"number":"` + number + `"}]}`},
		{`{"jsonrpc":"2.0","id":2,"method":"listGroups"}`, `{"jsonrpc":"2.0","id":2,"result":[]}`},
		{`{"jsonrpc":"2.0","id":3,"method":"nonsense"}`, `{"jsonrpc":"2.0","id":3,"error":{"code":-32601,"message":"no method \"nonsense\""}}`},
		{`{"jsonrpc":"2.0","id":4,"method":"send","params":{"message":"x"}}`, `{"jsonrpc":"2.0","id":4,"error":{"code":-1,"message":"want recipient, groupId or noteToSelf"}}`},
		{`{"jsonrpc":"2.0","id":5,"method":"send","params":[]}`, `{"jsonrpc":"2.0","id":5,"error":{"code":-32602,"message":"parameters: json: cannot unmarshal array into Go value of type rpc.sendParams"}}`},
		{`{"id":6,"method":"version"}`, `{"jsonrpc":"2.0","id":6,"error":{"code":-32600,"message":"want \"jsonrpc\":\"2.0\" and a method"}}`},
		{`[{"jsonrpc":"2.0","id":7,"method":"version"}]`, `{"jsonrpc":"2.0","id":7,"result":{"version":"1.4.0"}}`},
		{`{"jsonrpc":"2.0","method":"version"}` + "\n" + `{"jsonrpc":"2.0","id":8,"method":"unsubscribeReceive"}`, `{"jsonrpc":"2.0","id":8,"result":{}}`}, // a notification is not answered
		{`nonsense`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"not a JSON-RPC request: invalid character 'o' in literal null (expecting 'u')"}}`},
	} {
		if _, err := fmt.Fprintln(conn, c.ask); err != nil {
			t.Fatal(err)
		}
		for answers.Scan() {
			got := answers.Text()
			if strings.Contains(got, `"method":"event"`) {
				continue
			}
			if got != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.ask, got, c.want)
			}
			break
		}
	}
	if _, err := conn.Write([]byte(strings.Repeat("x", 2<<20))); err == nil {
		_, _ = io.Copy(io.Discard, conn) // the connection ends
	}
}

func TestWhoMayConnect(t *testing.T) {
	url, invite := newServer(t)
	dir, _ := daemon(t, url, invite())
	for _, path := range []string{dir, filepath.Join(dir, rpc.SocketName)} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v, %v", path, info.Mode(), err)
		}
	}
	if _, err := rpc.Dial(t.Context(), t.TempDir()); !errors.Is(err, rpc.ErrNoDaemon) {
		t.Error(err)
	}
}

// One line through a pipe is answered although the input has ended.
func TestAPipe(t *testing.T) {
	url, invite := newServer(t)
	dir, number := daemon(t, url, invite())
	conn, err := rpc.DialRaw(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	in := strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"send","params":{"noteToSelf":true,"message":"remember the milk"}}` + "\n")
	if err := (&rpc.Carrier{Rand: rand.Reader, Program: struct {
		io.Reader
		io.Writer
	}{in, &out}}).Carry(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"id":1,"result":{"timestamp":`) {
		t.Error(out.String())
	}
	var list []struct{ Body, Author string }
	if err := dial(t, dir).Call(t.Context(), "listMessages", map[string]bool{"noteToSelf": true}, &list); err != nil || len(list) != 1 || list[0].Body != "remember the milk" || list[0].Author != number {
		t.Error(list, err)
	}
}

// A socket that a killed daemon left behind is replaced; one with a name too long for the system is told plainly.
func TestWhereTheSocketIs(t *testing.T) {
	dir, err := os.MkdirTemp("", "rpc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, rpc.SocketName)})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := rpc.Dial(t.Context(), dir); !errors.Is(err, rpc.ErrNoDaemon) {
		t.Error(err)
	}
	l, err := rpc.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := rpc.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	long := filepath.Join(dir, strings.Repeat("long", 30))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := rpc.Listen(long); err == nil || !strings.Contains(err.Error(), "keep the account in a directory with a shorter name") {
		t.Error(err)
	}
}

// A program that was away is told all that came meanwhile, once, in order, before the answer.
func TestWhatCameMeanwhile(t *testing.T) {
	url, invite := newServer(t)
	aliceDir, _ := daemon(t, url, invite())
	bobDir, bob := daemon(t, url, invite())
	alice, waiting := dial(t, aliceDir), dial(t, bobDir)
	const n = 450 // more than are read at a time
	told := make(chan rpc.Envelope, n)
	go func() {
		defer close(told)
		for range n {
			told <- nextEnvelope(t, waiting)
		}
	}()
	for i := range n {
		if err := alice.Call(t.Context(), "send", map[string]any{"recipient": bob, "message": fmt.Sprint(i), "noWait": true}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		if got := <-told; got.Data == nil || got.Data.Message != fmt.Sprint(i) {
			t.Fatalf("%d: %+v", i, got.Data)
		}
	}
	away := dial(t, bobDir)
	if err := away.Call(t.Context(), "unsubscribeReceive", nil, nil); err != nil {
		t.Fatal(err)
	}
	last := int64(0)
	if err := away.Call(t.Context(), "subscribeReceive", map[string]int64{"after": last}, nil); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		got := nextEnvelope(t, away)
		if got.Data == nil || got.Data.Message != fmt.Sprint(i) || got.Seq <= last {
			t.Fatalf("%d: %+v %+v, after number %d", i, got, got.Data, last)
		}
		last = got.Seq
	}
	if err := alice.Call(t.Context(), "send", map[string]any{"recipient": bob, "message": "now"}, nil); err != nil {
		t.Fatal(err)
	}
	if got := nextEnvelope(t, away); got.Data.Message != "now" || got.Seq <= last {
		t.Errorf("%+v", got.Data)
	}
}

func nextEnvelope(t *testing.T, c *rpc.Client) rpc.Envelope {
	t.Helper()
	for n := range c.Notifications() {
		var p struct{ Envelope rpc.Envelope }
		if n.Method == "receive" && json.Unmarshal(n.Params, &p) == nil && p.Envelope.Data != nil {
			return p.Envelope
		}
	}
	t.Error("the connection has ended")
	return rpc.Envelope{Data: new(rpc.DataMessage)}
}

// What the caller has asked for wrongly makes a command exit as one that was used wrongly; what could not be done does not.
func TestErrorsOfTheCaller(t *testing.T) {
	for e, want := range map[*rpc.Error]bool{{Code: rpc.CodeUser}: true, {Code: -32602}: true, {Code: rpc.CodeLocked}: false, {Code: -3}: false, {Code: -4, Refusal: true}: false} {
		if e.Usage() != want || e.Usage() && e.Refused() {
			t.Errorf("%+v: usage %v, want %v", e, e.Usage(), want)
		}
	}
}
