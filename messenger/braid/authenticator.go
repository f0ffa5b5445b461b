package braid

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/countersign-project/countersign/messenger/braid/split"
	"github.com/countersign-project/countersign/messenger/kdf"
	"github.com/countersign-project/countersign/messenger/keys"
)

// Labels of 3.10.
const (
	labelUpdate     = "Signal_PQCKA_V1_MLKEM768:Authenticator Update"
	labelSecret     = "Signal_PQCKA_V1_MLKEM768:SCKA Key"
	labelHeader     = "Signal_PQCKA_V1_MLKEM768:ekheader"
	labelCiphertext = "Signal_PQCKA_V1_MLKEM768:ciphertext"
)

// macSize is the length of the authenticator's MACs.
const macSize = sha256.Size

// authenticator ties each epoch's key exchange to all earlier ones, so that one who takes over the transport later cannot
// slip in a key of his own.
type authenticator struct{ root, mac keys.Secret }

func newAuthenticator(auth keys.Secret) authenticator {
	var a authenticator
	a.update(1, auth)
	return a
}

func withEpoch(label string, epoch uint64) string {
	return string(binary.BigEndian.AppendUint64([]byte(label), epoch))
}

func (a *authenticator) update(epoch uint64, secret keys.Secret) {
	var in [64]byte
	copy(in[:], a.root[:])
	copy(in[32:], secret[:])
	b := kdf.HKDF(nil, in[:], withEpoch(labelUpdate, epoch), 64)
	copy(a.root[:], b)
	copy(a.mac[:], b[32:])
	clear(b)
	clear(in[:])
}

func (a *authenticator) tag(label string, epoch uint64, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, a.mac[:])
	h.Write([]byte(withEpoch(label, epoch)))
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func (a *authenticator) headerMAC(epoch uint64, h split.Header) []byte {
	return a.tag(labelHeader, epoch, h[:])
}

func (a *authenticator) ciphertextMAC(epoch uint64, ct1, ct2 []byte) []byte {
	return a.tag(labelCiphertext, epoch, ct1, ct2)
}

// epochSecret is what the chain and the authenticator take from the KEM's shared secret.
func epochSecret(shared keys.Secret, epoch uint64) (s keys.Secret) {
	b := kdf.HKDF(nil, shared[:], withEpoch(labelSecret, epoch), 32)
	copy(s[:], b)
	clear(b)
	return s
}
