package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
)

// Limits of an answer and of patience.
const (
	maxAnswer       = 64 << 10 // bytes: a few ML-DSA-44 cosignatures
	maxTries        = 3        // with the size that the witness said it knows
	DefaultDeadline = 10 * time.Second
	DefaultGrace    = time.Second
)

// Prove returns the consistency proof from an older size of the log to the head that is to be cosigned.
type Prove = func(ctx context.Context, old uint64) ([]proof.Hash, error)

// Gatherer asks the witnesses of a policy for their cosignatures.
type Gatherer struct {
	Policy   proof.Policy
	Client   *http.Client
	Deadline time.Duration // for all of it; 0 is DefaultDeadline
	Grace    time.Duration // how long the others are waited for once the quorum is there; 0 is DefaultGrace
	After    func(time.Duration) <-chan time.Time

	mu    sync.Mutex
	known map[string]uint64 // by URL: the size the witness knew last
}

// MissingError says that too few witnesses cosigned a head, and for each that did not why. Nothing may be
// published under that head; another try may succeed.
type MissingError struct {
	Size    uint64
	Quorum  *proof.QuorumError
	Absents []Absent
}

// Absent is a witness whose cosignature is missing.
type Absent struct{ Name, Why string }

func (e *MissingError) Error() string {
	var list []string
	for _, a := range e.Absents {
		list = append(list, a.Name+": "+a.Why)
	}
	return fmt.Sprintf("head of %d entries: %v; %s", e.Size, e.Quorum, strings.Join(list, "; "))
}

func (e *MissingError) Unwrap() error { return e.Quorum }

// Refused is false, though a checkpoint that comes without its quorum is to be refused: nobody was shown one.
func (e *MissingError) Refused() bool { return false }

// result is what one address answered.
type result struct {
	url   string
	lines []cosigned
	err   error
}

// Cosign adds cosignatures to a checkpoint that the log has signed. All witnesses are asked at once. It
// returns when all answered, or Grace after the policy is satisfied; without enough at the deadline it
// is a *MissingError. Only good signatures of the policy's witnesses are added.
func (g *Gatherer) Cosign(ctx context.Context, checkpoint []byte, prove Prove) ([]byte, error) {
	head, err := proof.UnverifiedHead(checkpoint)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, orDefault(g.Deadline, DefaultDeadline))
	defer stop()
	urls := g.urls()
	results := make(chan result, len(urls))
	prove = onlyOne(prove)
	for _, u := range urls {
		go func() {
			lines, err := g.ask(ctx, u, head.Size, checkpoint, prove)
			results <- result{u, lines, err}
		}()
	}
	signed, why, had := bytes.Clone(checkpoint), map[string]error{}, map[string]bool{}
	var grace <-chan time.Time
	for left := len(urls); left > 0; {
		select {
		case r := <-results:
			left--
			why[r.url] = r.err
			for _, c := range r.lines {
				if !had[c.name] {
					had[c.name] = true
					signed = append(signed, c.line...)
				}
			}
			if _, err := g.Policy.Open(signed); err == nil && grace == nil {
				grace = g.after(orDefault(g.Grace, DefaultGrace))
			}
			continue
		case <-grace:
		case <-ctx.Done():
		}
		break
	}
	return g.enough(signed, head, why)
}

// enough judges what was gathered.
func (g *Gatherer) enough(signed []byte, head proof.Head, why map[string]error) ([]byte, error) {
	_, err := g.Policy.Open(signed)
	var few *proof.QuorumError
	if !errors.As(err, &few) {
		return signed, err
	}
	e := &MissingError{Size: head.Size, Quorum: few}
	for _, w := range g.Policy.Witnesses() {
		for _, name := range few.Missing {
			if name != w.Name {
				continue
			}
			text := "has no address of its own"
			if w.URL != "" {
				text = "did not answer in time"
				if err, answered := why[w.URL]; answered {
					text = "answered without this key's cosignature"
					if err != nil {
						text = err.Error()
					}
				}
			}
			e.Absents = append(e.Absents, Absent{w.Name, text})
		}
	}
	return nil, e
}

// urls lists the addresses, each once: two keys of one witness come in one answer.
func (g *Gatherer) urls() []string {
	var out []string
	seen := map[string]bool{"": true}
	for _, w := range g.Policy.Witnesses() {
		if !seen[w.URL] {
			seen[w.URL] = true
			out = append(out, w.URL)
		}
	}
	return out
}

