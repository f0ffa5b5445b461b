package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/attest/witness"
	"github.com/countersign-project/countersign/cmd/cli"
)

const logOrigin = "log.example/countersign"

// ana is somebody with a key file of witness keys, for a log that a test keeps in memory.
type ana struct {
	t    *testing.T
	dir  string
	log  *prooftest.Log
	keys []proof.Key // Ed25519, then ML-DSA-44
}

func newAna(t *testing.T) *ana {
	t.Helper()
	a := &ana{t: t, dir: t.TempDir(), log: prooftest.NewLog(logOrigin)}
	keys, err := signer.Generate([]string{"root", "witness", "witness-mldsa"}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Write(a.path("ana.key"), keys, []byte("correct horse"), 1); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys[1:] {
		key, err := signer.NoteKey("ana.example/w", k.Purpose, k.Public())
		if err != nil {
			t.Fatal(err)
		}
		a.keys = append(a.keys, key)
	}
	a.policy("log.policy", "", a.keys...)
	return a
}

func (a *ana) path(name string) string { return filepath.Join(a.dir, name) }

// policy writes a log.policy in which any of these keys suffices, and returns it.
func (a *ana) policy(name, url string, keys ...proof.Key) proof.Policy {
	a.t.Helper()
	text, names := fmt.Sprintf("log %s\n", a.log.Key), ""
	for i, k := range keys {
		text += strings.TrimRight(fmt.Sprintf("witness ana-%d %s %s", i+1, k, url), " ") + "\n"
		names += fmt.Sprintf(" ana-%d", i+1)
	}
	text += fmt.Sprintf("group ana any%s\nquorum ana\n", names)
	if err := os.WriteFile(a.path(name), []byte(text), 0o644); err != nil {
		a.t.Fatal(err)
	}
	p, err := proof.ParsePolicy([]byte(text))
	if err != nil {
		a.t.Fatal(err)
	}
	return p
}

func (a *ana) witness(args ...string) []string {
	return append([]string{"witness", "--keys", a.path("ana.key"), "--log-policy", a.path("log.policy"), "--dir", a.path("witness"), "--listen", "127.0.0.1:0"}, args...)
}

// start runs the witness as a process, and returns it and its address.
func (a *ana) start(args ...string) (*program, string) {
	a.t.Helper()
	p := start(a.t, a.dir, a.witness(args...)...)
	line := strings.FieldsFunc(p.line("http://127.0.0.1"), func(r rune) bool { return r == ' ' || r == '"' })
	for _, word := range line {
		if strings.HasPrefix(word, "http://") {
			return p, word
		}
	}
	a.t.Fatalf("no address in %q", line)
	return nil, ""
}

// cosign has the log's head of some size cosigned, by the code that logs use.
func (a *ana) cosign(url string, l *prooftest.Log, size int) (proof.Head, error) {
	a.t.Helper()
	policy := a.policy("now.policy", url, a.keys...)
	g := witness.Gatherer{Policy: policy, Client: http.DefaultClient, Deadline: patience}
	b, err := g.Cosign(a.t.Context(), l.CheckpointAt(size), func(_ context.Context, old uint64) ([]proof.Hash, error) {
		if old == 0 || old == uint64(size) {
			return nil, nil
		}
		return l.Consistency(int(old), size), nil
	})
	if err != nil {
		return proof.Head{}, err
	}
	return policy.Open(b)
}

// A witness as a process: it cosigns with both keys, is killed, remembers, and refuses a log that went back
// and one that forked, with the evidence on its disk.
func TestWitnessProcess(t *testing.T) {
	a := newAna(t)
	a.log.Fill(10)
	fork := prooftest.NewLog(logOrigin)
	fork.Fill(5)
	fork.Append(proof.MetadataLeaf("root", 9, sha256.Sum256([]byte("another"))))
	fork.Fill(7)
	w, url := a.start()
	w.line(logOrigin + ": 0 entries cosigned so far, keys ana.example/w+")
	if head, err := a.cosign(url, a.log, 3); err != nil || len(head.Witnesses) != 2 {
		t.Fatal(head, err)
	}
	w.line("cosigned " + logOrigin + ": 3 entries, root ")
	w.kill()

	w, url = a.start()
	w.line(logOrigin + ": 3 entries cosigned so far")
	if head, err := a.cosign(url, a.log, 6); err != nil || head.Size != 6 {
		t.Fatal(head, err)
	}
	w.line("behind " + logOrigin + ": 6 entries")
	w.kill()

	w, url = a.start()
	var few *witness.MissingError
	if _, err := a.cosign(url, a.log, 4); !errors.As(err, &few) || !strings.Contains(err.Error(), "knows 6 entries of this log, and the head has 4: the log went back") {
		t.Errorf("a log that went back: %v", err)
	}
	a.kept(w.line("refused "+logOrigin+": 4 entries"), "older-4-", a.log.CheckpointAt(6), a.log.CheckpointAt(4))
	if _, err := a.cosign(url, fork, 6); !errors.As(err, &few) {
		t.Errorf("a fork: %v", err)
	}
	a.kept(w.line(": fork: 6 entries have the root "), "fork-6-", a.log.CheckpointAt(6), fork.CheckpointAt(6))
	if _, err := a.cosign(url, fork, 8); !errors.As(err, &few) {
		t.Errorf("a longer fork: %v", err)
	}
	a.kept(w.line("the proof from 6 entries to 8 is wrong"), "unproven-8-", a.log.CheckpointAt(6), fork.CheckpointAt(8))
	w.kill()

	w, url = a.start("--json")
	w.line(`"size":6`)
	if head, err := a.cosign(url, a.log, 10); err != nil || head.Size != 10 {
		t.Fatal(head, err)
	}
	w.line(`"answer":"cosigned"`)
	if os.PathSeparator == '/' { // others have no interrupt to send
		if code := w.interrupt(); code != 0 {
			t.Errorf("interrupted: exit %d, %s", code, w.errs.String())
		}
	}
}

// kept checks the file that a line names as evidence.
func (a *ana) kept(line, name string, ours, theirs []byte) {
	a.t.Helper()
	_, path, ok := strings.Cut(line, "; evidence: ")
	b, err := os.ReadFile(path)
	if !ok || err != nil || !strings.HasPrefix(filepath.Base(path), name) || !bytes.Equal(b, append(append(ours, '\n'), theirs...)) {
		a.t.Errorf("%q names no file %s… with the two heads: %v, %q", line, name, err, b)
	}
}

func TestWitnessUsage(t *testing.T) {
	a := newAna(t)
	run := func(args ...string) (int, string, string) {
		return keyCommand(t, map[string]string{"COUNTERSIGN_PASSPHRASE": "correct horse"}, args...)
	}
	want := func(wantCode int, wantErr ...string) func(int, string, string) {
		return func(code int, _, errs string) {
			t.Helper()
			for _, text := range wantErr {
				if code != wantCode || !strings.Contains(errs, text) {
					t.Errorf("exit %d, want %d\n%s\nwant: %s", code, wantCode, errs, text)
				}
			}
		}
	}
	want(2, "--keys is missing")(run("witness"))
	want(2, "--dir is missing", "→ always give the same directory")(run("witness", "--keys", a.path("ana.key")))
	want(2, "--log-policy is missing: this program was built without one")(run("witness", "--keys", a.path("ana.key"), "--dir", a.path("w")))
	other := prooftest.NewSigner("bo.example/w", proof.Ed25519Cosi)
	a.policy("log.policy", "", other.Key)
	want(2, "none of the keys in "+a.path("ana.key")+" is a witness of the log "+logOrigin, fmt.Sprintf("→ the log.policy names: ana-1 (bo.example/w+%08x)", other.Key.Hash()),
		"countersign key show --key-name NAME")(run(a.witness()...))
	a.policy("log.policy", "", a.keys[0])
	a.policy("again.policy", "", a.keys[1])
	want(2, "two of the policies are for the log "+logOrigin)(run(a.witness("--log-policy", a.path("again.policy"))...))
	if err := os.WriteFile(a.path("bad.policy"), []byte("log nonsense\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	want(2, "bad.policy: log policy, line 1: ")(run(a.witness("--log-policy", a.path("bad.policy"))...))
	want(3, "not used, since no log.policy given here names it: witness-mldsa key", "no port here")(run(a.witness("--listen", "no port here")...))
	if code, _, errs := keyCommand(t, map[string]string{"COUNTERSIGN_PASSPHRASE": "wrong"}, a.witness()...); code != 2 || !strings.Contains(errs, "wrong passphrase") {
		t.Errorf("exit %d, %s", code, errs)
	}
	// A second witness on the same directory, and a directory that is damaged.
	w, err := witness.Open(a.path("witness"), nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	want(3, "→ another witness uses "+a.path("witness"))(run(a.witness()...))
	w.Close()
	heads, err := filepath.Glob(a.path("witness/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range heads {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			if err := os.WriteFile(filepath.Join(dir, "head"), []byte("torn"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	want(3, "head: checkpoint: want three lines")(run(a.witness()...))
}

// Requests of strangers do not fill the disk that the lines go to; a fork is always told.
func TestStrangersAreToldOnceAMinute(t *testing.T) {
	var out strings.Builder
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	lines := &witnessLines{app: &cli.App{Out: &out, Now: func() time.Time { return now }}}
	stranger := &witness.Refusal{Status: 400, Reason: "want a line"}
	lines.tell(nil, stranger)
	l := prooftest.NewLog(logOrigin)
	l.Fill(2)
	body := append([]byte("old 0\n\n"), l.Checkpoint()...)
	head, err := proof.UnverifiedHead(l.Checkpoint())
	if err != nil {
		t.Fatal(err)
	}
	lines.tell(body, &witness.Refusal{Status: 422, Reason: "the proof is wrong"})
	for range 5 {
		lines.tell(nil, stranger)
	}
	lines.tell(body, nil)
	lines.tell(body, errors.New("disk is full"))
	now = now.Add(time.Minute)
	lines.tell(body, &witness.Refusal{Status: 404, Reason: "not ours"})
	about := fmt.Sprintf("%s: 2 entries, root %v", logOrigin, head.Root)
	want := "2026-11-24T12:00:00Z refused: want a line\n" +
		"2026-11-24T12:00:00Z refused " + about + ": the proof is wrong\n" +
		"2026-11-24T12:00:00Z cosigned " + about + " (and 5 answers before it that are not told)\n" +
		"2026-11-24T12:00:00Z failed " + about + ": disk is full\n" +
		"2026-11-24T12:01:00Z refused " + about + ": not ours\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", &out, want)
	}
	// Somebody sends one head of the log over and over; the fork in the middle of it is told.
	out.Reset()
	for range 500 {
		lines.tell(body, nil)
	}
	lines.tell(body, &witness.Refusal{Status: 409, Fork: true, Reason: "fork", Evidence: "file"})
	if got := strings.Split(strings.TrimSpace(out.String()), "\n"); len(got) != perMinute || !strings.HasSuffix(got[len(got)-1], ": fork; evidence: file (and 441 answers before it that are not told)") {
		t.Errorf("printed %d lines, the last %q", len(got), got[len(got)-1])
	}
}
