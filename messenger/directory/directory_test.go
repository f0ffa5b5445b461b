package directory_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/countersign-project/countersign/messenger/directory"
	"github.com/countersign-project/countersign/messenger/vector"
)

func TestVectors(t *testing.T) {
	for _, v := range vector.All(t, "testdata") {
		token := directory.NewToken(v.Text("number"))
		if !bytes.Equal(token[:], v.Hex("token")) || token.String() != v.Text("text") {
			t.Errorf("%s: %x %s", v.Name, token, token)
		}
		for _, form := range []string{v.Text("text"), v.Text("text") + "=="} {
			got, err := directory.ParseToken(form)
			if v.Outcome(err); got != token {
				t.Errorf("%q: %v, %v", form, got, err)
			}
		}
	}
}

func TestBothAlphabets(t *testing.T) {
	want := directory.Token{0xfb, 0xff, 0xfe}
	for _, form := range []string{"+//+AAAAAAAAAA", "-__-AAAAAAAAAA"} {
		if got, err := directory.ParseToken(form); err != nil || got != want {
			t.Error(form, got, err)
		}
	}
	for _, bad := range []string{"", "BQVVHxMt5zAF", "BQVVHxMt5zAFXAAA", "!QVVHxMt5zAFXA"} {
		if _, err := directory.ParseToken(bad); fmt.Sprint(err) != fmt.Sprintf("invalid message: directory token %q", bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add("BQVVHxMt5zAFXA==")
	f.Fuzz(func(t *testing.T, s string) {
		if token, err := directory.ParseToken(s); err == nil {
			if again, err := directory.ParseToken(token.String()); err != nil || again != token {
				t.Fatal(again, err)
			}
		}
	})
}
