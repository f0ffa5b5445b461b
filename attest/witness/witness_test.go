package witness_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
	"github.com/countersign-project/countersign/attest/witness"
	"github.com/countersign-project/countersign/attest/witness/witnesstest"
	"github.com/countersign-project/countersign/tuf/durable"
)

const origin = "log.example/countersign"

// world is a witness of one log that a test keeps in memory.
type world struct {
	t    *testing.T
	dir  string
	log  *prooftest.Log
	keys []witness.Cosigner
	*witness.Witness
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "witness"), log: prooftest.NewLog(origin)}
	for _, purpose := range []string{"witness", "witness-mldsa"} {
		k, s := witnesstest.Key(t, "ana.example/w", purpose)
		w.keys = append(w.keys, witness.Cosigner{Key: k, Signer: s})
	}
	w.open()
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	if w.Witness != nil {
		w.Close()
	}
	w.Witness, err = witness.Open(w.dir, []witness.Log{{Key: w.log.Key, Keys: w.keys}}, func() time.Time { return witnesstest.Time })
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.Close() })
}

// body is a request to go from old to size in a log.
func body(l *prooftest.Log, old, size int) []byte {
	b := fmt.Appendf(nil, "old %d\n", old)
	if old > 0 && old < size {
		for _, h := range l.Consistency(old, size) {
			b = fmt.Appendf(b, "%v\n", h)
		}
	}
	return append(append(b, '\n'), l.CheckpointAt(size)...)
}

// says asks for a cosignature and checks the refusal: its status and its text. "" is that it is given.
func (w *world) says(b []byte, status int, want string) *witness.Refusal {
	w.t.Helper()
	lines, err := w.Add(b)
	var no *witness.Refusal
	switch {
	case want == "" && err == nil:
		_, checkpoint, _ := bytes.Cut(b, []byte("\n\n"))
		for _, k := range w.keys {
			v, verr := k.Key.Verifier()
			if verr != nil {
				w.t.Fatal(verr)
			}
			n, err := note.Open(append(checkpoint[:len(checkpoint):len(checkpoint)], lines...), note.VerifierList(v))
			if err != nil || len(n.Sigs) != 1 {
				w.t.Errorf("no cosignature by %s: %v", k.Key, err)
			}
		}
	case err == nil:
		w.t.Errorf("cosigned, want %d %s", status, want)
	case !errors.As(err, &no) || no.Status != status || no.Reason != want || len(lines) > 0:
		w.t.Errorf("says %v, want %d %s", err, status, want)
	}
	return no
}

func TestAWitnessFollowsALog(t *testing.T) {
	w := newWorld(t)
	w.log.Fill(600)
	w.says(body(w.log, 0, 3), 0, "")
	w.says(body(w.log, 3, 3), 0, "") // again, with a newer time
	w.says(body(w.log, 3, 257), 0, "")
	w.open() // it remembers
	if no := w.says(body(w.log, 0, 600), 409, "old size 0, and we know 257"); no != nil && no.Known != 257 {
		t.Error("known:", no.Known)
	}
	w.says(body(w.log, 257, 600), 0, "")
	if head, ok := w.Known(origin); !ok || head.Size != 600 {
		t.Error(head, ok)
	}
}

