package trust

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strconv"
)

// match checks length and hashes of a file against what the role above says.
func (f metaFile) match(role string, b []byte) error {
	if f.length != 0 && f.length != int64(len(b)) {
		return &MismatchError{Role: role, What: "length", Got: number(int64(len(b))), Want: number(f.length)}
	}
	return matchHashes(role, f.hashes, b)
}

func matchHashes(name string, hashes map[string][]byte, b []byte) error {
	if want, ok := hashes["sha256"]; ok {
		if got := sha256.Sum256(b); !bytes.Equal(got[:], want) {
			return &MismatchError{Role: name, What: "sha256", Got: describe(got[:]), Want: describe(want)}
		}
	}
	if want, ok := hashes["sha512"]; ok {
		if got := sha512.Sum512(b); !bytes.Equal(got[:], want) {
			return &MismatchError{Role: name, What: "sha512", Got: describe(got[:]), Want: describe(want)}
		}
	}
	return nil
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// describe renders a hash for an error text.
func describe(b []byte) string {
	if b == nil {
		return "absent"
	}
	return fmt.Sprintf("%.16s…", hex.EncodeToString(b))
}
