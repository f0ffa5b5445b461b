package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

var tree = fstest.MapFS{
	"b/c.zip":   {Data: []byte("zip"), Mode: 0o600, ModTime: time.Unix(1e9, 0)},
	"a.mod":     {Data: []byte("module a\n"), Mode: 0o777},
	"b-/d.info": {Data: nil},
}

var wide = Limits{Files: 100, Length: 1 << 20, Total: 1 << 20}

func packed(t *testing.T, f fs.FS) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteDir(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// refused wants a refusal with that text in it.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	var r interface{ Refused() bool }
	if !errors.As(err, &r) || !r.Refused() {
		t.Fatalf("err = %v, want a refusal saying %q", err, want)
	}
	if !strings.Contains(err.Error(), want) {
		t.Fatalf("refused with %q, want %q", err, want)
	}
}

// The bytes are a promise to every auditor; this hash may change only together with a new format.
func TestBytes(t *testing.T) {
	sum := sha256.Sum256(packed(t, tree))
	if got, want := hex.EncodeToString(sum[:]), "a40f74fd28fea3f6f0a2e75e9fd286a36bf7ca70f68a7be587cf11f425ac05a9"; got != want {
		t.Errorf("sha256 %s, want %s", got, want)
	}
}

func TestWrite(t *testing.T) {
	open := func(s string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
	}
	files := []File{
		{Name: "top/messenger", Program: true, Length: 3, Open: open("elf")},
		{Name: "top/"},
		{Name: "top/LICENSE", Length: 4, Open: open("text")},
	}
	var b bytes.Buffer
	if err := Write(&b, files); err != nil {
		t.Fatal(err)
	}
	var got []string
	for tr := tar.NewReader(&b); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" || !h.ModTime.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("header %+v", h)
		}
		got = append(got, h.FileInfo().Mode().String()+" "+h.Name)
	}
	if want := "drwxr-xr-x top/\n-rw-r--r-- top/LICENSE\n-rwxr-xr-x top/messenger"; strings.Join(got, "\n") != want {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	for name, bad := range map[string][]File{
		`archive: "a" is there twice`:          {{Name: "a", Open: open("")}, {Name: "a", Open: open("")}},
		`archive: "a" has 3 bytes, want 4`:     {{Name: "a", Length: 4, Open: open("elf")}},
		`archive: "a": archive/tar: write too`: {{Name: "a", Length: 2, Open: open("elf")}},
	} {
		if err := Write(io.Discard, bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("err = %v, want %s", err, name)
		}
	}
}

func TestUnpack(t *testing.T) {
	b := packed(t, tree)
	dir := filepath.Join(t.TempDir(), "out")
	if err := Unpack(bytes.NewReader(b), dir, wide); err != nil {
		t.Fatal(err)
	}
	if again := packed(t, os.DirFS(dir)); !bytes.Equal(again, b) {
		t.Error("packing again gave other bytes")
	}
	if err := Unpack(bytes.NewReader(b), dir, wide); err == nil || !strings.Contains(err.Error(), "is not empty: it holds") {
		t.Errorf("into a full directory: %v", err)
	}
	if err := Unpack(bytes.NewReader(packed(t, fstest.MapFS{})), t.TempDir(), wide); err != nil {
		t.Errorf("an empty archive: %v", err)
	}
}

