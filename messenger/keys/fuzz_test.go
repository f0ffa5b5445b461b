package keys_test

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
)

// What is accepted is a key that agrees, and its serialised form is the one that came, but for bytes appended.
func FuzzPublic(f *testing.F) {
	k, err := keys.Generate(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.Public().Bytes())
	f.Add(append(k.Public().Bytes(), 1))
	f.Add(make([]byte, keys.PublicSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := keys.ParsePublic(b)
		if err != nil {
			if refusal.Of(err) != refusal.InvalidKey {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(p.Bytes(), b[:keys.PublicSize]) {
			t.Fatal("two forms of one key")
		}
		if _, err := k.Agree(p); err != nil {
			t.Fatal(err)
		}
	})
}

// Kyber keys and ciphertexts: a panic, or an error without a kind, would be ours to answer for.
func FuzzKyber(f *testing.F) {
	k, err := keys.NewKyberPrivate(make([]byte, 64))
	if err != nil {
		f.Fatal(err)
	}
	_, c := k.Public().Encapsulate()
	f.Add(k.Public().Bytes())
	f.Add(c)
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := keys.ParseKyberPublic(b); err != nil {
			if refusal.Of(err) != refusal.InvalidKey {
				t.Fatal(err)
			}
		} else if !bytes.Equal(p.Bytes(), b) {
			t.Fatal("two forms of one key")
		}
		if _, err := k.Decapsulate(b); err != nil && refusal.Of(err) != refusal.InvalidMessage {
			t.Fatal(err)
		}
	})
}
