package rpc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Carrier carries lines between a program and the daemon, and goes on when the daemon becomes another version: the program's notifications begin after the
// last message it was told, each message once, and what it had asked for is asked again where that does no harm, and else answered with an error.
type Carrier struct {
	Program io.ReadWriter
	// Redial connects to the daemon that comes after one that has gone. ErrEnded: there is none.
	Redial func(context.Context) (net.Conn, error)
	Rand   io.Reader

	name string // leads the ids of our own requests, and the names that we give to messages

	out sync.Mutex // of lines to the program

	mu     sync.Mutex
	flying []flight // mu; requests without an answer, in their order
	sent   int      // mu; messages that we gave a name
	told   told     // mu
	quiet  bool     // mu; the program wants no notifications
	plain  bool     // mu; the program has subscribed as signal-cli's do
}

// Carry carries until the program's input and its answers are at an end. ErrEnded: the daemon is, and none has come back.
func (c *Carrier) Carry(ctx context.Context, daemon net.Conn) error {
	var b [8]byte
	if _, err := io.ReadFull(c.Rand, b[:]); err != nil {
		return errors.Join(err, daemon.Close())
	}
	c.name, c.told.last = hex.EncodeToString(b[:]), unknown
	lines, over, failed := make(chan []byte), make(chan struct{}), make(chan error, 1)
	go func() {
		failed <- c.read(lines)
		close(over)  // all lines were taken;
		close(lines) // who sees that they have ended must find the input over, too
	}()
	for {
		if err := c.during(daemon, lines); err != nil {
			return err
		}
		left := c.lost(false)
		next, err := c.redial(ctx, over, left > 0)
		switch {
		case err != nil:
			c.lost(true)
			return err
		case next == nil:
			return <-failed
		}
		daemon = next
	}
}

// redial connects to the next daemon; nil if the input is over before there is one, unless something is left to be asked.
func (c *Carrier) redial(ctx context.Context, over <-chan struct{}, left bool) (net.Conn, error) {
	type dialled struct {
		conn net.Conn
		err  error
	}
	if left {
		over = nil
	}
	select {
	case <-over:
		return nil, nil
	default:
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	came := make(chan dialled, 1)
	go func() {
		conn, err := c.Redial(ctx)
		came <- dialled{conn, err}
	}()
	select {
	case d := <-came:
		return d.conn, d.err
	case <-over:
		go func() {
			if d := <-came; d.conn != nil {
				_ = d.conn.Close()
			}
		}()
		return nil, nil
	}
}

// read reads the program's lines.
func (c *Carrier) read(lines chan<- []byte) error {
	in := bufio.NewScanner(c.Program)
	in.Buffer(make([]byte, 4096), maxLine)
	for in.Scan() {
		lines <- bytes.Clone(in.Bytes())
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		c.tell(answer(nil, nil, &Error{Code: codeParse, Message: fmt.Sprintf("a line of more than %d bytes", maxLine)}))
		return nil
	}
	return in.Err()
}

// during carries over one connection until it ends. An error is the program's, which does not take its answers.
func (c *Carrier) during(daemon net.Conn, lines <-chan []byte) error {
	defer daemon.Close()
	ended := make(chan error, 1)
	go func() { ended <- c.answers(daemon) }()
	c.resume(daemon)
	for {
		select {
		case line, more := <-lines:
			if more {
				c.ask(daemon, line)
				continue
			}
			lines = nil
			if u, ok := daemon.(*net.UnixConn); ok {
				_ = u.CloseWrite()
			}
		case err := <-ended:
			return err
		}
	}
}

// resume asks a new connection for what the one before had.
func (c *Carrier) resume(daemon net.Conn) {
	c.mu.Lock()
	var out [][]byte
	switch {
	case c.quiet:
		out = append(out, c.own("quiet", "unsubscribeReceive", nil))
	case c.told.last == unknown:
		out = append(out, c.own("since", "status", nil))
	default:
		if c.plain {
			out = append(out, c.own("plain", "subscribeReceive", nil))
		}
		c.told.again()
		out = append(out, c.own("again", "subscribeReceive", map[string]int64{"after": c.told.last}))
	}
	for i := range c.flying {
		out = append(out, c.flying[i].line)
		c.flying[i].unsent, c.flying[i].repeat = false, false // not a third time
	}
	c.mu.Unlock()
	for _, line := range out {
		_, _ = daemon.Write(append(line, '\n')) // a connection that has ended says so where it is read
	}
}

// own is a request of ours.
func (c *Carrier) own(what, method string, params any) []byte {
	b, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": c.name + what, "method": method, "params": params})
	if err != nil {
		panic("internal error: a request of ours is no JSON: " + err.Error())
	}
	return b
}

// ask passes on what the program asks for: a request, or several in an array.
func (c *Carrier) ask(daemon net.Conn, line []byte) {
	batch := []json.RawMessage{line}
	if bytes.HasPrefix(line, []byte("[")) {
		if json.Unmarshal(line, &batch) != nil || len(batch) == 0 || len(batch) > maxBatch {
			batch = []json.RawMessage{line} // the daemon says what is wrong with it
		}
	}
	for _, one := range batch {
		one, at := c.note(one)
		if n, err := daemon.Write(append(one, '\n')); err != nil && n == 0 {
			c.unsent(at)
		}
	}
}

// answers passes on what the daemon says, until the connection ends.
func (c *Carrier) answers(daemon net.Conn) error {
	lines := bufio.NewScanner(daemon)
	lines.Buffer(make([]byte, 4096), maxAnswer)
	for lines.Scan() {
		if !c.wanted(lines.Bytes()) {
			continue
		}
		if err := c.write(lines.Bytes()); err != nil {
			return err // the program is gone
		}
	}
	return nil
}

// wanted tells whether the program is to see a line of the daemon's.
func (c *Carrier) wanted(line []byte) bool {
	var in struct {
		ID     json.RawMessage
		Method string
		Params struct{ Envelope struct{ Seq int64 } }
		Result json.RawMessage
	}
	if json.Unmarshal(line, &in) != nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case in.Method == "receive":
		return !c.quiet && c.told.news(in.Params.Envelope.Seq)
	case in.Method == "event":
		return !c.quiet
	case in.Method != "":
		return true
	}
	key := keyOf(in.ID)
	switch what, ours := cutOwn(key, c.name); {
	case !ours:
		c.landed(key)
		return true
	case what == "since":
		var s struct{ Since *int64 }
		if json.Unmarshal(in.Result, &s) == nil && s.Since != nil {
			c.told.last = max(c.told.last, *s.Since)
		}
	case what == "again":
		c.told.done()
	}
	return false
}

func (c *Carrier) tell(r *response) {
	if b, err := json.Marshal(r); err == nil {
		_ = c.write(b)
	}
}

func (c *Carrier) write(line []byte) error {
	c.out.Lock()
	defer c.out.Unlock()
	_, err := c.Program.Write(append(bytes.Clone(line), '\n'))
	return err
}
