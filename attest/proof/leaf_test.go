package proof_test

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
)

const hex32 = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

func TestLeaves(t *testing.T) {
	var h [32]byte
	for i := range h {
		h[i] = byte(i)
	}
	for want, got := range map[string][]byte{
		"countersign release stable 1.4.0 " + hex32 + "\n":              proof.ReleaseLeaf("stable", "1.4.0", h),
		"countersign release beta 1.5.0-rc.1 " + hex32 + "\n":           proof.ReleaseLeaf("beta", "1.5.0-rc.1", h),
		"countersign metadata snapshot 12 " + hex32 + "\n":              proof.MetadataLeaf("snapshot", 12, h),
		"countersign statement " + hex32 + " " + hex32 + "\n":           proof.StatementLeaf(h, h),
		"countersign metadata root 9223372036854775807 " + hex32 + "\n": proof.MetadataLeaf("root", 1<<63-1, h),
	} {
		if string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
		l, err := proof.ParseLeaf(got)
		if err != nil || !bytes.Equal(l.Entry(), got) || l.SHA256 != h {
			t.Errorf("%q reads back as %+v: %v", got, l, err)
		}
	}
}

// No name that comes from elsewhere can make one entry look like another.
func TestLeavesThatAreNone(t *testing.T) {
	var h [32]byte
	for _, entry := range [][]byte{
		nil,
		[]byte("countersign"),
		[]byte("countersign\n"),
		[]byte("countersign release\n"),
		[]byte("other release stable 1.4.0 " + hex32 + "\n"),
		[]byte("countersign release stable 1.4.0 " + hex32),
		[]byte("countersign release stable 1.4.0 " + hex32 + "\n\n"),
		[]byte("countersign release stable 1.4.0 " + hex32 + " \n"),
		[]byte("countersign  release stable 1.4.0 " + hex32 + "\n"),
		[]byte("countersign release stable 1.4.0 " + strings.ToUpper(hex32) + "\n"),
		[]byte("countersign release stable 1.4.0 " + hex32[2:] + "\n"),
		[]byte("countersign release stable 1.4.0 " + hex32 + "00\n"),
		[]byte("countersign withdrawal stable 1.4.0 " + hex32 + "\n"),
		[]byte("countersign statement " + hex32 + "\n"),
		[]byte("countersign metadata snapshot 012 " + hex32 + "\n"),
		[]byte("countersign metadata snapshot +12 " + hex32 + "\n"),
		[]byte("countersign metadata snapshot 9223372036854775808 " + hex32 + "\n"),
		proof.ReleaseLeaf("stable 1.4.0", "", h),
		proof.ReleaseLeaf("", "stable 1.4.0", h),
		proof.ReleaseLeaf("stable", "1.4.0 x", h),
		proof.ReleaseLeaf("stable", "1.4.0\ncountersign release stable 1.5.0", h),
		proof.ReleaseLeaf("Stable", "1.4.0", h),
		proof.ReleaseLeaf("stable", "v1.4.0", h),
		proof.ReleaseLeaf(strings.Repeat("a", 65), "1.4.0", h),
		proof.ReleaseLeaf("stable", strings.Repeat("1", 600), h),
		proof.MetadataLeaf("snapshot", 0, h),
		proof.MetadataLeaf("snapshot", -1, h),
		proof.MetadataLeaf("../root", 1, h),
	} {
		if l, err := proof.ParseLeaf(entry); err == nil {
			t.Errorf("%q was read as %+v", entry, l)
		}
	}
}

// For a key of small order a signature of zeroes is right, whoever made it: such a key must not be read.
func TestKeysForWhichAnybodyCanSign(t *testing.T) {
	neutral := make([]byte, 32)
	neutral[0] = 1
	everybodys := append(bytes.Clone(neutral), make([]byte, 32)...) // R neutral, S 0
	if !ed25519.Verify(neutral, []byte("any message"), everybodys) {
		t.Fatal("the attack this test is about does not work: is the check still needed?")
	}
	p := func(hexY string) []byte { return []byte(hexY) }
	ff := strings.Repeat("\xff", 30)
	for _, y := range [][]byte{
		neutral,
		make([]byte, 32),
		p("\xec" + ff + "\x7f"), p("\xed" + ff + "\x7f"), p("\xee" + ff + "\x7f"), p("\xff" + ff + "\x7f"),
		p("\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05"),
		p("\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a"),
	} {
		for _, sign := range []byte{0, 0x80} {
			k := bytes.Clone(y)
			k[31] |= sign
			for _, a := range []proof.Algorithm{proof.Ed25519, proof.Ed25519Cosi} {
				if _, err := proof.NewKey("everybody.example", a, k); err == nil {
					t.Errorf("%x was accepted as a key for %v", k, a)
				}
			}
		}
	}
}

func TestKeys(t *testing.T) {
	for _, a := range []proof.Algorithm{proof.Ed25519, proof.Ed25519Cosi, proof.MLDSA44} {
		k := prooftest.NewSigner("ana.example/w", a).Key
		got, err := proof.ParseKey(k.String())
		if err != nil || got != k {
			t.Errorf("%v: %v, %v", a, got, err)
		}
		v, err := k.Verifier()
		if err != nil || v.Name() != k.Name || v.KeyHash() != k.Hash() {
			t.Errorf("%v: the verifier has another name or hash: %v", a, err)
		}
		text := k.String()
		for i := range text {
			for _, c := range []byte{0x01, 0x20, 0x80} {
				b := []byte(text)
				b[i] ^= c
				if other, err := proof.ParseKey(string(b)); err == nil {
					t.Fatalf("byte %d changed, still a key: %v", i, other)
				}
			}
			if _, err := proof.ParseKey(text[:i]); err == nil {
				t.Fatalf("the first %d bytes are a key", i)
			}
		}
	}
	for _, name := range []string{"", "a b", "a+b", "é.example", ".example", strings.Repeat("a", 201), "a\n"} {
		if _, err := proof.NewKey(name, proof.Ed25519, bytes.Repeat([]byte{7}, 32)); err == nil {
			t.Errorf("key name %q was accepted", name)
		}
	}
}
