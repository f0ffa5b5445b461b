package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
	"github.com/countersign-project/countersign/attest/tiles/tilestest"
	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// logReader is a person who reads a log beside the repository.
type logReader struct {
	*person
	l       *prooftest.Log
	bo, eve *prooftest.Signer
}

func newLogReader(t *testing.T) *logReader {
	r := &logReader{person: newPerson(t), l: prooftest.NewLog(logOrigin), bo: prooftest.NewSigner("bo.example/w", proof.Ed25519Cosi), eve: prooftest.NewSigner("eve.example/w", proof.MLDSA44)}
	r.now = r.w.Now
	r.person.write("log.policy", r.l.PolicyText(1, r.bo, r.eve))
	return r
}

// release puts the release and its statements into the log.
func (r *logReader) release(version string) {
	r.t.Helper()
	made := r.w.Made("stable", version)
	r.l.Append(proof.ReleaseLeaf("stable", version, sha256.Sum256(made.Manifest)))
	for _, s := range made.Statements {
		var doc struct {
			VerificationMaterial struct{ PublicKey struct{ Hint []byte } }
			DSSEEnvelope         struct{ Payload []byte }
		}
		if err := json.Unmarshal(s, &doc); err != nil {
			r.t.Fatal(err)
		}
		r.l.Append(proof.StatementLeaf([32]byte(doc.VerificationMaterial.PublicKey.Hint), sha256.Sum256(doc.DSSEEnvelope.Payload)))
	}
}

// serve puts a log into the repository directory in place of the one there.
func (r *logReader) serve(l *prooftest.Log, size int, witnesses ...*prooftest.Signer) {
	r.t.Helper()
	r.serveAt("repository", l, size, witnesses...)
}

func (r *logReader) serveAt(dir string, l *prooftest.Log, size int, witnesses ...*prooftest.Signer) {
	r.t.Helper()
	if err := os.RemoveAll(r.path(dir + "/log")); err != nil {
		r.t.Fatal(err)
	}
	for name, f := range tilestest.Files(l, size, witnesses...) {
		r.person.write(dir+"/log/"+name, f.Data)
	}
}

// copy copies the repository.
func (r *logReader) copy(dir string) string {
	r.t.Helper()
	if err := os.CopyFS(r.path(dir), os.DirFS(r.path("repository"))); err != nil {
		r.t.Fatal(err)
	}
	return r.path(dir)
}

func (r *logReader) cmd(words string, args ...string) (int, string, string) {
	r.t.Helper()
	return r.run(append(append([]string{"log"}, strings.Fields(words)...), append([]string{"--root", r.path("root.json"), "--policy", r.path("policy.json"), "--log-policy", r.path("log.policy"), "--repository", r.path("repository")}, args...)...)...)
}

