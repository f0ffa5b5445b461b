package signer

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"filippo.io/mldsa"
	"golang.org/x/crypto/ssh"
)

// maxPublic is the longest line ParsePublic reads, in bytes.
const maxPublic = 1024

// ParsePublic reads a public key in OpenSSH's one-line form: "ssh-ed25519 AAAA… comment" or
// "ecdsa-sha2-nistp256 AAAA… comment". Other types, options before the type, more lines and other
// spellings of the same key are refused.
func ParsePublic(line string) (crypto.PublicKey, error) {
	if len(line) > maxPublic {
		return nil, fmt.Errorf("public key of %d bytes, at most %d", len(line), maxPublic)
	}
	line = strings.TrimSpace(line)
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return nil, fmt.Errorf("public key %q: want ssh-ed25519 or ecdsa-sha2-nistp256 and the key", shorten(line))
	}
	if len(options) > 0 || len(rest) > 0 {
		return nil, fmt.Errorf("public key %q: want one line, the type first", shorten(line))
	}
	pub, err := usable(key)
	if err != nil {
		return nil, fmt.Errorf("public key %q: %v", shorten(line), err)
	}
	if word := strings.Fields(line); word[0]+" "+word[1] != FormatPublic(pub, "") {
		return nil, fmt.Errorf("public key %q: is not written as OpenSSH writes it", shorten(line))
	}
	return pub, nil
}

// FormatPublic prints a public key in OpenSSH's one-line form, without a line end. The comment may be
// empty. A key of another type than this package makes is a broken promise of the caller.
func FormatPublic(pub crypto.PublicKey, comment string) string {
	line := string(bytes.TrimSuffix(ssh.MarshalAuthorizedKey(sshKey(pub)), []byte("\n")))
	if comment != "" {
		line += " " + strings.Join(strings.Fields(comment), " ")
	}
	return line
}

// Fingerprint names a public key as ssh-keygen -l does: "SHA256:…". OpenSSH has no ML-DSA; there the hash
// is of the raw public key.
func Fingerprint(pub crypto.PublicKey) string {
	if post, ok := pub.(*mldsa.PublicKey); ok {
		sum := sha256.Sum256(post.Bytes())
		return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
	}
	return ssh.FingerprintSHA256(sshKey(pub))
}

func sshKey(pub crypto.PublicKey) ssh.PublicKey {
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		panic(fmt.Sprintf("internal error: a key of type %T got this far: %v", pub, err))
	}
	return key
}

// usable returns the key inside an SSH key, if it is of a type that signs the way TUF and DSSE want it.
// Hardware keys (sk-…) and certificates sign other bytes.
func usable(key ssh.PublicKey) (crypto.PublicKey, error) {
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256:
	default:
		return nil, fmt.Errorf("type %s, want ssh-ed25519 or ecdsa-sha2-nistp256", key.Type())
	}
	c, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return nil, errors.New("holds no plain key")
	}
	switch k := c.CryptoPublicKey().(type) {
	case ed25519.PublicKey:
		return k, nil
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return k, nil
		}
	}
	return nil, errors.New("holds neither an Ed25519 nor a P-256 key")
}

// shorten keeps an error to one line.
func shorten(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
