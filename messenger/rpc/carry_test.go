package rpc_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"testing"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// piped is a program whose lines are carried to a daemon, and the daemons that it is carried to one after the other.
type piped struct {
	*testing.T
	in      io.WriteCloser
	out     chan string // lines, as they come
	ended   chan error
	daemons chan net.Conn // what the next Redial gets; closed: none
}

// pipe carries to a daemon's connection.
func pipe(t *testing.T, daemon net.Conn) *piped {
	t.Helper()
	in, theirIn := io.Pipe()
	theirOut, out := io.Pipe()
	p := &piped{T: t, in: theirIn, out: make(chan string, 1000), ended: make(chan error, 1), daemons: make(chan net.Conn)}
	c := &rpc.Carrier{Rand: rand.Reader, Program: struct {
		io.Reader
		io.Writer
	}{in, out}, Redial: func(ctx context.Context) (net.Conn, error) {
		if next, ok := <-p.daemons; ok {
			return next, nil
		}
		return nil, rpc.ErrEnded
	}}
	go func() {
		defer close(p.out)
		for lines := bufio.NewScanner(theirOut); lines.Scan(); {
			p.out <- lines.Text()
		}
	}()
	go func() {
		p.ended <- c.Carry(t.Context(), daemon)
		_ = out.Close()
	}()
	t.Cleanup(func() { _ = theirIn.Close(); _ = theirOut.Close() })
	return p
}

func (p *piped) asks(line string) {
	p.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.Fatal(err)
	}
}

// hears wants the next line to be so.
func (p *piped) hears(want string) {
	p.Helper()
	if got := <-p.out; got != want {
		p.Fatalf("got %s\nwant %s", got, want)
	}
}

// script is a daemon that a test plays itself.
type script struct {
	*testing.T
	conn net.Conn
	in   chan []byte // lines, as they come: a pipe in memory holds none
}

func play(t *testing.T) (*script, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	return playOver(t, ours), theirs
}

// playSocket is play over a socket, where the daemon hears of the end of input.
func playSocket(t *testing.T) (*script, net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theirs, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ours, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return playOver(t, ours), theirs
}

func playOver(t *testing.T, ours net.Conn) *script {
	s := &script{t, ours, make(chan []byte, 100)}
	go func() {
		defer close(s.in)
		for lines := bufio.NewScanner(ours); lines.Scan(); {
			s.in <- bytes.Clone(lines.Bytes())
		}
	}()
	t.Cleanup(func() { ours.Close() })
	return s
}

// asked is the next request.
func (s *script) asked() (r struct {
	ID     json.RawMessage
	Method string
	Params map[string]any
}) {
	s.Helper()
	if line := <-s.in; json.Unmarshal(line, &r) != nil {
		s.Fatalf("no request: %s", line)
	}
	return r
}

func (s *script) says(format string, args ...any) {
	s.Helper()
	if _, err := fmt.Fprintf(s.conn, format+"\n", args...); err != nil {
		s.Fatal(err)
	}
}

