package wire

import "github.com/countersign-project/countersign/messenger/refusal"

// paddingStep is the unit that plaintexts of v3 and later are padded to (9.1).
const paddingStep = 160

// Pad appends 0x80 and zeros, so that the ciphertext says the length of a text only to within 160 bytes (9.1).
// One byte of each step is left for the padding of CBC.
func Pad(plaintext []byte) []byte {
	n := (len(plaintext)+2+paddingStep-1)/paddingStep*paddingStep - 1
	b := make([]byte, n)
	copy(b, plaintext)
	b[len(plaintext)] = 0x80
	return b
}

// Unpad strips the padding, of whatever length: the last byte that is not zero must be 0x80 (9.1).
func Unpad(padded []byte) ([]byte, error) {
	for i := len(padded) - 1; i >= 0; i-- {
		switch padded[i] {
		case 0:
		case 0x80:
			return padded[:i], nil
		default:
			return nil, refusal.Because(refusal.InvalidMessage, "padding of the plaintext")
		}
	}
	return nil, refusal.Because(refusal.InvalidMessage, "padding of the plaintext")
}
