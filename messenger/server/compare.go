package server

import (
	"maps"
	"slices"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// compare says what is wrong with the devices a message addresses. A device that is addressed twice is one too many. Lists are never nil:
// peers want both arrays, possibly empty (6.4).
func compare(want map[uint32]store.Device, addressed []api.RecipientDevice) api.RecipientMismatch {
	bad := api.RecipientMismatch{MissingDevices: []uint32{}, ExtraDevices: []uint32{}, StaleDevices: []uint32{}}
	seen := map[uint32]bool{}
	for _, a := range addressed {
		d, ok := want[a.ID]
		switch {
		case !ok || seen[a.ID]:
			bad.ExtraDevices = append(bad.ExtraDevices, a.ID)
		case a.RegistrationID > 0 && a.RegistrationID != d.RegistrationID:
			bad.StaleDevices = append(bad.StaleDevices, a.ID)
		}
		seen[a.ID] = true
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if !seen[id] {
			bad.MissingDevices = append(bad.MissingDevices, id)
		}
	}
	slices.Sort(bad.ExtraDevices)
	slices.Sort(bad.StaleDevices)
	return bad
}
