package update

import (
	"debug/buildinfo"
	"fmt"
	"path"
)

// stamp is what the Go compiler wrote into a program. It survives stripping.
type stamp struct{ Program, OS, Arch string }

// readStamp reads the stamp of a program file without running it. The program's name is the last element
// of its main package, which must lie in a folder cmd.
func readStamp(file string) (stamp, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return stamp{}, fmt.Errorf("no Go program: %v", err)
	}
	if path.Base(path.Dir(info.Path)) != "cmd" {
		return stamp{}, fmt.Errorf("its main package is %q, want …/cmd/<program>", info.Path)
	}
	s := stamp{Program: path.Base(info.Path)}
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