func TestLogShow(t *testing.T) {
	r := newLogReader(t)
	r.l.Fill(30)
	r.release("1.0.0")
	r.l.Append(proof.StatementLeaf([32]byte{7}, [32]byte{8}), []byte("hello\n"))
	size := len(r.l.Entries)
	r.serve(r.l, size, r.eve)
	code, out, errs := r.cmd("show", "--last", "7")
	head, err := proof.UnverifiedHead(r.l.Checkpoint())
	if err != nil {
		t.Fatal(err)
	}
	manifest := sha256.Sum256(r.w.Made("stable", "1.0.0").Manifest)
	want := fmt.Sprintf(`log log.example/countersign: 36 entries
  root %v
  cosigned by w2 (2026-11-24 12:00 UTC)
  not by w1
  needed: any of (w1, w2)

     29  version 30 of timestamp, sha256 %x
     30  release stable 1.0.0, sha256 %x
     31  rebuilt stable 1.0.0 by Ana Sousa (Tejo Labs, PT), payload sha256 `, head.Root, sha256.Sum256([]byte("29")), manifest)
	if code != 0 || !strings.HasPrefix(out, want) || errs != "" {
		t.Fatalf("exit %d\n%s%s\nwant\n%s", code, out, errs, want)
	}
	contains(t, out, fmt.Sprintf("     34  a statement by a key of nobody in the policy (sha256 %x), payload sha256 %x\n", [32]byte{7}, [32]byte{8}),
		`     35  "hello\n", which says nothing we know`, "29 entries before these: --from 0 shows all")

	code, out, _ = r.cmd("show --release 1.0.0")
	if code != 0 || strings.Count(out, "1.0.0") != 4 || strings.Contains(out, "timestamp") || strings.Contains(out, "before these") {
		t.Errorf("exit %d\n%s", code, out)
	}
	r.want(0, "nothing in the log is about 9.9.9", "")(r.cmd("show --release 9.9.9"))
	code, out, _ = r.cmd("show --from 33 --json")
	var doc struct {
		Origin    string
		Size      uint64
		Root      proof.Hash
		Time      time.Time
		Missing   []string
		Witnesses []proof.Cosigned
		Entries   []logEntry
	}
	if err := json.Unmarshal([]byte(out), &doc); code != 0 || err != nil || doc.Origin != logOrigin || doc.Size != 36 || doc.Root != head.Root || !doc.Time.Equal(prooftest.Time) ||
		len(doc.Missing) != 1 || len(doc.Witnesses) != 1 || len(doc.Entries) != 3 {
		t.Fatalf("exit %d, %v: %+v\n%s", code, err, doc, out)
	}
	if e := doc.Entries[0]; e.Index != 33 || e.Entry != string(r.l.Entries[33]) || e.What != "rebuilt" || e.Release != "stable 1.0.0" || e.By != "Carol Reed (Hudson Co-op, US)" || len(e.SHA256) != 64 {
		t.Errorf("%+v", e)
	}
	// The log's policy alone suffices for the log; people have no names then.
	alone := []string{"log", "show", "--log-policy", r.path("log.policy"), "--repository", r.path("repository")}
	r.want(0, "     33  a statement by a key of nobody in the policy", "")(r.run(alone...))
	r.want(0, "which statements are about it is read from the distribution: give --root, too", "")(r.run(append(alone, "--release", "1.0.0")...))
}

func TestLogShowRefuses(t *testing.T) {
	r := newLogReader(t)
	r.l.Fill(300)
	r.want(3, "", "log/checkpoint: ")(r.cmd("show"))
	r.serve(r.l, 300)
	r.want(1, "", "countersign: refused: the head of the log log.example/countersign: log/checkpoint: "+r.path("repository")+": too few witnesses cosigned")(r.cmd("show"))
	r.serve(r.l, 300, r.bo)
	r.want(0, "", "")(r.cmd("show"))
	// Beside it a place that is behind, one that is broken, and one with another log.
	older, broken, forked := r.copy("older"), r.copy("broken"), r.copy("forked")
	r.serveAt("older", r.l, 280, r.bo)
	r.person.write("broken/log/tile/0/001.p/44", make([]byte, 44*32))
	fork := prooftest.NewLog(logOrigin)
	fork.Append(r.l.Entries[:250]...)
	fork.Append(proof.MetadataLeaf("root", 9, [32]byte{9}))
	fork.Fill(50)
	r.want(0, "log log.example/countersign: 300 entries", "")(r.cmd("show", "--repository", older))
	r.want(0, "log log.example/countersign: 300 entries", "")(r.run("log", "show", "--log-policy", r.path("log.policy"), "--repository", broken, "--repository", older, "--repository", r.path("repository")))
	r.want(1, "", "does not lead to the log's head")(r.run("log", "show", "--log-policy", r.path("log.policy"), "--repository", broken))
	for _, size := range []int{260, 300, 301} {
		r.serveAt("forked", fork, size, r.eve)
		r.want(1, "", "countersign: refused: the log was forked: ")(r.cmd("show", "--repository", forked))
	}
	r.want(2, "", "--from 301, and the log has 300 entries")(r.cmd("show --from 301"))
	r.want(2, "", "want a version such as 1.4.0")(r.cmd("show --release newest"))
	r.want(2, "", "none of the others can be")(r.cmd("show --from 1 --last 2"))
	r.want(2, "", "--policy without --root")(r.run("log", "show", "--log-policy", r.path("log.policy"), "--policy", r.path("policy.json"), "--repository", r.path("repository")))
	r.want(2, "", "there is no log.policy")(r.run("log", "show", "--root", r.path("root.json"), "--repository", r.path("repository")))
	r.want(2, "", "where to fetch from?")(r.run("log", "show", "--log-policy", r.path("log.policy")))
	bad := r.path("repository/log/tile/entries/001.p/44")
	b, err := os.ReadFile(bad)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-2] ^= 1
	r.person.write("repository/log/tile/entries/001.p/44", b)
	r.want(1, "", "countersign: refused: the log's files: ")(r.cmd("show"))
}

