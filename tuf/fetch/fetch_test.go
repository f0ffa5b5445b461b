package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestNotThereIsSaidOnlyWhenAllSaySo(t *testing.T) {
	const root = "metadata/8.root.json"
	for _, c := range []struct {
		path    string
		mirrors []string
		absent  bool
		text    string
	}{
		{smallPath + "x", []string{"honest", "404"}, true, "%s: none of 2 sources has it: https://honest: HTTP 404 Not Found; https://404: HTTP 404 Not Found"},
		{smallPath + "x", []string{"honest", "500"}, false, "%s: none of 2 sources has it: https://honest: HTTP 404 Not Found; https://500: HTTP 500 Internal Server Error"},
		{smallPath + "x", []string{"403"}, false, "%s: https://403: HTTP 403 Forbidden"},
		{root, []string{"403"}, true, "%s: https://403: HTTP 403 Forbidden"},
		{root, []string{"500", "403"}, true, "%s: none of 2 sources has it: https://500: HTTP 500 Internal Server Error; https://403: HTTP 403 Forbidden"},
		{root, []string{"500", "honest", "connection refused"}, true, ""},
		{root, []string{"500"}, false, "%s: https://500: HTTP 500 Internal Server Error"},
		{root, nil, false, "%s: no source to fetch from"},
	} {
		courier, _ := newMirrors().courier(c.mirrors...)
		_, err := courier.Fetch(t.Context(), c.path, 100)
		if err == nil || errors.Is(err, fs.ErrNotExist) != c.absent {
			t.Errorf("%s from %s: error %v is 'not there': %v, want %v", c.path, c.mirrors, err, !c.absent, c.absent)
		}
		if want := fmt.Sprintf(c.text, c.path); c.text != "" && err.Error() != want {
			t.Errorf("error %q\nwant  %q", err, want)
		}
	}
}

func TestRejectedEverywhere(t *testing.T) {
	c, _ := newMirrors().courier("stale", "mixed")
	for i, left := range []bool{true, false} {
		if _, err := c.Fetch(t.Context(), smallPath, 100); err != nil {
			t.Fatal(err)
		}
		if got := c.Reject(smallPath, errWrongVersion); got != left {
			t.Fatalf("reject %d says a mirror is left: %v, want %v", i, got, left)
		}
	}
	if c.Reject(smallPath, errWrongVersion) || c.Reject("never fetched", errWrongVersion) {
		t.Error("what was not fetched can not be rejected")
	}
	_, err := c.Fetch(t.Context(), smallPath, 100)
	want := smallPath + ": none of 2 sources has it: https://stale: refused: version 7 wanted; https://mixed: refused: version 7 wanted"
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
	// Only that path: the same mirrors may still hold other files, if nobody better does.
	if _, err := c.Fetch(t.Context(), bigPath, 1<<20); err != nil {
		t.Errorf("error %v, want the mixed mirror to be asked", err)
	}
}

func TestFetchEachIsAUnion(t *testing.T) {
	sources := []Source{
		Dir(fstest.MapFS{"e": {Data: []byte("a")}}, "one"), Dir(fstest.MapFS{}, "two"),
		Dir(fstest.MapFS{"e": {Data: []byte("junk")}}, "three"), Dir(fstest.MapFS{"e": {Data: []byte("b")}}, "four"),
	}
	c := &Courier{Sources: sources}
	var got string
	take := func(b []byte) (bool, error) {
		if string(b) == "junk" {
			return false, errors.New("junk")
		}
		got += string(b)
		return true, nil
	}
	if err := c.FetchEach(t.Context(), "e", 10, take); err != nil || got != "ab" {
		t.Errorf("got %q, %v, want all of them", got, err)
	}
	if got = ""; c.FetchEach(t.Context(), "e", 10, take) != nil || got != "ab" {
		t.Errorf("got %q, want a and b and the known bad one not asked", got)
	}
	err := c.FetchEach(t.Context(), "f", 10, take)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want not there", err)
	}
}

// Names that leave the repository never reach a source.
func TestHostilePaths(t *testing.T) {
	c := &Courier{Sources: []Source{untouchable{t}}}
	for _, p := range []string{"", ".", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", `a\..\b`, `C:\x`, "a\x00b", "a\nb", "a\x7f"} {
		if _, err := c.Fetch(t.Context(), p, 10); err == nil || !strings.HasPrefix(err.Error(), "path ") {
			t.Errorf("fetch %q: %v", p, err)
		}
		if err := c.Download(t.Context(), p, 1, [32]byte{}, filepath.Join(t.TempDir(), "p"), nil); err == nil || !strings.HasPrefix(err.Error(), "path ") {
			t.Errorf("download %q: %v", p, err)
		}
		if err := c.FetchEach(t.Context(), p, 10, nil); err == nil || !strings.HasPrefix(err.Error(), "path ") {
			t.Errorf("fetch each %q: %v", p, err)
		}
	}
}

type untouchable struct{ t *testing.T }

