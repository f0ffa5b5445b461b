// Package vector reads the test vectors of the messenger: text files under testdata that state the expected outcome.
// Only tests import it.
//
// A vector file is lines of "name value", hexadecimal unless the reader of the name says otherwise; blank lines and
// lines that start with # are skipped. A name may occur several times. The line "expect" is compulsory and says how the
// case must end ("ok", or the kind of refusal), which Outcome compares; "source" says who made the vector.
package vector

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/refusal"
)

// Vector is one file.
type Vector struct {
	Name   string // file name without .txt
	t      testing.TB
	fields map[string][]string
}

// All reads every *.txt of a folder, and fails when there is none.
func All(t testing.TB, dir string) []Vector {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors in %s: %v", dir, err)
	}
	var all []Vector
	for _, p := range paths {
		all = append(all, read(t, p))
	}
	return all
}

func read(t testing.TB, path string) Vector {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v := Vector{Name: strings.TrimSuffix(filepath.Base(path), ".txt"), t: t, fields: map[string][]string{}}
	for n, line := range strings.Split(string(b), "\n") {
		line = strings.TrimRight(line, "\r ")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, _ := strings.Cut(line, " ")
		if name == "" {
			t.Fatalf("%s:%d: line without a name", path, n+1)
		}
		v.fields[name] = append(v.fields[name], strings.TrimSpace(value))
	}
	if v.Text("expect") == "" {
		t.Fatalf("%s: the vector does not say what to expect", path)
	}
	return v
}

// Outcome fails the test unless the case ended as the vector expects: without an error for "ok", with a refusal of the kind it names otherwise.
func (v Vector) Outcome(err error) {
	v.t.Helper()
	got := "ok"
	if err != nil {
		got = string(refusal.Of(err))
	}
	if want := v.Text("expect"); got != want {
		v.t.Errorf("vector %s: got %q (%v), want %q", v.Name, got, err, want)
	}
}

// Has tells whether the vector has a line of that name.
func (v Vector) Has(name string) bool { return len(v.fields[name]) > 0 }

// All returns every value of name, in order.
func (v Vector) All(name string) []string { return v.fields[name] }

// Text returns the one value of name.
func (v Vector) Text(name string) string {
	v.t.Helper()
	if len(v.fields[name]) != 1 {
		v.t.Fatalf("vector %s: %d lines %q, want 1", v.Name, len(v.fields[name]), name)
	}
	return v.fields[name][0]
}

// Hex returns the one value of name as bytes.
func (v Vector) Hex(name string) []byte {
	v.t.Helper()
	b, err := hex.DecodeString(v.Text(name))
	if err != nil {
		v.t.Fatalf("vector %s: %s: %v", v.Name, name, err)
	}
	return b
}

// Bytes32 returns the one value of name, which must have 32 bytes.
func (v Vector) Bytes32(name string) [32]byte {
	v.t.Helper()
	b := v.Hex(name)
	if len(b) != 32 {
		v.t.Fatalf("vector %s: %s: got %d bytes, want 32", v.Name, name, len(b))
	}
	return [32]byte(b)
}

// Int returns the one value of name as a decimal number.
func (v Vector) Int(name string) uint32 {
	v.t.Helper()
	n, err := strconv.ParseUint(v.Text(name), 10, 32)
	if err != nil {
		v.t.Fatalf("vector %s: %s: %v", v.Name, name, err)
	}
	return uint32(n)
}

// Base64 decodes a value, with or without padding.
func (v Vector) Base64(value string) []byte {
	v.t.Helper()
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
	if err != nil {
		v.t.Fatalf("vector %s: base64: %v", v.Name, err)
	}
	return b
}
