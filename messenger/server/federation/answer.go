package federation

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/countersign-project/countersign/messenger/directory"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/xeddsa"
)

// What a peer answers is checked for what an honest server could have answered to this question. Keys and signatures are judged by our users'
// clients; here it is seen to that they get answers of the form and size they expect.

// Bounds that no honest server's answer exceeds.
const (
	maxKeyID          = 0xffffff // 2.2
	maxRegistrationID = 0x3fff
	maxListSize       = 8 << 10
	profileName       = 72 // 6.7
	maxAvatar         = 256
)

// devices checks a list of device ids: each in bounds, none twice.
func devices(list []uint32) (map[uint32]bool, error) {
	set := map[uint32]bool{}
	if len(list) > maxDevice {
		return nil, fmt.Errorf("%d devices, want at most %d", len(list), maxDevice)
	}
	for _, id := range list {
		if id < 1 || id > maxDevice || set[id] {
			return nil, fmt.Errorf("device %d is out of bounds or named twice", id)
		}
		set[id] = true
	}
	return set, nil
}

// addressed are the devices a message was for.
func addressed(sent []api.Message) map[uint32]bool {
	set := map[uint32]bool{}
	for _, m := range sent {
		set[max(m.DeviceID, 1)] = true // 0 is the first, for clients of before several devices
	}
	return set
}

// checkMismatch: missing devices were not addressed; extra ones were; something is wrong at all. Both lists are there, for peers want both.
func checkMismatch(m *api.Mismatch, sent []api.Message) error {
	missing, err1 := devices(m.MissingDevices)
	extra, err2 := devices(m.ExtraDevices)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if len(missing)+len(extra) == 0 {
		return errors.New("a mismatch of nothing")
	}
	to := addressed(sent)
	for id := range missing {
		if to[id] {
			return fmt.Errorf("device %d was addressed and is called missing", id)
		}
	}
	for id := range extra {
		if !to[id] {
			return fmt.Errorf("device %d was not addressed and is called too many", id)
		}
	}
	m.MissingDevices, m.ExtraDevices = append([]uint32{}, m.MissingDevices...), append([]uint32{}, m.ExtraDevices...)
	return nil
}

// checkStale: stale devices were addressed.
func checkStale(s *api.Stale, sent []api.Message) error {
	stale, err := devices(s.StaleDevices)
	if err != nil {
		return err
	}
	if len(stale) == 0 {
		return errors.New("stale devices, but none")
	}
	to := addressed(sent)
	for id := range stale {
		if !to[id] {
			return fmt.Errorf("device %d was not addressed and is called stale", id)
		}
	}
	return nil
}

func isKey(b []byte) bool {
	_, err := keys.ParsePublic(b)
	return err == nil && len(b) == keys.PublicSize
}

// checkBundles: one identity, each device once and only those that were asked for, keys of the right size.
func checkBundles(b *api.BundlesV3, device string) error {
	if !isKey(b.IdentityKey) {
		return errors.New("the identity key is none")
	}
	ids := make([]uint32, len(b.Devices))
	for i, d := range b.Devices {
		ids[i] = d.DeviceID
		if device != "*" && device != strconv.FormatUint(uint64(d.DeviceID), 10) {
			return fmt.Errorf("device %d was not asked for", d.DeviceID)
		}
		if err := checkBundle(&d); err != nil {
			return fmt.Errorf("device %d: %w", d.DeviceID, err)
		}
	}
	if _, err := devices(ids); err != nil {
		return err
	}
	if len(ids) == 0 {
		return errors.New("no device")
	}
	if b.DeviceList != nil {
		return checkDeviceList(b.DeviceList)
	}
	return nil
}

func checkBundle(d *api.BundleV3) error {
	switch {
	case d.RegistrationID > maxRegistrationID:
		return fmt.Errorf("registration id %d", d.RegistrationID)
	case d.SignedPreKey == nil && d.PreKey == nil:
		return errors.New("no keys")
	case d.SignedPreKey != nil && (!isKey(d.SignedPreKey.PublicKey) || !signed(d.SignedPreKey)):
		return errors.New("the signed prekey is none")
	case d.PreKey != nil && (!isKey(d.PreKey.PublicKey) || d.PreKey.KeyID > maxKeyID):
		return errors.New("the prekey is none")
	case d.PQPreKey != nil && (len(d.PQPreKey.PublicKey) != keys.KyberPublicSize || !signed(d.PQPreKey)):
		return errors.New("the post-quantum prekey is none")
	}
	return nil
}

func signed(k *api.SignedPreKey) bool {
	return k.KeyID <= maxKeyID && len(k.Signature) == xeddsa.SignatureSize
}

func checkDeviceList(l *api.DeviceList) error {
	if len(l.Signature) != xeddsa.SignatureSize || len(l.List) > maxListSize {
		return fmt.Errorf("a device list of %d bytes with a signature of %d", len(l.List), len(l.Signature))
	}
	return nil
}

func checkProfile(p *api.Profile) error {
	if len(p.IdentityKey) > 0 && !isKey(p.IdentityKey) {
		return errors.New("the identity key is none")
	}
	if p.Name != "" && len(p.Name) != profileName || len(p.Avatar) > maxAvatar || !printable(p.Name) || !printable(p.Avatar) {
		return errors.New("a name or avatar of no possible form")
	}
	return nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// checkContacts: only tokens that were asked for, each once.
func checkContacts(found []api.Contact, asked []string) error {
	left := map[string]bool{}
	for _, t := range asked {
		left[t] = true
	}
	for _, c := range found {
		if !left[c.Token] {
			return fmt.Errorf("the token %.40q was not asked for, or is there twice", c.Token)
		}
		left[c.Token] = false
	}
	return nil
}

func checkUsername(u api.Username) error {
	if !directory.ValidNumber(u.Number) {
		return fmt.Errorf("%.20q is not a number", u.Number)
	}
	return nil
}
