package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/countersign-project/countersign/messenger/server"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/store/engine"
	"github.com/countersign-project/countersign/messenger/wire"
)

// messengerd is our own server, as its operators run it, without limits and, to be like its peers here, without TLS. A send is known to have arrived when the server says so,
// for it waits for the recipient's acknowledgement.
type messengerd struct {
	program string
	flags   []string
	// receipts: the server also tells senders by an envelope of its own, which clients of 2016 want.
	receipts bool
	tls      bool
	// every: user 1 is the account of that number, user 2 of twice that, and so on, so that few users lie among many accounts. 0 is 1.
	every   int
	dialer  *websocket.Dialer
	address string
}

func (m *messengerd) name() string {
	switch {
	case m.receipts:
		return "messengerd, server receipts"
	case m.tls:
		return "messengerd, TLS"
	}
	return "messengerd"
}

// accountPassword is everybody's.
const accountPassword = "a password of the load test"

// number is an account's telephone number.
func number(account int) string { return fmt.Sprintf("+1555%07d", account) }

func (m *messengerd) number(user int) string { return number(user * max(m.every, 1)) }

var listening = regexp.MustCompile(`msg=listening address=(\S+)`)

func (m *messengerd) start(ctx context.Context, dir string, users int) (*process, error) {
	if err := fill(ctx, filepath.Join(dir, "messengerd.db"), users); err != nil {
		return nil, err
	}
	return m.run(ctx, dir)
}

// run starts the server over what the directory has.
func (m *messengerd) run(ctx context.Context, dir string) (*process, error) {
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data", dir, "--limit-factor", "0", "--drain", "1s"}, m.flags...)
	if m.tls {
		certificate, key := filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem")
		if err := writeCertificate(certificate, key); err != nil {
			return nil, err
		}
		args = append(args, "--tls-certificate", certificate, "--tls-key", key)
	}
	p, err := launch(dir, "messengerd", []string{"MESSENGER_HOME=" + filepath.Join(dir, "home"), "MESSENGER_CONFIG="}, m.program, args...)
	if err != nil {
		return nil, err
	}
	err = p.wait(ctx, func() bool {
		found := listening.FindStringSubmatch(p.output())
		if found != nil {
			m.address = found[1]
		}
		return found != nil
	})
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// fill registers users in a database that no server has open, as the server would have done.
func fill(ctx context.Context, path string, users int) (err error) {
	s, err := engine.Open(ctx, path, engine.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return register(ctx, s, 0, users)
}

// register adds the users from first up to, not including, end. Many wait at once, for they share commits.
func register(ctx context.Context, s store.Store, first, end int) error {
	secret, err := server.NewSecret(accountPassword, rand.Reader)
	if err != nil {
		return err
	}
	key := append([]byte{5}, make([]byte, 32)...) // nobody uses it
	return inParallel(end-first, 256, func(i int) error {
		a, _, err := s.Register(ctx, store.Registration{Name: number(first + i), Secret: secret, Now: time.Now(),
			Attributes: store.Attributes{RegistrationID: 1, FetchesMessages: true}})
		if err != nil {
			return err
		}
		return s.SetKeys(ctx, a.Devices[0].Key, store.Upload{IdentityKey: key, Signed: &store.SignedPreKey{ID: 1, Public: key, Signature: make([]byte, 64)}})
	})
}

func (m *messengerd) dial(ctx context.Context, user int, arrived func()) (client, error) {
	scheme := "ws"
	if m.tls {
		scheme = "wss"
	}
	ws, err := dialWebsocket(ctx, m.dialer, scheme+"://"+m.address+"/v1/websocket/?login="+strings.Replace(m.number(user), "+", "%2B", 1)+"&password="+strings.ReplaceAll(accountPassword, " ", "%20"))
	if err != nil {
		return nil, err
	}
	c := &device{m: m, ws: ws, user: user, answers: make(chan *wire.Response, 1), gone: make(chan struct{})}
	go c.read(arrived)
	return c, nil
}

// device is a connected client of messengerd.
type device struct {
	m       *messengerd
	ws      *socket
	user    int
	answers chan *wire.Response
	gone    chan struct{} // closed when the connection has ended
	nextID  uint64
}

// read acknowledges what comes and hands over answers.
func (c *device) read(arrived func()) {
	defer close(c.gone)
	for {
		b, err := c.ws.read()
		if err != nil {
			return
		}
		f, err := wire.ParseFrame(b)
		switch {
		case err != nil:
			return
		case f.Response != nil:
			c.answers <- f.Response
		case f.Request.Path == "/api/v1/message":
			if len(f.Request.Body) > 512 { // not a receipt
				arrived()
			}
			if c.ws.write(wire.Frame{Response: &wire.Response{ID: f.Request.ID, Status: 200, Message: "OK"}}.Append(nil)) != nil {
				return
			}
		}
	}
}

// ask sends a request and waits for the answer.
func (c *device) ask(path, body string) error {
	c.nextID++
	f := wire.Frame{Request: &wire.Request{Verb: http.MethodPut, Path: path, Body: []byte(body), ID: c.nextID}}
	if err := c.ws.write(f.Append(nil)); err != nil {
		return err
	}
	r, err := await(c.answers, c.gone)
	if err == nil && r.Status/100 != 2 {
		err = fmt.Errorf("PUT %s: status %d, %s", path, r.Status, r.Body)
	}
	return err
}

func (c *device) send(to int, p payload) error {
	return c.ask("/v1/messages/"+c.m.number(to), `{"messages":[{"type":1,"destinationDeviceId":1,"destinationRegistrationId":1,"content":"`+p.text+
		`"}],"timestamp":`+strconv.FormatInt(time.Now().UnixMilli(), 10)+`,"noReceipt":`+strconv.FormatBool(!c.m.receipts)+`}`)
}

func (c *device) sendAbsent(to int, p payload) error { return c.send(to, p) }

func (c *device) join() error { return nil } // the server knows of no groups

func (c *device) sendGroup(p payload) error {
	b := new(strings.Builder)
	b.WriteString(`{"type":7,"content":"` + p.text + `","timestamp":` + strconv.FormatInt(time.Now().UnixMilli(), 10) + `,"noReceipt":true,"recipients":[`)
	first := c.user - c.user%groupSize
	comma := ""
	for u := first; u < first+groupSize; u++ {
		if u != c.user {
			b.WriteString(comma + `{"number":"` + c.m.number(u) + `","devices":[{"id":1,"registrationId":1}]}`)
			comma = ","
		}
	}
	b.WriteString("]}")
	return c.ask("/v3/messages", b.String())
}

func (c *device) close() { c.ws.close() }
