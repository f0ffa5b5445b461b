package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// xmpp is what the clients of ejabberd and prosody have in common: plain TCP, SASL PLAIN, in-band registration (XEP-0077).
type xmpp struct {
	address string
	// bare: nobody acknowledges anything. Otherwise a receipt of the recipient's client tells the sender (XEP-0184), and in groups, where there
	// is no such thing, members acknowledge to the server (XEP-0198).
	bare bool
}

const xmppHost = "localhost"

func jid(user int) string { return "u" + strconv.Itoa(user) + "@" + xmppHost }

func (x *xmpp) dial(ctx context.Context, user int, arrived func()) (client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", x.address)
	if err != nil {
		return nil, err
	}
	c := &xmppClient{conn: conn, r: bufio.NewReaderSize(conn, 1024), user: user, bare: x.bare, told: make(chan uint64, 64), gone: make(chan struct{})}
	_ = conn.SetDeadline(time.Now().Add(time.Minute)) // fails only where reading will
	if err := c.login(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("user %d: %w", user, err)
	}
	_ = conn.SetDeadline(time.Time{})
	go c.read(arrived)
	return c, nil
}

// xmppClient is a connected client.
type xmppClient struct {
	conn   net.Conn
	r      *bufio.Reader
	user   int
	bare   bool
	told   chan uint64 // what the server or the recipient has confirmed: ids of messages, counts, 0 for a group's echo
	gone   chan struct{}
	sent   uint64 // messages, from 1
	h      uint64 // stanzas the server has counted, while it counts (XEP-0198)
	counts bool
	heard  atomic.Uint64 // stanzas we have counted
}

func (c *xmppClient) write(s string) error {
	_, err := c.conn.Write([]byte(s))
	return err
}

// exchange writes and waits for the next stanza that begins so.
func (c *xmppClient) exchange(out, want string) ([]byte, error) {
	if err := c.write(out); err != nil {
		return nil, err
	}
	for {
		s, err := readStanza(c.r)
		if err != nil {
			return nil, err
		}
		if bytes.HasPrefix(s, []byte(want)) {
			return s, nil
		}
		if bytes.HasPrefix(s, []byte("<failure")) {
			return nil, fmt.Errorf("refused: %s", s)
		}
	}
}

// login registers, if need be, authenticates and becomes available. The last request is answered after the presence was taken note of: a message
// that comes before may end in the offline store of a user who is online, and stay there.
func (c *xmppClient) login() error {
	const open = "<stream:stream to='" + xmppHost + "' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
	name := "u" + strconv.Itoa(c.user)
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + name + "\x00" + accountPassword))
	for _, step := range [][2]string{
		{open, "<stream:features"},
		{"<iq type='set' id='reg'><query xmlns='jabber:iq:register'><username>" + name + "</username><password>" + accountPassword + "</password></query></iq>", "<iq"},
		{"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + plain + "</auth>", "<success"},
		{open, "<stream:features"},
		{"<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>load</resource></bind></iq>", "<iq"},
		{"<iq type='set' id='session'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>", "<iq"},
		{"<presence/><iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>", "<iq"},
	} {
		if _, err := c.exchange(step[0], step[1]); err != nil {
			return err
		}
	}
	return nil
}

// read takes what comes, sends receipts, and hands over confirmations.
func (c *xmppClient) read(arrived func()) {
	defer close(c.gone)
	for {
		s, err := readStanza(c.r)
		if err != nil {
			return
		}
		switch {
		case bytes.HasPrefix(s, []byte("<r ")) || bytes.HasPrefix(s, []byte("<r>")):
			err = c.write("<a xmlns='urn:xmpp:sm:3' h='" + strconv.FormatUint(c.heard.Load(), 10) + "'/>")
		case bytes.HasPrefix(s, []byte("<enabled")):
			c.heard.Store(0)
		case bytes.HasPrefix(s, []byte("<a ")):
			h, _ := strconv.ParseUint(attribute(s, "h"), 10, 64)
			c.told <- h
		case bytes.HasPrefix(s, []byte("<message")):
			c.heard.Add(1)
			err = c.message(s, arrived)
		case bytes.HasPrefix(s, []byte("<iq")) || bytes.HasPrefix(s, []byte("<presence")):
			c.heard.Add(1)
			if attribute(s, "id") == "joined" || bytes.Contains(s, []byte("status code='110'")) || bytes.Contains(s, []byte(`status code="110"`)) {
				c.told <- 0
			}
		}
		if err != nil {
			return
		}
	}
}

