package keyring

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// session wants a session bus to be there: without one the library would start a bus of its own, on which nobody keeps anything.
func (s System) session() error {
	if address := s.Getenv("DBUS_SESSION_BUS_ADDRESS"); address != "" && address != "autolaunch:" {
		return nil
	}
	run := filepath.Join("/run/user", strconv.Itoa(os.Getuid()))
	if s.Exists(filepath.Join(run, "bus")) || s.Exists(filepath.Join(run, "dbus-session")) {
		return nil
	}
	return fmt.Errorf("%w: there is no D-Bus session (DBUS_SESSION_BUS_ADDRESS is not set, and %s has no bus)", ErrUnavailable, run)
}
