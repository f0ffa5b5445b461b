package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/xeddsa"
)

// maxKeyID bounds prekey ids: 24 bit (2.2).
const maxKeyID = 0xffffff

// setKeysV2 is PUT /v2/keys (6.3).
func (s *Server) setKeysV2(c *endpoint.Call) (any, error) {
	var body api.PreKeys
	if err := s.changeKeys(c, &body); err != nil {
		return nil, err
	}
	u, err := s.uploadV2(c, body)
	if err != nil {
		return nil, err
	}
	return nil, s.Store.SetKeys(c.Context(), c.Caller.Device.Key, u)
}

// setKeysV3 is PUT /v3/keys: the same with post-quantum prekeys.
func (s *Server) setKeysV3(c *endpoint.Call) (any, error) {
	var body api.PreKeysV3
	if err := s.changeKeys(c, &body); err != nil {
		return nil, err
	}
	u, err := s.uploadV2(c, body.PreKeys)
	if err != nil {
		return nil, err
	}
	identity, err := keys.ParsePublic(u.IdentityKey)
	if err != nil {
		return nil, endpoint.Refuse(http.StatusUnprocessableEntity, "identityKey: %v", err)
	}
	if body.PQPreKeys != nil {
		u.Kyber = []store.SignedPreKey{}
	}
	for i := range body.PQPreKeys {
		k, err := checkSigned(fmt.Sprintf("pqPreKeys[%d]", i), identity, &body.PQPreKeys[i], keys.KyberPublicSize)
		if err != nil {
			return nil, err
		}
		u.Kyber = append(u.Kyber, *k)
	}
	if body.PQLastResortKey != nil {
		if u.KyberLastResort, err = checkSigned("pqLastResortPreKey", identity, body.PQLastResortKey, keys.KyberPublicSize); err != nil {
			return nil, err
		}
	}
	return nil, s.Store.SetKeys(c.Context(), c.Caller.Device.Key, u)
}

func (s *Server) changeKeys(c *endpoint.Call, body any) error {
	if err := s.allow("changes", s.limits.changes, deviceBucket(c)); err != nil {
		return err
	}
	return c.Decode(body)
}

// uploadV2 checks what PUT /v2/keys hands in: forms, ids, and the signature, so that a client's mistake shows here and not at its contacts.
func (s *Server) uploadV2(c *endpoint.Call, body api.PreKeys) (u store.Upload, err error) {
	identity, err := s.checkIdentity(c, body.IdentityKey)
	if err != nil {
		return u, err
	}
	u = store.Upload{IdentityKey: identity.Bytes(), OneTime: []store.PreKey{}}
	if body.SignedPreKey != nil {
		if u.Signed, err = checkSigned("signedPreKey", identity, body.SignedPreKey, keys.PublicSize); err != nil {
			return u, err
		}
	}
	if len(body.PreKeys) > store.MaxOneTime {
		return u, endpoint.Refuse(http.StatusRequestEntityTooLarge, "%d prekeys, want at most %d", len(body.PreKeys), store.MaxOneTime)
	}
	for i, k := range body.PreKeys {
		p, err := checkPreKey(fmt.Sprintf("preKeys[%d]", i), k.KeyID, k.PublicKey)
		if err != nil {
			return u, err
		}
		u.OneTime = append(u.OneTime, *p)
	}
	if body.LastResortKey != nil {
		u.LastResort, err = checkPreKey("lastResortKey", body.LastResortKey.KeyID, body.LastResortKey.PublicKey)
	}
	return u, err
}

// checkIdentity refuses another identity from a linked device: all devices share the master's.
func (s *Server) checkIdentity(c *endpoint.Call, key []byte) (keys.Public, error) {
	identity, err := keys.ParsePublic(key)
	if err != nil || len(key) != keys.PublicSize {
		return identity, endpoint.Refuse(http.StatusUnprocessableEntity, "identityKey is not a public key of %d bytes", keys.PublicSize)
	}
	known := c.Caller.Account.IdentityKey
	if c.Caller.Device.ID != store.MasterDevice && known != nil && !equalBytes(known, key) {
		return identity, endpoint.Refuse(http.StatusUnauthorized, "only the account's first device may change the identity key")
	}
	return identity, nil
}

func checkPreKey(what string, id uint32, key []byte) (*store.PreKey, error) {
	if _, err := keys.ParsePublic(key); err != nil || len(key) != keys.PublicSize || id > maxKeyID {
		return nil, endpoint.Refuse(http.StatusUnprocessableEntity, "%s: want an id of 24 bits and a public key of %d bytes", what, keys.PublicSize)
	}
	return &store.PreKey{ID: id, Public: key}, nil
}

func checkSigned(what string, identity keys.Public, k *api.SignedPreKey, size int) (*store.SignedPreKey, error) {
	if len(k.PublicKey) != size || k.KeyID > maxKeyID {
		return nil, endpoint.Refuse(http.StatusUnprocessableEntity, "%s: want an id of 24 bits and a public key of %d bytes, got %d", what, size, len(k.PublicKey))
	}
	if !xeddsa.Verify(identity, k.PublicKey, k.Signature) {
		return nil, endpoint.Refuse(http.StatusUnprocessableEntity, "%s: the identity key's signature does not hold", what)
	}
	return &store.SignedPreKey{ID: k.KeyID, Public: k.PublicKey, Signature: k.Signature}, nil
}

