package store

import "crypto/sha1"

// TokenOf returns the directory token of an account name (specification 6.6, which says SHA-1; nothing relies on
// its strength).
func TokenOf(name string) (t DirectoryToken) {
	sum := sha1.Sum([]byte(name))
	copy(t[:], sum[:])
	return t
}
