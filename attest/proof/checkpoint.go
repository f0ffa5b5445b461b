package proof

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// MaxCheckpoint is the largest checkpoint that is read, in bytes: some forty ML-DSA-44 cosignatures.
const MaxCheckpoint = 144 << 10

// MaxSignatures is the largest number of signature lines in a checkpoint.
const MaxSignatures = 96

// MaxSize is the largest number of entries in a log. 2^62 leaves room for signed arithmetic.
const MaxSize = 1 << 62

// checkpoint is a signed note with exactly three lines of text, taken apart and not yet believed.
type checkpoint struct {
	origin string
	size   uint64
	root   Hash
	signed []signature
}

type signature struct {
	name string
	id   uint32 // key ID
	body []byte // what follows the key ID: for cosignatures eight bytes of time, then the signature
}

// parseCheckpoint reads a checkpoint (C2SP tlog-checkpoint in C2SP signed-note) and refuses any other
// spelling of it, a second signature by one key, and extension lines: an ML-DSA-44 cosignature does
// not cover those, so a log could show every reader other ones.
func parseCheckpoint(b []byte) (checkpoint, error) {
	if len(b) > MaxCheckpoint {
		return checkpoint{}, fmt.Errorf("checkpoint: %d bytes, at most %d allowed", len(b), MaxCheckpoint)
	}
	text, signatures, ok := strings.Cut(string(b), "\n\n")
	lines := strings.Split(text, "\n")
	switch {
	case !ok || len(lines) < 3:
		return checkpoint{}, fmt.Errorf("checkpoint: want three lines, an empty line and signatures")
	case len(lines) > 3:
		return checkpoint{}, fmt.Errorf("checkpoint: extension line %q: not every cosignature covers it", clip(lines[3]))
	case !keyName.MatchString(lines[0]):
		return checkpoint{}, fmt.Errorf("checkpoint: origin %q is not a key name", clip(lines[0]))
	}
	c := checkpoint{origin: lines[0]}
	var err error
	if c.size, err = parseNumber(lines[1]); err != nil || c.size > MaxSize {
		return checkpoint{}, fmt.Errorf("checkpoint: size %q, want a number up to 2^62", clip(lines[1]))
	}
	if c.root, err = ParseHash(lines[2]); err != nil {
		return checkpoint{}, fmt.Errorf("checkpoint: root: %w", err)
	}
	if c.size == 0 && c.root != emptyRoot {
		return checkpoint{}, fmt.Errorf("checkpoint: root %v of an empty log, want %v", c.root, emptyRoot)
	}
	c.signed, err = parseSignatures(signatures)
	return c, err
}

func parseSignatures(block string) ([]signature, error) {
	block, ok := strings.CutSuffix(block, "\n")
	if !ok {
		return nil, fmt.Errorf("checkpoint: want a signature line with a newline at the end")
	}
	lines := strings.Split(block, "\n")
	if len(lines) > MaxSignatures {
		return nil, fmt.Errorf("checkpoint: %d signatures, at most %d allowed", len(lines), MaxSignatures)
	}
	var list []signature
	for _, line := range lines {
		rest, ok := strings.CutPrefix(line, "— ")
		name, text, ok2 := strings.Cut(rest, " ")
		body, err := strictBase64(text)
		if !ok || !ok2 || err != nil || len(body) < 5 || !keyName.MatchString(name) {
			return nil, fmt.Errorf("checkpoint: signature line %q, want \"— name base64\"", clip(line))
		}
		s := signature{name, binary.BigEndian.Uint32(body), body[4:]}
		for _, other := range list {
			if other.name == s.name && other.id == s.id {
				return nil, fmt.Errorf("checkpoint: two signatures by %s+%08x", s.name, s.id)
			}
		}
		list = append(list, s)
	}
	return list, nil
}

// by returns the signature that claims to be by a key.
func (c checkpoint) by(k Key) (signature, bool) {
	id := k.Hash()
	for _, s := range c.signed {
		if s.name == k.Name && s.id == id {
			return s, true
		}
	}
	return signature{}, false
}

// parseNumber reads a decimal without sign and leading zeroes.
func parseNumber(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err == nil && !bytes.Equal(strconv.AppendUint(nil, n, 10), []byte(s)) {
		err = strconv.ErrSyntax
	}
	return n, err
}
