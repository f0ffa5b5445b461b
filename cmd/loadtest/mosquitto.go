package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"
)

// mosquitto is Debian's MQTT broker with QoS 1 on both hops and everything in memory: it knows no accounts and looks at nothing it carries, so it
// is a bound and no peer. A send is done when the broker has acknowledged it; that the recipient has it, the tool sees by itself.
type mosquitto struct{ address string }

func (m *mosquitto) name() string { return "mosquitto QoS 1" }

func (m *mosquitto) start(ctx context.Context, dir string, _ int) (*process, error) {
	program, err := find("mosquitto")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	m.address = fmt.Sprintf("127.0.0.1:%d", port)
	config := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence false\nmax_inflight_messages 100\nmax_queued_messages 0\nlog_type error\n", port)
	if os.Getuid() == 0 {
		config += "user root\n"
	}
	path := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	p, err := launch(dir, "mosquitto", nil, program, "-c", path)
	if err != nil {
		return nil, err
	}
	if err := p.wait(ctx, func() bool { return listens(m.address) }); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// Packet types of MQTT 3.1.1 (2.2.1), with the flags they must have.
const (
	mqttConnect   = 0x10
	mqttConnack   = 0x20
	mqttPublish1  = 0x32 // QoS 1
	mqttPuback    = 0x40
	mqttSubscribe = 0x82
	mqttSuback    = 0x90
)

// mqttPacket puts a fixed header before a body (2.2).
func mqttPacket(kind byte, body []byte) []byte {
	b := []byte{kind}
	n := len(body)
	for {
		digit := byte(n % 128)
		if n /= 128; n > 0 {
			b = append(b, digit|0x80)
			continue
		}
		return append(append(b, digit), body...)
	}
}

// readMQTT reads one packet.
func readMQTT(r *bufio.Reader) (kind byte, body []byte, err error) {
	if kind, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	n := 0
	for shift := 0; ; shift += 7 {
		digit, err := r.ReadByte()
		if err != nil {
			return 0, nil, err
		}
		if n |= int(digit&0x7f) << shift; n > maxStanza || shift > 21 {
			return 0, nil, errors.New("an MQTT packet that is too long")
		}
		if digit&0x80 == 0 {
			break
		}
	}
	body = make([]byte, n)
	_, err = io.ReadFull(r, body)
	return kind, body, err
}

func mqttText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func (m *mosquitto) dial(ctx context.Context, user int, arrived func()) (client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", m.address)
	if err != nil {
		return nil, err
	}
	c := &mqttClient{conn: conn, r: bufio.NewReaderSize(conn, 1024), user: user, told: make(chan struct{}, 1), gone: make(chan struct{})}
	_ = conn.SetDeadline(time.Now().Add(time.Minute))                                      // fails only where reading will
	connect := mqttText(append(mqttText(nil, "MQTT"), 4, 0, 0, 0), "u"+strconv.Itoa(user)) // version 4, session kept, no keep-alive
	if err := c.exchange(mqttPacket(mqttConnect, connect), mqttConnack); err != nil {
		conn.Close()
		return nil, err
	}
	if err := c.exchange(mqttPacket(mqttSubscribe, append(mqttText([]byte{0, 1}, "u/"+strconv.Itoa(user)), 1)), mqttSuback); err != nil {
		conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	go c.read(arrived)
	return c, nil
}

// mqttClient is a connected client.
type mqttClient struct {
	conn   net.Conn
	r      *bufio.Reader
	user   int
	early  atomic.Int64 // messages of a kept session that came before the subscription was confirmed
	nextID uint16
	told   chan struct{} // PUBACK or SUBACK
	gone   chan struct{}
}

// exchange writes and waits for one kind of packet. Of a kept session messages may come first.
func (c *mqttClient) exchange(out []byte, want byte) error {
	if _, err := c.conn.Write(out); err != nil {
		return err
	}
	for {
		kind, body, err := readMQTT(c.r)
		switch {
		case err != nil:
			return err
		case kind == want:
			return nil
		case kind&0xf0 == mqttPublish1&0xf0:
			c.early.Add(1)
			if err := c.acknowledge(body); err != nil {
				return err
			}
		}
	}
}

func (c *mqttClient) acknowledge(publish []byte) error {
	if len(publish) < 2 || len(publish) < 4+int(binary.BigEndian.Uint16(publish)) {
		return errors.New("an MQTT message without an id")
	}
	at := 2 + int(binary.BigEndian.Uint16(publish))
	_, err := c.conn.Write(mqttPacket(mqttPuback, publish[at:at+2]))
	return err
}

func (c *mqttClient) read(arrived func()) {
	defer close(c.gone)
	for range c.early.Load() {
		arrived()
	}
	for {
		kind, body, err := readMQTT(c.r)
		if err != nil {
			return
		}
		switch kind & 0xf0 {
		case mqttPublish1 & 0xf0:
			arrived()
			if c.acknowledge(body) != nil {
				return
			}
		case mqttPuback, mqttSuback:
			c.told <- struct{}{}
		}
	}
}

func (c *mqttClient) publish(topic string, p payload) error {
	c.nextID = c.nextID%60000 + 2
	b := binary.BigEndian.AppendUint16(mqttText(nil, topic), c.nextID)
	return c.ask(mqttPacket(mqttPublish1, append(b, p.raw...)))
}

func (c *mqttClient) ask(packet []byte) error {
	if _, err := c.conn.Write(packet); err != nil {
		return err
	}
	_, err := await(c.told, c.gone)
	return err
}

func (c *mqttClient) send(to int, p payload) error       { return c.publish("u/"+strconv.Itoa(to), p) }
func (c *mqttClient) sendAbsent(to int, p payload) error { return c.send(to, p) }
func (c *mqttClient) group() string                      { return "g/" + strconv.Itoa(c.user/groupSize) }

// join subscribes, but for the member who sends: they would get their own message.
func (c *mqttClient) join() error {
	if c.user%groupSize == 0 {
		return nil
	}
	return c.ask(mqttPacket(mqttSubscribe, append(mqttText([]byte{0, 1}, c.group()), 1)))
}

func (c *mqttClient) sendGroup(p payload) error { return c.publish(c.group(), p) }

func (c *mqttClient) close() { _ = c.conn.Close() }