func message(seq int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"receive","params":{"envelope":{"seq":%d}}}`, seq)
}

const lostText = `{"jsonrpc":"2.0","id":%s,"error":{"code":-3,"message":"the daemon has ended, or become another version, before it answered: this was done or not; look, and ask again"}}`

// What is in flight when the daemon changes is asked again where that does no harm, and else answered.
func TestRequestsInFlight(t *testing.T) {
	first, conn := play(t)
	p := pipe(t, conn)
	if r := first.asked(); r.Method != "status" {
		t.Fatalf("%+v", r)
	} else {
		first.says(`{"jsonrpc":"2.0","id":%s,"result":{"since":7}}`, r.ID)
	}
	p.asks(`{"jsonrpc":"2.0","id":1,"method":"send","params":{"recipient":"x","message":"a"}}`)
	p.asks(`[{"jsonrpc":"2.0","id":"<2>","method":"listGroups"},{"jsonrpc":"2.0","id":3,"method":"updateGroup"}]`)
	p.asks(`{"jsonrpc":"2.0","id":4,"method":"send","params":{"editTimestamp":5,"message":"b"}}`)
	p.asks(`{"jsonrpc":"2.0","id":5,"method":"version"}`)
	named, _ := first.asked().Params["once"].(string)
	if named == "" {
		t.Fatal("the message has no name")
	}
	for range 4 {
		first.asked()
	}
	first.says(`{"jsonrpc":"2.0","id":5,"result":{"version":"1"}}`)
	p.hears(`{"jsonrpc":"2.0","id":5,"result":{"version":"1"}}`)
	first.conn.Close()
	p.hears(fmt.Sprintf(lostText, "3"))
	p.hears(fmt.Sprintf(lostText, "4"))
	next, conn := play(t)
	p.daemons <- conn
	again := next.asked()
	if again.Method != "subscribeReceive" || again.Params["after"] != 7.0 {
		t.Errorf("%+v", again)
	}
	if r := next.asked(); r.Method != "send" || r.Params["once"] != named || r.Params["message"] != "a" {
		t.Errorf("%+v", r)
	}
	r := next.asked()
	if r.Method != "listGroups" {
		t.Errorf("%+v", r)
	}
	next.says(`{"jsonrpc":"2.0","id":%s,"result":0}`, again.ID) // ours: not to be seen
	next.says(`{"jsonrpc":"2.0","id":%s,"result":[]}`, r.ID)
	p.hears(`{"jsonrpc":"2.0","id":"<2>","result":[]}`)
	// Not a third time; and when no daemon comes back, that is the end.
	next.conn.Close()
	p.hears(fmt.Sprintf(lostText, "1"))
	close(p.daemons)
	if err := <-p.ended; !errors.Is(err, rpc.ErrEnded) {
		t.Error(err)
	}
}

// A program is told each message once, whichever way it comes after a change, and also if the next daemon ends while it tells.
func TestNotificationsGoOn(t *testing.T) {
	d, conn := play(t)
	p := pipe(t, conn)
	d.says(`{"jsonrpc":"2.0","id":%s,"result":{"since":7}}`, d.asked().ID)
	d.says("%s", message(8))
	p.hears(message(8))
	for _, at := range []struct {
		says []int // all of it but the second half from the disk, and in between what happens
		want []int
		done bool
	}{{[]int{9, 12, 10}, []int{9, 12, 10}, false}, {[]int{9, 10, 11, 12, 13}, []int{11, 13}, true}} {
		d.conn.Close()
		d, conn = play(t)
		p.daemons <- conn
		r := d.asked()
		if r.Method != "subscribeReceive" || r.Params["after"] != 8.0 {
			t.Fatalf("%+v", r)
		}
		go func() {
			for _, seq := range at.says {
				d.says("%s", message(seq))
			}
			if at.done {
				d.says(`{"jsonrpc":"2.0","id":%s,"result":0}`, r.ID)
				d.says("%s", message(13)) // it has happened meanwhile, too
				d.says("%s", message(14))
			}
		}()
		for _, seq := range at.want {
			p.hears(message(seq))
		}
	}
	p.hears(message(14))
	// Who subscribes as signal-cli's do is subscribed so again; who wants nothing gets nothing.
	p.asks(`{"jsonrpc":"2.0","id":1,"method":"subscribeReceive"}`)
	d.says(`{"jsonrpc":"2.0","id":%s,"result":0}`, d.asked().ID)
	p.hears(`{"jsonrpc":"2.0","id":1,"result":0}`)
	d.conn.Close()
	d, conn = play(t)
	p.daemons <- conn
	plain, after := d.asked(), d.asked()
	if len(plain.Params) != 0 || after.Params["after"] != 14.0 {
		t.Errorf("%+v, %+v", plain, after)
	}
	p.asks(`{"jsonrpc":"2.0","id":2,"method":"unsubscribeReceive"}`)
	d.asked()
	d.says("%s", message(15))
	d.says(`{"jsonrpc":"2.0","id":2,"result":{}}`)
	p.hears(`{"jsonrpc":"2.0","id":2,"result":{}}`)
	d.conn.Close()
	d, conn = play(t)
	p.daemons <- conn
	if r := d.asked(); r.Method != "unsubscribeReceive" {
		t.Errorf("%+v", r)
	}
	d.says("%s", message(16))
	p.asks(`{"jsonrpc":"2.0","id":3,"method":"version"}`)
	d.asked()
	d.says(`{"jsonrpc":"2.0","id":3,"result":{}}`)
	p.hears(`{"jsonrpc":"2.0","id":3,"result":{}}`)
	p.in.Close()
	d.conn.Close()
	if err := <-p.ended; err != nil {
		t.Error(err)
	}
}

// Once there is no more input, a daemon that ends is waited for only if there is something to ask it again.
func TestTheLastRequest(t *testing.T) {
	for method, again := range map[string]bool{"updateGroup": false, "listGroups": true} {
		d, conn := playSocket(t)
		p := pipe(t, conn)
		d.asked()
		p.asks(`{"jsonrpc":"2.0","id":1,"method":"` + method + `"}`)
		p.in.Close()
		d.asked()
		if line, more := <-d.in; more {
			t.Fatalf("asked more: %s", line)
		}
		d.conn.Close()
		if again {
			d, conn = play(t)
			p.daemons <- conn
			d.asked()
			d.says(`{"jsonrpc":"2.0","id":%s,"result":[]}`, d.asked().ID)
			p.hears(`{"jsonrpc":"2.0","id":1,"result":[]}`)
			d.conn.Close()
		} else {
			p.hears(fmt.Sprintf(lostText, "1"))
		}
		if err := <-p.ended; err != nil {
			t.Error(method, err)
		}
	}
}

// With a real daemon whose answer to a message is lost, the message goes out once.
func TestAMessageWhoseAnswerIsLost(t *testing.T) {
	url, invite := newServer(t)
	dir, _ := daemon(t, url, invite())
	raw := func() net.Conn {
		c, err := rpc.DialRaw(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	conn := raw()
	p := pipe(t, &deaf{Conn: conn, lines: bufio.NewReader(conn)})
	p.asks(`{"jsonrpc":"2.0","id":1,"method":"send","params":{"noteToSelf":true,"message":"remember"}}`)
	p.daemons <- raw()
	var answer struct {
		ID     int
		Result rpc.Sent
	}
	for answer.ID != 1 {
		if err := json.Unmarshal([]byte(<-p.out), &answer); err != nil {
			t.Fatal(err)
		}
	}
	var list []struct{ Timestamp uint64 }
	if err := dial(t, dir).Call(t.Context(), "listMessages", map[string]bool{"noteToSelf": true}, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || answer.Result.Timestamp != list[0].Timestamp {
		t.Errorf("%+v, answered %+v", list, answer)
	}
	p.in.Close()
	if err := <-p.ended; err != nil {
		t.Error(err)
	}
}

// deaf is a connection that ends before the answer to a message is read.
type deaf struct {
	net.Conn
	lines *bufio.Reader
	rest  []byte // of a line
}

func (d *deaf) Read(b []byte) (n int, err error) {
	if len(d.rest) == 0 {
		if d.rest, err = d.lines.ReadBytes('\n'); err != nil || bytes.Contains(d.rest, []byte(`"id":1,"result"`)) {
			return 0, io.EOF
		}
	}
	n = copy(b, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}