func (u untouchable) String() string { return "untouchable" }
func (u untouchable) Open(_ context.Context, p string, _ int64) (io.ReadCloser, int64, int64, error) {
	u.t.Errorf("asked for %q", p)
	return nil, 0, 0, fs.ErrNotExist
}

// Odd but lawful target names reach the server as they are.
func TestOddNamesAreEscaped(t *testing.T) {
	var got string
	src := HTTP("https://m/sub%20dir/", &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		got = r.URL.EscapedPath() + "|" + r.URL.RawQuery
		return status(r, 404), nil
	})})
	src.Open(t.Context(), "targets/a b?c#d%2e+é.json", 0)
	if want := "/sub%20dir/targets/a%20b%3Fc%23d%252e+%C3%A9.json|"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
}

func TestEveryoneAsksAlike(t *testing.T) {
	var header http.Header
	src := HTTP("https://m", &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		header = r.Header
		return status(r, 404), nil
	})})
	src.Open(t.Context(), "x", 0)
	if len(header) != 2 || header.Get("User-Agent") != "countersign" || header.Get("Accept-Encoding") != "identity" {
		t.Errorf("header %v", header)
	}
}

func TestContentRange(t *testing.T) {
	for h, want := range map[string]string{
		"bytes 5-9/10": "5 10 <nil>", "bytes 5-9/*": "5 -1 <nil>", "bytes 0-0/1": "0 1 <nil>",
	} {
		start, size, err := contentRange(h)
		if got := fmt.Sprint(start, size, err); got != want {
			t.Errorf("%q: %s, want %s", h, got, want)
		}
	}
	for _, h := range []string{"", "bytes", "bytes */10", "bytes 5-9", "bytes 5/10", "bytes -5-9/10", "bytes 9-5/10", "bytes 5-10/10", "items 5-9/10", "bytes a-b/c", "bytes 5-99999999999999999999/*"} {
		if _, _, err := contentRange(h); err == nil || err.Error() != fmt.Sprintf("Content-Range %q", h) {
			t.Errorf("%q: %v, want an error", h, err)
		}
	}
}

func TestWrongRangeIsRefused(t *testing.T) {
	for h, want := range map[string]string{
		"bytes 0-9/10": "range starts at 0, want 5", "bytes 6-9/10": "range starts at 6, want 5", "": `Content-Range ""`,
	} {
		src := HTTP("https://m", &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
			resp := status(r, 206)
			resp.Header.Set("Content-Range", h)
			return resp, nil
		})})
		if _, _, _, err := src.Open(t.Context(), "x", 5); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", h, err, want)
		}
	}
}

func TestParseURL(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	fileURL := "file://" + filepath.ToSlash(dir)
	if !strings.HasPrefix(filepath.ToSlash(dir), "/") {
		fileURL = "file:///" + filepath.ToSlash(dir)
	}
	src, err := ParseURL(fileURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := (&Courier{Sources: []Source{src}}).Fetch(t.Context(), "f", 10)
	if err != nil || string(b) != "hello" {
		t.Errorf("got %q, %v", b, err)
	}
	for _, bad := range []string{"", "mirror", "ftp://m/x", "https://", "https://m/?q=1", "http://m/#x", "file://host/x", "file:", "javascript:x", "https://m/%zz"} {
		if _, err := ParseURL(bad, nil); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
	secret, err := ParseURL("https://me:secret@m/x/", nil)
	if err != nil || secret.String() != "https://me:xxxxx@m/x" {
		t.Errorf("%v, %v", secret, err)
	}
}

func TestDirectories(t *testing.T) {
	gone, err := ParseURL("file:///no/such/stick", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&Courier{Sources: []Source{gone}}).Fetch(t.Context(), "metadata/2.root.json", 10)
	if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no such directory") {
		t.Errorf("a stick that is not there: %v", err)
	}
	fsys := fstest.MapFS{"dir/f": {Data: []byte("x")}, "pipe": {Mode: fs.ModeNamedPipe}}
	c := &Courier{Sources: []Source{Dir(fsys, "stick")}}
	for path, want := range map[string]string{
		"dir": "dir: stick: is not a regular file (d---------)", "pipe": "pipe: stick: is not a regular file (p---------)",
		"none": "none: stick: not there",
	} {
		if _, err := c.Fetch(t.Context(), path, 10); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

func TestTargetPath(t *testing.T) {
	sum := [32]byte{0xab}
	hex := "ab" + strings.Repeat("00", 31)
	for path, want := range map[string]string{
		"policy.json": "targets/" + hex + ".policy.json", "stable/1.4.0/x": "targets/stable/1.4.0/" + hex + ".x",
	} {
		if got := TargetPath(path, sum); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 5-9/10")
	f.Add("bytes 5-9/*")
	f.Fuzz(func(t *testing.T, h string) {
		start, size, err := contentRange(h)
		if err == nil && (start < 0 || size != -1 && size <= start) {
			t.Errorf("%q: start %d, size %d", h, start, size)
		}
	})
}
