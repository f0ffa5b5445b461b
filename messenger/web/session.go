package web

import (
	"crypto/sha256"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// session is one tab that has shown a key.
type session struct {
	p *Page
	// restored: it is of the process before, and has yet to give the passphrase.
	restored bool // p.mu

	mu      sync.Mutex
	server  *rpc.Server            // mu; whose caller it is
	caller  *rpc.Caller            // mu
	sockets map[chan<- []byte]bool // mu
	used    time.Time              // p.mu
}

// begin keeps a new session; where there are too many the one that was used the longest ago ends.
func (p *Page) begin(sum digest) {
	p.mu.Lock()
	var oldest digest
	var over *session
	if len(p.sessions) >= maxSessions {
		for d, s := range p.sessions {
			if over == nil || s.used.Before(over.used) {
				oldest, over = d, s
			}
		}
		delete(p.sessions, oldest)
	}
	now := p.Now()
	p.sessions[sum] = &session{p: p, sockets: map[chan<- []byte]bool{}, used: now}
	p.lock.touch(now)
	p.mu.Unlock()
	if over != nil {
		over.close()
	}
}

// find returns a token's session; nil if there is none.
func (p *Page) find(token string) *session {
	sum := sha256.Sum256([]byte(token))
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sessions[sum] // by a hash, so that the time it takes says nothing about other tokens
	if s != nil {
		s.used = p.Now()
	}
	return s
}

// inside lets in who has a token.
func (p *Page) inside(next func(*session, http.ResponseWriter, *http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		token, ok := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
		s := p.find(token)
		if !ok || s == nil {
			http.Error(w, "no such session: run 'messenger open'", http.StatusUnauthorized)
			return
		}
		next(s, w, q)
	})
}

// rpc returns the caller, of the server that answers now.
func (s *session) rpc() *rpc.Caller {
	now := s.p.Server()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != now {
		if s.caller != nil {
			go s.caller.Close() // it waits for what it does
		}
		s.server, s.caller = now, now.Apart(s.p.ctx, s.tell)
	}
	return s.caller
}

// waiting is how many notifications a socket may be behind before it is cut: the page then reads everything anew.
const waiting = 1024

// tell gives a notification to the tab's sockets.
func (s *session) tell(line []byte) {
	if s.p.locked(s) {
		return
	}
	s.send(line)
}

func (s *session) send(line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.sockets {
		select {
		case c <- line:
		default:
			delete(s.sockets, c)
			close(c)
		}
	}
}

// renew gives a restored tab another token, and ends what was begun with the old one: somebody may have got that who had the port in between.
func (p *Page) renew(s *session) (token string, err error) {
	token, sum, err := p.secret()
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	maps.DeleteFunc(p.sessions, func(_ digest, other *session) bool { return other == s })
	p.sessions[sum] = s
	s.restored = false
	p.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut()
	return token, nil
}

// cut ends all sockets. The caller holds mu.
func (s *session) cut() {
	for c := range s.sockets {
		delete(s.sockets, c)
		close(c)
	}
}

func (s *session) attach(c chan<- []byte) {
	s.rpc()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sockets[c] = true
}

func (s *session) detach(c chan<- []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sockets[c] {
		delete(s.sockets, c)
		close(c)
	}
}

func (s *session) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut()
	if s.caller != nil {
		go s.caller.Close()
	}
	s.server, s.caller = nil, nil
}
