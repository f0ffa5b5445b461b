package compare

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBytes(t *testing.T) {
	for name, c := range map[string]struct {
		want, got []byte
		offset    int64
		cause     string
	}{
		"missing":  {[]byte("a"), nil, -1, "missing: it was not made"},
		"extra":    {nil, []byte("a"), -1, "extra: nobody asked for it"},
		"neither":  {nil, nil, -1, "missing on both sides"},
		"empty":    {[]byte("ab"), []byte{}, 0, "cut short: the last 2 bytes are missing"},
		"cut":      {[]byte("abc"), []byte("ab"), 2, "cut short: the last 1 bytes are missing"},
		"appended": {[]byte("abc"), []byte("abcd"), 3, "1 bytes too many at the end"},
		"line":     {[]byte("a\nb\nc\n"), []byte("a\nB\nc\n"), 2, "line 2 differs"},
		"crlf":     {[]byte("a\nb\n"), []byte("a\r\nb\r\n"), 1, "line ends differ (CRLF or LF)"},
		"data":     {[]byte("a\x00b"), []byte("a\x00c"), 2, "data differs"},
		"kind":     {[]byte("text"), []byte("\x7fELF\x02\x01"), 0, "another kind of file: want text, got ELF program"},
		"broken":   {[]byte("\x7fELFa"), []byte("\x7fELFb"), 4, "programs differ, and one cannot be read"},
		"far":      {append(bytes.Repeat([]byte{0}, 9000), 1), append(bytes.Repeat([]byte{0}, 9000), 2), 9000, "data differs"},
	} {
		d := Bytes(name, c.want, c.got)
		if d == nil {
			t.Errorf("%s: equal", name)
			continue
		}
		if d.Path != name || d.Offset != c.offset || d.Cause != c.cause || d.Want.Present != (c.want != nil) || d.Got.Length != int64(len(c.got)) {
			t.Errorf("%s: %+v", name, d)
		}
	}
	for _, same := range []string{"", "a", strings.Repeat("x", 10000)} {
		if d := Bytes("x", []byte(same), []byte(same)); d != nil {
			t.Errorf("equal bytes differ: %+v", d)
		}
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := os.WriteFile(a, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if d, err := Files("x", a, a); err != nil || d != nil {
		t.Errorf("an empty file and itself: %+v, %v", d, err)
	}
	d, err := Files("x", a, b)
	if err != nil || d == nil || d.Cause != "missing: it was not made" {
		t.Errorf("missing: %+v, %v", d, err)
	}
	if _, err := Files("x", a, dir); err == nil {
		t.Error("a folder was compared")
	}
}

func TestText(t *testing.T) {
	d := Bytes("linux-amd64/messenger", []byte("a\nb"), []byte("a\nc\x1b[2J"))
	want := `linux-amd64/messenger: line 2 differs
    want sha256 7d12ea56b76d75f354fb1b6fed85d4ba7be7b50bf54f8d92d8d6c3d1f2a70cba, 3 bytes
`
	text := d.Text()
	if strings.Contains(text, "\x1b") || !strings.Contains(text, "first difference at byte 2\n    want \"b\"\n    got  \"c\\x1b[2J\"\n") || strings.SplitN(text, "\n", 2)[0] != strings.SplitN(want, "\n", 2)[0] {
		t.Errorf("got\n%s", text)
	}
	if text := Bytes("x", []byte("a"), nil).Text(); !strings.HasSuffix(text, "    got  nothing\n") {
		t.Errorf("got\n%s", text)
	}
}

func TestSum(t *testing.T) {
	s := sum([]byte("x"))
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back Sum
	if err := json.Unmarshal(b, &back); err != nil || back != s {
		t.Errorf("%s: %v", b, err)
	}
	for _, bad := range []string{`""`, `"ab"`, strings.ToUpper(string(b)), `"` + strings.Repeat("z", 64) + `"`} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func tarOf(t *testing.T, edit func(h *tar.Header), names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range names {
		name, body, _ := strings.Cut(name, "=")
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(body)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
		if edit != nil {
			edit(h)
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestExplainTar(t *testing.T) {
	want := tarOf(t, nil, "a=1\n2\n", "b=x")
	for cause, got := range map[string][]byte{
		`entry "a": line 2 differs`:                                                    tarOf(t, nil, "a=1\n3\n", "b=x"),
		`entry "b" is missing`:                                                         tarOf(t, nil, "a=1\n2\n"),
		`extra entry "c"`:                                                              tarOf(t, nil, "a=1\n2\n", "b=x", "c"),
		`the order of entries differs`:                                                 tarOf(t, nil, "b=x", "a=1\n2\n"),
		`entry "a": mode differs: want 0644, got 0666`:                                 tarOf(t, func(h *tar.Header) { h.Mode = 0o666 }, "a=1\n2\n", "b=x"),
		`entry "a": owner differs: want 0 , got 1000 me`:                               tarOf(t, func(h *tar.Header) { h.Uid, h.Uname = 1000, "me" }, "a=1\n2\n", "b=x"),
		`entry "a": format differs: want USTAR, got GNU`:                               tarOf(t, func(h *tar.Header) { h.Format = tar.FormatGNU }, "a=1\n2\n", "b=x"),
		`entry "a": time differs: want 1970-01-01T00:00:00Z, got 2001-09-09T01:46:40Z`: tarOf(t, func(h *tar.Header) { h.ModTime = time.Unix(1e9, 0) }, "a=1\n2\n", "b=x"),
		"tar archives differ, and one cannot be read":                                  func() []byte { b := bytes.Clone(want); b[len(b)-1] = 1; return b }(),
	} {
		if d := Bytes("x.tar", want, got); d == nil || d.Cause != cause {
			t.Errorf("got %+v, want %s", d, cause)
		}
	}
}

// Whatever the files, unequal ones are never called equal, and nothing panics.
func FuzzBytes(f *testing.F) {
	f.Add([]byte("a\n"), []byte("b\n"))
	f.Add([]byte("\x7fELF\x02\x01\x01"), []byte("\x7fELF\x02\x01\x02"))
	f.Add([]byte("\xcf\xfa\xed\xfe\x07"), []byte("\xcf\xfa\xed\xfe\x08"))
	f.Add([]byte("MZ12"), []byte("MZ13"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if a == nil || b == nil {
			return
		}
		d := Bytes("x", a, b)
		if (d == nil) != bytes.Equal(a, b) {
			t.Fatalf("%+v for %q and %q", d, a, b)
		}
		if d != nil && d.Cause == "" {
			t.Fatal("a difference without a cause")
		}
	})
}
