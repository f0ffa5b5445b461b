package hermetic

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// LeakError says that the go command inside the box does not see what was pinned.
type LeakError struct{ Name, Got, Want string }

func (e *LeakError) Error() string {
	return fmt.Sprintf("the go command uses %s=%q, want %q: a setting came in from outside", e.Name, e.Got, e.Want)
}

// Refused reports true.
func (e *LeakError) Refused() bool { return true }

// unused are what "go env" shows of C compilers, which cannot run with CGO_ENABLED=0, and of places
// inside the box.
var unused = []string{
	"AR", "CC", "CXX", "FC", "GCCGO", "PKG_CONFIG", "CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS", "CGO_FFLAGS", "CGO_LDFLAGS", "GOGCCFLAGS",
	"GOTELEMETRYDIR",
}

// Check asks the go command itself what it will use for a target, and refuses by name whatever differs
// from the pins: this catches a setting from a place nobody thought of, such as an edited GOROOT/go.env.
// Dir is the source tree, whose go.mod must be the one in use; goVersion is "go1.26.8".
func (b *Box) Check(ctx context.Context, dir, goVersion, goos, goarch string) error {
	out, err := b.Go(ctx, dir, goos, goarch, "env", "-json")
	if err != nil {
		return err
	}
	var got map[string]string
	if err := json.Unmarshal(out, &got); err != nil {
		return fmt.Errorf("go env -json: %v", err)
	}
	want := map[string]string{
		"GOENV":       "", // how "off" is shown
		"GOEXE":       map[bool]string{true: ".exe"}[goos == "windows"],
		"GOHOSTOS":    runtime.GOOS,
		"GOHOSTARCH":  runtime.GOARCH,
		"GOMOD":       filepath.Join(dir, "go.mod"),
		"GOTELEMETRY": "off",
		"GOTOOLDIR":   filepath.Join(b.goroot, "pkg", "tool", runtime.GOOS+"_"+runtime.GOARCH),
		"GOVERSION":   goVersion,
	}
	for _, kv := range b.environment(goos, goarch) {
		name, value, _ := strings.Cut(kv, "=")
		if _, set := want[name]; !set {
			want[name] = value
		}
	}
	var names []string
	for name := range got {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		// A name that is not pinned has want "": a newer go command may know variables that this
		// package does not, and they must at least be unset.
		if !slices.Contains(unused, name) && got[name] != want[name] {
			return &LeakError{name, got[name], want[name]}
		}
	}
	return nil
}
