package trust

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// TestKeysThatSignForEverybody shows the attack on each point of small order,
// and that strict metadata cannot list one.
func TestKeysThatSignForEverybody(t *testing.T) {
	var points [][]byte
	for _, p := range smallOrder {
		b, err := hex.DecodeString(p)
		if err != nil {
			t.Fatal(err)
		}
		negative := append([]byte(nil), b...)
		negative[31] |= 0x80
		points = append(points, b, negative)
	}
	for _, key := range points {
		forged := false
		for n := range 100 { // s = 0 and R of small order: one message in a few can be signed with nobody's secret
			for _, r := range points {
				forged = forged || ed25519.Verify(key, fmt.Append(nil, "message ", n), append(append([]byte(nil), r...), make([]byte, 32)...))
			}
		}
		if !forged && key[31]&0x80 == 0 { // with the sign bit some spell no point at all
			t.Errorf("%x is no weak key", key)
		}
		if !weakEd25519(key) {
			t.Errorf("%x passes", key)
		}
		w := newWorld()
		o := object{"keytype": "ed25519", "scheme": "ed25519", "keyval": object{"public": hex.EncodeToString(key)}, holderField: "Mallory"}
		w.addAuditor(testKey{id: keyID(o), object: o})
		_, err := Verify(w.anchor(), w.all(), today)
		if err == nil || !strings.HasSuffix(err.Error(), "public: a key that signs for everybody, or spelled in two ways") {
			t.Errorf("%x listed: %v", key, err)
		}
	}
	for _, text := range []string{"ed" + strings.Repeat("ff", 30) + "7f", "ff" + strings.Repeat("ff", 30) + "ff"} {
		b, _ := hex.DecodeString(text)
		if !weakEd25519(b) {
			t.Errorf("%s passes", text)
		}
	}
	for _, n := range names {
		if weakEd25519(makeKey(n, n).private.Public().(ed25519.PublicKey)) {
			t.Errorf("%s's key is refused", n)
		}
	}
}
