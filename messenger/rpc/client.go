package rpc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Client calls a Server: what our own commands use.
type Client struct {
	rw io.ReadWriteCloser

	mu      sync.Mutex
	next    uint64                // mu
	waiting map[uint64]chan reply // mu
	failed  error                 // mu; why the connection is over
	notices chan Notification
	over    chan struct{}  // closed when there are no more
	missing sync.WaitGroup // of who says that some are
	write   sync.Mutex
}

// Notification is what the server says unasked.
type Notification struct {
	Method string
	Params json.RawMessage
}

type reply struct {
	result json.RawMessage
	err    *Error
}

// ErrEnded says that the connection is over: the daemon was stopped, or has become another version, which can be dialled in a moment.
var ErrEnded = errors.New("the daemon has ended the connection")

// maxAnswer bounds an answer in bytes.
const maxAnswer = 64 << 20

// NewClient speaks over a connection. Close it.
func NewClient(rw io.ReadWriteCloser) *Client {
	c := &Client{rw: rw, waiting: map[uint64]chan reply{}, notices: make(chan Notification, maxNotices), over: make(chan struct{})}
	go c.read()
	return c
}

// maxNotices is how many notifications wait for who reads them.
const maxNotices = 1024

// Lost is the method of a notification of our own: here some are missing, for whoever reads them was too slow.
const Lost = "lost"

// Notifications are closed when the connection ends. Whoever does not read them loses the newest, and finds Lost in their place.
func (c *Client) Notifications() <-chan Notification { return c.notices }

// Close ends the connection.
func (c *Client) Close() error { return c.rw.Close() }

func (c *Client) read() {
	lost := make(chan struct{}) // closed: it was told that some are missing
	close(lost)
	lines := bufio.NewScanner(c.rw)
	lines.Buffer(make([]byte, 4096), maxAnswer)
	for lines.Scan() {
		var in struct {
			ID     *uint64         `json:"id"`
			Method string          `json:"method"`
			Params json.RawMessage `json:"params"`
			Result json.RawMessage `json:"result"`
			Error  *Error          `json:"error"`
		}
		if json.Unmarshal(lines.Bytes(), &in) != nil {
			continue
		}
		if in.Method != "" {
			lost = c.notice(Notification{in.Method, in.Params}, lost)
			continue
		}
		if in.ID == nil {
			continue
		}
		c.mu.Lock()
		w := c.waiting[*in.ID]
		delete(c.waiting, *in.ID)
		c.mu.Unlock()
		if w != nil {
			w <- reply{in.Result, in.Error}
		}
	}
	c.mu.Lock()
	c.failed = errors.Join(ErrEnded, lines.Err())
	for _, w := range c.waiting {
		close(w)
	}
	c.waiting = nil
	c.mu.Unlock()
	close(c.over)
	c.missing.Wait()
	close(c.notices)
}

// notice hands a notification to whoever reads them. While it is still to be said that some are missing it is one of them.
func (c *Client) notice(n Notification, lost chan struct{}) chan struct{} {
	select {
	case <-lost:
	default:
		return lost
	}
	select {
	case c.notices <- n:
		return lost
	default:
	}
	told := make(chan struct{})
	c.missing.Go(func() {
		defer close(told)
		select {
		case c.notices <- Notification{Method: Lost}:
		case <-c.over:
		}
	})
	return told
}

// Call calls a method and reads its result, unless out is nil.
func (c *Client) Call(ctx context.Context, method string, params, out any) error {
	if params == nil {
		params = struct{}{}
	}
	p, err := json.Marshal(params)
	if err != nil {
		return err
	}
	c.mu.Lock()
	if c.waiting == nil {
		defer c.mu.Unlock()
		return c.failed
	}
	c.next++
	id, w := c.next, make(chan reply, 1)
	c.waiting[id] = w
	c.mu.Unlock()
	line, err := json.Marshal(request{"2.0", json.RawMessage(fmt.Sprint(id)), method, p})
	if err != nil {
		return err
	}
	c.write.Lock()
	_, err = c.rw.Write(append(line, '\n'))
	c.write.Unlock()
	if err != nil {
		return fmt.Errorf("%w: %v", ErrEnded, err)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case r, ok := <-w:
		switch {
		case !ok:
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.failed
		case r.err != nil:
			return r.err
		case out == nil:
			return nil
		}
		return json.Unmarshal(r.result, out)
	}
}
