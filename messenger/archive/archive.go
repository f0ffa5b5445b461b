// Package archive is the form of an account's backup: a stream of bytes encrypted under a key that is written down as eight words and a ninth that
// checks them.
//
// Form: "CSBK2" ‖ salt 16 ‖ check 16 ‖ chunks. The key of a file is HKDF-SHA-256(seed, salt, "Countersign backup", 32), its check value
// HKDF-SHA-256(seed, salt, "Countersign backup check", 16): it tells the words of another backup from a damaged file, and helps nobody to guess a seed
// of 128 random bits. Each chunk is AES-256-GCM of 64 KiB of plaintext, the last one of less (perhaps of nothing), under the nonce: number of the
// chunk, 11 bytes big-endian ‖ 1 for the last chunk, 0 for the others. So chunks cannot be moved, dropped, repeated or cut off; the header is
// additional data of the first, so that no form is taken for another.
//
// The form before, "CSBK1" ‖ salt 16 ‖ chunks, is read and not written any more.
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
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	magic     = "CSBK2"
	oldMagic  = "CSBK1"
	saltSize  = 16
	checkSize = 16
	chunkSize = 64 << 10
	tagSize   = 16
)

// ErrDamaged says that a file was changed or cut off.
var ErrDamaged = errors.New("the backup is damaged or cut off")

// ErrWords says that a file was made with other words.
var ErrWords = errors.New("these are the recovery words of another backup: each one has its own")

// errEither is what can be said of a file of the form before. It is an ErrDamaged.
var errEither = fmt.Errorf("these are the recovery words of another backup, or %w", ErrDamaged)

// open returns what encrypts the chunks of a file, and its check value.
func open(seed Seed, salt []byte) (cipher.AEAD, []byte, error) {
	key, err := hkdf.Key(sha256.New, seed[:], salt, "Countersign backup", 32)
	if err != nil {
		return nil, nil, err
	}
	defer clear(key)
	check, err := hkdf.Key(sha256.New, seed[:], salt, "Countersign backup check", checkSize)
	if err != nil {
		return nil, nil, err
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(b)
	return aead, check, err
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
	aead, check, err := open(seed, header[len(magic):])
	if err != nil {
		return nil, err
	}
	header = append(header, check...)
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
	bad    error // what a chunk that does not open means
}

// NewReader reads the header. ErrWords, ErrDamaged.
func NewReader(src io.Reader, seed Seed) (*Reader, error) {
	header := make([]byte, len(magic)+saltSize, len(magic)+saltSize+checkSize)
	_, err := io.ReadFull(src, header)
	form := string(header[:len(magic)])
	if err != nil || form != magic && form != oldMagic {
		return nil, fmt.Errorf("not a backup of the form %s or %s", magic, oldMagic)
	}
	aead, want, err := open(seed, header[len(magic):])
	if err != nil {
		return nil, err
	}
	bad := errEither
	if form == magic {
		bad = ErrDamaged
		got := header[len(header):cap(header)]
		if _, err := io.ReadFull(src, got); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, ErrDamaged
		} else if err != nil {
			return nil, err
		}
		if subtle.ConstantTimeCompare(got, want) != 1 {
			return nil, ErrWords
		}
		header = header[:cap(header)]
	}
	return &Reader{src: bufio.NewReaderSize(src, chunkSize+2*tagSize), aead: aead, header: header, bad: bad}, nil
}

// Read implements io.Reader. ErrDamaged; of the form before also where the words are others.
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
			return r.bad
		}
		return err
	}
	last := n < len(sealed)
	if r.plain, err = r.aead.Open(nil, nonce(r.n, last), sealed[:n], r.header); err != nil {
		return r.bad
	}
	r.n, r.header, r.done = r.n+1, nil, last
	return nil
}
