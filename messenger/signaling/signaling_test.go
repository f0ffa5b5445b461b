package signaling_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"testing"

	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/signaling"
	"github.com/countersign-project/countersign/messenger/vector"
)

func TestVectorsAndEveryMutation(t *testing.T) {
	for _, v := range vector.All(t, "testdata") {
		t.Run(v.Name, func(t *testing.T) {
			k, blob := signaling.Key(v.Hex("key")), v.Hex("blob")
			sealed, err := k.Seal(v.Hex("plaintext"), bytes.NewReader(v.Hex("iv")))
			if err != nil || !bytes.Equal(sealed, blob) {
				t.Errorf("sealed %x, %v", sealed, err)
			}
			got, err := k.Open(blob)
			v.Outcome(err)
			if err != nil || !bytes.Equal(got, v.Hex("plaintext")) {
				t.Errorf("opened %x, %v", got, err)
			}
			for i := range blob {
				for bit := range 8 {
					bad := bytes.Clone(blob)
					bad[i] ^= 1 << bit
					if got, err := k.Open(bad); refusal.Of(err) == "" || got != nil {
						t.Errorf("byte %d bit %d: %x, %v", i, bit, got, err)
					}
				}
				if _, err := k.Open(blob[:i]); refusal.Of(err) == "" {
					t.Errorf("prefix of %d bytes: %v", i, err)
				}
			}
			for i := range k {
				other := k
				other[i] ^= 1
				if got, err := other.Open(blob); err == nil && bytes.Equal(got, v.Hex("plaintext")) {
					t.Errorf("key byte %d does not matter", i)
				}
			}
		})
	}
}

func TestKeys(t *testing.T) {
	k, err := signaling.NewKey(rand.Reader)
	if err != nil || fmt.Sprintf("%v%x%+v%#v", k, k, &k, k) != "" {
		t.Error("a key prints itself", err)
	}
	if _, err := signaling.NewKey(io.LimitReader(rand.Reader, 51)); err == nil {
		t.Error("51 bytes of randomness are enough")
	}
}

func FuzzOpen(f *testing.F) {
	var k signaling.Key
	b, _ := k.Seal([]byte("x"), rand.Reader)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := k.Open(b); err != nil && refusal.Of(err) == "" {
			t.Fatal(err)
		}
	})
}
