package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// socket is a client's websocket, with one reader and any number of writers.
type socket struct {
	ws *websocket.Conn
	mu sync.Mutex // of writers
}

// newDialer returns a dialer whose connections share their buffers for writing, so that ten thousand idle ones cost the tool little.
func newDialer() *websocket.Dialer {
	return &websocket.Dialer{HandshakeTimeout: time.Minute, ReadBufferSize: 512, WriteBufferSize: 4096, WriteBufferPool: new(sync.Pool),
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // only servers that we started on loopback
}

func dialWebsocket(ctx context.Context, d *websocket.Dialer, url string) (*socket, error) {
	ws, resp, err := d.DialContext(ctx, url, nil)
	if err != nil {
		if resp != nil {
			return nil, fmt.Errorf("websocket: %w: %s", err, resp.Status)
		}
		return nil, fmt.Errorf("websocket: %w", err)
	}
	return &socket{ws: ws}, nil
}

func (s *socket) read() ([]byte, error) {
	_, b, err := s.ws.ReadMessage()
	return b, err
}

func (s *socket) write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ws.WriteMessage(websocket.BinaryMessage, b)
}

func (s *socket) close() { _ = s.ws.Close() }
