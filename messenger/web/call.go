package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// maxCall bounds a request in bytes, as over the socket.
const maxCall = 1 << 20

// request is what the page itself wants to know of one.
type request struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Passphrase string `json:"passphrase"`
		Seconds    *int64 `json:"seconds"`
	} `json:"params"`
}

// call answers one JSON-RPC request. Four methods are the page's own: lock {}, unlock {passphrase}, lockAfter {seconds} (0: never) and, while
// it is locked, status. Unlock answers {"token"} where the tab is of a process before this one: the old token is good for nothing more.
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
	var r request
	_ = json.Unmarshal(body, &r) // what does not read is refused by rpc, or has other parameters
	var result any = struct{}{}
	var failed *rpc.Error
	switch open := p.use(s); {
	case r.Method == "lock" && open && !p.Locks():
		failed = &rpc.Error{Code: rpc.CodeUser, Message: "there is nothing to lock the page with: the account is not open, or has no passphrase"}
	case r.Method == "lock":
		p.Lock()
	case r.Method == "lockAfter" && open:
		failed = p.lockAfter(r.Params.Seconds)
	case open:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.rpc().Answer(body)) // the browser went away
		return
	case r.Method == "unlock":
		result, failed = p.unlockTab(q.Context(), s, r, body)
	case r.Method == "status":
		result = map[string]string{"state": "locked", "version": p.Server().Version}
	default:
		failed = &rpc.Error{Code: rpc.CodeLocked, Message: "locked: unlock it with the passphrase", Refusal: true}
	}
	answer := map[string]any{"jsonrpc": "2.0", "id": r.ID, "result": result}
	if failed != nil {
		delete(answer, "result")
		answer["error"] = failed
	}
	writeJSON(w, answer)
}

// unlockTab takes the passphrase: for the account, if that is not open, and otherwise for the page. A restored tab gets a new token.
func (p *Page) unlockTab(ctx context.Context, s *session, r request, body []byte) (any, *rpc.Error) {
	if p.Locks() {
		if err := p.unlock(ctx, r.Params.Passphrase); err != nil {
			return nil, &rpc.Error{Code: rpc.CodeLocked, Message: err.Error(), Refusal: true}
		}
	} else {
		var answer struct{ Error *rpc.Error }
		if err := json.Unmarshal(s.rpc().Answer(body), &answer); err != nil || answer.Error != nil {
			return nil, answer.Error
		}
	}
	if !p.isRestored(s) {
		return struct{}{}, nil
	}
	token, err := p.renew(s)
	if err != nil {
		return nil, &rpc.Error{Code: rpc.CodeLocked, Message: err.Error()}
	}
	return map[string]string{"token": token}, nil
}

func (p *Page) isRestored(s *session) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return s.restored
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
