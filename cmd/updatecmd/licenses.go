package updatecmd

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
)

// Library is somebody else's work in a program.
type Library struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	License string `json:"license,omitempty"` // SPDX, where it is written down here
	Source  string `json:"source,omitempty"`
	File    string `json:"file,omitempty"`
	Hash    string `json:"hash"` // of a Go module as in go.sum, of a file its SHA-256
	Changed string `json:"changed,omitempty"`
}

// libraries lists the Go modules this program was built of, and what else is in it.
func (h *Host) libraries() ([]Library, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil, errors.New("this program was built without the list of its modules")
	}
	out := []Library{{Name: "go", Version: info.GoVersion, License: "BSD-3-Clause", Source: "https://go.dev"}}
	for _, m := range info.Deps {
		for m.Replace != nil {
			m = m.Replace
		}
		out = append(out, Library{Name: m.Path, Version: m.Version, Hash: m.Sum})
	}
	if h.Libraries == nil {
		return out, nil
	}
	more, err := h.Libraries()
	return append(out, more...), err
}

func librariesText(list []Library) string {
	var b strings.Builder
	b.WriteString("This program holds the work of these others, byte for byte as these hashes say. A Go module's licence is in the module.\n\n")
	for _, l := range list {
		fmt.Fprintf(&b, "%s %s  %s", l.Name, l.Version, l.Hash)
		for _, more := range []string{l.License, l.File, l.Source, l.Changed} {
			if more != "" {
				b.WriteString("  " + more)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}
