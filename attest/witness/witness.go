package witness

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/tuf/durable"
)

// Bounds on what is kept of one log. The first is for what strangers can send, too: heads that came with a
// wrong proof, or older ones. Only the log can sign the other.
const (
	maxStrange = 16
	maxForks   = 1 << 10
)

// Log is a log that a witness cosigns, and the keys it does so with.
type Log struct {
	Key  proof.Key // the log's own; its name is the origin
	Keys []Cosigner
}

// Witness is a witness with its directory. It is safe for concurrent use.
type Witness struct {
	dir    string
	now    func() time.Time
	logs   map[string]*log
	unlock func() error
}

type log struct {
	Log
	dir      string
	verifier note.Verifier
	mu       sync.Mutex // guards what follows
	head     proof.Head // the largest cosigned; Size 0 at first
	raw      []byte     // its checkpoint with the log's signature; nil at first
}

// Refusal says why a head was not cosigned.
type Refusal struct {
	Status   int    // of the HTTP answer
	Reason   string // one line for people
	Known    uint64 // for status 409 without a fork: the size we know
	Fork     bool   // the log signed two heads that cannot both be true
	Evidence string // path of the file that keeps the two checkpoints, or ""
}

func (e *Refusal) Error() string { return e.Reason }

// Open takes the directory, which is made when it is not there, and reads what was cosigned before. Each log
// needs at least one key, and no key serves twice.
func Open(dir string, logs []Log, now func() time.Time) (*Witness, error) {
	if err := durable.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	unlock, err := durable.Lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	w := &Witness{dir: dir, now: now, logs: map[string]*log{}, unlock: unlock}
	for _, l := range logs {
		if err := w.add(l); err != nil {
			unlock()
			return nil, fmt.Errorf("log %s: %w", l.Key.Name, err)
		}
	}
	return w, nil
}

// Close lets another witness take the directory.
func (w *Witness) Close() error { return w.unlock() }

func (w *Witness) add(l Log) error {
	if w.logs[l.Key.Name] != nil {
		return errors.New("two logs have this name")
	}
	if len(l.Keys) == 0 {
		return errors.New("no key to cosign it with")
	}
	for _, k := range l.Keys {
		if k.Key.Algorithm == proof.Ed25519 || k.Key.Public == l.Key.Public {
			return fmt.Errorf("%s is no witness key", k.Key)
		}
	}
	v, err := l.Key.Verifier()
	if err != nil {
		return err
	}
	name := sha256.Sum256([]byte(l.Key.Name))
	o := &log{Log: l, dir: filepath.Join(w.dir, hex.EncodeToString(name[:])), verifier: v}
	if err := durable.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	if err := durable.Sweep(o.dir); err != nil {
		return err
	}
	switch raw, err := os.ReadFile(filepath.Join(o.dir, "head")); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		// A damaged file must stop us: going on would be to forget.
		if o.head, err = o.open(raw); err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(o.dir, "head"), err)
		}
		o.raw = raw
	}
	w.logs[l.Key.Name] = o
	return nil
}

// open verifies the log's signature on a checkpoint.
func (l *log) open(checkpoint []byte) (proof.Head, error) {
	head, err := proof.UnverifiedHead(checkpoint)
	if err != nil {
		return head, err
	}
	_, err = note.Open(checkpoint, note.VerifierList(l.verifier))
	return head, err
}

