package server

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/verify"
)

// linkLifetime is how long a code for a further device is good for.
const linkLifetime = 10 * time.Minute

// devices is GET /v1/devices.
func (s *Server) devices(c *endpoint.Call) (any, error) {
	list := api.Devices{Devices: []api.Device{}}
	for _, d := range c.Caller.Account.Devices {
		list.Devices = append(list.Devices, api.Device{ID: uint32(d.ID), Name: d.Name, LastSeen: d.Seen.Time().UnixMilli(), Created: d.Created.Time().UnixMilli()})
	}
	return list, nil
}

// removeDevice is DELETE /v1/devices/{id}.
func (s *Server) removeDevice(c *endpoint.Call) (any, error) {
	id, err := strconv.Atoi(c.PathValue("id"))
	if err != nil {
		return nil, endpoint.Refuse(http.StatusBadRequest, "%.20q is not a device id", c.PathValue("id"))
	}
	gone, err := s.Store.RemoveDevice(c.Context(), c.Caller.Account.Key, id)
	switch {
	case errors.Is(err, store.ErrMaster):
		return nil, endpoint.Refuse(http.StatusForbidden, "the first device cannot be removed; delete the account instead")
	case err != nil:
		return nil, err
	}
	s.disconnect([]store.DeviceKey{gone})
	return nil, nil
}

// provisioningCode is GET /v1/devices/provisioning/code.
func (s *Server) provisioningCode(c *endpoint.Call) (any, error) {
	if err := s.allow("allocate device", s.limits.allocateDevice, accountBucket(c)); err != nil {
		return nil, err
	}
	if err := s.roomForDevice(&c.Caller.Account); err != nil {
		return nil, err
	}
	code, err := verify.NewCode(s.Rand)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	switch err := s.Store.PutCode(c.Context(), store.CodeProvision, c.Caller.Account.Name, code, now, now.Add(linkLifetime)); {
	case errors.Is(err, store.ErrWrongCode):
		return nil, endpoint.TooMany(linkLifetime)
	case err != nil:
		return nil, err
	}
	return api.VerificationCode{Code: code}, nil
}

// roomForDevice counts active devices (6.2).
func (s *Server) roomForDevice(a *store.Account) error {
	if n := len(s.activeDevices(a)); n >= s.MaxDevices {
		return endpoint.RefuseWith(http.StatusLengthRequired, api.DeviceLimit{Current: n, Max: s.MaxDevices}) // 411 means "too many" here
	}
	return nil
}

// addDevice is PUT /v1/devices/{code}.
func (s *Server) addDevice(c *endpoint.Call) (any, error) {
	cred, err := fresh(c.Request, true)
	if err != nil {
		return nil, err
	}
	if err := s.allow("verify device", s.limits.verifyDevice, cred.number); err != nil {
		return nil, err
	}
	var body api.AccountAttributes
	attributes, err := s.attributes(c, &body, &body)
	if err != nil {
		return nil, err
	}
	code := digits(c.PathValue("code"))
	switch err := s.Store.CheckCode(c.Context(), store.CodeProvision, cred.number, code, s.Now()); {
	case errors.Is(err, store.ErrWrongCode):
		s.Metrics.Limited("wrong code")
		return nil, wrongCode()
	case err != nil:
		return nil, err
	}
	secret, err := NewSecret(cred.password, s.Rand)
	if err != nil {
		return nil, err
	}
	d, err := s.link(c, cred.number, code, secret, attributes)
	if err != nil {
		return nil, err
	}
	return api.DeviceID{DeviceID: uint32(d.ID)}, nil
}

// link adds the device. Where inactive devices take up the room, the one away for longest makes place.
func (s *Server) link(c *endpoint.Call, number, code string, secret []byte, attributes store.Attributes) (store.Device, error) {
	for {
		d, err := s.Store.AddDevice(c.Context(), number, code, s.MaxDevices, secret, attributes, s.Now())
		switch {
		case errors.Is(err, store.ErrWrongCode), errors.Is(err, store.ErrNotFound):
			return d, wrongCode()
		case !errors.Is(err, store.ErrTooManyDevices):
			return d, err
		}
		a, err := s.Store.Account(c.Context(), number)
		if err != nil {
			return d, err
		}
		if err := s.roomForDevice(&a); err != nil {
			return d, err
		}
		old, ok := s.longestAway(&a)
		if !ok {
			return d, endpoint.RefuseWith(http.StatusLengthRequired, api.DeviceLimit{Current: len(a.Devices), Max: s.MaxDevices})
		}
		gone, err := s.Store.RemoveDevice(c.Context(), a.Key, old)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return d, err
		}
		s.disconnect([]store.DeviceKey{gone})
	}
}

// longestAway returns the inactive linked device that was seen longest ago.
func (s *Server) longestAway(a *store.Account) (id int, ok bool) {
	var seen store.Day
	for i := range a.Devices {
		d := &a.Devices[i]
		if d.ID != store.MasterDevice && !s.active(a, d) && (!ok || d.Seen < seen) {
			id, seen, ok = d.ID, d.Seen, true
		}
	}
	return id, ok
}
