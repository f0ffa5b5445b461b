package kdf_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"testing"

	"github.com/countersign-project/countersign/messenger/kdf"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/vector"
)

func TestVectors(t *testing.T) {
	for _, v := range vector.All(t, "testdata") {
		t.Run(v.Name, func(t *testing.T) {
			version := uint8(v.Int("version"))
			v.Outcome(nil) // these functions refuse nothing
			switch {
			case v.Has("chain"):
				seed, next := kdf.Chain(v.Bytes32("chain"))
				if next != v.Bytes32("next") {
					t.Error("next chain key differs")
				}
				m := kdf.MessageKeys(version, seed, nil)
				if m.Cipher != v.Bytes32("cipher") || m.MAC != v.Bytes32("mac") {
					t.Error("message keys differ")
				}
			case v.Has("root"):
				root, chain := kdf.Root(version, v.Bytes32("root"), v.Bytes32("agreement"))
				if root != v.Bytes32("newroot") || chain != v.Bytes32("newchain") {
					t.Error("root step differs")
				}
			default:
				t.Fatal("the vector tests nothing")
			}
		})
	}
}

func TestCBCRefusesEveryBadPaddingAlike(t *testing.T) {
	key, iv := keys.Secret{1}, [16]byte{2}
	for n := range 50 {
		in := bytes.Repeat([]byte{'x'}, n)
		out, err := kdf.DecryptCBC(key, iv, kdf.EncryptCBC(key, iv, in))
		if err != nil || !bytes.Equal(in, out) {
			t.Fatal(n, err)
		}
	}
	raw := func(last ...byte) []byte {
		b := append(make([]byte, 32-len(last)), last...)
		block, _ := aes.NewCipher(key[:])
		cipher.NewCBCEncrypter(block, iv[:]).CryptBlocks(b, b)
		return b
	}
	const want = "invalid message: the message does not authenticate"
	for _, bad := range [][]byte{nil, make([]byte, 15), make([]byte, 17), raw(0), raw(17), raw(1, 2), raw(3, 2, 3), raw(0xff)} {
		if _, err := kdf.DecryptCBC(key, iv, bad); fmt.Sprint(err) != want {
			t.Errorf("%x: %v", bad, err)
		}
	}
	if kdf.Unauthentic().Error() != want {
		t.Error("MAC and padding errors differ")
	}
}
