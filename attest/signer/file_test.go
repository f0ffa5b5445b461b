package signer_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/signer"
)

// work is a work factor for tests: 2^4 instead of 2^18 steps.
const work = 4

var message = []byte("the bytes that are signed")

func pass(p string) func(string) ([]byte, error) {
	return func(string) ([]byte, error) { return []byte(p), nil }
}

func noEnv(string) string { return "" }

// newFile writes a key file with all purposes and returns its path and keys.
func newFile(t *testing.T) (string, []signer.Key) {
	t.Helper()
	keys, err := signer.Generate(signer.Purposes(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ana.key")
	if err := signer.Write(path, keys, []byte("correct horse"), work); err != nil {
		t.Fatal(err)
	}
	return path, keys
}

func TestKeysComeBackAndSign(t *testing.T) {
	path, keys := newFile(t)
	ring, err := signer.Open([]string{path, path}, pass("correct horse"), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	if len(ring) != len(keys) {
		t.Fatalf("%d keys in the ring, want each of %d once", len(ring), len(keys))
	}
	for _, k := range keys {
		s, ok := ring.Find(k.Public())
		if !ok {
			t.Fatalf("no %s in the ring", k)
		}
		sig, err := s.Sign(message)
		if err != nil {
			t.Fatal(err)
		}
		switch pub := k.Public().(type) {
		case ed25519.PublicKey:
			if k.Purpose == "statement" || len(sig) != 64 || !ed25519.Verify(pub, message, sig) {
				t.Errorf("%s: ed25519 signature of %d bytes does not verify", k, len(sig))
			}
		case *ecdsa.PublicKey:
			if k.Purpose != "statement" || !ecdsa.VerifyASN1(pub, sum(message), sig) {
				t.Errorf("%s: P-256 signature does not verify", k)
			}
		}
	}
	other, _ := signer.Generate([]string{"root"}, rand.Reader)
	if _, ok := ring.Find(other[0].Public()); ok {
		t.Error("a ring found a key it does not have")
	}
}

func TestNothingSecretIsPrinted(t *testing.T) {
	path, keys := newFile(t)
	ring, err := signer.Open([]string{path}, pass("correct horse"), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range keys {
		want := fmt.Sprintf("%s key %s", k.Purpose, signer.Fingerprint(k.Public()))
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			if got := fmt.Sprintf(verb, k); got != want {
				t.Errorf("%s prints %q, want %q", verb, got, want)
			}
			if got := fmt.Sprintf(verb, ring[i]); got != want+" in ana.key" {
				t.Errorf("%s prints %q, want %q", verb, got, want+" in ana.key")
			}
		}
	}
	sealed, _ := os.ReadFile(path)
	if bytes.Contains(sealed, []byte("PRIVATE")) || bytes.Contains(sealed, []byte("auditor")) {
		t.Error("the file is not encrypted")
	}
}

func TestWriteNeverOverwrites(t *testing.T) {
	path, keys := newFile(t)
	before, _ := os.ReadFile(path)
	err := signer.Write(path, keys, []byte("another"), work)
	if !errors.Is(err, signer.ErrExists) {
		t.Fatalf("second write: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Fatal("the file changed")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o, want 600", info.Mode().Perm())
	}
	left, _ := os.ReadDir(filepath.Dir(path))
	if len(left) != 1 {
		t.Errorf("files left over: %v", left)
	}
	target := filepath.Join(t.TempDir(), "elsewhere")
	link := filepath.Join(t.TempDir(), "link.key")
	if err := os.Symlink(target, link); err == nil {
		if err := signer.Write(link, keys, []byte("p"), work); !errors.Is(err, signer.ErrExists) {
			t.Errorf("write through a dangling link: %v", err)
		}
	}
}

func TestBadFiles(t *testing.T) {
	path, _ := newFile(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(good), "\n")
	middle := len(good) / 2
	table := []struct {
		name    string
		content []byte
		want    string // beginning of the error
	}{
		{"empty", nil, "x.key is empty: it was never finished"},
		{"only a beginning", good[:10], "x.key is cut off"},
		{"cut in the middle", good[:middle], "x.key is cut off"},
		{"no last line", []byte(strings.Join(lines[:len(lines)-2], "")), "x.key is cut off"},
		{"a line is missing", []byte(strings.Join(slices.Delete(slices.Clone(lines), 5, 6), "")), "x.key is damaged: "},
		{"an SSH key", []byte("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n"), "x.key is no key file: it does not begin with"},
		{"a TOML file", []byte("name = \"Ana\"\n"), "x.key is no key file"},
		{"bytes", bytes.Repeat([]byte{0}, 100), "x.key is no key file"},
		{"too large", bytes.Repeat(good, 100), "x.key is no key file: larger than 65536 bytes"},
		{"rubbish after", append(slices.Clone(good), "more"...), "x.key is damaged: "},
	}
	for _, test := range table {
		file := filepath.Join(t.TempDir(), "x.key")
		if err := os.WriteFile(file, test.content, 0o600); err != nil {
			t.Fatal(err)
		}
		ring, err := signer.Open([]string{file}, pass("correct horse"), noEnv)
		if err == nil || ring != nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		if after, _ := os.ReadFile(file); !bytes.Equal(after, test.content) {
			t.Errorf("%s: the file changed", test.name)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	path, _ := newFile(t)
	if _, err := signer.Open([]string{path}, pass("wrong"), noEnv); !errors.Is(err, signer.ErrPassphrase) || err.Error() != "wrong passphrase for ana.key" {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := signer.Open([]string{path}, pass(""), noEnv); err == nil {
		t.Error("an empty passphrase was taken")
	}
	stop := errors.New("the person went away")
	if _, err := signer.Open([]string{path}, func(string) ([]byte, error) { return nil, stop }, noEnv); !errors.Is(err, stop) {
		t.Errorf("no passphrase: %v", err)
	}
	if _, err := signer.Open([]string{path + "x"}, pass("p"), noEnv); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "ana.keyx") {
		t.Errorf("missing file: %v", err)
	}
	if _, err := signer.Open(nil, pass("p"), noEnv); err == nil {
		t.Error("an empty ring was opened")
	}
	if _, err := signer.Open([]string{filepath.Dir(path)}, pass("p"), noEnv); err == nil {
		t.Error("a directory was opened")
	}
	if os.Getuid() > 0 { // root reads everything
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := signer.Open([]string{path}, pass("correct horse"), noEnv); !errors.Is(err, os.ErrPermission) {
			t.Errorf("unreadable file: %v", err)
		}
	}
}

func TestGenerateErrors(t *testing.T) {
	for _, purposes := range [][]string{nil, {"login"}, {"root", "root"}, {""}} {
		if keys, err := signer.Generate(purposes, rand.Reader); err == nil {
			t.Errorf("%q: made %v", purposes, keys)
		}
	}
	if keys, err := signer.Generate([]string{"root"}, strings.NewReader("too little")); err == nil {
		t.Errorf("without randomness: made %v", keys)
	}
	keys, _ := signer.Generate([]string{"root"}, rand.Reader)
	dir := t.TempDir()
	for name, write := range map[string]func(string) error{
		"no keys":        func(p string) error { return signer.Write(p, nil, []byte("p"), work) },
		"no passphrase":  func(p string) error { return signer.Write(p, keys, nil, work) },
		"work factor 0":  func(p string) error { return signer.Write(p, keys, []byte("p"), 0) },
		"work factor 21": func(p string) error { return signer.Write(p, keys, []byte("p"), 21) },
		"no directory":   func(p string) error { return signer.Write(filepath.Join(p, "x"), keys, []byte("p"), work) },
	} {
		path := filepath.Join(dir, name)
		if err := write(path); err == nil {
			t.Errorf("%s: written", name)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: a file was left", name)
		}
	}
}
