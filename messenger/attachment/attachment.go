// Package attachment encrypts files for the road (sections 9.5 and 11.3 of the wire specification): one blob, uploaded once, whose key and
// digest go to each receiver inside a pairwise message.
//
// The server that stores the blob may read it, change it, cut it, or serve another. It sees the length to within
// five per cent (padding buckets) and nothing else, and whatever it serves instead is refused before a byte of it is used.
//
// Blob = IV 16 ‖ AES-256-CBC(key[0:32], plaintext ‖ zeros, PKCS#7) ‖ HMAC-SHA-256(key[32:64], everything before). The digest is
// SHA-256 of the blob. The MAC binds the blob to the half of the key it is made with, and not to the other: a sender can make one blob
// that two members open to two different things, each with a key of his own. So members who compare what they
// were sent (package transcript) compare Pointer.Commitment, which covers all that the plaintext follows from, and never the digest alone.
//
// Both directions stream and hold a few dozen kilobytes, whatever the size of the file.
package attachment

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/countersign-project/countersign/messenger/refusal"
)

const (
	// KeySize is the length of a key: 32 bytes for AES, 32 for the MAC.
	KeySize = 64
	// DigestSize is the length of a digest.
	DigestSize = sha256.Size
	// MaxSize bounds a plaintext in bytes: what the server takes, and what fits the 32-bit size of a pointer.
	MaxSize = 100 << 20

	macSize   = sha256.Size
	chunkSize = 32 << 10
)

// Key is an attachment's key. It travels in the pointer and never prints itself.
type Key [KeySize]byte

// String returns nothing.
func (Key) String() string { return "" }

// Format prints nothing, whatever the verb.
func (Key) Format(fmt.State, rune) {}

// NewKey draws a key. Never use one twice.
func NewKey(rand io.Reader) (Key, error) {
	var k Key
	if _, err := io.ReadFull(rand, k[:]); err != nil {
		return k, fmt.Errorf("random bytes for an attachment key: %w", err)
	}
	return k, nil
}

// Padded returns the length that a plaintext of size bytes is padded to with zeros: the next power of 1.05, at least 541.
func Padded(size int64) int64 {
	if size <= 541 {
		return 541
	}
	bucket := int64(math.Floor(math.Pow(1.05, math.Ceil(math.Log(float64(size))/math.Log(1.05)))))
	return max(size, bucket) // the floor may fall short of a size that is itself a power
}

// BlobSize returns the length of the blob of a padded plaintext.
func BlobSize(padded int64) int64 {
	return aes.BlockSize + aes.BlockSize*(padded/aes.BlockSize+1) + macSize
}

// Encrypt reads exactly size bytes of plaintext, pads them to their bucket, and writes the blob. It returns the blob's digest, which the pointer
// carries together with key and size. Randomness is used for the IV.
func Encrypt(dst io.Writer, src io.Reader, size int64, key Key, rand io.Reader) (digest [DigestSize]byte, err error) {
	return encrypt(dst, src, size, Padded(size), key, rand)
}

func encrypt(dst io.Writer, src io.Reader, size, padded int64, key Key, rand io.Reader) (digest [DigestSize]byte, err error) {
	if size < 0 || size > MaxSize {
		return digest, fmt.Errorf("attachment of %d bytes, want at most %d", size, MaxSize)
	}
	var iv [aes.BlockSize]byte
	if _, err := io.ReadFull(rand, iv[:]); err != nil {
		return digest, fmt.Errorf("random bytes for an attachment: %w", err)
	}
	mac, whole := hmac.New(sha256.New, key[32:]), sha256.New()
	out := io.MultiWriter(dst, mac, whole)
	if _, err := out.Write(iv[:]); err != nil {
		return digest, err
	}
	cbc := cipher.NewCBCEncrypter(block(key), iv[:])
	exact := &exactly{r: src, left: size}
	if err := encryptBlocks(out, io.MultiReader(exact, io.LimitReader(zeros{}, padded-size)), cbc); err != nil {
		return digest, err
	}
	tag := mac.Sum(nil)
	whole.Write(tag)
	if _, err := dst.Write(tag); err != nil {
		return digest, err
	}
	whole.Sum(digest[:0])
	return digest, nil
}

// encryptBlocks encrypts src with PKCS#7, a chunk at a time.
func encryptBlocks(dst io.Writer, src io.Reader, cbc cipher.BlockMode) error {
	buf := make([]byte, chunkSize, chunkSize+aes.BlockSize)
	defer clear(buf)
	for {
		n, err := io.ReadFull(src, buf)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errShort)
		if err != nil && !last {
			return err
		}
		chunk := buf[:n]
		if last {
			pad := aes.BlockSize - n%aes.BlockSize
			for range pad {
				chunk = append(chunk, byte(pad))
			}
		}
		cbc.CryptBlocks(chunk, chunk)
		if _, err := dst.Write(chunk); err != nil {
			return err
		}
		if last {
			return nil
		}
	}
}

// Pointer is what a receiver knows of a blob.
type Pointer struct {
	Key    Key
	Digest [DigestSize]byte
	Size   int64 // of the plaintext; the rest is padding
}

// commitmentLabel separates these hashes from all others.
const commitmentLabel = "Countersign attachment"

// Commitment is SHA-256(label ‖ key ‖ digest ‖ size as 8 bytes big-endian): two pointers with one commitment open to the same bytes, or
// not at all (11.3). It is as secret as a hash of the key is, and nobody can guess a key of 64 random bytes.
func (p Pointer) Commitment() [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte(commitmentLabel))
	h.Write(p.Key[:])
	h.Write(p.Digest[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(p.Size)))
	return [sha256.Size]byte(h.Sum(nil))
}

