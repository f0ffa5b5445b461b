package fetch

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"
)

// pack makes a tar of these headers; files hold their own names.
func pack(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == 0 || h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			io.WriteString(w, h.Name)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func openTar(b []byte) (fs.FS, error) { return Tar(bytes.NewReader(b), int64(len(b))) }

func TestTarIsASource(t *testing.T) {
	long := "targets/stable/1.4.0/" + string(bytes.Repeat([]byte("x"), 200)) + "/file"
	b := pack(t, tar.Header{Name: "./", Typeflag: tar.TypeDir}, tar.Header{Name: "./metadata/", Typeflag: tar.TypeDir},
		tar.Header{Name: "./metadata/timestamp.json"}, tar.Header{Name: "targets/a b"}, tar.Header{Name: long})
	fsys, err := openTar(b)
	if err != nil {
		t.Fatal(err)
	}
	c := &Courier{Sources: []Source{Dir(fsys, "bundle")}}
	for path, want := range map[string]string{"metadata/timestamp.json": "./metadata/timestamp.json", "targets/a b": "targets/a b", long: long} {
		got, err := c.Fetch(t.Context(), path, 1000)
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if _, err := c.Fetch(t.Context(), "metadata", 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory: %v", err)
	}
	body, size, start, err := c.Sources[0].Open(t.Context(), "targets/a b", 8)
	if err != nil || size != 11 || start != 8 {
		t.Fatalf("size %d, start %d, %v", size, start, err)
	}
	if rest, err := io.ReadAll(body); err != nil || string(rest) != "a b" {
		t.Errorf("the rest is %q, %v", rest, err)
	}
}

func TestTarRefuses(t *testing.T) {
	for want, headers := range map[string][]tar.Header{
		`bundle: "/etc/passwd" is not a plain path`:        {{Name: "/etc/passwd"}},
		`bundle: "../x" is not a plain path`:               {{Name: "../x"}},
		`bundle: "metadata/../../x" is not a plain path`:   {{Name: "metadata/../../x"}},
		`bundle: "metadata\\x" is not a plain path`:        {{Name: `metadata\x`}},
		`bundle: "a//b" is not a plain path`:               {{Name: "a//b"}},
		`bundle: "./x" is there twice`:                     {{Name: "x"}, {Name: "./x"}},
		`bundle: "link" is neither a file nor a directory`: {{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}},
		`bundle: "hard" is neither a file nor a directory`: {{Name: "hard", Typeflag: tar.TypeLink, Linkname: "x"}},
		`bundle: "pipe" is neither a file nor a directory`: {{Name: "pipe", Typeflag: tar.TypeFifo}},
		`bundle: "metadata/x\ny" is not a plain path`:      {{Name: "metadata/x\ny"}},
		`bundle: "dev" is neither a file nor a directory`:  {{Name: "dev", Typeflag: tar.TypeChar}},
	} {
		if _, err := openTar(pack(t, headers...)); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestTarCutShort(t *testing.T) {
	b := pack(t, tar.Header{Name: "metadata/timestamp.json"}, tar.Header{Name: "x"})
	for n := range 1024 { // in the header and the bytes of the first file
		fsys, err := openTar(b[:n])
		if err != nil {
			continue
		}
		// An empty tar and one that ends between files open; what they hold must be whole.
		got, err := fs.ReadFile(fsys, "metadata/timestamp.json")
		if err == nil && string(got) != "metadata/timestamp.json" {
			t.Errorf("cut at %d: read %q", n, got)
		}
	}
}

func FuzzTar(f *testing.F) {
	f.Add(pack(f, tar.Header{Name: "metadata/timestamp.json"}, tar.Header{Name: "targets/x"}))
	f.Add(pack(f, tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "x"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		fsys, err := openTar(b)
		if err != nil {
			return
		}
		for name, file := range fsys.(archive).files {
			if checkPath(name) != nil || file.at < 0 || file.size < 0 || file.at+file.size > int64(len(b)) {
				t.Errorf("%q at %d, %d bytes of %d", name, file.at, file.size, len(b))
			}
			if _, err := fs.ReadFile(fsys, name); err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
}
