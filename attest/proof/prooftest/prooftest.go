// Package prooftest is a public log with its witnesses in memory, for tests of whatever stands on
// attest/proof. All keys follow from their names, so that tests are the same every time; no real key may
// be made so. The messages that are signed are put together here from the standard's words and not
// with the code that checks them (C2SP tlog-checkpoint, tlog-cosignature).
package prooftest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"filippo.io/mldsa"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign-project/countersign/attest/proof"
)

// Time is when witnesses cosign, unless a test says otherwise.
var Time = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// Signer holds a private key of a log or a witness.
type Signer struct {
	Key  proof.Key
	At   time.Time // of its cosignatures
	ed   ed25519.PrivateKey
	post *mldsa.PrivateKey
}

// NewSigner returns the signer of that key name and algorithm.
func NewSigner(name string, a proof.Algorithm) *Signer {
	seed := sha256.Sum256(fmt.Appendf(nil, "test key %d of %s", a, name))
	s := &Signer{At: Time}
	public := []byte(nil)
	if a == proof.MLDSA44 {
		s.post = must(mldsa.NewPrivateKey(mldsa.MLDSA44(), seed[:]))
		public = s.post.PublicKey().Bytes()
	} else {
		s.ed = ed25519.NewKeyFromSeed(seed[:])
		public = s.ed.Public().(ed25519.PublicKey)
	}
	s.Key = must(proof.NewKey(name, a, public))
	return s
}

// Line returns the signature line for the text of a checkpoint.
func (s *Signer) Line(text []byte) []byte {
	body := binary.BigEndian.AppendUint32(nil, s.Key.Hash())
	at := uint64(s.At.Unix())
	switch s.Key.Algorithm {
	case proof.Ed25519:
		body = append(body, ed25519.Sign(s.ed, text)...)
	case proof.Ed25519Cosi:
		body = binary.BigEndian.AppendUint64(body, at)
		body = append(body, ed25519.Sign(s.ed, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text))...)
	case proof.MLDSA44:
		body = binary.BigEndian.AppendUint64(body, at)
		body = append(body, must(s.post.Sign(nil, cosignedMessage(s.Key.Name, at, text), nil))...)
	}
	return fmt.Appendf(nil, "— %s %s\n", s.Key.Name, base64.StdEncoding.EncodeToString(body))
}

// cosignedMessage is what an ML-DSA-44 cosignature signs: the struct of C2SP tlog-cosignature.
func cosignedMessage(name string, at uint64, text []byte) []byte {
	lines := strings.Split(string(text), "\n")
	var size uint64
	must(fmt.Sscan(lines[1], &size))
	m := []byte("subtree/v1\n\x00")
	m = append(m, byte(len(name)))
	m = append(m, name...)
	m = binary.BigEndian.AppendUint64(m, at)
	m = append(m, byte(len(lines[0])))
	m = append(m, lines[0]...)
	m = binary.BigEndian.AppendUint64(m, 0) // start
	m = binary.BigEndian.AppendUint64(m, size)
	return append(m, must(base64.StdEncoding.DecodeString(lines[2]))...)
}

// Log is a log in memory.
type Log struct {
	*Signer
	Entries [][]byte
	stored  []tlog.Hash // tlog's stored hashes
}

// NewLog returns an empty log of that origin.
func NewLog(origin string) *Log { return &Log{Signer: NewSigner(origin, proof.Ed25519)} }

// Append adds entries at the end.
func (l *Log) Append(entries ...[]byte) {
	for _, e := range entries {
		l.stored = append(l.stored, must(tlog.StoredHashes(int64(len(l.Entries)), e, l))...)
		l.Entries = append(l.Entries, e)
	}
}

// Fill appends n entries that are different from all others.
func (l *Log) Fill(n int) {
	for range n {
		l.Append(proof.MetadataLeaf("timestamp", int64(len(l.Entries)+1), sha256.Sum256(fmt.Appendf(nil, "%d", len(l.Entries)))))
	}
}

// ReadHashes makes the log a tlog.HashReader.
func (l *Log) ReadHashes(at []int64) ([]tlog.Hash, error) {
	var list []tlog.Hash
	for _, i := range at {
		list = append(list, l.stored[i])
	}
	return list, nil
}

// Text returns the three lines that are signed at that size.
func (l *Log) Text(size int) []byte {
	root := must(tlog.TreeHash(int64(size), l))
	return fmt.Appendf(nil, "%s\n%d\n%v\n", l.Key.Name, size, proof.Hash(root))
}

// Checkpoint returns the log's checkpoint over all its entries with these cosignatures.
func (l *Log) Checkpoint(witnesses ...*Signer) []byte {
	return l.CheckpointAt(len(l.Entries), witnesses...)
}

// CheckpointAt returns an older checkpoint with these cosignatures.
func (l *Log) CheckpointAt(size int, witnesses ...*Signer) []byte {
	return Sign(l.Text(size), append([]*Signer{l.Signer}, witnesses...)...)
}

// Sign returns a note of that text with these signatures.
func Sign(text []byte, signers ...*Signer) []byte {
	note := append(bytes.Clone(text), '\n')
	for _, s := range signers {
		note = append(note, s.Line(text)...)
	}
	return note
}

// Included returns an entry of the log with its inclusion proof at that size.
func (l *Log) Included(entry []byte, size int) proof.Included {
	for i, e := range l.Entries[:size] {
		if bytes.Equal(e, entry) {
			in := proof.Included{Entry: entry, Index: uint64(i)}
			for _, h := range must(tlog.ProveRecord(int64(size), int64(i), l)) {
				in.Hashes = append(in.Hashes, proof.Hash(h))
			}
			return in
		}
	}
	panic(fmt.Sprintf("entry %q is not in the log", entry))
}

// Prove returns the proof of entries under a checkpoint with these cosignatures.
func (l *Log) Prove(entries [][]byte, witnesses ...*Signer) proof.Proof {
	var list []proof.Included
	for _, e := range entries {
		list = append(list, l.Included(e, len(l.Entries)))
	}
	return must(proof.New(l.Checkpoint(witnesses...), list))
}

// Consistency returns the proof that the log of the old size is the beginning of that of the new one.
func (l *Log) Consistency(old, new int) []proof.Hash {
	var list []proof.Hash
	for _, h := range must(tlog.ProveTree(int64(new), int64(old), l)) {
		list = append(list, proof.Hash(h))
	}
	return list
}

// PolicyText prints a log policy with a quorum of k of these witnesses, which are named w1, w2, ….
func (l *Log) PolicyText(k int, witnesses ...*Signer) []byte {
	text := fmt.Appendf(nil, "log %v\n", l.Key)
	members := ""
	for i, w := range witnesses {
		text = fmt.Appendf(text, "witness w%d %v\n", i+1, w.Key)
		members += fmt.Sprintf(" w%d", i+1)
	}
	return fmt.Appendf(text, "group witnesses %d%s\nquorum witnesses\n", k, members)
}

// must ends a test whose own world is broken.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("the test's own world is broken: %v", err))
	}
	return v
}
