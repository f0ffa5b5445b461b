package cli

import (
	"os"
	"strings"
)

// UnitPath is where this program lies, in a form that a systemd unit takes as it is.
func UnitPath() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	return self, UnitWord(self)
}

// UnitWord refuses a word that systemd would read otherwise than it is written.
func UnitWord(s string) error {
	if s == "" || strings.ContainsAny(s, " %\"'\\$\n\t") {
		return Usagef("%q: systemd would not take this path as it is; move it, to /usr/local/bin for example", s)
	}
	return nil
}
