package server

import (
	"slices"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// recipients are devices in the order of their ids. They are few, so looking through them costs less than a map.
type recipients []store.Device

// index returns where the device of that id stands, or -1.
func (r recipients) index(id uint32) int {
	for at := range r {
		if uint32(r[at].ID) == id {
			return at
		}
	}
	return -1
}

// compare says what is wrong with the devices a message addresses. A device that is addressed twice is one too many. Lists are never nil:
// peers want both arrays, possibly empty (6.4).
func compare(want recipients, addressed []api.RecipientDevice) api.RecipientMismatch {
	bad := api.RecipientMismatch{MissingDevices: []uint32{}, ExtraDevices: []uint32{}, StaleDevices: []uint32{}}
	seen := make([]bool, len(want))
	for _, a := range addressed {
		at := want.index(a.ID)
		switch {
		case at < 0 || seen[at]:
			bad.ExtraDevices = append(bad.ExtraDevices, a.ID)
			continue
		case a.RegistrationID > 0 && a.RegistrationID != want[at].RegistrationID:
			bad.StaleDevices = append(bad.StaleDevices, a.ID)
		}
		seen[at] = true
	}
	for at, d := range want {
		if !seen[at] {
			bad.MissingDevices = append(bad.MissingDevices, uint32(d.ID))
		}
	}
	slices.Sort(bad.ExtraDevices)
	slices.Sort(bad.StaleDevices)
	return bad
}
