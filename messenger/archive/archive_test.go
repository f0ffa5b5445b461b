package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/archive"
)

func random(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

func write(t *testing.T, plain []byte) ([]byte, archive.Seed) {
	t.Helper()
	seed, err := archive.NewSeed(random(1))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := archive.NewWriter(&b, seed, random(2))
	if err != nil {
		t.Fatal(err)
	}
	for part := range bytes.SplitSeq(plain, []byte("\n")) {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("written to after its end")
	}
	return b.Bytes(), seed
}

func read(b []byte, seed archive.Seed) ([]byte, error) {
	r, err := archive.NewReader(bytes.NewReader(b), seed)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func TestThereAndBack(t *testing.T) {
	for _, n := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 200_000} {
		plain := bytes.Repeat([]byte{7}, n)
		b, seed := write(t, plain)
		got, err := read(b, seed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %d, %v", n, len(got), err)
		}
	}
}

func TestNothingOfItCanBeChanged(t *testing.T) {
	b, seed := write(t, bytes.Repeat([]byte{7}, 150_000))
	const chunk = 64<<10 + 16
	for i := 0; i < len(b); i += 97 {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if _, err := read(bad, seed); err == nil {
			t.Fatalf("byte %d changed", i)
		}
	}
	for name, bad := range map[string][]byte{
		"cut":               b[:len(b)-1],
		"cut at a chunk":    b[:21+chunk],
		"cut at two chunks": b[:21+2*chunk],
		"longer":            append(bytes.Clone(b), 0),
		"swapped":           append(append(append(bytes.Clone(b[:21]), b[21+chunk:21+2*chunk]...), b[21:21+chunk]...), b[21+2*chunk:]...),
		"only a header":     b[:21],
	} {
		if _, err := read(bad, seed); !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := read(b, archive.Seed{}); !errors.Is(err, archive.ErrDamaged) {
		t.Error(err)
	}
	if _, err := read([]byte("something else, and long enough"), seed); err == nil || err.Error() != "not a backup of the form CSBK1" {
		t.Error(err)
	}
}

func TestWords(t *testing.T) {
	for i := range byte(50) {
		seed, _ := archive.NewSeed(random(i))
		words := seed.Words()
		if got, err := archive.ParseWords(" " + strings.ToUpper(strings.ReplaceAll(words, " ", ", "))); err != nil || got != seed {
			t.Fatal(words, err)
		}
	}
	seed, _ := archive.NewSeed(random(9))
	list := strings.Fields(seed.Words())
	swapped := append([]string{list[1], list[0]}, list[2:]...)
	for text, want := range map[string]string{
		"lusab babad":                        "2 recovery words, want 9",
		strings.Join(swapped, " "):           "the recovery words do not fit together: one is wrong, or two are swapped",
		strings.Repeat("hello ", 9):          `recovery word 1 is not one: want five letters such as "lusab"`,
		strings.Join(list[:8], " ") + " xxx": `recovery word 9 is not one: want five letters such as "lusab"`,
	} {
		if _, err := archive.ParseWords(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	if s := fmt.Sprintf("%v %s %x %+v", seed, seed, seed, seed); strings.TrimSpace(s) != "" {
		t.Errorf("a seed prints %q", s)
	}
}

// The published example of the notation: 127.0.0.1 is lusab-babad.
func TestProquint(t *testing.T) {
	if got := (archive.Seed{127, 0, 0, 1}).Words(); !strings.HasPrefix(got, "lusab babad ") {
		t.Error(got)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("CSBK1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := read(b, archive.Seed{1}); err == nil {
			t.Errorf("%x opens to %x", b, got)
		}
	})
}
