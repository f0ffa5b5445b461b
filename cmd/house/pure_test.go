package house

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The messenger's protocol core: state in, state out, no I/O, so that what it does with the same bytes, time and randomness is the same
// for ever. A new package below messenger is pure and listed here, or part of one of the folders that touch the world.
var (
	core = []string{"archive", "attachment", "braid", "braid/erasure", "braid/split", "devicelist", "directory", "handshake", "introduction", "kdf", "keys", "provision", "ratchet",
		"record", "refusal", "safety", "senderkey", "signaling", "transcript", "wire", "wire/pb", "xeddsa"}
	worldly = []string{"client", "group", "interop", "keyring", "provider", "rpc", "server", "session", "store", "tui", "vector", "web"}
)

// What nothing below the core may be, in the standard library or elsewhere: a network, a program to run, a log. (Package os
// itself comes with fmt.)
var worldlyDeps = []string{"net", "net/http", "os/exec", "os/signal", "os/user", "log", "log/slog", "database/sql", "plugin", "crypto/tls"}

func TestTheMessengersCoreIsPure(t *testing.T) {
	var found []string
	for _, p := range list(t, "linux", "./messenger/...") {
		path, _ := local(p.ImportPath)
		name, _ := strings.CutPrefix(path, "messenger/")
		top, _, _ := strings.Cut(name, "/")
		if slices.Contains(worldly, top) {
			continue
		}
		found = append(found, name)
		if name == "wire/pb" {
			continue // what protoc-gen-go writes uses unsafe; nobody edits it
		}
		checkPure(t, name, p)
	}
	slices.Sort(found)
	if !slices.Equal(found, core) {
		t.Errorf("the core is %v; the written list is %v", found, core)
	}
}

// checkPure looks at what a package imports and at what it calls.
func checkPure(t *testing.T, name string, p pkg) {
	t.Helper()
	for _, imp := range p.Imports {
		if slices.Contains(impure, imp) {
			t.Errorf("messenger/%s is pure and imports %s", name, imp)
		}
		if to, ours := local(imp); ours && !slices.Contains(core, strings.TrimPrefix(to, "messenger/")) {
			t.Errorf("messenger/%s is pure and imports %s, which is not", name, to)
		}
	}
	for _, f := range p.GoFiles {
		src, err := os.ReadFile(filepath.Join(p.Dir, f))
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range []string{"time.Now(", "time.Since(", "time.Until(", "time.After(", "time.Sleep(", "time.NewTimer(", "rand.Reader", "go func("} {
			if bytes.Contains(src, []byte(call)) {
				t.Errorf("messenger/%s/%s is pure and has %s", name, f, call)
			}
		}
	}
}

func TestNothingBelowTheCoreTouchesTheWorld(t *testing.T) {
	args := []string{"-deps"}
	for _, name := range core {
		args = append(args, "./messenger/"+name)
	}
	for _, p := range list(t, "linux", args...) {
		if slices.Contains(worldlyDeps, p.ImportPath) {
			t.Errorf("the messenger's core stands on %s", p.ImportPath)
		}
	}
}

// Test vectors and foreign peers are for tests: no program may hold them.
func TestOnlyTestsImportVectorsAndPeers(t *testing.T) {
	for _, p := range list(t, "linux", "./...") {
		for _, imp := range p.Imports {
			if to, ours := local(imp); ours && (to == "messenger/vector" || strings.HasPrefix(to, "messenger/interop")) {
				t.Errorf("%s imports %s outside its tests", p.ImportPath, to)
			}
		}
	}
}
