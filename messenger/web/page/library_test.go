package page_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/web/page"
)

// What is in the folder of others' work is what vendor.json says, byte for byte, and nothing else.
func TestTheLibrariesAreWhatTheListSays(t *testing.T) {
	list, err := page.Libraries()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, l := range list {
		if l.Name == "" || l.Version == "" || l.License == "" || !strings.HasPrefix(l.Source, "https://") || len(l.Files) == 0 {
			t.Errorf("%+v lacks something", l)
		}
		for _, f := range l.Files {
			want[f.Path] = f.SHA256
		}
	}
	err = fs.WalkDir(page.Files(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(name, page.Vendor+"/") {
			return err
		}
		b, err := fs.ReadFile(page.Files(), name)
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); want[name] != got {
			t.Errorf("%s has SHA-256 %s; vendor.json says %q", name, got, want[name])
		}
		delete(want, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range want {
		t.Errorf("vendor.json lists %s, which is not there", name)
	}
}

// All of the page together stays small, the libraries with it.
func TestThePageIsSmall(t *testing.T) {
	const limit = 300_000
	var sum int64
	err := fs.WalkDir(page.Files(), ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", sum)
	if sum == 0 || sum > limit {
		t.Errorf("the page's files have %d bytes; want at most %d", sum, limit)
	}
}
