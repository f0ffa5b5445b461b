package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// keyLife is how long a key waits for its browser.
	keyLife = 2 * time.Minute
	// maxKeys and maxSessions bound what one person has open.
	maxKeys, maxSessions = 16, 16
	// maxToken bounds the body of /token.
	maxToken = 1 << 10
)

// digest is what is kept of a secret here.
type digest [sha256.Size]byte

// key is an opening that no browser has come for yet.
type key struct {
	digest digest
	until  time.Time
	used   chan struct{} // closed when it was
}

// secret is 256 bits as text.
func (p *Page) secret() (text string, sum digest, err error) {
	var b [32]byte
	if _, err := io.ReadFull(p.Rand, b[:]); err != nil {
		return "", digest{}, err
	}
	text = base64.RawURLEncoding.EncodeToString(b[:])
	return text, sha256.Sum256([]byte(text)), nil
}

// Key makes the key of one opening: it is for the fragment of the address, and works once. Used is closed when it was used.
func (p *Page) Key() (text string, used <-chan struct{}, err error) {
	text, sum, err := p.secret()
	if err != nil {
		return "", nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire()
	if len(p.keys) >= maxKeys {
		p.keys = p.keys[1:]
	}
	k := key{sum, p.Now().Add(keyLife), make(chan struct{})}
	p.keys = append(p.keys, k)
	return text, k.used, nil
}

func (p *Page) expire() {
	now := p.Now()
	p.keys = slices.DeleteFunc(p.keys, func(k key) bool { return !now.Before(k.until) })
}

// take uses a key up.
func (p *Page) take(text string) bool {
	sum := sha256.Sum256([]byte(text))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire()
	n := len(p.keys)
	p.keys = slices.DeleteFunc(p.keys, func(k key) bool {
		same := subtle.ConstantTimeCompare(k.digest[:], sum[:]) == 1
		if same {
			close(k.used)
		}
		return same
	})
	return len(p.keys) < n
}

// token exchanges a key for a token: {"key":…} → {"token":…}.
func (p *Page) token(w http.ResponseWriter, q *http.Request) {
	var in struct {
		Key string `json:"key"`
	}
	if !isJSON(q) {
		http.Error(w, "want Content-Type application/json", http.StatusUnsupportedMediaType)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(p.Now().Add(tokenWithin)) // strangers may not keep this open
	if err := json.NewDecoder(http.MaxBytesReader(w, q.Body, maxToken)).Decode(&in); err != nil {
		http.Error(w, "want {\"key\":…}", http.StatusBadRequest)
		return
	}
	if !p.take(in.Key) {
		http.Error(w, "this address was used already, or is too old: run 'messenger open' again", http.StatusUnauthorized)
		return
	}
	token, sum, err := p.secret()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	p.begin(sum)
	writeJSON(w, map[string]string{"token": token})
}

// isJSON wants the type that no form and no plain fetch of another origin can send unasked.
func isJSON(q *http.Request) bool {
	kind, _, _ := strings.Cut(q.Header.Get("Content-Type"), ";")
	return strings.TrimSpace(kind) == "application/json"
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the browser went away
}