func TestLogFollow(t *testing.T) {
	r := newLogReader(t)
	follow := func(args ...string) (int, string, string) {
		return r.cmd("follow --once --state "+r.path("followed"), args...)
	}
	fork := prooftest.NewLog(logOrigin)
	r.l.Fill(5)
	r.serve(r.l, 5, r.bo, r.eve)
	r.want(0, "", "log log.example/countersign: following it from entry 5 on")(follow())
	r.want(0, "", "")(follow())
	fork.Append(r.l.Entries...)
	fork.Append(proof.MetadataLeaf("root", 9, [32]byte{9}))
	fork.Fill(20)
	r.w.Publish(repotest.Release{Version: "1.1.0", Artifacts: released})
	r.publish("repository")
	r.release("1.1.0")
	size := len(r.l.Entries)
	r.serve(r.l, size, r.bo)
	code, out, errs := follow()
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != 0 || len(lines) != 4 || !strings.HasPrefix(lines[0], "5  release stable 1.1.0, sha256 ") || !strings.HasPrefix(lines[3], "      8  rebuilt stable 1.1.0 by Carol Reed") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	r.want(0, "", "witnesses: witness w2 is missing")(follow())

	refused := func(l *prooftest.Log, size int, want string, witnesses ...*prooftest.Signer) {
		t.Helper()
		r.serve(l, size, witnesses...)
		code, out, errs := follow()
		if code != 1 || out != "" || !strings.Contains(errs, want) {
			t.Fatalf("exit %d\n%s%s\nwant %s", code, out, errs, want)
		}
		_, dir, ok := strings.Cut(strings.TrimSpace(errs), "→ evidence: ")
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if !ok || err != nil || len(files) < 2 {
			t.Errorf("evidence in %q: %v, %v", dir, files, err)
		}
	}
	refused(r.l, 6, "serves a log of 6 entries; it served one of 9 before", r.bo)
	refused(fork, 9, "the log was forked: 9 entries at ", r.bo)
	refused(fork, 20, "the log was forked: 20 entries at ", r.bo)
	refused(r.l, 9, "too few witnesses cosigned")
	r.l.Fill(1)
	r.serve(r.l, 10, r.bo)
	r.want(0, "      9  version 10 of timestamp", "")(follow())
	r.want(0, "", "")(follow("--json"))
	r.l.Fill(1)
	r.serve(r.l, 11, r.bo)
	r.want(0, `{"index":10,"entry":"countersign metadata timestamp 11 `, "")(follow("--json"))
	r.want(3, "", "log/checkpoint: ")(follow("--repository", r.path("followed"))) // a place without a log
	r.want(2, "", "want at least 1s")(r.cmd("follow --every 1ms"))
}

// Followed for a while, it prints what comes, outlives a place that is away, and ends at a fork.
func TestLogFollowGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newLogReader(t)
		r.l.Fill(3)
		r.serve(r.l, 3, r.bo, r.eve)
		var out, errs lockedBuilder
		app := &cli.App{Name: "countersign", Out: &out, Err: &errs, Now: time.Now, Getenv: func(string) string { return "" }}
		o := logFollowOptions{State: r.path("followed"), Every: time.Minute}
		o.LogPolicy, o.From = r.path("log.policy"), []string{r.path("repository")}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		done := make(chan error, 1)
		go func() { done <- runLogFollow(ctx, app, o) }()
		time.Sleep(90 * time.Second)
		r.l.Fill(2)
		r.serve(r.l, 5, r.bo, r.eve)
		time.Sleep(time.Minute)
		if got := out.String(); strings.Count(got, "\n") != 2 || !strings.HasPrefix(got, "      3  version 4 of timestamp") {
			t.Errorf("printed %q", got)
		}
		if err := os.Rename(r.path("repository"), r.path("away")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if !strings.Contains(errs.String(), "; looking again in 1m0s") {
			t.Errorf("said %q", errs.String())
		}
		if err := os.Rename(r.path("away"), r.path("repository")); err != nil {
			t.Fatal(err)
		}
		fork := prooftest.NewLog(logOrigin)
		fork.Fill(4)
		fork.Append(proof.MetadataLeaf("root", 9, [32]byte{9}))
		r.serve(fork, 5, r.bo, r.eve)
		if err := <-done; cli.Code(err) != cli.ExitRefused || !strings.Contains(err.Error(), "the log was forked") {
			t.Errorf("ended with %v", err)
		}
	})
}

type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