// Check reads a whole blob and compares digest and MAC, in constant time. Nothing of the blob may be used before.
func Check(blob io.Reader, p Pointer) error {
	mac, whole := hmac.New(sha256.New, p.Key[32:]), sha256.New()
	tag, n, err := splitTag(blob, io.MultiWriter(mac, whole))
	if err != nil {
		return err
	}
	if n < 2*aes.BlockSize || n%aes.BlockSize != 0 {
		return refusal.Because(refusal.InvalidMessage, "attachment: a blob of %d bytes", n+macSize)
	}
	whole.Write(tag)
	d := subtle.ConstantTimeCompare(whole.Sum(nil), p.Digest[:])
	if m := subtle.ConstantTimeCompare(mac.Sum(nil), tag); d&m != 1 {
		return refusal.Because(refusal.InvalidMessage, "attachment: digest or MAC differs")
	}
	return nil
}

// Decrypt checks the whole blob, goes back to its start, and writes the plaintext. It reads the blob twice, since nothing may
// be used before everything was checked; while the second reading goes on, the bytes are hashed again, and if somebody has changed
// the file in between the result is an error and dst must be thrown away.
func Decrypt(dst io.Writer, blob io.ReadSeeker, p Pointer) error {
	if p.Size < 0 || p.Size > MaxSize {
		return refusal.Because(refusal.InvalidMessage, "attachment: size %d", p.Size)
	}
	if err := Check(blob, p); err != nil {
		return err
	}
	if _, err := blob.Seek(0, io.SeekStart); err != nil {
		return err
	}
	whole := sha256.New()
	d := &decrypter{dst: dst, key: p.Key, left: p.Size}
	tag, _, err := splitTag(blob, io.MultiWriter(whole, d))
	if err != nil {
		return err
	}
	whole.Write(tag)
	if subtle.ConstantTimeCompare(whole.Sum(nil), p.Digest[:]) != 1 {
		return errors.New("attachment: the blob changed while it was read")
	}
	return d.finish()
}

// splitTag copies r to w except for the last 32 bytes, which it returns, and counts what it copied.
func splitTag(r io.Reader, w io.Writer) (tag []byte, n int64, err error) {
	buf := make([]byte, chunkSize+macSize)
	have := 0
	for {
		m, err := io.ReadFull(r, buf[have:])
		have += m
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return nil, n, err
		}
		if have < macSize {
			return nil, n, refusal.Because(refusal.InvalidMessage, "attachment: a blob of %d bytes", have)
		}
		if n += int64(have - macSize); n > BlobSize(Padded(MaxSize)) {
			return nil, n, refusal.Because(refusal.InvalidMessage, "attachment: a blob of more than %d bytes", n)
		}
		if _, err := w.Write(buf[:have-macSize]); err != nil {
			return nil, n, err
		}
		if last {
			return buf[have-macSize : have], n, nil
		}
		have = copy(buf, buf[have-macSize:have])
	}
}

// decrypter takes IV and ciphertext, and writes the first left bytes of the plaintext. The last block is held back for its padding.
type decrypter struct {
	dst  io.Writer
	key  Key
	left int64
	buf  []byte // not yet decrypted: less than a block, or the last one
	cbc  cipher.BlockMode
}

func (d *decrypter) Write(b []byte) (int, error) {
	d.buf = append(d.buf, b...)
	if d.cbc == nil {
		if len(d.buf) < aes.BlockSize {
			return len(b), nil
		}
		d.cbc = cipher.NewCBCDecrypter(block(d.key), d.buf[:aes.BlockSize])
		d.buf = append([]byte(nil), d.buf[aes.BlockSize:]...)
	}
	n := (len(d.buf) - 1) / aes.BlockSize * aes.BlockSize
	if n <= 0 {
		return len(b), nil
	}
	d.cbc.CryptBlocks(d.buf[:n], d.buf[:n])
	err := d.emit(d.buf[:n])
	d.buf = append(d.buf[:0], d.buf[n:]...)
	return len(b), err
}

// emit writes as much of the plaintext as is wanted; the rest is padding.
func (d *decrypter) emit(b []byte) error {
	b = b[:min(int64(len(b)), d.left)]
	d.left -= int64(len(b))
	_, err := d.dst.Write(b)
	return err
}

func (d *decrypter) finish() error {
	if len(d.buf) != aes.BlockSize {
		return refusal.Because(refusal.InvalidMessage, "attachment: not whole blocks")
	}
	d.cbc.CryptBlocks(d.buf, d.buf)
	pad := int(d.buf[aes.BlockSize-1])
	if pad == 0 || pad > aes.BlockSize {
		return refusal.Because(refusal.InvalidMessage, "attachment: padding")
	}
	for _, b := range d.buf[aes.BlockSize-pad:] {
		if int(b) != pad {
			return refusal.Because(refusal.InvalidMessage, "attachment: padding")
		}
	}
	if err := d.emit(d.buf[:aes.BlockSize-pad]); err != nil {
		return err
	}
	if d.left > 0 {
		return refusal.Because(refusal.InvalidMessage, "attachment: %d bytes shorter than its size says", d.left)
	}
	return nil
}

func block(key Key) cipher.Block {
	b, err := aes.NewCipher(key[:32])
	if err != nil {
		panic("internal error: aes: " + err.Error())
	}
	return b
}

// errShort tells a source that ends early from the regular end of a blob.
var errShort = errors.New("the file is shorter than it was said to be")

// exactly reads left bytes, and makes an early end an error.
type exactly struct {
	r    io.Reader
	left int64
}

func (e *exactly) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(b[:min(int64(len(b)), e.left)])
	e.left -= int64(n)
	if errors.Is(err, io.EOF) && e.left > 0 {
		return n, errShort
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// zeros is an endless source of zero bytes.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
