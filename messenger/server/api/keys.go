package api

// PreKey is a one-time prekey (6.3). A last-resort key has id 0xFFFFFF.
type PreKey struct {
	KeyID     uint32 `json:"keyId"`
	PublicKey Bytes  `json:"publicKey"`
}

// SignedPreKey is a prekey with the identity key's signature over it. Post-quantum prekeys have the same form, and are all signed.
type SignedPreKey struct {
	KeyID     uint32 `json:"keyId"`
	PublicKey Bytes  `json:"publicKey"`
	Signature Bytes  `json:"signature"`
}

// PreKeys is the body of PUT /v2/keys.
type PreKeys struct {
	IdentityKey   Bytes         `json:"identityKey"`
	SignedPreKey  *SignedPreKey `json:"signedPreKey"`
	PreKeys       []PreKey      `json:"preKeys"`
	LastResortKey *PreKey       `json:"lastResortKey,omitempty"` // until February 2017
}

func (k PreKeys) lists() []int { return []int{len(k.PreKeys)} }

// PreKeysV3 is the body of PUT /v3/keys: PreKeys with post-quantum keys. A list replaces the device's keys of that kind.
type PreKeysV3 struct {
	PreKeys
	PQPreKeys       []SignedPreKey `json:"pqPreKeys"`
	PQLastResortKey *SignedPreKey  `json:"pqLastResortPreKey,omitempty"`
}

func (k PreKeysV3) lists() []int { return []int{len(k.PreKeys.PreKeys), len(k.PQPreKeys)} }

// KeyCount is the answer to GET /v2/keys.
type KeyCount struct {
	Count int `json:"count"`
}

// KeyCountV3 is the answer to GET /v3/keys.
type KeyCountV3 struct {
	Count   int `json:"count"`
	PQCount int `json:"pqCount"`
}

// Bundles is the answer to GET /v2/keys/{number}/{device}.
type Bundles struct {
	IdentityKey Bytes    `json:"identityKey"`
	Devices     []Bundle `json:"devices"`
}

// Bundle is what one needs to start a session with a device.
type Bundle struct {
	DeviceID       uint32        `json:"deviceId"`
	RegistrationID uint32        `json:"registrationId"`
	SignedPreKey   *SignedPreKey `json:"signedPreKey"`
	PreKey         *PreKey       `json:"preKey"`
}

// BundlesV3 is the answer to GET /v3/keys/{number}/{device}.
type BundlesV3 struct {
	IdentityKey Bytes       `json:"identityKey"`
	Devices     []BundleV3  `json:"devices"`
	DeviceList  *DeviceList `json:"deviceList,omitempty"`
}

// BundleV3 is a Bundle with what is younger.
type BundleV3 struct {
	Bundle
	PQPreKey     *SignedPreKey `json:"pqPreKey,omitempty"`
	Capabilities Capabilities  `json:"capabilities"`
}

// PreKeyV1 is a prekey of the v2 protocol's time, which had no signed prekeys: every one repeats the identity key.
type PreKeyV1 struct {
	DeviceID       uint32 `json:"deviceId,omitempty"`
	RegistrationID uint32 `json:"registrationId,omitempty"`
	KeyID          uint32 `json:"keyId"`
	PublicKey      Bytes  `json:"publicKey"`
	IdentityKey    Bytes  `json:"identityKey"`
}

// PreKeysV1 is the body of PUT /v1/keys, and without a last-resort key the answer to GET /v1/keys/{number}/{device}.
type PreKeysV1 struct {
	LastResortKey *PreKeyV1  `json:"lastResortKey,omitempty"`
	Keys          []PreKeyV1 `json:"keys"`
}

func (k PreKeysV1) lists() []int { return []int{len(k.Keys)} }
