package web

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"os"
	"time"
)

// State is what a page leaves for the process that comes after it, when the messenger is updated while a browser shows it: where it was, and hashes of
// the tokens. They are good for a short time, and only together with the passphrase: see Restore.
type State struct {
	Address  string    `json:"address"`
	Parent   int       `json:"parent"` // process that outlives updates, below which this one ran
	Written  time.Time `json:"written"`
	Sessions []string  `json:"sessions"` // SHA-256 of the tokens, hexadecimal
	LockS    int64     `json:"lockAfterSeconds,omitempty"`
}

// restoreWithin is how old a state may be.
const restoreWithin = 10 * time.Minute

// ReadState reads a state's file; the zero State where there is none.
func ReadState(path string) (s State, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(b, &s)
}

// Save writes the state of a page on a port for the next process.
func (p *Page) Save(path string, at net.Addr, parent int) error {
	p.mu.Lock()
	s := State{Address: at.String(), Parent: parent, Written: p.Now().UTC(), LockS: int64(p.lock.after / time.Second)}
	for d := range p.sessions {
		s.Sessions = append(s.Sessions, hex.EncodeToString(d[:]))
	}
	p.mu.Unlock()
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// Restore lets the tabs of the process before in again, each to give the passphrase: a token alone, which somebody may have taken who had the port
// in between, opens nothing. None get in if the port is another one now, or the state is old.
func (p *Page) Restore(s State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lock.after = time.Duration(s.LockS) * time.Second
	now := p.Now()
	if s.Address != p.host || now.Sub(s.Written) > restoreWithin || now.Before(s.Written) {
		return
	}
	for _, text := range s.Sessions {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != len(digest{}) || len(p.sessions) >= maxSessions {
			continue
		}
		p.sessions[digest(b)] = &session{p: p, restored: true, sockets: map[chan<- []byte]bool{}, used: now}
	}
}

// Tabs is how many browsers' tabs have a token.
func (p *Page) Tabs() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sessions)
}