func TestAWitnessRefuses(t *testing.T) {
	w := newWorld(t)
	w.log.Fill(10)
	w.says(body(w.log, 0, 5), 0, "")
	stranger := prooftest.NewLog("stranger.example/log")
	stranger.Fill(6)
	swapped := prooftest.NewLog(origin) // the same name, and a key of somebody else
	other := prooftest.NewSigner("other", proof.Ed25519)
	swapped.Signer = &prooftest.Signer{}
	*swapped.Signer = *other
	swapped.Key.Name = origin
	swapped.Fill(6)
	wrong := bytes.Replace(body(w.log, 5, 8), []byte("\n"), []byte("\n"+proof.Hash{1}.String()+"\n"), 1)
	for _, c := range []struct {
		name   string
		body   []byte
		status int
		want   string
	}{
		{"nothing", nil, 400, "want a line \"old N\", proof lines, an empty line and a checkpoint"},
		{"a leading zero", append([]byte("old 05\n\n"), w.log.CheckpointAt(8)...), 400, "want a line \"old N\", proof lines, an empty line and a checkpoint"},
		{"a hash that is none", append([]byte("old 5\nAAAA\n\n"), w.log.CheckpointAt(8)...), 400, "proof: \"AAAA\" is not the base64 of a 32-byte hash"},
		{"64 hashes", append([]byte("old 5\n"+strings.Repeat(proof.Hash{}.String()+"\n", 64)+"\n"), w.log.CheckpointAt(8)...), 400, "proof of 64 hashes, at most 63 allowed"},
		{"another log", body(stranger, 0, 6), 404, "log \"stranger.example/log\" is not one we cosign"},
		{"the log's key swapped", body(swapped, 5, 6), 403, "no good signature of the log log.example/countersign"},
		{"old above new", append([]byte("old 9\n\n"), w.log.CheckpointAt(8)...), 400, "old size 9 above the size 8 of the checkpoint"},
		{"a log that shrank", body(w.log, 3, 3), 409, "old size 3, and we know 5"},
		{"another old size", body(w.log, 4, 8), 409, "old size 4, and we know 5"},
		{"no proof", append([]byte("old 5\n\n"), w.log.CheckpointAt(8)...), 422, "the proof from 5 entries to 8 is wrong"},
		{"a hash too many", wrong, 422, "the proof from 5 entries to 8 is wrong"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			w.says(c.body, c.status, c.want)
		})
	}
	w.t = t
	if head, _ := w.Known(origin); head.Size != 5 {
		t.Error("a refusal changed what is known:", head.Size)
	}
	w.says(body(w.log, 5, 10), 0, "")
}

func TestAForkIsRefusedAndKept(t *testing.T) {
	w := newWorld(t)
	w.log.Fill(5)
	fork := prooftest.NewLog(origin)
	fork.Fill(4)
	fork.Append(proof.MetadataLeaf("root", 9, [32]byte{9}))
	fork.Fill(3)
	w.says(body(w.log, 0, 5), 0, "")
	ours, theirs := w.log.CheckpointAt(5), fork.CheckpointAt(5)
	a, _ := proof.UnverifiedHead(ours)
	b, _ := proof.UnverifiedHead(theirs)
	want := fmt.Sprintf("fork: 5 entries have the root %v here, and we cosigned %v", b.Root, a.Root)
	for _, old := range []int{5, 0} { // whatever the request says of the past
		no := w.says(body(fork, old, 5), 409, want)
		if no == nil {
			t.FailNow()
		}
		kept, err := os.ReadFile(no.Evidence)
		if err != nil || !bytes.Equal(kept, append(append(ours, '\n'), theirs...)) {
			t.Fatalf("kept %q, %v", kept, err)
		}
	}
	// A larger fork: the proof cannot be right, and the head is kept, too.
	w.says(body(fork, 5, 8), 422, "the proof from 5 entries to 8 is wrong")
	unproven, err := filepath.Glob(filepath.Join(w.dir, "*", "unproven-8-*"))
	if err != nil || len(unproven) != 1 {
		t.Errorf("kept %v, %v", unproven, err)
	}
	w.open()
	w.says(body(fork, 5, 5), 409, want)
}

// A log that was put back to an older state is refused, and what it sent is kept.
func TestALogThatWentBackIsKept(t *testing.T) {
	w := newWorld(t)
	w.log.Fill(9)
	w.says(body(w.log, 0, 9), 0, "")
	for _, c := range []struct {
		body   []byte
		status int
		want   string
	}{
		{body(w.log, 0, 4), 409, "old size 0, and we know 9"},
		{append([]byte("old 9\n\n"), w.log.CheckpointAt(4)...), 400, "old size 9 above the size 4 of the checkpoint"},
	} {
		no := w.says(c.body, c.status, c.want)
		if no == nil || no.Fork {
			t.Fatalf("%+v", no)
		}
		kept, err := os.ReadFile(no.Evidence)
		if err != nil || !strings.Contains(no.Evidence, "older-4-") || !bytes.Equal(kept, append(append(w.log.CheckpointAt(9), '\n'), w.log.CheckpointAt(4)...)) {
			t.Errorf("kept %q, %v", kept, err)
		}
	}
	w.open()
	w.says(body(w.log, 9, 9), 0, "")
}