// Known returns the largest head of a log that was cosigned; its size is 0 when none was.
func (w *Witness) Known(origin string) (proof.Head, bool) {
	l, ok := w.logs[origin]
	if !ok {
		return proof.Head{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head, true
}

// Add judges the body of an add-checkpoint request and returns the cosignature lines. Errors that are the
// sender's are *Refusal.
func (w *Witness) Add(body []byte) ([]byte, error) {
	r, err := parseRequest(body)
	if err != nil {
		return nil, &Refusal{Status: 400, Reason: err.Error()}
	}
	head, err := proof.UnverifiedHead(r.checkpoint)
	if err != nil {
		return nil, &Refusal{Status: 400, Reason: err.Error()}
	}
	l, ok := w.logs[head.Origin]
	if !ok {
		return nil, &Refusal{Status: 404, Reason: fmt.Sprintf("log %q is not one we cosign", head.Origin)}
	}
	if _, err := l.open(r.checkpoint); err != nil {
		return nil, &Refusal{Status: 403, Reason: fmt.Sprintf("no good signature of the log %s", l.Key.Name)}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.judge(r, head); err != nil {
		return nil, err
	}
	// Cosigned first, so that a key that fails leaves our memory as it was.
	var lines []byte
	for _, k := range l.Keys {
		line, err := k.line(head, w.now())
		if err != nil {
			return nil, err
		}
		lines = append(lines, line...)
	}
	if l.raw == nil || head.Size > l.head.Size {
		raw := ownSignature(r.checkpoint, l.Key)
		if err := durable.WriteFile(filepath.Join(l.dir, "head"), raw, 0o600); err != nil {
			return nil, err
		}
		l.head, l.raw = head, raw
	}
	return lines, nil
}

// judge compares a head with the largest we cosigned.
func (l *log) judge(r request, head proof.Head) error {
	if l.raw != nil && l.head.Conflicts(head) && r.old <= head.Size { // whatever the request says of the past
		return l.refuse("fork", r, Refusal{Status: 409, Fork: true,
			Reason: fmt.Sprintf("fork: %d entries have the root %v here, and we cosigned %v", head.Size, head.Root, l.head.Root)})
	}
	kind := "" // a smaller head shows nothing by itself, but what the log has to say to it is worth asking
	if head.Size < l.head.Size {
		kind = "older"
	}
	switch {
	case r.old > head.Size:
		return l.refuse(kind, r, Refusal{Status: 400, Reason: fmt.Sprintf("old size %d above the size %d of the checkpoint", r.old, head.Size)})
	case r.old != l.head.Size:
		return l.refuse(kind, r, Refusal{Status: 409, Known: l.head.Size, Reason: fmt.Sprintf("old size %d, and we know %d", r.old, l.head.Size)})
	}
	if err := proof.CheckConsistency(l.known(), head, r.proof); err != nil {
		return l.refuse("unproven", r, Refusal{Status: 422, Reason: fmt.Sprintf("the proof from %d entries to %d is wrong", r.old, head.Size)})
	}
	return nil
}

// refuse keeps the two checkpoints, where a kind of evidence is named. Each has the log's signature, so two
// that conflict show a fork to everybody.
func (l *log) refuse(kind string, r request, no Refusal) error {
	if kind == "" {
		return &no
	}
	var err error
	if no.Evidence, err = l.keep(kind, r); err != nil {
		return err
	}
	return &no
}

// known is the head we go on from: an empty log at first.
func (l *log) known() proof.Head {
	if l.raw == nil {
		return proof.Head{Origin: l.Key.Name, Root: proof.Hash(sha256.Sum256(nil))}
	}
	return l.head
}

// keep stores two checkpoints beside each other, ours first, and returns the file: "" when there are many.
func (l *log) keep(kind string, r request) (string, error) {
	head, err := proof.UnverifiedHead(r.checkpoint)
	if err != nil {
		return "", err
	}
	path := filepath.Join(l.dir, fmt.Sprintf("%s-%d-%x", kind, head.Size, head.Root[:]))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return "", err
	}
	n, most := 0, maxStrange
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), kind+"-") {
			n++
		}
	}
	if kind == "fork" {
		most = maxForks
	}
	if n >= most {
		return "", nil
	}
	both := append(append([]byte(nil), l.raw...), '\n')
	return path, durable.WriteFile(path, append(both, ownSignature(r.checkpoint, l.Key)...), 0o600)
}

// ownSignature drops all signatures but the log's: what others signed is not ours to keep, and could be long.
func ownSignature(checkpoint []byte, key proof.Key) []byte {
	text, signed, _ := strings.Cut(string(checkpoint), "\n\n")
	out := text + "\n\n"
	v, err := key.Verifier()
	if err != nil {
		panic("internal error: a key that was checked: " + err.Error())
	}
	for line := range strings.Lines(signed) {
		if _, err := note.Open([]byte(text+"\n\n"+line), note.VerifierList(v)); err == nil {
			out += line
		}
	}
	return []byte(out)
}
