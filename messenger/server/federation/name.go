package federation

import (
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/messenger/directory"
)

// maxName bounds a server's name: a host name is one.
const maxName = 63

// CheckName refuses what is no name of a server: 1 to 63 lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit.
func CheckName(s string) error {
	ok := s != "" && len(s) <= maxName && alphanumeric(s[0]) && alphanumeric(s[len(s)-1])
	for i := range len(s) {
		ok = ok && (alphanumeric(s[i]) || s[i] == '-' || s[i] == '.')
	}
	if !ok {
		return fmt.Errorf("%.80q is no name of a server: want 1 to %d of a to z, 0 to 9, dots and dashes", s, maxName)
	}
	return nil
}

func alphanumeric(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

// SplitAddress takes +14155550100@name, or anything else with the name of a server behind an "@", apart. Without "@" the relay is empty.
func SplitAddress(s string) (user, relay string) {
	user, relay, _ = strings.Cut(s, "@")
	return user, relay
}

// From is who writes, as their own server says it. Which server that is, is known from the connection.
type From struct {
	Number string
	Device uint32
}

// maxDevice bounds the device ids that are believed: a server of ours gives out ids of at most 100.
const maxDevice = 127

func (f From) check() error {
	if !directory.ValidNumber(f.Number) {
		return fmt.Errorf("%.20q is not a number of the form +14155550100", f.Number)
	}
	if f.Device < 1 || f.Device > maxDevice {
		return fmt.Errorf("device %d, want 1 to %d", f.Device, maxDevice)
	}
	return nil
}
