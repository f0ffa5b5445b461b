package session

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

const (
	maxKeyID = 0xFFFFFE // one below the last-resort key (2.2)
	// How many one-time keys are handed in at a time, and below how many the server has left (6.3).
	oneTimeKeys  = 100
	kyberKeys    = 50
	LowOnPrekeys = 10
	// signedLife is how long a signed prekey serves, and keptFor how long its private half, and those of one-time keys that nobody has
	// used, stay for messages on their way (6.3).
	signedLife = 2 * 24 * time.Hour
	keptFor    = 30 * 24 * time.Hour
	// maxKept is how many private halves of a kind are kept, the newest: a server that says that it has none left is given new ones each time it is asked.
	maxKept = 5_000
)

// prekey is a private half: 32 bytes, or a Kyber key's seed of 64.
type prekey struct {
	Private    []byte
	Made       int64 // milliseconds
	LastResort bool
}

func keyName(id uint32) string { return strconv.FormatUint(uint64(id), 10) }

// nextID counts through the 24 bits, and leaves the last-resort id out.
func nextID(n *uint32) uint32 {
	id := *n
	*n = id%maxKeyID + 1
	return id
}

// NewPrekeys makes one-time, signed and Kyber prekeys, keeps their private halves, and returns what is handed to the server. What is too old
// to be asked for is forgotten. The caller commits before it hands them in.
func (b *Book) NewPrekeys() (api.PreKeysV3, error) {
	own, now := b.own, b.world.Now().UnixMilli()
	out := api.PreKeysV3{PreKeys: api.PreKeys{IdentityKey: b.identity.Public().Bytes()}}
	for _, bucket := range []store.Bucket{store.Prekeys, store.SignedPrekeys, store.KyberPrekeys} {
		if err := b.forget(bucket, now); err != nil {
			return out, err
		}
	}
	for range oneTimeKeys {
		k, err := b.oneTime(nextID(&own.NextPrekey), now)
		if err != nil {
			return out, err
		}
		out.PreKeys.PreKeys = append(out.PreKeys.PreKeys, k)
	}
	last, err := b.oneTime(handshake.LastResort, now)
	if err != nil {
		return out, err
	}
	out.LastResortKey = &last
	if out.SignedPreKey, err = b.signedPrekey(nextID(&own.NextSigned), now); err != nil {
		return out, err
	}
	for range kyberKeys {
		k, err := b.kyberPrekey(nextID(&own.NextKyber), now, false)
		if err != nil {
			return out, err
		}
		out.PQPreKeys = append(out.PQPreKeys, *k)
	}
	if out.PQLastResortKey, err = b.kyberPrekey(nextID(&own.NextKyber), now, true); err != nil {
		return out, err
	}
	own.SignedMade = now
	return out, b.SaveOwn(own)
}

// PrekeysDue tells whether the signed prekeys have served long enough.
func (b *Book) PrekeysDue() bool {
	return b.world.Now().UnixMilli()-b.own.SignedMade >= signedLife.Milliseconds()
}

// forget removes private halves made too long ago, and what is too many, but of those made last, which the server still hands out.
func (b *Book) forget(bucket store.Bucket, now int64) error {
	n, err := b.tx.Count(bucket)
	if err != nil {
		return err
	}
	return store.All(b.tx, bucket, func(name string, k prekey) error { // the oldest first
		if k.Made >= b.own.SignedMade || bucket == store.Prekeys && name == keyName(handshake.LastResort) || n <= maxKept && now-k.Made < keptFor.Milliseconds() {
			return nil
		}
		n--
		return b.tx.Delete(bucket, name)
	})
}

func (b *Book) oneTime(id uint32, now int64) (api.PreKey, error) {
	if id == handshake.LastResort { // it stays for good: it is never deleted (2.2)
		have, err := b.private(store.Prekeys, id)
		if err != nil || have != nil {
			return api.PreKey{KeyID: id, PublicKey: publicOf(have)}, err
		}
	}
	k, err := keys.Generate(b.world.Rand)
	if err != nil {
		return api.PreKey{}, err
	}
	return api.PreKey{KeyID: id, PublicKey: k.Public().Bytes()}, b.keepPrivate(store.Prekeys, id, k, now)
}

