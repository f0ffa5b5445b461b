package socket

import (
	"bytes"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// linger is how long the other end has to answer a close frame.
const linger = 2 * time.Second

// queue hands a frame to the writer. It needs mu.
func (c *Conn) queue(b *buffer) {
	if c.put(b) {
		c.startWriter()
	}
}

// put queues a frame, if that still has a meaning and there is room. It needs mu.
func (c *Conn) put(b *buffer) bool {
	if c.ended || c.said {
		return false
	}
	if c.outBytes+len(b.b) > c.a.bounds.Outbox {
		c.abandon() // it does not read; a close frame would not get through either
		return false
	}
	c.out = append(c.out, b)
	c.outBytes += len(b.b)
	return true
}

// abandon cuts the connection: the reader notices. It needs mu.
func (c *Conn) abandon() {
	c.closing, c.said, c.out = []byte{}, true, nil
	c.ws.Close()
}

// startWriter needs mu.
func (c *Conn) startWriter() {
	if !c.writing {
		c.writing = true
		c.a.crew.run(c.writeAll)
	}
}

func (c *Conn) writeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write()
}

// write writes what is queued until there is nothing more; then, if the end was decided and no answer is in the making, it says so. It needs mu,
// which it gives up meanwhile, and writing, which it ends.
func (c *Conn) write() {
	defer func() { c.writing = false }()
	for len(c.out) > 0 {
		batch, kind := c.out, websocket.BinaryMessage
		if c.text {
			kind = websocket.TextMessage
		}
		c.out = nil
		c.mu.Unlock()
		err := c.flush(kind, batch)
		c.mu.Lock()
		for _, b := range batch {
			c.outBytes -= len(b.b)
			c.a.free(b)
		}
		if err != nil {
			c.abandon()
			return
		}
	}
	if c.closing == nil || c.said || c.serving {
		return
	}
	c.said = true
	closing := c.closing
	c.mu.Unlock()
	_ = c.ws.WriteControl(websocket.CloseMessage, closing, time.Now().Add(c.a.bounds.Write)) // the reader ends either way
	c.mu.Lock()
	_ = c.ws.SetReadDeadline(time.Now().Add(linger))
}

// flush writes frames with one system call.
func (c *Conn) flush(kind int, batch []*buffer) error {
	if err := c.ws.SetWriteDeadline(time.Now().Add(c.a.bounds.Write)); err != nil {
		return err
	}
	c.net.hold(c.a.held.Get().(*bytes.Buffer))
	for _, b := range batch {
		if err := c.ws.WriteMessage(kind, b.b); err != nil {
			break // told again by release
		}
	}
	buf, err := c.net.release()
	if buf.Cap() <= keptBuffer {
		c.a.held.Put(buf)
	}
	return err
}

// coalesced is a connection whose writes can be held back and then go out in one.
type coalesced struct {
	net.Conn
	mu   sync.Mutex
	held *bytes.Buffer // mu; nil when writes go through
	err  error         // mu; of a write that was held too long
}

// maxHeld is how many bytes are held before they are written anyway.
const maxHeld = 32 << 10

func (c *coalesced) hold(buf *bytes.Buffer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = buf
}

func (c *coalesced) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		return c.Conn.Write(b)
	}
	if c.held.Len()+len(b) > maxHeld {
		if c.err == nil {
			_, c.err = c.Conn.Write(c.held.Bytes())
		}
		c.held.Reset()
	}
	if len(b) > maxHeld {
		if c.err == nil {
			_, c.err = c.Conn.Write(b)
		}
		return len(b), c.err
	}
	c.held.Write(b)
	return len(b), c.err
}

// release writes what was held and gives the buffer back, empty.
func (c *coalesced) release() (*bytes.Buffer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.held.Len() > 0 {
		_, c.err = c.Conn.Write(c.held.Bytes())
	}
	buf := c.held
	c.held = nil
	buf.Reset()
	return buf, c.err
}
