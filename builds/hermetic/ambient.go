package hermetic

import (
	"fmt"
	"sort"
	"strings"
)

// AmbientError names a variable of the person's environment that would have changed a plain build.
type AmbientError struct{ Name, Value string }

func (e *AmbientError) Error() string {
	value := e.Value
	if len(value) > 60 {
		value = value[:60] + "…"
	}
	return fmt.Sprintf("environment has %s=%q, which can change what go build makes or what it runs; unset it", e.Name, value)
}

// Refused reports true: a build that starts by ignoring it would surprise its maker.
func (e *AmbientError) Refused() bool { return true }

// harmless variables may be set: they say where things are kept or fetched from, how much is used of the
// machine, or what is printed. The box replaces every one of them; none reaches a compiler.
var harmless = []string{
	"GOAUTH", "GOBIN", "GOCACHE", "GODEBUG", "GOENV", "GOGC", "GOINSECURE", "GOMAXPROCS", "GOMEMLIMIT", "GOMODCACHE",
	"GONOPROXY", "GONOSUMDB", "GOPATH", "GOPRIVATE", "GOPROXY", "GOROOT", "GOSUMDB", "GOTELEMETRY", "GOTELEMETRYDIR",
	"GOTMPDIR", "GOTOOLCHAIN", "GOTRACEBACK", "GOVCS", "GO111MODULE", "GOWORK",
}

// CheckAmbient refuses the first variable, by name, that is Go's and not known to be harmless. The box
// starts from an empty environment, so the bytes would be right anyway; but a person whose GOFLAGS or
// GOEXPERIMENT is set gets other bytes from a plain build and should hear it before comparing. A
// variable that is empty, or has the very value that the box pins, changes nothing.
func CheckAmbient(environ []string) error {
	allowed := map[string]bool{}
	for _, name := range harmless {
		allowed[name] = true
	}
	pinned := map[string]string{}
	for _, kv := range append(pins(), archPins()...) {
		pinned[kv[0]] = kv[1]
	}
	var bad []AmbientError
	for _, kv := range environ {
		name, value, ok := strings.Cut(kv, "=")
		upper := strings.ToUpper(name) // Windows does not care about case
		if !ok || value == "" || allowed[upper] || !goes(upper) || pinned[upper] == value {
			continue
		}
		bad = append(bad, AmbientError{name, value})
	}
	if len(bad) == 0 {
		return nil
	}
	sort.Slice(bad, func(i, j int) bool { return bad[i].Name < bad[j].Name })
	return &bad[0]
}

// goes reports whether a variable has the shape of one that the go command or cgo reads. Google's
// tools share the first two letters and may hold secrets; they are none of our business.
func goes(name string) bool {
	if strings.HasPrefix(name, "GOOGLE_") {
		return false
	}
	return strings.HasPrefix(name, "GO") || strings.HasPrefix(name, "CGO_")
}
