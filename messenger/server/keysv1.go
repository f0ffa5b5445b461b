package server

import (
	"fmt"
	"net/http"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// setKeysV1 is PUT /v1/keys, for clients that speak the pairwise protocol v2: every prekey repeats the identity key (6.3).
func (s *Server) setKeysV1(c *endpoint.Call) (any, error) {
	var body api.PreKeysV1
	if err := s.changeKeys(c, &body); err != nil {
		return nil, err
	}
	if body.LastResortKey == nil {
		return nil, endpoint.Refuse(http.StatusUnprocessableEntity, "lastResortKey is missing")
	}
	identity, err := s.checkIdentity(c, body.LastResortKey.IdentityKey)
	if err != nil {
		return nil, err
	}
	if len(body.Keys) > store.MaxOneTime {
		return nil, endpoint.Refuse(http.StatusRequestEntityTooLarge, "%d prekeys, want at most %d", len(body.Keys), store.MaxOneTime)
	}
	u := store.Upload{IdentityKey: identity.Bytes(), OneTime: []store.PreKey{}}
	if u.LastResort, err = checkPreKey("lastResortKey", body.LastResortKey.KeyID, body.LastResortKey.PublicKey); err != nil {
		return nil, err
	}
	for i, k := range body.Keys {
		if !equalBytes(k.IdentityKey, u.IdentityKey) {
			return nil, endpoint.Refuse(http.StatusUnprocessableEntity, "keys[%d] names another identity key than lastResortKey", i)
		}
		p, err := checkPreKey(fmt.Sprintf("keys[%d]", i), k.KeyID, k.PublicKey)
		if err != nil {
			return nil, err
		}
		u.OneTime = append(u.OneTime, *p)
	}
	return nil, s.Store.SetKeys(c.Context(), c.Caller.Device.Key, u)
}

// keysV1Master is GET /v1/keys/{number}: one key of the first device.
func (s *Server) keysV1Master(c *endpoint.Call) (any, error) {
	list, err := s.takeV1(c, "1")
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// keysV1 is GET /v1/keys/{number}/{device}.
func (s *Server) keysV1(c *endpoint.Call) (any, error) {
	list, err := s.takeV1(c, c.PathValue("device"))
	if err != nil {
		return nil, err
	}
	return api.PreKeysV1{Keys: list}, nil
}

// takeV1 returns at least one key.
func (s *Server) takeV1(c *endpoint.Call, device string) ([]api.PreKeyV1, error) {
	all, err := s.take(c, device)
	if err != nil {
		return nil, err
	}
	var list []api.PreKeyV1
	for _, b := range all.Devices {
		if k := b.PreKey; k != nil {
			list = append(list, api.PreKeyV1{DeviceID: b.DeviceID, RegistrationID: b.RegistrationID, KeyID: k.KeyID, PublicKey: k.PublicKey, IdentityKey: all.IdentityKey})
		}
	}
	if len(list) == 0 {
		return nil, store.ErrNotFound
	}
	return list, nil
}