// by makes an archive of headers as a stranger would write them.
func by(t *testing.T, headers ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUnpackRefuses(t *testing.T) {
	const form = "archive is not in the one form that this program writes"
	edit := func(f func(h *tar.Header)) *tar.Header {
		h := header("a", false, 3)
		f(h)
		return h
	}
	good := by(t, header("a", false, 3))
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"parent":       {by(t, header("../a", false, 0)), `archive: malformed file path "../a"`},
		"absolute":     {by(t, header("/a", false, 0)), `archive: malformed file path "/a"`},
		"dot":          {by(t, header("./a", false, 0)), `archive: malformed file path "./a"`},
		"reserved":     {by(t, header("b/con.zip", false, 0)), `archive: malformed file path "b/con.zip"`},
		"folder":       {by(t, header("a/", false, 0)), `archive: "a/" is not a plain file (type '5')`},
		"link":         {by(t, edit(func(h *tar.Header) { h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, "/etc/passwd", 0 })), `archive: "a" is not a plain file (type '2')`},
		"hard link":    {by(t, edit(func(h *tar.Header) { h.Typeflag, h.Linkname, h.Size = tar.TypeLink, "/etc/passwd", 0 })), `archive: "a" is not a plain file (type '1')`},
		"device":       {by(t, edit(func(h *tar.Header) { h.Typeflag, h.Size = tar.TypeChar, 0 })), `archive: "a" is not a plain file (type '3')`},
		"twice":        {by(t, header("a", false, 3), header("a", false, 3)), `archive: "a" comes after "a"`},
		"disorder":     {by(t, header("b", false, 3), header("a", false, 3)), `archive: "a" comes after "b"`},
		"not a folder": {by(t, header("a", false, 3), header("a/b", false, 3)), `archive: "a/b" is inside "a", which is a file`},
		"mode":         {by(t, edit(func(h *tar.Header) { h.Mode = 0o755 })), form},
		"time":         {by(t, edit(func(h *tar.Header) { h.ModTime = time.Unix(1, 0) })), form},
		"owner":        {by(t, edit(func(h *tar.Header) { h.Uid = 1 })), form},
		"owner's name": {by(t, edit(func(h *tar.Header) { h.Uname = "me" })), form},
		"pax":          {by(t, edit(func(h *tar.Header) { h.Format, h.PAXRecords = tar.FormatPAX, map[string]string{"X.y": "z"} })), form},
		"gnu":          {by(t, edit(func(h *tar.Header) { h.Format = tar.FormatGNU })), form},
		"trailing":     {append(bytes.Clone(good), 0), form},
		"second tar":   {append(bytes.Clone(good), by(t, header("b", false, 3))...), form},
		"no end":       {good[:len(good)-1024], form},
		"half an end":  {good[:len(good)-512], form},
		"cut":          {good[:514], "archive: unexpected EOF"},
		"empty":        {nil, form},
		"no archive":   {bytes.Repeat([]byte("x"), 2000), "archive: archive/tar: invalid tar header"},
		"long":         {by(t, header("a", false, 101)), `archive: "a" has 101 bytes, at most 100 allowed`},
		"many":         {by(t, header("a", false, 0), header("b", false, 0), header("c", false, 0), header("d", false, 0)), "archive: more than 3 files"},
		"much":         {by(t, header("a", false, 90), header("b", false, 90)), "archive: more than 150 bytes in all"},
		"judged":       {by(t, header("evil", false, 0)), "archive: evil is not wanted"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			err := Unpack(bytes.NewReader(c.b), dir, Limits{Files: 3, Length: 100, Total: 150, Check: func(name string) error {
				if name == "evil" {
					return errors.New("evil is not wanted")
				}
				return nil
			}})
			refused(t, err, c.want)
		})
	}
}

// Each flipped byte of a good archive is either refused or, inside a file's bytes, seen in the file.
func TestUnpackEachByte(t *testing.T) {
	b := packed(t, tree)
	accepted := 0
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 0x20
		dir := filepath.Join(t.TempDir(), "out")
		if err := Unpack(bytes.NewReader(bad), dir, wide); err == nil {
			accepted++
			if again := packed(t, os.DirFS(dir)); !bytes.Equal(again, bad) {
				t.Fatalf("byte %d: the files do not show the change", i)
			}
		}
	}
	if want := len("zip") + len("module a\n"); accepted != want {
		t.Errorf("%d changes accepted, want %d: the bytes of the files", accepted, want)
	}
}

func FuzzUnpack(f *testing.F) {
	var b bytes.Buffer
	if err := WriteDir(&b, tree); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:1024])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := filepath.Join(t.TempDir(), "out")
		if err := Unpack(bytes.NewReader(b), dir, wide); err != nil {
			return
		}
		if again := packed(t, os.DirFS(dir)); !bytes.Equal(again, b) {
			t.Fatal("accepted an archive that packs to other bytes")
		}
	})
}
