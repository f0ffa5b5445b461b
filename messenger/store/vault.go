package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"

	"github.com/countersign-project/countersign/messenger/record"
)

// Cost is how hard Argon2id makes guessing a passphrase. It is kept beside the sealed master key, so a later version may raise it.
type Cost struct {
	Time    uint32 // passes
	Memory  uint32 // KiB
	Threads uint8
}

// Usual is the cost of new stores: RFC 9106's second recommended option with the memory of its own machine class, 64 MiB and 3 passes. Some
// 150 ms here, once for each start.
func Usual() Cost { return Cost{Time: 3, Memory: 64 << 10, Threads: 4} }

// Bounds of what is read from a file that somebody else may have written.
const (
	maxTime   = 100
	maxMemory = 4 << 20 // KiB
)

// Vault form, version 1: a passphrase alone, in the terms of package record: version u8 ‖ time u32 ‖ memory u32, KiB ‖ threads u8 ‖ salt 16 ‖ sealed master key
// with its length: nonce 12 ‖ AES-256-GCM(Argon2id(passphrase, salt), master 32), everything before it as additional data.
const (
	vaultVersion = 1
	saltSize     = 16
	masterSize   = 32
)

func newMaster() ([]byte, error) {
	master := make([]byte, masterSize)
	_, err := rand.Read(master)
	return master, err
}

func sealVault(master, passphrase []byte, cost Cost) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, errors.New("the passphrase is empty")
	}
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return nil, err
	}
	var w record.Writer
	w.U8(vaultVersion)
	w.U32(cost.Time)
	w.U32(cost.Memory)
	w.U8(cost.Threads)
	w.Fixed(salt)
	g, err := passphraseKey(passphrase, salt, cost)
	if err != nil {
		return nil, err
	}
	w.Var(g.Seal(nil, nil, master, append([]byte(nil), w.Bytes()...)))
	return w.Bytes(), nil
}

func openVault(vault, passphrase []byte) ([]byte, error) {
	r := record.NewReader(vault)
	if v := r.U8(); v != vaultVersion {
		return nil, fmt.Errorf("store: a passphrase's form %d, want %d", v, vaultVersion)
	}
	cost := Cost{r.U32(), r.U32(), r.U8()}
	salt := r.Fixed(saltSize)
	sealed := r.Var(256)
	if err := r.End(); err != nil {
		return nil, err
	}
	g, err := passphraseKey(passphrase, salt, cost)
	if err != nil {
		return nil, err
	}
	master, err := g.Open(nil, nil, sealed, vault[:1+4+4+1+saltSize])
	if err != nil || len(master) != masterSize {
		return nil, ErrPassphrase
	}
	return master, nil
}

func passphraseKey(passphrase, salt []byte, cost Cost) (cipher.AEAD, error) {
	if cost.Time == 0 || cost.Time > maxTime || cost.Memory < 8 || cost.Memory > maxMemory || cost.Threads == 0 {
		return nil, fmt.Errorf("cost of the passphrase: %d passes over %d KiB by %d threads, want 1 to %d over 8 to %d", cost.Time, cost.Memory, cost.Threads, maxTime, maxMemory)
	}
	key := argon2.IDKey(passphrase, salt, cost.Time, cost.Memory, cost.Threads, 32)
	defer clear(key)
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(b)
}
