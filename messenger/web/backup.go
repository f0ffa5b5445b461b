package web

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/countersign-project/countersign/messenger/archive"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// maxBackup bounds a backup that a page hands in, in bytes.
const maxBackup = 64 << 30

// backup answers {} with a backup of the account, to be saved as a file. Its recovery words are in X-Recovery-Words, and nowhere else. If it
// cannot be made whole the connection breaks off before its end.
func (p *Page) backup(s *session, w http.ResponseWriter, q *http.Request) {
	a := p.Server().Account
	switch {
	case !isJSON(q):
		http.Error(w, "want Content-Type application/json", http.StatusUnsupportedMediaType)
		return
	case !p.use(s) || a == nil:
		http.Error(w, "locked", http.StatusForbidden)
		return
	}
	seed, err := archive.NewSeed(rand.Reader)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("X-Recovery-Words", seed.Words())
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="messenger.csbk"`)
	if _, err := a.Backup(q.Context(), w, seed); err != nil {
		p.Log.Warn("a backup for the page was cut off", "error", err)
		panic(http.ErrAbortHandler)
	}
}

// words are the parameters of what takes a backup in, which is the body: percent-encoded JSON in X-Parameters.
type words struct {
	Words      string `json:"recoveryWords"`
	Passphrase string `json:"passphrase"`
}

func readWords(q *http.Request) (in words, err error) {
	text, err := url.PathUnescape(q.Header.Get("X-Parameters"))
	if err == nil {
		err = json.Unmarshal([]byte(text), &in)
	}
	if err != nil || q.Header.Get("Content-Type") != "application/octet-stream" {
		err = errors.New(`want Content-Type application/octet-stream, and in X-Parameters {"recoveryWords":…} as percent-encoded JSON`)
	}
	return in, err
}

// restore makes the account of a backup again, where there is none: {number, messages}. It is read twice, and so lies where the account
// will be meanwhile, sealed as it came.
func (p *Page) restore(s *session, w http.ResponseWriter, q *http.Request) {
	if !p.use(s) {
		http.Error(w, "locked", http.StatusForbidden)
		return
	}
	in, err := readWords(q)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	result, err := restored(q.Context(), p.Server(), http.MaxBytesReader(w, q.Body, maxBackup), in)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	writeJSON(w, result)
}

func restored(ctx context.Context, s *rpc.Server, src io.Reader, in words) (any, error) {
	if s.Door == nil {
		return nil, errors.New("there is an account on this computer already")
	}
	if err := os.MkdirAll(s.Door.Options.Dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(s.Door.Options.Dir, "*.restore") // mode 0600
	if err != nil {
		return nil, err
	}
	_ = os.Remove(f.Name()) // so that nothing is left of it if we are killed; Windows removes no open file
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := io.Copy(f, src); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return s.Restore(ctx, f, in.Words, in.Passphrase)
}

// history takes over what a backup of the same account has: {messages}. It is read twice, and so lies beside the account meanwhile, sealed as it came.
func (p *Page) history(s *session, w http.ResponseWriter, q *http.Request) {
	in, err := readWords(q)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a := p.Server().Account
	if !p.use(s) || a == nil {
		http.Error(w, "locked", http.StatusForbidden)
		return
	}
	n, err := takeHistory(q.Context(), a, http.MaxBytesReader(w, q.Body, maxBackup), in.Words)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	writeJSON(w, map[string]int{"messages": n})
}

func takeHistory(ctx context.Context, a *client.Account, src io.Reader, words string) (int, error) {
	seed, err := archive.ParseWords(words)
	if err != nil {
		return 0, err
	}
	f, err := a.Scratch()
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := io.Copy(f, src); err != nil {
		return 0, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	return a.TakeHistory(ctx, f, seed)
}
