package keys_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParsePublicRefusesWhatIsNotOneKey(t *testing.T) {
	good, err := keys.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serialised := good.Public().Bytes()
	p := func(first byte, rest ...byte) []byte { return append([]byte{first}, rest...) }
	ff := bytes.Repeat([]byte{0xff}, 30)
	tests := []struct {
		name string
		in   []byte
		want string
	}{
		{"good", serialised, ""},
		{"good with bytes appended", append(bytes.Clone(serialised), 1, 2), ""},
		{"empty", nil, "invalid key: public key: got 0 bytes, want 33"},
		{"short", serialised[:32], "invalid key: public key: got 32 bytes, want 33"},
		{"other type", p(6, serialised[1:]...), "invalid key: public key: got type 0x06, want 0x05"},
		{"top bit set", append(bytes.Clone(serialised[:32]), serialised[32]|0x80), "invalid key: public key is not reduced"},
		{"p", append(append(p(5, 0xed), ff...), 0x7f), "invalid key: public key is not reduced"},
		{"p-1", append(append(p(5, 0xec), ff...), 0x7f), "invalid key: public key has small order"},
		{"zero", p(5, make([]byte, 32)...), "invalid key: public key has small order"},
		{"one", p(5, append([]byte{1}, make([]byte, 31)...)...), "invalid key: public key has small order"},
		{"order 8", p(5, unhex(t, "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")...), "invalid key: public key has small order"},
		{"order 8, the other", p(5, unhex(t, "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")...), "invalid key: public key has small order"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := keys.ParsePublic(test.in)
			if got := fmt.Sprint(err); test.want == "" && err != nil || test.want != "" && got != test.want {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestAgreeRefusesZero(t *testing.T) {
	k, _ := keys.Generate(rand.Reader)
	for _, low := range []keys.Public{{}, {1}} {
		if _, err := k.Agree(low); refusal.Of(err) != refusal.InvalidKey {
			t.Errorf("low order point: %v", err)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	var seed keys.Secret
	copy(seed[:], "very secret bytes, thirty-two!!!")
	k, _ := keys.NewPrivate(seed)
	kyber, _ := keys.GenerateKyber(rand.Reader)
	scalar := k.Scalar()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		for _, v := range []any{seed, &seed, k, kyber, struct{ S keys.Secret }{seed}, []keys.Secret{seed}, keys.SecretBytes(seed[:]), struct{ B keys.SecretBytes }{seed[:]}} {
			out := fmt.Sprintf(verb, v)
			if strings.Contains(out, "secret bytes") || strings.Contains(out, hex.EncodeToString(scalar[4:12])) || strings.Contains(out, fmt.Sprint(seed[4:9])) {
				t.Errorf("%s of %T prints the secret", verb, v)
			}
		}
	}
	if seed.String() != "" || k.String() != "" || kyber.String() != "" || keys.SecretBytes("very secret bytes").String() != "" {
		t.Error("String prints something")
	}
}

func TestKyberRoundTripAndImplicitRejection(t *testing.T) {
	k, err := keys.GenerateKyber(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := keys.ParseKyberPublic(k.Public().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	s, c := pub.Encapsulate()
	got, err := k.Decapsulate(c)
	if err != nil || got != s {
		t.Fatal("secrets differ", err)
	}
	again, err := keys.NewKyberPrivate(k.Seed())
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := again.Decapsulate(c); got != s {
		t.Error("restored key gives another secret")
	}
	c[700] ^= 1
	if got, err := k.Decapsulate(c); err != nil || got == s {
		t.Error("a changed ciphertext must give another secret and no error", err)
	}
	c[0] = 0x0a
	if _, err := k.Decapsulate(c); refusal.Of(err) != refusal.InvalidMessage {
		t.Error(err)
	}
	if _, err := k.Decapsulate(c[1:]); refusal.Of(err) != refusal.InvalidMessage {
		t.Error(err)
	}
	b := k.Public().Bytes()
	b[0] = 7
	if _, err := keys.ParseKyberPublic(b); refusal.Of(err) != refusal.InvalidKey {
		t.Error(err)
	}
	if _, err := keys.ParseKyberPublic(b[:100]); refusal.Of(err) != refusal.InvalidKey {
		t.Error(err)
	}
}

func TestRestoredKeysAgreeAlike(t *testing.T) {
	a, _ := keys.Generate(rand.Reader)
	b, _ := keys.Generate(rand.Reader)
	want, _ := a.Agree(b.Public())
	restored, err := keys.Restore(a.Scalar(), a.Public())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := restored.Agree(b.Public()); err != nil || got != want || restored.Public() != a.Public() {
		t.Error("a restored key is another", err)
	}
	if _, err := keys.Restore(keys.Secret{1}, keys.Public{}); err == nil {
		t.Error("a scalar that is not clamped was accepted")
	}
}
