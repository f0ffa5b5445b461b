package keyring

import (
	"testing"

	"github.com/zalando/go-keyring"
)

// Without a session bus the library is not called: it would start one of its own.
func TestNoSession(t *testing.T) {
	keyring.MockInit()
	s := here(t)
	for _, c := range []struct {
		address, file string
		there         bool
	}{
		{"", "", false},
		{"autolaunch:", "", false},
		{"unix:path=/run/bus", "", true},
		{"", "bus", true},
		{"", "dbus-session", true},
	} {
		s.Getenv = func(name string) string {
			if name != "DBUS_SESSION_BUS_ADDRESS" {
				return ""
			}
			return c.address
		}
		s.Exists = func(path string) bool { return c.file != "" && path[len(path)-len(c.file)-1:] == "/"+c.file }
		if c.there {
			if err := s.Delete(t.Context(), "a"); err != nil {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		each(t, t.Context(), s, "there is no D-Bus session")
	}
}
