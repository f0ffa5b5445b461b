package hermetic

import (
	"path/filepath"
	"runtime"
	"slices"
)

// pins are the variables whose values are the same in every box. An empty value is the absence of one:
// Check proves that nothing else filled it.
func pins() [][2]string {
	return [][2]string{
		{"CGO_ENABLED", "0"},
		{"GO111MODULE", "on"},
		{"GOAUTH", "off"},
		{"GOBIN", ""},
		{"GOCACHEPROG", ""}, // would run a program
		{"GODEBUG", ""},
		{"GOENV", "off"}, // the user's go/env file; an empty environment alone does not keep it out
		{"GOEXPERIMENT", ""},
		{"GOFIPS140", "off"},
		{"GOFLAGS", "-buildvcs=false -mod=readonly -trimpath"},
		{"GOINSECURE", ""},
		{"GONOPROXY", ""},
		{"GONOSUMDB", ""},
		{"GOPRIVATE", ""},
		{"GOSUMDB", "off"}, // go.sum is complete, and -mod=readonly refuses it otherwise
		{"GOTOOLCHAIN", "local"},
		{"GOVCS", "*:off"},
		{"GOWORK", "off"},
		{"GO_EXTLINK_ENABLED", ""},
		{"LC_ALL", "C.UTF-8"},
		{"TZ", "UTC"},
	}
}

// archPins fix what the compiler may assume of a processor; each is the least.
func archPins() [][2]string {
	return [][2]string{
		{"GO386", "sse2"},
		{"GOAMD64", "v1"},
		{"GOARM", "7"},
		{"GOARM64", "v8.0"},
		{"GOMIPS", "hardfloat"},
		{"GOMIPS64", "hardfloat"},
		{"GOPPC64", "power8"},
		{"GORISCV64", "rva20u64"},
		{"GOWASM", ""},
	}
}

// place is a variable that points into the box or at its inputs, and what the record says of it.
type place struct{ name, value, shown string }

func (b *Box) places() []place {
	const private = "(private)"
	out := []place{
		{"GOCACHE", b.cache, private},
		{"GOMODCACHE", b.modcache(), private},
		{"GOPATH", b.gopath(), private},
		{"GOPROXY", b.proxy, "(module tree)"},
		{"GOROOT", b.goroot, "(verified toolchain)"},
		{"GOTMPDIR", b.tmp(), private},
		{"HOME", b.home(), private},
		{"PATH", filepath.Join(b.goroot, "bin"), "(verified toolchain)"}, // no other program can be found
		{"TMPDIR", b.tmp(), private},
		{"XDG_CONFIG_HOME", b.configDir(), private},
	}
	if runtime.GOOS == "windows" {
		out = append(out, place{"APPDATA", b.configDir(), private}, place{"LOCALAPPDATA", b.home(), private},
			place{"TEMP", b.tmp(), private}, place{"TMP", b.tmp(), private}, place{"USERPROFILE", b.home(), private})
	}
	return out
}

// environment is the whole environment of a process in the box, for one target, sorted. What is pinned
// to nothing is absent.
func (b *Box) environment(goos, goarch string) []string {
	out := []string{"GOOS=" + goos, "GOARCH=" + goarch}
	for _, kv := range slices.Concat(pins(), archPins()) {
		if kv[1] != "" {
			out = append(out, kv[0]+"="+kv[1])
		}
	}
	for _, p := range b.places() {
		out = append(out, p.name+"="+p.value)
	}
	slices.Sort(out)
	return out
}

// Pinned is the environment for the record: what every build of this kind has, with private places
// shown as such, so that two auditors' lists are equal. It is sorted; GOOS and GOARCH are the target's.
func (b *Box) Pinned() []string {
	var out []string
	for _, kv := range slices.Concat(pins(), archPins()) {
		out = append(out, kv[0]+"="+kv[1])
	}
	for _, p := range b.places() {
		out = append(out, p.name+"="+p.shown)
	}
	slices.Sort(out)
	return out
}
