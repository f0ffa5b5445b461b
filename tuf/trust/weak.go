package trust

import "encoding/hex"

// smallOrder are the points of order 1, 2, 4 and 8 on edwards25519, with the
// sign bit cleared. Everybody can sign for such a "key": with the first one,
// the same 64 bytes are a valid signature of every message. A holder who lists
// one gives the place in the quorum away to whoever comes.
var smallOrder = [...]string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
}

// weakEd25519 reports whether 32 bytes of a public key are a point of small
// order, or write their point in a way that a second spelling exists for: the
// y coordinate at or above the field prime, which would let one key pass for
// two where raw bytes are compared.
func weakEd25519(key []byte) bool {
	y := append([]byte(nil), key...)
	y[31] &= 0x7f
	for _, p := range smallOrder {
		if hex.EncodeToString(y) == p {
			return true
		}
	}
	// The prime is 2^255-19: ed, then thirty bytes ff, then 7f.
	if y[31] != 0x7f || y[0] < 0xed {
		return false
	}
	for _, b := range y[1:31] {
		if b != 0xff {
			return false
		}
	}
	return true
}
