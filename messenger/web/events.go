package web

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// tokenWithin is how long a new socket may take to say who it is.
	tokenWithin = 10 * time.Second
	// pingEvery keeps a socket alive, silentAfter gives it up.
	pingEvery, silentAfter = 30 * time.Second, 75 * time.Second
	// writeWithin is how long a line may take.
	writeWithin = 10 * time.Second
)

// events is the websocket that carries notifications. A browser lets any site open one to here and sends no header of ours along, so that the
// Origin is checked, and the first message must be the token. Then "ready" is sent, and whatever happens from that moment on.
func (p *Page) events(w http.ResponseWriter, q *http.Request) {
	up := websocket.Upgrader{HandshakeTimeout: tokenWithin, ReadBufferSize: 1 << 10, WriteBufferSize: 16 << 10,
		CheckOrigin: func(q *http.Request) bool { return q.Header.Get("Origin") == "http://"+q.Host }} // the host was checked before
	ws, err := up.Upgrade(w, q, nil)
	if err != nil {
		return // it has answered
	}
	defer ws.Close()
	ws.SetReadLimit(256)
	_ = ws.SetReadDeadline(p.Now().Add(tokenWithin))
	kind, token, err := ws.ReadMessage()
	if err != nil {
		return
	}
	s := p.find(string(token))
	if kind != websocket.TextMessage || s == nil {
		_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(closeNoSession, "no such session: run 'messenger open'"), p.Now().Add(writeWithin))
		return
	}
	lines := make(chan []byte, waiting)
	lines <- fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"ready","params":{"locked":%v}}`, p.locked(s))
	s.attach(lines)
	defer s.detach(lines)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		ws.SetPongHandler(func(string) error { return ws.SetReadDeadline(p.Now().Add(silentAfter)) })
		_ = ws.SetReadDeadline(p.Now().Add(silentAfter))
		for {
			if _, _, err := ws.ReadMessage(); err != nil { // the page says nothing more
				return
			}
		}
	}()
	p.carry(ws, lines, gone)
}

// closeNoSession tells the page that its token is not good any more.
const closeNoSession = 4401

// carry writes lines until either end is over.
func (p *Page) carry(ws *websocket.Conn, lines <-chan []byte, gone <-chan struct{}) {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				return
			}
			_ = ws.SetWriteDeadline(p.Now().Add(writeWithin))
			if ws.WriteMessage(websocket.TextMessage, line) != nil {
				return
			}
		case <-ping.C:
			if ws.WriteControl(websocket.PingMessage, nil, p.Now().Add(writeWithin)) != nil {
				return
			}
		case <-gone:
			return
		case <-p.ctx.Done():
			_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, "the messenger ends"), p.Now().Add(writeWithin))
			return
		}
	}
}
