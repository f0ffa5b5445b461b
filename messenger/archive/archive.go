// Package archive is the form of an account's backup: a stream of bytes encrypted under a key that is written down as eight words and a ninth that
// checks them.
//
// Form: "CSBK1" ‖ salt 16 ‖ chunks. The key of a file is HKDF-SHA-256(seed, salt, "Countersign backup", 32). Each chunk is AES-256-GCM of 64 KiB of
// plaintext, the last one of less (perhaps of nothing), under the nonce: number of the chunk, 11 bytes big-endian ‖ 1 for the last chunk, 0 for
// the others. So chunks cannot be moved, dropped, repeated or cut off; the header is additional data of the first.
//
// Whoever has file and words has everything; whoever has the file learns its size. A reader must not act on what it has read before it has
// read the end.
package archive

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	magic     = "CSBK1"
	saltSize  = 16
	chunkSize = 64 << 10
	tagSize   = 16
)

// ErrDamaged says that a file was changed, or cut off, or belongs to other words.
var ErrDamaged = errors.New("the backup does not open: other words, or the file is damaged or cut off")

func open(seed Seed, salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, seed[:], salt, "Countersign backup", 32)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

func nonce(n uint64, last bool) []byte {
	b := make([]byte, 12)
	binary.BigEndian.PutUint64(b[3:11], n)
	if last {
		b[11] = 1
	}
	return b
}

// Writer encrypts. Close writes the end.
type Writer struct {
	dst    io.Writer
	aead   cipher.AEAD
	header []byte
	buf    []byte
	n      uint64
	err    error
}

// NewWriter writes the header of a new archive, whose salt it draws from rand.
func NewWriter(dst io.Writer, seed Seed, rand io.Reader) (*Writer, error) {
	header := append([]byte(magic), make([]byte, saltSize)...)
	if _, err := io.ReadFull(rand, header[len(magic):]); err != nil {
		return nil, err
	}
	aead, err := open(seed, header[len(magic):])
	if err != nil {
		return nil, err
	}
	_, err = dst.Write(header)
	return &Writer{dst: dst, aead: aead, header: header, buf: make([]byte, 0, chunkSize)}, err
}

// Write implements io.Writer.
func (w *Writer) Write(b []byte) (n int, err error) {
	for len(b) > 0 && w.err == nil {
		k := min(len(b), chunkSize-len(w.buf))
		w.buf = append(w.buf, b[:k]...)
		b, n = b[k:], n+k
		if len(w.buf) == chunkSize {
			w.flush(false)
		}
	}
	return n, w.err
}

func (w *Writer) flush(last bool) {
	_, w.err = w.dst.Write(w.aead.Seal(nil, nonce(w.n, last), w.buf, w.header))
	w.n, w.buf, w.header = w.n+1, w.buf[:0], nil
}

// Close writes the last chunk. It does not close the destination.
func (w *Writer) Close() error {
	if w.err == nil {
		w.flush(true)
	}
	err := w.err
	w.err = errors.New("archive: written to after its end")
	return err
}

// Reader decrypts. It returns io.EOF only at the true end.
type Reader struct {
	src    *bufio.Reader
	aead   cipher.AEAD
	header []byte
	plain  []byte
	n      uint64
	done   bool
}

// NewReader reads the header.
func NewReader(src io.Reader, seed Seed) (*Reader, error) {
	header := make([]byte, len(magic)+saltSize)
	if _, err := io.ReadFull(src, header); err != nil || string(header[:len(magic)]) != magic {
		return nil, fmt.Errorf("not a backup of the form %s", magic)
	}
	aead, err := open(seed, header[len(magic):])
	if err != nil {
		return nil, err
	}
	return &Reader{src: bufio.NewReaderSize(src, chunkSize+2*tagSize), aead: aead, header: header}, nil
}

// Read implements io.Reader. ErrDamaged.
func (r *Reader) Read(b []byte) (int, error) {
	for len(r.plain) == 0 {
		if r.done {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, r.plain)
	r.plain = r.plain[n:]
	return n, nil
}

func (r *Reader) next() error {
	sealed := make([]byte, chunkSize+tagSize)
	n, err := io.ReadFull(r.src, sealed)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		if errors.Is(err, io.EOF) {
			return ErrDamaged
		}
		return err
	}
	last := n < len(sealed)
	if r.plain, err = r.aead.Open(nil, nonce(r.n, last), sealed[:n], r.header); err != nil {
		return ErrDamaged
	}
	r.n, r.header, r.done = r.n+1, nil, last
	return nil
}