func (c *xmppClient) message(s []byte, arrived func()) error {
	id := attribute(s, "id")
	switch {
	case attribute(s, "type") == "error":
		return fmt.Errorf("a message came back: %s", s)
	case bytes.Contains(s, []byte("<received ")):
		n, err := strconv.ParseUint(strings.TrimPrefix(id, "r"), 10, 64)
		if err != nil {
			return err
		}
		c.told <- n
	case !bytes.Contains(s, []byte("<body>")):
	case attribute(s, "type") == "groupchat" && strings.HasSuffix(attribute(s, "from"), "/u"+strconv.Itoa(c.user)):
		c.told <- 0 // our own, back from the room
	default:
		arrived()
		if bytes.Contains(s, []byte("<request ")) {
			return c.write("<message to='" + attribute(s, "from") + "' id='r" + id + "' type='chat'><received xmlns='urn:xmpp:receipts' id='" + id + "'/></message>")
		}
	}
	return nil
}

// until waits for a confirmation that is enough.
func (c *xmppClient) until(enough func(uint64) bool) error {
	for {
		if n, err := await(c.told, c.gone); err != nil || enough(n) {
			return err
		}
	}
}

func (c *xmppClient) chat(to int, p payload, more string) string {
	c.sent++
	return "<message to='" + jid(to) + "' id='" + strconv.FormatUint(c.sent, 10) + "' type='chat'><body>" + p.text + "</body>" + more + "</message>"
}

func (c *xmppClient) send(to int, p payload) error {
	if c.bare {
		return c.write(c.chat(to, p, ""))
	}
	if err := c.write(c.chat(to, p, "<request xmlns='urn:xmpp:receipts'/>")); err != nil {
		return err
	}
	return c.until(func(n uint64) bool { return n == c.sent })
}

// sendAbsent asks for the server's count of stanzas after each message, and waits until it has counted this one.
func (c *xmppClient) sendAbsent(to int, p payload) error {
	if err := c.enable(); err != nil {
		return err
	}
	c.h++
	if err := c.write(c.chat(to, p, "") + "<r xmlns='urn:xmpp:sm:3'/>"); err != nil {
		return err
	}
	return c.until(func(h uint64) bool { return h >= c.h })
}

func (c *xmppClient) room() string {
	return "g" + strconv.Itoa(c.user/groupSize) + "@conference." + xmppHost
}

// enable makes both sides count stanzas and tell each other (XEP-0198): the server then knows what a client has.
func (c *xmppClient) enable() error {
	if c.counts {
		return nil
	}
	c.counts = true
	return c.write("<enable xmlns='urn:xmpp:sm:3'/>")
}

func (c *xmppClient) join() error {
	if !c.bare {
		if err := c.enable(); err != nil {
			return err
		}
	}
	err := c.write("<presence id='join' to='" + c.room() + "/u" + strconv.Itoa(c.user) + "'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>")
	if err != nil {
		return err
	}
	return c.until(func(n uint64) bool { return n == 0 })
}

// sendGroup is done when the room has sent the message back to us too. Unless bare, the members acknowledge it to the server; the sender does not
// learn of that.
func (c *xmppClient) sendGroup(p payload) error {
	c.sent++
	err := c.write("<message to='" + c.room() + "' id='" + strconv.FormatUint(c.sent, 10) + "' type='groupchat'><body>" + p.text + "</body></message>")
	if err != nil {
		return err
	}
	return c.until(func(n uint64) bool { return n == 0 })
}

func (c *xmppClient) close() { _ = c.conn.Close() }
