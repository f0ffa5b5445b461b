package store

import "context"

// PreKey is a one-time or last-resort prekey of the kind that v1 and v2 clients share: 33 bytes with the type
// byte (specification 2.1, 6.3).
type PreKey struct {
	ID     uint32
	Public []byte
}

// SignedPreKey is a prekey with the identity key's signature: a signed prekey (33 bytes), or a Kyber prekey
// (1569 bytes).
type SignedPreKey struct {
	ID        uint32
	Public    []byte
	Signature []byte
}

// MaxOneTime bounds how many one-time keys of one kind a device may store.
const MaxOneTime = 1000

// LowKeys is the number of one-time keys below which a client uploads more (specification 6.3).
const LowKeys = 10

// Upload is what a device hands in with one PUT of its keys (specification 6.3). Lists that are nil are left as
// they are; an empty, non-nil list clears the device's one-time keys of that kind; others replace them. Nil
// pointers leave what is there. The caller has verified signatures and lengths.
type Upload struct {
	IdentityKey     []byte // of the account; nil leaves it
	Signed          *SignedPreKey
	OneTime         []PreKey       // v1 and v2
	LastResort      *PreKey        // v1 and early v2; never deleted by a fetch
	Kyber           []SignedPreKey // one-time
	KyberLastResort *SignedPreKey  // never deleted by a fetch
}

// Bundle is what a sender gets for one device. The one-time keys in it exist nowhere else any more.
type Bundle struct {
	Device DeviceKey
	Signed *SignedPreKey // nil for a v1 client
	// OneTime is a one-time key, else the last-resort key, else nil. LastResort tells which.
	OneTime    *PreKey
	LastResort bool
	// Kyber likewise; nil for a device that has none.
	Kyber           *SignedPreKey
	KyberLastResort bool
	// How many one-time keys are left, counted up to LowKeys, so that the owner can be told to upload.
	Left, KyberLeft int
}

// Keys holds public prekeys. Who can write here can hand out keys of their own: clients see a changed identity
// key, and a prekey whose signature does not hold.
type Keys interface {
	// SetKeys stores an upload in one transaction. ErrNotFound; ErrTooLarge above MaxOneTime.
	SetKeys(ctx context.Context, device DeviceKey, u Upload) error
	// SetSigned rotates the signed prekey alone. ErrNotFound.
	SetSigned(ctx context.Context, device DeviceKey, k SignedPreKey) error
	// CountKeys returns how many one-time keys of each kind are left.
	CountKeys(ctx context.Context, device DeviceKey) (oneTime, kyber int, err error)
	// TakeKeys returns one bundle per device in the order asked for, leaving out devices that do not exist. One-time
	// keys, oldest id first, are **deleted in the transaction that returns them**, so none is returned twice, whatever
	// the concurrency and whatever crashes; last-resort keys stay for ever. When the commit's outcome is unknown
	// the keys are lost, never doubled. At most 100 devices. The caller has applied its rate limits: this drains keys.
	TakeKeys(ctx context.Context, devices []DeviceKey) ([]Bundle, error)
}
