package server

import (
	"crypto/subtle"
	"slices"
	"strconv"

	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// How long a device and an account count after their last contact, in days (6.2).
const (
	deviceLife  = 30
	accountLife = 365
)

// active tells whether a device can be written to (6.2): it has a channel and a signed prekey, and a linked one was here lately. The master of
// a client that speaks v2 has no signed prekeys; it counts once it has handed in any keys, which is when the account got an identity.
func (s *Server) active(a *store.Account, d *store.Device) bool {
	channel := d.FetchesMessages || d.GCM != "" || d.APN != ""
	if d.ID == store.MasterDevice {
		return channel && (d.Signed != nil || a.IdentityKey != nil)
	}
	return channel && d.Signed != nil && store.DayOf(s.Now())-d.Seen <= deviceLife
}

// activeAccount tells whether an account can be written to: its master can, and somebody was here within a year.
func (s *Server) activeAccount(a *store.Account) bool {
	master, ok := a.Device(store.MasterDevice)
	return ok && s.active(a, &master) && store.DayOf(s.Now())-master.Seen <= accountLife
}

// activeDevices returns those that can be written to, in the order of their ids; none when the account is not active.
func (s *Server) activeDevices(a *store.Account) []store.Device {
	if !s.activeAccount(a) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(a.Devices), func(d store.Device) bool { return !s.active(a, &d) })
}

// deviceBucket names a device, and accountBucket an account, for limits.
func deviceBucket(c *endpoint.Call) string {
	return strconv.FormatInt(int64(c.Caller.Device.Key), 36)
}

func accountBucket(c *endpoint.Call) string {
	return strconv.FormatInt(int64(c.Caller.Account.Key), 36)
}

func equalText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func equalBytes(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