// ask talks to one witness: first with the size it knew last, then with the one it says it knows.
func (g *Gatherer) ask(ctx context.Context, url string, size uint64, checkpoint []byte, prove Prove) ([]cosigned, error) {
	g.mu.Lock()
	old := min(g.known[url], size)
	g.mu.Unlock()
	for range maxTries {
		hashes, err := prove(ctx, old)
		if err != nil {
			return nil, err
		}
		lines, known, err := g.post(ctx, url, request{old, hashes, checkpoint})
		if err != nil {
			return nil, err
		}
		if lines != nil {
			g.remember(url, size)
			return g.verified(checkpoint, lines), nil
		}
		if known > size {
			return nil, fmt.Errorf("knows %d entries of this log, and the head has %d: the log went back", known, size)
		}
		g.remember(url, known)
		old = known
	}
	return nil, fmt.Errorf("said %d times that it knows another size", maxTries)
}

func (g *Gatherer) remember(url string, size uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known == nil {
		g.known = map[string]uint64{}
	}
	g.known[url] = size
}

// post sends one request. Either lines or the size that the witness knows comes back.
func (g *Gatherer) post(ctx context.Context, url string, r request) (lines []byte, known uint64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(url, "/")+"/add-checkpoint", bytes.NewReader(r.encode()))
	if err != nil {
		return nil, 0, err
	}
	// A witness closes connections that are idle, perhaps just now. The same head once more does no harm, so net/http may ask again on a new
	// one; the key without a value says so, and is not sent.
	req.Header["Idempotency-Key"] = nil
	resp, err := g.Client.Do(req)
	if ctx.Err() != nil {
		return nil, 0, errors.New("did not answer in time")
	}
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case ctx.Err() != nil:
		return nil, 0, errors.New("did not answer in time")
	case err != nil:
		return nil, 0, err
	case len(b) > maxAnswer:
		return nil, 0, fmt.Errorf("%s answers more than %d bytes", url, maxAnswer)
	case resp.StatusCode == http.StatusOK:
		return append([]byte{}, b...), 0, nil
	case resp.StatusCode == http.StatusConflict && resp.Header.Get("Content-Type") == "text/x.tlog.size":
		known, err := strconv.ParseUint(strings.TrimSuffix(string(b), "\n"), 10, 64)
		if err != nil {
			return nil, 0, fmt.Errorf("%s answers the size %q", url, clip(b))
		}
		return nil, known, nil
	}
	return nil, 0, fmt.Errorf("%s answers %s: %q", url, resp.Status, clip(b))
}

// cosigned is a line that the policy takes for a cosignature of one of its witnesses.
type cosigned struct {
	name string
	line []byte
}

// verified keeps those lines of an answer that the policy itself accepts, one by one: a line that it would
// refuse, or another witness's line sent twice, must not spoil the checkpoint for the others.
func (g *Gatherer) verified(checkpoint, lines []byte) []cosigned {
	var out []cosigned
	for line := range bytes.Lines(lines) {
		head, err := g.Policy.Open(append(bytes.Clone(checkpoint), line...))
		var few *proof.QuorumError
		switch {
		case errors.As(err, &few) && len(few.Signed) == 1:
			out = append(out, cosigned{few.Signed[0], line})
		case err == nil && len(head.Witnesses) == 1:
			out = append(out, cosigned{head.Witnesses[0].Name, line})
		}
	}
	return out
}

// onlyOne keeps the log's reader, which is for one at a time, from being used by several, and answers a
// question that was asked before from memory.
func onlyOne(prove Prove) Prove {
	var mu sync.Mutex
	type answer struct {
		list []proof.Hash
		err  error
	}
	had := map[uint64]answer{}
	return func(ctx context.Context, old uint64) ([]proof.Hash, error) {
		mu.Lock()
		defer mu.Unlock()
		a, ok := had[old]
		if !ok {
			a.list, a.err = prove(ctx, old)
			had[old] = a
		}
		return a.list, a.err
	}
}

func (g *Gatherer) after(d time.Duration) <-chan time.Time {
	if g.After != nil {
		return g.After(d)
	}
	return time.After(d)
}

func orDefault(d, other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return d
}

// clip keeps a stranger's text short.
func clip(b []byte) string {
	s := strings.TrimSpace(string(b))
	if len(s) > 120 {
		s = s[:120] + "…"
	}
	return s
}
