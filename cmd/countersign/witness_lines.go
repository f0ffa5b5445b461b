package main

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/witness"
	"github.com/countersign-project/countersign/cmd/cli"
)

// perMinute is how many answers are told in a minute at most, besides forks: anybody can send a head again that a
// log did sign. Of requests that no log we know signed one is told.
const perMinute = 60

// witnessLines tells what a witness did, a line for each answer.
type witnessLines struct {
	app     *cli.App
	mu      sync.Mutex // guards what follows, and keeps lines whole
	since   time.Time  // when the minute began
	told    int        // lines in it
	strange bool       // a stranger's request is among them
	skipped int        // answers that were not told since the last line
}

// witnessLine is one answer.
type witnessLine struct {
	At       string      `json:"at"`     // UTC
	Answer   string      `json:"answer"` // "cosigned", "refused", "behind" (it did not know our size), "failed"
	Origin   string      `json:"origin,omitempty"`
	Size     uint64      `json:"size"`
	Root     *proof.Hash `json:"root,omitempty"`
	Reason   string      `json:"reason,omitempty"`
	Evidence string      `json:"evidence,omitempty"` // file with the two heads
	Skipped  int         `json:"skipped,omitempty"`  // answers before this one that were not told one by one
}

// start says where the witness is and what it remembers.
func (t *witnessLines) start(w *witness.Witness, url string, logs []witness.Log) error {
	type known struct {
		Origin string   `json:"origin"`
		Size   uint64   `json:"size"`
		Keys   []string `json:"keys"`
	}
	list, text := []known{}, "witness "+url
	for _, l := range logs {
		head, _ := w.Known(l.Key.Name)
		k := known{Origin: l.Key.Name, Size: head.Size}
		text += fmt.Sprintf("\n  %s: %d entries cosigned so far, keys", l.Key.Name, head.Size)
		for _, key := range l.Keys {
			k.Keys = append(k.Keys, key.Key.String())
			text += fmt.Sprintf(" %s+%08x (%s)", key.Key.Name, key.Key.Hash(), key.Key.Algorithm)
		}
		list = append(list, k)
	}
	return t.app.PrintLine(struct {
		Witness string  `json:"witness"`
		Logs    []known `json:"logs"`
	}{url, list}, text)
}

// tell prints the answer to a request.
func (t *witnessLines) tell(body []byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.app.Now().UTC()
	line := witnessLine{At: now.Format(time.RFC3339), Answer: "cosigned"}
	_, checkpoint, _ := bytes.Cut(body, []byte("\n\n"))
	if head, herr := proof.UnverifiedHead(checkpoint); herr == nil {
		line.Origin, line.Size, line.Root = head.Origin, head.Size, &head.Root
	}
	var no *witness.Refusal
	fork, stranger := false, false
	switch {
	case errors.As(err, &no):
		line.Answer, line.Reason, line.Evidence = "refused", no.Reason, no.Evidence
		if no.Status == 409 && !no.Fork && no.Evidence == "" {
			line.Answer = "behind" // how a log finds out what we know: see C2SP tlog-witness
		}
		fork, stranger = no.Fork, line.Origin == "" || no.Status == 404 || no.Status == 403
	case err != nil:
		line.Answer, line.Reason = "failed", err.Error()
	}
	if !t.may(now, stranger) && !fork {
		t.skipped++
		return
	}
	line.Skipped, t.skipped = t.skipped, 0
	_ = t.app.PrintLine(line, line.text()) // a full disk behind the pipe must not end the witness
}

// may counts a line, and says whether it is among those that are told.
func (t *witnessLines) may(now time.Time, stranger bool) bool {
	if now.Sub(t.since) >= time.Minute {
		t.since, t.told, t.strange = now, 0, false
	}
	if stranger && t.strange || t.told >= perMinute {
		return false
	}
	t.told, t.strange = t.told+1, t.strange || stranger
	return true
}

func (l witnessLine) text() string {
	text := fmt.Sprintf("%s %s", l.At, l.Answer)
	if l.Root != nil {
		text += fmt.Sprintf(" %s: %d entries, root %v", l.Origin, l.Size, *l.Root)
	}
	if l.Reason != "" {
		text += ": " + l.Reason
	}
	if l.Evidence != "" {
		text += "; evidence: " + l.Evidence
	}
	if l.Skipped > 0 {
		text += fmt.Sprintf(" (and %d answers before it that are not told)", l.Skipped)
	}
	return text
}
