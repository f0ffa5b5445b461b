package vector_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/vector"
)

// fatal records whether a helper gave up.
type fatal struct {
	testing.TB
	text string
}

func (f *fatal) Helper() {}
func (f *fatal) Fatalf(format string, args ...any) {
	f.text = format
	panic(f)
}

func (f *fatal) Errorf(format string, args ...any) { f.text = format }

func outcome(dir string) (text string) {
	f := &fatal{}
	defer func() {
		if recover() != nil {
			text = f.text
		}
	}()
	vector.All(f, dir)
	return ""
}

func TestAnEmptyFolderFails(t *testing.T) {
	if outcome(t.TempDir()) == "" {
		t.Error("an empty folder passed")
	}
}

func TestAVectorWithoutExpectationFails(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "a.txt"), []byte("key 00\n"), 0o600)
	if outcome(dir) == "" {
		t.Error("a vector without expect passed")
	}
	os.WriteFile(filepath.Join(dir, "a.txt"), []byte("# words\nexpect ok\nkey 00ff\n"), 0o600)
	v := vector.All(t, dir)
	v[0].Outcome(nil)
	os.WriteFile(filepath.Join(dir, "a.txt"), []byte("expect duplicate message\nkey 00ff\n"), 0o600)
	vector.All(t, dir)[0].Outcome(refusal.Because(refusal.Duplicate, "x"))
	for _, wrong := range []error{nil, refusal.Because(refusal.InvalidKey, "x"), errors.New("duplicate message")} {
		f := &fatal{}
		vector.All(f, dir)[0].Outcome(wrong)
		if f.text == "" {
			t.Errorf("%v passed for a duplicate", wrong)
		}
	}
	if len(v) != 1 || v[0].Name != "a" || string(v[0].Hex("key")) != "\x00\xff" {
		t.Error(v)
	}
}
