package server

import (
	"errors"
	"net/http"

	"github.com/countersign-project/countersign/messenger/devicelist"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/xeddsa"
)

// setDeviceList is PUT /v3/devices/list. The server checks what it can, so that a mistake shows here; clients believe the signature only.
func (s *Server) setDeviceList(c *endpoint.Call) (any, error) {
	if err := s.allow("changes", s.limits.changes, deviceBucket(c)); err != nil {
		return nil, err
	}
	var body api.DeviceList
	if err := c.Decode(&body); err != nil {
		return nil, err
	}
	identity, err := keys.ParsePublic(c.Caller.Account.IdentityKey)
	if err != nil {
		return nil, endpoint.Refuse(http.StatusUnprocessableEntity, "the account has no identity key yet; hand in keys first")
	}
	list, err := devicelist.Open(identity, body.List, body.Signature)
	if err != nil {
		return nil, endpoint.Refuse(http.StatusUnprocessableEntity, "%v", err)
	}
	signed := append(append([]byte{}, body.Signature...), body.List...)
	err = s.Store.SetDeviceList(c.Context(), c.Caller.Account.Key, list.Serial, signed)
	if errors.Is(err, store.ErrStale) {
		return nil, endpoint.Refuse(http.StatusConflict, "serial %d is not above the one on record", list.Serial)
	}
	return nil, err
}

// deviceList is GET /v3/devices/list/{number}.
func (s *Server) deviceList(c *endpoint.Call) (any, error) {
	if err := s.allow("profiles", s.limits.profiles, accountBucket(c)); err != nil {
		return nil, err
	}
	number, peer, err := s.address(c.PathValue("number"), c.URL.Query().Get("relay"))
	if err != nil {
		return nil, err
	}
	if peer != nil {
		return peer.DeviceList(c.Context(), number)
	}
	a, err := s.Store.Account(c.Context(), number)
	if err != nil {
		return nil, err
	}
	if l := listOf(&a); l != nil {
		return l, nil
	}
	return nil, endpoint.Refuse(http.StatusNotFound, "this account has no signed device list")
}

// listOf returns the signed list on record, or nil. It is kept as signature ‖ list.
func listOf(a *store.Account) *api.DeviceList {
	if len(a.DeviceList) < xeddsa.SignatureSize {
		return nil
	}
	return &api.DeviceList{Signature: a.DeviceList[:xeddsa.SignatureSize], List: a.DeviceList[xeddsa.SignatureSize:]}
}
