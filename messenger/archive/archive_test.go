package archive_test

import (
	"bytes"
	"encoding/hex"
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
	const header = 37
	for name, bad := range map[string][]byte{
		"cut":               b[:len(b)-1],
		"cut at a chunk":    b[:header+chunk],
		"cut at two chunks": b[:header+2*chunk],
		"longer":            append(bytes.Clone(b), 0),
		"swapped":           append(append(append(bytes.Clone(b[:header]), b[header+chunk:header+2*chunk]...), b[header:header+chunk]...), b[header+2*chunk:]...),
		"only a header":     b[:header],
		"half a header":     b[:header-8],
	} {
		if _, err := read(bad, seed); err != archive.ErrDamaged {
			t.Errorf("%s: %v", name, err)
		}
	}
	old := append([]byte("CSBK1"), b[5:]...)
	old = append(old[:21:21], old[header:]...)
	if _, err := read(old, seed); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("taken for the form before: %v", err)
	}
	if _, err := read(b, archive.Seed{}); err != archive.ErrWords {
		t.Error(err)
	}
	if _, err := read([]byte("something else, and long enough"), seed); err == nil || err.Error() != "not a backup of the form CSBK2 or CSBK1" {
		t.Error(err)
	}
}

// of1 is a backup as programs of the form before wrote it: of seed 010203…, salt of zeros.
const of1 = "4353424b310000000000000000000000000000000052e3252ee363036a2d0c4786987192a20dc5c5628b357ced3c0c95e48228"

func TestTheFormBefore(t *testing.T) {
	b, err := hex.DecodeString(of1)
	if err != nil {
		t.Fatal(err)
	}
	seed := archive.Seed{1, 2, 3}
	if got, err := read(b, seed); err != nil || string(got) != "written before" {
		t.Errorf("%q, %v", got, err)
	}
	const want = "these are the recovery words of another backup, or the backup is damaged or cut off"
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if got, err := read(bad, seed); err == nil || i >= 5 && (err.Error() != want || !errors.Is(err, archive.ErrDamaged)) {
			t.Errorf("byte %d changed: %q, %v", i, got, err)
		}
	}
	if _, err := read(b, archive.Seed{}); err == nil || err.Error() != want {
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

// sealed is an archive with a given salt.
func sealed(t testing.TB, seed archive.Seed, salt, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := archive.NewWriter(&b, seed, bytes.NewReader(salt))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A file can be read in one way only: what opens is, byte for byte, what is written of it again.
func FuzzReader(f *testing.F) {
	const chunk, header = 64<<10 + 16, 37
	seed, salt := archive.Seed{1}, make([]byte, 16)
	small := sealed(f, seed, salt, []byte(`{"version":2,"own":{"Number":"+491","Device":1}}`+"\n"+`{"message":{"seq":1,"conversation":"+492","kind":"text","body":"hello"}}`+"\n"+`{"end":2}`+"\n"))
	large := sealed(f, seed, salt, bytes.Repeat([]byte("a long history "), 10_000))
	whole := sealed(f, seed, salt, make([]byte, 2*64<<10)) // ends at the border of a chunk
	for _, b := range [][]byte{
		nil, []byte("CSBK1"), []byte("CSBK2"), small, large, whole, sealed(f, seed, salt, nil),
		small[:len(small)-1], small[:header], small[:header+16], large[:header+chunk], large[:header+chunk+15], whole[:len(whole)-16], // cut off
		append(bytes.Clone(small), 0), append(bytes.Clone(large), large...), append(bytes.Clone(small), make([]byte, 3*chunk)...), // too long
		append([]byte("CSBK3"), small[5:]...), append([]byte("CSBK1"), small[5:]...), sealed(f, archive.Seed{2}, salt, []byte("of other words")),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := read(b, seed)
		if err != nil || string(b[:5]) == "CSBK1" { // which is not written any more
			return
		}
		if again := sealed(t, seed, b[5:21], got); !bytes.Equal(again, b) {
			t.Errorf("%d bytes open to %d, which are written as %d others", len(b), len(got), len(again))
		}
	})
}

// endless is a file without an end. It counts what is read of it.
type endless struct {
	form string
	read int
}

func (e *endless) Read(b []byte) (int, error) {
	clear(b)
	if e.read == 0 {
		copy(b, e.form)
	}
	e.read += len(b)
	return len(b), nil
}

// Of a file that does not open no more is read, or held, than its first chunk needs, however long it is; nothing of a chunk is handed out before its tag is right.
func TestLittleIsReadOfAStrangersFile(t *testing.T) {
	other := &endless{form: "CSBK2"}
	if _, err := archive.NewReader(other, archive.Seed{1}); err != archive.ErrWords || other.read > 37 {
		t.Errorf("%v, after %d bytes", err, other.read)
	}
	e := &endless{form: "CSBK1"}
	r, err := archive.NewReader(e, archive.Seed{1})
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	if n != 0 || !errors.Is(err, archive.ErrDamaged) {
		t.Error(n, err)
	}
	if e.read > 256<<10 {
		t.Errorf("%d bytes were read", e.read)
	}
}
