package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// tufjs finds node and the pinned client, which it installs where they are missing and npm is there.
func tufjs(t *testing.T) {
	t.Helper()
	missing := func(format string, args ...any) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must read our repositories with tuf-js: "+format, args...)
		}
		t.Skipf("not reading our repositories with tuf-js: "+format, args...)
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing("node is not installed")
	}
	if _, err := os.Stat("tufjs/node_modules/tuf-js"); err == nil {
		return
	}
	if _, err := exec.LookPath("npm"); err != nil {
		missing("tufjs/node_modules is missing and npm is not installed")
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = "tufjs"
	if out, err := npm.CombinedOutput(); err != nil {
		missing("npm ci: %v\n%s", err, out)
	}
}

// mirror serves files that a test may change under the client.
type mirror struct {
	mu    sync.Mutex
	files map[string][]byte
	asked []string
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/")
	m.asked = append(m.asked, path)
	b, ok := m.files[path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(b) // a client that hung up will say so itself
}

func (m *mirror) set(files map[string][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files = files
}

// requests returns the paths asked for since the last call.
func (m *mirror) requests() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.asked
	m.asked = nil
	return list
}

// client is a tuf-js client with its own state.
type client struct {
	t    *testing.T
	m    *mirror
	base string
	dir  string
}

func newClient(t *testing.T, w *repotest.World) *client {
	t.Helper()
	c := &client{t: t, m: &mirror{files: w.Files()}, dir: t.TempDir()}
	server := httptest.NewServer(c.m)
	t.Cleanup(server.Close)
	c.base = server.URL
	if err := os.WriteFile(filepath.Join(c.dir, "root.json"), w.Anchor(), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// answer is what read.mjs prints.
type answer struct {
	Targets map[string][]byte
	Refused string
	Message string
}

// read refreshes and downloads at a time.
func (c *client) read(now time.Time, targets ...string) answer {
	c.t.Helper()
	arg, err := json.Marshal(map[string]any{"now": now.UTC().Format(time.RFC3339), "base": c.base, "dir": c.dir, "targets": append([]string{}, targets...)})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer stop()
	node := exec.CommandContext(ctx, "node", "tufjs/read.mjs", string(arg))
	node.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "SYSTEMROOT=" + os.Getenv("SYSTEMROOT")} // no proxy, no DEBUG
	var stderr bytes.Buffer
	node.Stderr = &stderr
	out, err := node.Output()
	if err != nil {
		c.t.Fatalf("read.mjs: %v\n%s", err, stderr.String())
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		c.t.Fatalf("read.mjs printed %q: %v", out, err)
	}
	return a
}

// wantRefused wants a refusal whose name or text contains this; tuf-js wraps most in a RuntimeError.
func (c *client) wantRefused(a answer, text string) {
	c.t.Helper()
	if got := a.Refused + ": " + a.Message; a.Refused == "" || !strings.Contains(got, text) || len(a.Targets) != 0 {
		c.t.Errorf("tuf-js gave %d targets and refused with %q, want %q", len(a.Targets), got, text)
	}
}

const program = "stable/1.4.0/linux-amd64/messenger"

// released is a world of five auditors, three of whom released 1.4.0.
func released(t *testing.T, signers ...int) *repotest.World {
	t.Helper()
	w := repotest.New(t, 5, 3)
	w.Now = w.Now.Add(time.Hour)
	w.Release("1.4.0", map[string][]byte{"linux-amd64/messenger": []byte("the program"), "linux-amd64/messenger.debug": []byte("debug")}, signers...)
	return w
}

func TestTUFJSReads(t *testing.T) {
	tufjs(t)
	w := released(t)
	c := newClient(t, w)
	a := c.read(w.Now, "policy.json", "mirrors.json", "stable/1.4.0/release.json", program)
	if a.Refused != "" {
		t.Fatalf("refused: %s: %s", a.Refused, a.Message)
	}
	if string(a.Targets[program]) != "the program" || !bytes.Equal(a.Targets["policy.json"], w.Policy) || !bytes.Equal(a.Targets["mirrors.json"], w.Mirrors) ||
		!bytes.Equal(a.Targets["stable/1.4.0/release.json"], w.Made("stable", "1.4.0").Manifest) {
		t.Errorf("tuf-js got %q", a.Targets)
	}
	// A path of the channel that the channel does not name.
	c.wantRefused(c.read(w.Now, "stable/1.4.0/linux-amd64/other"), "NoTarget")

	// The state it kept is good for the next release, and nothing new costs two requests.
	c.m.requests()
	a = c.read(w.Now)
	if asked := c.m.requests(); a.Refused != "" || !slices.Equal(asked, []string{"metadata/2.root.json", "metadata/timestamp.json"}) {
		t.Errorf("%s: nothing new asked for %v", a.Message, asked)
	}
	w.Now = w.Now.Add(time.Hour)
	w.Release("1.5.0", map[string][]byte{"linux-amd64/messenger": []byte("newer")}, 4, 3, 2)
	c.m.set(w.Files())
	if a := c.read(w.Now, "stable/1.5.0/linux-amd64/messenger"); string(a.Targets["stable/1.5.0/linux-amd64/messenger"]) != "newer" {
		t.Errorf("second release: %s: %s", a.Refused, a.Message)
	}
}

func TestTUFJSFollowsARootRotation(t *testing.T) {
	tufjs(t)
	w := released(t)
	c := newClient(t, w)
	l := w.Layout
	l.Root.Holders = l.Root.Holders[1:] // Ana leaves
	w.PublishRoot(l, 0, 1, 2, 3)
	c.m.set(w.Files())
	a := c.read(w.Now, program)
	kept, err := os.ReadFile(filepath.Join(c.dir, "root.json"))
	if err != nil {
		t.Fatal(err)
	}
	// Ana's signature is one of the old root's quorum, and not of the new one's.
	if string(a.Targets[program]) != "the program" || !bytes.Contains(kept, []byte(`"version":2`)) {
		t.Errorf("%s: %s", a.Refused, a.Message)
	}
}

func TestTUFJSRefuses(t *testing.T) {
	tufjs(t)
	name := func(w *repotest.World, prefix string) string {
		for path := range w.Files() {
			if strings.HasPrefix(path, prefix) && strings.HasSuffix(path, ".messenger") {
				return path
			}
		}
		t.Fatal("no file ", prefix)
		return ""
	}
	flip := func(files map[string][]byte, path string) map[string][]byte {
		files[path] = slices.Clone(files[path])
		files[path][len(files[path])/2] ^= 1
		return files
	}

	t.Run("two signatures of three", func(t *testing.T) {
		w := released(t, 0, 4)
		c := newClient(t, w)
		c.wantRefused(c.read(w.Now, program), "stable was signed by 2/3 keys")
	})
	t.Run("two signatures and one twice", func(t *testing.T) {
		w := released(t)
		stable := string(w.Sign(w.Role("stable"), w.People[0].Auditor, w.People[1].Auditor))
		from := strings.Index(stable, `{"keyid"`)
		to := from + strings.Index(stable[from:], `}`) + 1
		w.Replace("stable", []byte(stable[:to]+","+stable[from:to]+stable[to:]))
		c := newClient(t, w)
		c.wantRefused(c.read(w.Now, program), "multiple signatures found for keyid")
	})
	t.Run("a swapped byte in the program", func(t *testing.T) {
		w := released(t)
		c := newClient(t, w)
		c.m.set(flip(w.Files(), name(w, "targets/stable/1.4.0/linux-amd64/")))
		c.wantRefused(c.read(w.Now, program), "LengthOrHashMismatchError")
	})
	for _, role := range []string{"timestamp", "2.snapshot", "1.targets", "2.stable"} {
		t.Run("a swapped byte in "+role, func(t *testing.T) {
			w := released(t)
			c := newClient(t, w)
			c.m.set(flip(w.Files(), fmt.Sprintf("metadata/%s.json", role)))
			if a := c.read(w.Now, program); a.Refused == "" || len(a.Targets) != 0 {
				t.Error("accepted")
			}
		})
	}
	t.Run("an expired timestamp", func(t *testing.T) {
		w := released(t)
		c := newClient(t, w)
		c.wantRefused(c.read(w.Now.Add(24*time.Hour), program), "ExpiredMetadataError")
		if a := c.read(w.Now.Add(24*time.Hour-time.Second), program); a.Refused != "" {
			t.Errorf("one second before it expires: %s: %s", a.Refused, a.Message)
		}
	})
	t.Run("an older repository than it has seen", func(t *testing.T) {
		w := released(t)
		old := w.Files()
		w.Release("1.5.0", map[string][]byte{"linux-amd64/messenger": []byte("newer")})
		c := newClient(t, w)
		if a := c.read(w.Now, program); a.Refused != "" {
			t.Fatal(a.Message)
		}
		c.m.set(old)
		c.wantRefused(c.read(w.Now, program), "New timestamp version 2 is less than current version 3")
	})
	t.Run("a stale snapshot under a new timestamp", func(t *testing.T) {
		w := released(t)
		old := w.Files()
		w.Release("1.5.0", map[string][]byte{"linux-amd64/messenger": []byte("newer")})
		c := newClient(t, w)
		files := w.Files()
		files["metadata/3.snapshot.json"] = old["metadata/2.snapshot.json"]
		c.m.set(files)
		c.wantRefused(c.read(w.Now, program), "Unable to load snapshot metadata error Error: Expected hash")
	})
}
