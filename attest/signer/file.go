package signer

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"filippo.io/age"
	"filippo.io/age/armor"
	"filippo.io/mldsa"
	mldsax509 "filippo.io/mldsa/x509"

	"github.com/countersign-project/countersign/tuf/durable"
)

// A key file is an armoured age file (age-encryption.org/v1) for one passphrase. Inside are PEM blocks
// "PRIVATE KEY" (PKCS #8), one per key, each with a header "Purpose". The program age can decrypt it.

const (
	// WorkFactor is the scrypt work factor of new key files, as a power of two: about a second and
	// 256 MB for each guess. Tests use less.
	WorkFactor = 18
	// MaxWorkFactor bounds what a file can ask of the machine that opens it: 1 GB.
	MaxWorkFactor = 20
	// maxFile is the largest key file that is read, in bytes; one with five keys has 2 KiB.
	maxFile = 64 << 10

	pemType   = "PRIVATE KEY"
	pemHeader = "Purpose"
)

// ErrPassphrase says that a passphrase did not open a key file. The file is as it was.
var ErrPassphrase = errors.New("wrong passphrase")

// ErrExists says that a key file is already there. Key files are never overwritten.
var ErrExists = errors.New("a file is already there, and key files are never overwritten")

// Write encrypts keys under a passphrase into a new file with mode 0600. The name is taken first and
// exclusively, then the content is moved over it in one step: a crash leaves nothing, an empty file, or
// the whole one.
func Write(path string, keys []Key, passphrase []byte, workFactor int) error {
	sealed, err := seal(keys, passphrase, workFactor)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s: %w", path, ErrExists)
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := durable.WriteFile(path, sealed, 0o600); err != nil {
		_ = os.Remove(path) // the empty file that was made above
		return err
	}
	return nil
}

func seal(keys []Key, passphrase []byte, workFactor int) ([]byte, error) {
	if len(keys) == 0 {
		return nil, errors.New("no keys to write")
	}
	if workFactor < 1 || workFactor > MaxWorkFactor {
		return nil, fmt.Errorf("work factor %d, want 1 to %d", workFactor, MaxWorkFactor)
	}
	var plain bytes.Buffer
	for _, k := range keys {
		der, err := marshal(k.private)
		if err != nil {
			return nil, err
		}
		if err := pem.Encode(&plain, &pem.Block{Type: pemType, Headers: map[string]string{pemHeader: k.Purpose}, Bytes: der}); err != nil {
			return nil, err
		}
	}
	recipient, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return nil, err
	}
	recipient.SetWorkFactor(workFactor)
	var out bytes.Buffer
	lines := armor.NewWriter(&out)
	w, err := age.Encrypt(lines, recipient)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain.Bytes()); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := lines.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Load reads and decrypts a key file. Wrong passphrases are ErrPassphrase; a file that was cut off or is
// something else is named as that. Nothing is written.
func Load(path string, passphrase func(prompt string) ([]byte, error)) ([]Key, error) {
	name := filepath.Base(path)
	sealed, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	p, err := passphrase(fmt.Sprintf("Passphrase for %s: ", name))
	if err != nil {
		return nil, err
	}
	identity, err := age.NewScryptIdentity(string(p))
	if err != nil {
		return nil, fmt.Errorf("%s: %v", name, err)
	}
	identity.SetMaxWorkFactor(MaxWorkFactor)
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(sealed)), identity)
	var plain []byte
	if err == nil {
		plain, err = io.ReadAll(r)
	}
	if err != nil {
		return nil, openError(name, err)
	}
	return parseKeys(name, plain)
}

// readKeyFile reads a file that looks like a key file, before a passphrase is asked for.
func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	name, b := filepath.Base(path), bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	switch {
	case len(b) == 0:
		return nil, fmt.Errorf("%s is empty: it was never finished", name)
	case len(b) > maxFile:
		return nil, fmt.Errorf("%s is no key file: larger than %d bytes", name, maxFile)
	case bytes.HasPrefix([]byte(armor.Header), b), bytes.HasPrefix(b, []byte(armor.Header)) && !bytes.Contains(b, []byte(armor.Footer)):
		return nil, fmt.Errorf("%s is cut off: its last line is missing", name)
	case !bytes.HasPrefix(b, []byte(armor.Header)):
		return nil, fmt.Errorf("%s is no key file: it does not begin with %q", name, armor.Header)
	}
	return b, nil
}

func openError(name string, err error) error {
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		if slices.Equal(none.StanzaTypes, []string{"scrypt"}) {
			return fmt.Errorf("%w for %s", ErrPassphrase, name)
		}
		return fmt.Errorf("%s is no key file: it is encrypted to %v and not with a passphrase", name, none.StanzaTypes)
	}
	return fmt.Errorf("%s is damaged: %v", name, err)
}

// parseKeys reads the PEM blocks, and nothing around them.
func parseKeys(name string, plain []byte) ([]Key, error) {
	var keys []Key
	for rest := plain; len(rest) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, fmt.Errorf("%s is no key file: something that is not PEM is inside", name)
		}
		private, err := parsePrivate(block)
		if err != nil {
			return nil, fmt.Errorf("%s: key %d: %v", name, len(keys)+1, err)
		}
		k := Key{Purpose: block.Headers[pemHeader], private: private, origin: name}
		for _, other := range keys {
			if other.Purpose == k.Purpose || equal(other.Public(), k.Public()) {
				return nil, fmt.Errorf("%s: key %d: one key has one purpose, and one purpose one key", name, len(keys)+1)
			}
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s is no key file: no key is inside", name)
	}
	return keys, nil
}

// marshal prints PKCS #8: RFC 9881 with the seed for ML-DSA, which crypto/x509 does not know.
func marshal(key crypto.Signer) ([]byte, error) {
	if post, ok := key.(*mldsa.PrivateKey); ok {
		return mldsax509.MarshalPKCS8PrivateKey(post)
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

func parsePrivate(block *pem.Block) (crypto.Signer, error) {
	if block.Type != pemType {
		return nil, fmt.Errorf("PEM block %q, want %q", block.Type, pemType)
	}
	if !slices.Contains(Purposes(), block.Headers[pemHeader]) || len(block.Headers) != 1 {
		return nil, fmt.Errorf("purpose %q is none we know", block.Headers[pemHeader])
	}
	if block.Headers[pemHeader] == "witness-mldsa" {
		key, err := mldsax509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("is not PKCS #8 of ML-DSA") // the cause could quote secret bytes
		}
		post, ok := key.(*mldsa.PrivateKey)
		if !ok || len(post.PublicKey().Bytes()) != mldsa.MLDSA44PublicKeySize {
			return nil, errors.New("is not ML-DSA-44")
		}
		return post, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("is not PKCS #8") // the cause could quote secret bytes
	}
	switch k := key.(type) {
	case ed25519.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return k, nil
		}
	}
	return nil, errors.New("is neither Ed25519 nor P-256")
}
