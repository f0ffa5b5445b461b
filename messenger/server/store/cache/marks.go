package cache

import "github.com/countersign-project/countersign/messenger/server/store"

// marks says of an account whether it was marked lately. It may say yes of one that was not: two accounts can have the same bit. When a quarter
// of the bits is set it starts anew.
type marks struct {
	bits [1024]uint64
	set  int
}

// mark marks an account and says whether it was marked before.
func (m *marks) mark(key store.AccountKey) bool {
	bit := uint64(key) * 0x9E3779B97F4A7C15 >> 48 // multiplicative hashing, by the golden ratio: the upper 16 bits
	word, mask := &m.bits[bit/64], uint64(1)<<(bit%64)
	if *word&mask != 0 {
		return true
	}
	if m.set++; m.set > len(m.bits)*64/4 {
		*m = marks{set: 1}
	}
	*word |= mask
	return false
}
