package update

import (
	"debug/buildinfo"
	"fmt"
	"path"
)

// Stamp is what the Go compiler wrote into a program. It survives stripping.
type Stamp struct{ Program, OS, Arch string }

// ReadStamp reads the stamp of a program file without running it. The program's name is the last element
// of its main package, which must lie in a folder cmd.
func ReadStamp(file string) (Stamp, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return Stamp{}, fmt.Errorf("no Go program: %v", err)
	}
	if path.Base(path.Dir(info.Path)) != "cmd" {
		return Stamp{}, fmt.Errorf("its main package is %q, want …/cmd/<program>", info.Path)
	}
	s := Stamp{Program: path.Base(info.Path)}
	for _, kv := range info.Settings {
		switch kv.Key {
		case "GOOS":
			s.OS = kv.Value
		case "GOARCH":
			s.Arch = kv.Value
		}
	}
	return s, nil
}
