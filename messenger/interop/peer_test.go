package interop_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const (
	lastX3DH = "0.72.1"
	current  = "0.103.0"
)

// peer is a foreign process.
type peer struct {
	t        testing.TB
	in       io.WriteCloser
	out      *bufio.Reader
	name     string
	identity []byte
}

// foreign is an error the peer reports.
type foreign struct{ text, name string }

func (f *foreign) Error() string { return f.name + ": " + f.text }

// findPeer returns node and the folder of libsignal of that version. It skips when one is not installed, and fails where CI=true.
func findPeer(t testing.TB, version string) (node, folder string) {
	t.Helper()
	folder = "libsignal-" + version
	missing := func(what string) {
		t.Helper()
		text := fmt.Sprintf("libsignal %s cannot judge: %s (run `npm ci --ignore-scripts` in messenger/interop/%s)", version, what, folder)
		if os.Getenv("CI") == "true" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("node is not installed")
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "@signalapp", "libsignal-client", "package.json")); err != nil {
		missing("the package is not installed")
	}
	return node, folder
}

// startPeer runs libsignal of that version, with a fresh identity.
func startPeer(t testing.TB, version, name string) *peer {
	t.Helper()
	node, folder := findPeer(t, version)
	cmd := exec.Command(node, "peer.mjs", folder)
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error("the peer ended badly:", err)
		}
	})
	p := &peer{t: t, in: in, out: bufio.NewReaderSize(out, 1<<20), name: name}
	if got := ask[string](p, "version", nil); got != version {
		t.Fatalf("the peer is version %s, want %s", got, version)
	}
	p.identity = ask[struct{ Identity []byte }](p, "init", map[string]any{"name": name, "registrationId": 77}).Identity
	return p
}

// try sends a request and decodes the answer; an error the peer reports is a *foreign.
func try[T any](p *peer, op string, args map[string]any) (ok T, err error) {
	p.t.Helper()
	request := map[string]any{"op": op}
	for k, v := range args {
		if b, is := v.([]byte); is {
			v = base64.StdEncoding.EncodeToString(b)
		}
		request[k] = v
	}
	line, err := json.Marshal(request)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		p.t.Fatal(err)
	}
	line, err = p.out.ReadBytes('\n')
	if err != nil {
		p.t.Fatalf("%s: the peer does not answer: %v", op, err)
	}
	var answer struct {
		OK    json.RawMessage
		Error *string
		Name  string
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		p.t.Fatal(err)
	}
	if answer.Error != nil {
		return ok, &foreign{*answer.Error, answer.Name}
	}
	if err := json.Unmarshal(answer.OK, &ok); err != nil {
		p.t.Fatal(err)
	}
	return ok, nil
}

// ask is try where no error is expected.
func ask[T any](p *peer, op string, args map[string]any) T {
	p.t.Helper()
	ok, err := try[T](p, op, args)
	if err != nil {
		p.t.Fatalf("%s: %v", op, err)
	}
	return ok
}
