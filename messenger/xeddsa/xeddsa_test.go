package xeddsa_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"testing"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/vector"
	"github.com/countersign-project/countersign/messenger/xeddsa"
)

func TestVectorsAndEveryFlippedBit(t *testing.T) {
	for _, v := range vector.All(t, "testdata") {
		t.Run(v.Name, func(t *testing.T) {
			k, err := keys.NewPrivate(v.Bytes32("private"))
			if err != nil || k.Public() != v.Bytes32("public") {
				t.Fatal("private and public key do not belong together", err)
			}
			public, message, sig := k.Public(), v.Hex("message"), v.Hex("signature")
			if v.Outcome(verify(public, message, sig)); v.Text("expect") != "ok" {
				return
			}
			for i := range 8 * len(sig) {
				bad := bytes.Clone(sig)
				bad[i/8] ^= 1 << (i % 8)
				if xeddsa.Verify(public, message, bad) {
					t.Errorf("signature with bit %d flipped accepted", i)
				}
			}
			for i := range 8 * len(message) {
				bad := bytes.Clone(message)
				bad[i/8] ^= 1 << (i % 8)
				if xeddsa.Verify(public, bad, sig) {
					t.Errorf("message with bit %d flipped accepted", i)
				}
			}
			for n := range sig {
				if xeddsa.Verify(public, message, sig[:n]) {
					t.Errorf("prefix of %d bytes accepted", n)
				}
			}
		})
	}
}

// verify is Verify with the kind of refusal that a bundle with a wrong signature has.
func verify(public keys.Public, message, sig []byte) error {
	if !xeddsa.Verify(public, message, sig) {
		return refusal.Because(refusal.InvalidKey, "signature")
	}
	return nil
}

func TestBothSignsVerify(t *testing.T) {
	var signs [2]int
	for range 40 {
		k, err := keys.Generate(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := xeddsa.Sign(k, []byte("message"), rand.Reader)
		if err != nil || !xeddsa.Verify(k.Public(), []byte("message"), sig[:]) {
			t.Fatal("own signature refused", err)
		}
		signs[sig[63]>>7]++
		other, _ := keys.Generate(rand.Reader)
		if xeddsa.Verify(other.Public(), []byte("message"), sig[:]) {
			t.Error("accepted under another key")
		}
	}
	if signs[0] == 0 || signs[1] == 0 {
		t.Error("forty keys with the same sign: the sign bit is not carried", signs)
	}
}

func TestScalarsAreNotMalleable(t *testing.T) {
	k, _ := keys.Generate(rand.Reader)
	sig, _ := xeddsa.Sign(k, nil, rand.Reader)
	// s + L verifies under careless implementations.
	order := []byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10}
	sign := sig[63] & 0x80
	sig[63] &= 0x7f
	carry := 0
	for i, o := range order {
		sum := int(sig[32+i]) + int(o) + carry
		sig[32+i], carry = byte(sum), sum>>8
	}
	sig[63] |= sign
	if xeddsa.Verify(k.Public(), nil, sig[:]) {
		t.Error("s + L accepted")
	}
}

func TestSignNeedsItsRandomness(t *testing.T) {
	k, _ := keys.Generate(rand.Reader)
	if _, err := xeddsa.Sign(k, nil, io.LimitReader(rand.Reader, 63)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

func TestPublicKeyWithoutImageIsRefused(t *testing.T) {
	minusOne := keys.Public{0: 0xec, 31: 0x7f}
	for i := 1; i < 31; i++ {
		minusOne[i] = 0xff
	}
	if xeddsa.Verify(minusOne, nil, make([]byte, 64)) {
		t.Error("u = -1 accepted")
	}
}

// No other signature than the one made is accepted for its message: signatures are not malleable.
func FuzzVerify(f *testing.F) {
	k, err := keys.NewPrivate(keys.Secret{1})
	if err != nil {
		f.Fatal(err)
	}
	made, err := xeddsa.Sign(k, []byte("message"), bytes.NewReader(make([]byte, 64)))
	if err != nil {
		f.Fatal(err)
	}
	public := k.Public()
	f.Add(public[:], []byte("message"), made[:])
	f.Fuzz(func(t *testing.T, key, message, sig []byte) {
		var p keys.Public
		copy(p[:], key)
		if xeddsa.Verify(p, message, sig) && p == public && !bytes.Equal(sig, made[:]) {
			t.Fatalf("another signature verifies: %x", sig)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	k, _ := keys.Generate(rand.Reader)
	m := make([]byte, 33)
	for b.Loop() {
		xeddsa.Sign(k, m, rand.Reader)
	}
}

func BenchmarkVerify(b *testing.B) {
	k, _ := keys.Generate(rand.Reader)
	m := make([]byte, 33)
	sig, _ := xeddsa.Sign(k, m, rand.Reader)
	for b.Loop() {
		if !xeddsa.Verify(k.Public(), m, sig[:]) {
			b.Fatal("refused")
		}
	}
}