func publicOf(k *keys.Private) []byte {
	if k == nil {
		return nil
	}
	return k.Public().Bytes()
}

func (b *Book) keepPrivate(bucket store.Bucket, id uint32, k *keys.Private, now int64) error {
	scalar := k.Scalar()
	return store.Save(b.tx, bucket, keyName(id), prekey{Private: scalar[:], Made: now})
}

func (b *Book) signedPrekey(id uint32, now int64) (*api.SignedPreKey, error) {
	k, err := keys.Generate(b.world.Rand)
	if err != nil {
		return nil, err
	}
	s, err := handshake.SignPrekey(b.identity, id, k.Public(), b.world.Rand)
	if err != nil {
		return nil, err
	}
	return &api.SignedPreKey{KeyID: id, PublicKey: s.Key.Bytes(), Signature: s.Signature[:]}, b.keepPrivate(store.SignedPrekeys, id, k, now)
}

func (b *Book) kyberPrekey(id uint32, now int64, lastResort bool) (*api.SignedPreKey, error) {
	k, err := keys.GenerateKyber(b.world.Rand)
	if err != nil {
		return nil, err
	}
	s, err := handshake.SignKyber(b.identity, id, k.Public(), b.world.Rand)
	if err != nil {
		return nil, err
	}
	return &api.SignedPreKey{KeyID: id, PublicKey: s.Key.Bytes(), Signature: s.Signature[:]},
		store.Save(b.tx, store.KyberPrekeys, keyName(id), prekey{Private: k.Seed(), Made: now, LastResort: lastResort})
}

// private returns a private half, nil if there is none by that id.
func (b *Book) private(bucket store.Bucket, id uint32) (*keys.Private, error) {
	k, ok, err := store.Load[prekey](b.tx, bucket, keyName(id))
	if err != nil || !ok {
		return nil, err
	}
	if len(k.Private) != 32 {
		return nil, fmt.Errorf("stored prekey %d has %d bytes, want 32", id, len(k.Private))
	}
	return keys.NewPrivate(keys.Secret(k.Private))
}

// wanted looks up what a message asks for (3.2). lastResort says that its Kyber prekey is one that is used more than once.
func (b *Book) wanted(m *wire.PreKey) (have handshake.Prekeys, lastResort bool, err error) {
	if m.OneTime {
		if have.OneTime, err = b.private(store.Prekeys, m.PreKeyID); err != nil {
			return have, false, err
		}
	}
	if have.Signed, err = b.private(store.SignedPrekeys, m.SignedPreKeyID); err != nil || m.Version() < wire.V4 {
		return have, false, err
	}
	k, ok, err := store.Load[prekey](b.tx, store.KyberPrekeys, keyName(m.KyberPreKeyID))
	if err != nil || !ok {
		return have, false, err
	}
	if have.Kyber, err = keys.NewKyberPrivate(k.Private); err != nil || !k.LastResort {
		return have, false, err
	}
	_, have.Repeated, err = b.tx.Get(store.KyberUses, useOf(m))
	return have, true, err
}

// useOf names one use of a last-resort Kyber prekey.
func useOf(m *wire.PreKey) string {
	return fmt.Sprintf("%d %d %x", m.KyberPreKeyID, m.SignedPreKeyID, m.BaseKey.Bytes())
}

// used does what has to be done after a message has started a session (3.2).
func (b *Book) used(m *wire.PreKey, lastResort bool) error {
	if m.OneTime && m.PreKeyID != handshake.LastResort {
		if err := b.tx.Delete(store.Prekeys, keyName(m.PreKeyID)); err != nil {
			return err
		}
	}
	switch {
	case m.Version() < wire.V4:
		return nil
	case lastResort:
		return b.tx.Put(store.KyberUses, useOf(m), nil)
	}
	return b.tx.Delete(store.KyberPrekeys, keyName(m.KyberPreKeyID))
}

// with returns a sorted list with one more number in it.
func with(list []uint32, n uint32) []uint32 {
	if i, found := slices.BinarySearch(list, n); !found {
		return slices.Insert(slices.Clone(list), i, n)
	}
	return list
}

// without returns a list without a number.
func without(list []uint32, n uint32) []uint32 {
	return slices.DeleteFunc(slices.Clone(list), func(d uint32) bool { return d == n })
}
