package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A page's state that was cut off while it was written keeps no messenger from starting.
func TestAStateThatDoesNotRead(t *testing.T) {
	var log strings.Builder
	d := new(place).newDesk(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), filepath.Join(t.TempDir(), "account"))
	for _, text := range []string{"", "{", `{"sessions":7}`, "\x00\x00"} {
		if err := os.WriteFile(d.stateFile(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		log.Reset()
		if going, err := d.goOn(); going || err != nil || !strings.Contains(log.String(), d.stateFile()) {
			t.Errorf("%q: %v, %v, %s", text, going, err, log.String())
		}
	}
}
