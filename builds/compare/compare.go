// Package compare tells whether two files are equal, byte for byte, and if not, why.
//
// The verdict and the explanation are kept apart on purpose. Equality is decided here by comparing
// lengths and bytes, nothing else: no format is understood, nothing is normalised, no difference is
// small enough to pass. The explanation comes afterwards, may be wrong about the cause, and never turns
// a difference into anything else. Both files may come from an attacker; the worst they can do is make
// the explanation less useful.
package compare

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Sum is a SHA-256, printed in hex.
type Sum [32]byte

// String returns 64 hex digits.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// MarshalText returns 64 hex digits.
func (s Sum) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads exactly 64 lower-case hex digits.
func (s *Sum) UnmarshalText(b []byte) error {
	var out Sum
	if len(b) != 64 || !bytes.Equal(bytes.ToLower(b), b) {
		return fmt.Errorf("sha256 %q, want 64 lower-case hex digits", b)
	}
	if _, err := hex.Decode(out[:], b); err != nil {
		return fmt.Errorf("sha256 %q: %v", b, err)
	}
	*s = out
	return nil
}

// Side is what one of the two has.
type Side struct {
	Present bool  `json:"present"`
	Length  int64 `json:"length"`
	SHA256  Sum   `json:"sha256"`
}

// Difference is one file that is not equal. There is no value of it that means "equal enough".
type Difference struct {
	Path    string   `json:"path"`
	Want    Side     `json:"want"`
	Got     Side     `json:"got"`
	Offset  int64    `json:"offset"`            // of the first byte that differs; -1 when the bytes of both are not at hand
	Cause   string   `json:"cause"`             // one line for people
	Details []string `json:"details,omitempty"` // more lines, most telling first
}

// Text is the difference for people: a line with path and cause, then the figures and details.
func (d Difference) Text() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: %s\n", d.Path, d.Cause)
	fmt.Fprintf(&b, "    want %s\n    got  %s\n", d.Want.text(), d.Got.text())
	if d.Offset >= 0 {
		fmt.Fprintf(&b, "    first difference at byte %d\n", d.Offset)
	}
	for _, line := range d.Details {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	return b.String()
}

func (s Side) text() string {
	if !s.Present {
		return "nothing"
	}
	return fmt.Sprintf("sha256 %s, %d bytes", s.SHA256, s.Length)
}

// Files compares two files. It returns nil when they are equal, and a difference otherwise, also when
// one of them does not exist; an error only when one that exists cannot be read.
func Files(path, wantFile, gotFile string) (*Difference, error) {
	want, err := read(wantFile)
	if err != nil {
		return nil, err
	}
	got, err := read(gotFile)
	if err != nil {
		return nil, err
	}
	return Bytes(path, want, got), nil
}

// read returns nil for a file that does not exist.
func read(name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if b == nil && err == nil {
		b = []byte{}
	}
	return b, err
}

// Bytes compares the bytes of two files; nil means that the file does not exist. It returns nil when
// both exist and are equal.
func Bytes(path string, want, got []byte) *Difference {
	d := Difference{Path: path, Want: SideOf(want), Got: SideOf(got), Offset: -1}
	switch {
	case want == nil && got == nil:
		d.Cause = "missing on both sides"
	case got == nil:
		d.Cause = "missing: it was not made"
	case want == nil:
		d.Cause = "extra: nobody asked for it"
	case bytes.Equal(want, got):
		return nil
	default:
		d.Offset = firstDifference(want, got)
		d.Cause, d.Details = guarded(want, got)
	}
	return &d
}

// guarded keeps a file that breaks a format's reader from taking the verdict down with it.
func guarded(want, got []byte) (cause string, details []string) {
	defer func() {
		if r := recover(); r != nil {
			cause, details = "differs; the explanation broke over the files", []string{fmt.Sprint(r)}
		}
	}()
	return Explain(want, got)
}

// SideOf measures a file; nil is one that does not exist.
func SideOf(b []byte) Side {
	if b == nil {
		return Side{}
	}
	return Side{true, int64(len(b)), sum(b)}
}

// firstDifference is the offset of the first byte that differs, or the length of the shorter one.
func firstDifference(a, b []byte) int64 {
	n := min(len(a), len(b))
	const step = 4096
	for i := 0; i < n; i += step {
		end := min(i+step, n)
		if bytes.Equal(a[i:end], b[i:end]) {
			continue
		}
		for ; i < end; i++ {
			if a[i] != b[i] {
				return int64(i)
			}
		}
	}
	return int64(n)
}