// countKeys is GET /v2/keys, and of old GET /v1/keys.
func (s *Server) countKeys(c *endpoint.Call) (any, error) {
	n, _, err := s.Store.CountKeys(c.Context(), c.Caller.Device.Key)
	return api.KeyCount{Count: n}, err
}

// countKeysV3 is GET /v3/keys.
func (s *Server) countKeysV3(c *endpoint.Call) (any, error) {
	n, pq, err := s.Store.CountKeys(c.Context(), c.Caller.Device.Key)
	return api.KeyCountV3{Count: n, PQCount: pq}, err
}

// setSigned is PUT /v2/keys/signed.
func (s *Server) setSigned(c *endpoint.Call) (any, error) {
	var body api.SignedPreKey
	if err := s.changeKeys(c, &body); err != nil {
		return nil, err
	}
	identity, err := keys.ParsePublic(c.Caller.Account.IdentityKey)
	if err != nil {
		return nil, endpoint.Refuse(http.StatusUnprocessableEntity, "the account has no identity key yet; hand in all keys first")
	}
	k, err := checkSigned("signedPreKey", identity, &body, keys.PublicSize)
	if err != nil {
		return nil, err
	}
	return nil, s.Store.SetSigned(c.Context(), c.Caller.Device.Key, *k)
}

// signed is GET /v2/keys/signed.
func (s *Server) signed(c *endpoint.Call) (any, error) {
	k := signedPreKey(c.Caller.Device.Signed)
	if k == nil {
		return nil, store.ErrNotFound
	}
	return k, nil
}

func signedPreKey(k *store.SignedPreKey) *api.SignedPreKey {
	if k == nil {
		return nil
	}
	return &api.SignedPreKey{KeyID: k.ID, PublicKey: k.Public, Signature: k.Signature}
}

func preKey(k *store.PreKey) *api.PreKey {
	if k == nil {
		return nil
	}
	return &api.PreKey{KeyID: k.ID, PublicKey: k.Public}
}

// keysV2 is GET /v2/keys/{number}/{device}.
func (s *Server) keysV2(c *endpoint.Call) (any, error) {
	all, err := s.take(c, c.PathValue("device"))
	if err != nil {
		return nil, err
	}
	answer := api.Bundles{IdentityKey: all.IdentityKey}
	for _, b := range all.Devices {
		answer.Devices = append(answer.Devices, b.Bundle)
	}
	if len(answer.Devices) == 0 {
		return nil, store.ErrNotFound
	}
	return answer, nil
}

// keysV3 is GET /v3/keys/{number}/{device}.
func (s *Server) keysV3(c *endpoint.Call) (any, error) {
	answer, err := s.take(c, c.PathValue("device"))
	if err != nil {
		return nil, err
	}
	answer.Devices = slices.DeleteFunc(answer.Devices, func(b api.BundleV3) bool { return b.SignedPreKey == nil })
	if len(answer.Devices) == 0 {
		return nil, store.ErrNotFound
	}
	return answer, nil
}

// take fetches prekeys of one device of the account in the path, or with "*" of all, here or from the server it lives on. The limit comes first: this
// is how prekeys are drained (6.8).
func (s *Server) take(c *endpoint.Call, device string) (api.BundlesV3, error) {
	number, peer, err := s.address(c.PathValue("number"), c.URL.Query().Get("relay"))
	if err != nil {
		return api.BundlesV3{}, err
	}
	if err := s.allow("prekeys", s.limits.prekeys, deviceBucket(c)+" "+number+"."+device+"@"+peer.Name()); err != nil {
		return api.BundlesV3{}, err
	}
	if peer != nil {
		return peer.Keys(c.Context(), number, device)
	}
	return s.bundles(c.Context(), number, device)
}

// bundles uses up one-time keys of an account here. Devices without any keys are left out.
func (s *Server) bundles(ctx context.Context, number, device string) (answer api.BundlesV3, err error) {
	a, err := s.Store.Account(ctx, number)
	if err != nil {
		return answer, err
	}
	devices := map[store.DeviceKey]store.Device{}
	var ask []store.DeviceKey
	for _, d := range s.activeDevices(&a) {
		if device == "*" || device == strconv.Itoa(d.ID) {
			devices[d.Key] = d
			ask = append(ask, d.Key)
		}
	}
	if len(ask) == 0 {
		return answer, store.ErrNotFound
	}
	taken, err := s.Store.TakeKeys(ctx, ask)
	answer = api.BundlesV3{IdentityKey: a.IdentityKey, DeviceList: listOf(&a)}
	for _, b := range taken {
		if b.Signed == nil && b.OneTime == nil {
			continue
		}
		d := devices[b.Device]
		answer.Devices = append(answer.Devices, api.BundleV3{PQPreKey: signedPreKey(b.Kyber), Capabilities: api.Capabilities{SPQR: d.SPQR, SenderKeys: d.SenderKeys},
			Bundle: api.Bundle{DeviceID: uint32(d.ID), RegistrationID: d.RegistrationID, SignedPreKey: signedPreKey(b.Signed), PreKey: preKey(b.OneTime)}})
	}
	return answer, err
}
