package site_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/countersign-project/countersign/release/site"
)

func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == ".lock" {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		got[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func write(t *testing.T, dir string, files map[string][]byte) int {
	t.Helper()
	n, err := site.Write(dir, files)
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, dir)
	if len(got) != len(files) {
		t.Errorf("%d files, want %d: %v", len(got), len(files), got)
	}
	for name, b := range files {
		if got[name] != string(b) {
			t.Errorf("%s differs", name)
		}
	}
	return n
}

func TestWriteChangesOnlyWhatDiffers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "site")
	files := render(t, full(t, "text"), site.Links{})
	if n := write(t, dir, files); n != len(files) {
		t.Errorf("%d files written, want %d", n, len(files))
	}
	if n := write(t, dir, files); n != 0 {
		t.Errorf("%d files written again", n)
	}
	// What a crash leaves: a page cut, a page missing, a page of before, a half-written one.
	for name, b := range map[string][]byte{"index.html": []byte("<!doc"), "stable/0.9.0.html": []byte("old"), ".durable-1-0": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "people.html")); err != nil {
		t.Fatal(err)
	}
	if n := write(t, dir, files); n != 3 {
		t.Errorf("%d files changed, want 3", n)
	}
}

func TestWriteLeavesOtherFoldersAlone(t *testing.T) {
	files := render(t, full(t, "text"), site.Links{})
	for name, had := range map[string]map[string][]byte{
		"a diary":              {"diary.txt": []byte("dear")},
		"somebody's pages":     {"index.html": []byte("mine"), "style.css": []byte("body {}")},
		"pages without style":  {"index.html": []byte("mine")},
		"a file in our folder": {"style.css": files["style.css"], "index.html": files["index.html"], "logo.png": []byte("png")},
	} {
		dir := t.TempDir()
		for f, b := range had {
			if err := os.WriteFile(filepath.Join(dir, f), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		_, err := site.Write(dir, files)
		var notOurs *site.NotOursError
		if !errors.As(err, &notOurs) {
			t.Errorf("%s: %v", name, err)
		}
		got := read(t, dir)
		if len(got) != len(had) {
			t.Errorf("%s: changed to %v", name, got)
		}
		for f, b := range had {
			if !bytes.Equal([]byte(got[f]), b) {
				t.Errorf("%s: %s was changed", name, f)
			}
		}
	}
}