// Strangers can not fill the disk with heads that a log did sign once.
func TestWhatIsKeptIsBounded(t *testing.T) {
	w := newWorld(t)
	w.log.Fill(60)
	w.says(body(w.log, 0, 5), 0, "")
	for size := 6; size < 60; size++ {
		w.says(append([]byte("old 5\n\n"), w.log.CheckpointAt(size, prooftest.NewSigner("x.example/w", proof.MLDSA44))...), 422, fmt.Sprintf("the proof from 5 entries to %d is wrong", size))
	}
	kept, err := filepath.Glob(filepath.Join(w.dir, "*", "unproven-*"))
	if err != nil || len(kept) != 16 {
		t.Errorf("kept %d heads, %v", len(kept), err)
	}
	if no := w.says(append([]byte("old 5\n\n"), w.log.CheckpointAt(60)...), 422, "the proof from 5 entries to 60 is wrong"); no != nil && no.Evidence != "" {
		t.Error("the refusal names a file that is not there:", no.Evidence)
	}
	for _, path := range kept {
		if info, err := os.Stat(path); err != nil || info.Size() > 1000 {
			t.Errorf("%s: a stranger's signature was kept: %v", path, err)
		}
	}
}

func TestOneWitnessPerDirectory(t *testing.T) {
	w := newWorld(t)
	if _, err := witness.Open(w.dir, nil, time.Now); !errors.Is(err, durable.ErrLocked) {
		t.Error(err)
	}
	w.log.Fill(3)
	w.says(body(w.log, 0, 3), 0, "")
	w.Close()
	heads, _ := filepath.Glob(filepath.Join(w.dir, "*", "head"))
	if err := os.WriteFile(heads[0], []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := witness.Open(w.dir, []witness.Log{{Key: w.log.Key, Keys: w.keys}}, time.Now); err == nil || !strings.Contains(err.Error(), "head: checkpoint: want three lines") {
		t.Error("a witness forgot what it could not read:", err)
	}
	for want, l := range map[string]witness.Log{
		"log log.example/countersign: no key to cosign it with": {Key: w.log.Key},
		"is no witness key": {Key: w.log.Key, Keys: []witness.Cosigner{{Key: w.log.Key}}},
	} {
		if _, err := witness.Open(filepath.Join(t.TempDir(), "x"), []witness.Log{l}, time.Now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// A signer that is not the key of the policy is found out before anybody gets its signature.
func TestAWrongSignerIsFoundOut(t *testing.T) {
	w := newWorld(t)
	_, other := witnesstest.Key(t, "bo.example/w", "witness")
	w.keys = []witness.Cosigner{{Key: w.keys[0].Key, Signer: other}}
	w.open()
	w.log.Fill(3)
	lines, err := w.Add(body(w.log, 0, 3))
	if err == nil || lines != nil || !strings.Contains(err.Error(), " is not the key ana.example/w+") {
		t.Error(lines, err)
	}
	if head, _ := w.Known(origin); head.Size != 0 {
		t.Error("it remembers a head it did not cosign")
	}
}

func TestTheHandlerSpeaksTheProtocol(t *testing.T) {
	people := witnesstest.New(t, origin, "ana")
	url := people.People[0].Server.URL + "/add-checkpoint"
	post := func(b []byte) (int, string, string) {
		resp, err := http.Post(url, "", bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		out, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Content-Type"), string(out)
	}
	if code, _, out := post(bytes.Repeat([]byte("x"), witness.MaxRequest+1)); code != 413 {
		t.Error(code, out)
	}
	if code, _, out := post([]byte("x")); code != 400 || !strings.HasPrefix(out, "want a line") {
		t.Error(code, out)
	}
	resp, err := http.Get(url)
	if err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Error("GET:", resp.Status, err)
	}
	resp.Body.Close()
}

func FuzzRequest(f *testing.F) {
	l := prooftest.NewLog(origin)
	l.Fill(9)
	f.Add(body(l, 3, 9))
	f.Add(body(l, 0, 9))
	f.Add([]byte("old 18446744073709551615\n\n\n"))
	dir := f.TempDir()
	k, s := witnesstest.Key(f, "ana.example/w", "witness")
	w, err := witness.Open(dir, []witness.Log{{Key: l.Key, Keys: []witness.Cosigner{{Key: k, Signer: s}}}}, func() time.Time { return witnesstest.Time })
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before, _ := w.Known(origin)
		_, err := w.Add(b)
		after, _ := w.Known(origin)
		var no *witness.Refusal
		if err != nil && !errors.As(err, &no) {
			t.Error("an error of our own:", err)
		}
		// Only heads that the log signed are ever taken, and never a smaller one.
		if after.Size < before.Size || after.Size > 9 {
			t.Errorf("from %d entries to %d", before.Size, after.Size)
		}
	})
}
