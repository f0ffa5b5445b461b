package web

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// maxCall bounds a request in bytes, as over the socket.
const maxCall = 1 << 20

// call answers one JSON-RPC request. Four methods are the page's own: lock {}, unlock {passphrase}, lockAfter {seconds} (0: never) and, while
// it is locked, status.
func (p *Page) call(s *session, w http.ResponseWriter, q *http.Request) {
	if !isJSON(q) {
		http.Error(w, "want Content-Type application/json", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxCall))
	if err != nil {
		http.Error(w, "a request of more than 1 MiB", http.StatusRequestEntityTooLarge)
		return
	}
	var r struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			Passphrase string `json:"passphrase"`
			Seconds    *int64 `json:"seconds"`
		} `json:"params"`
	}
	_ = json.Unmarshal(body, &r) // what does not read is refused by rpc, or has other parameters
	var result any
	var failed *rpc.Error
	switch open := p.use(); {
	case r.Method == "lock":
		p.Lock()
	case r.Method == "lockAfter" && open:
		failed = p.lockAfter(r.Params.Seconds)
	case open:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.rpc().Answer(body)) // the browser went away
		return
	case r.Method == "unlock":
		if err := p.unlock(q.Context(), r.Params.Passphrase); err != nil {
			failed = &rpc.Error{Code: rpc.CodeLocked, Message: err.Error(), Refusal: true}
		}
	case r.Method == "status":
		result = map[string]string{"state": "locked"}
	default:
		failed = &rpc.Error{Code: rpc.CodeLocked, Message: "locked: unlock it with the passphrase", Refusal: true}
	}
	if result == nil {
		result = struct{}{}
	}
	answer := map[string]any{"jsonrpc": "2.0", "id": r.ID, "result": result}
	if failed != nil {
		delete(answer, "result")
		answer["error"] = failed
	}
	writeJSON(w, answer)
}

// lockAfter says how long the page stays open while nobody uses it.
func (p *Page) lockAfter(seconds *int64) *rpc.Error {
	if seconds == nil || *seconds != 0 && (*seconds < 30 || *seconds > 7*24*3600) {
		return &rpc.Error{Code: rpc.CodeUser, Message: "seconds: want 0 for never, or 30 to a week"}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lock.after = time.Duration(*seconds) * time.Second; *seconds == 0 {
		p.lock.after = -1
	}
	return nil
}
