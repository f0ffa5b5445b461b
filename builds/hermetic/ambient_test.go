package hermetic

import (
	"strings"
	"testing"
)

// Every variable of research 1.2 that changes bytes or runs a program is refused by name and value.
func TestAmbientRefused(t *testing.T) {
	for _, kv := range []string{
		"GOFLAGS=-tags=evil", "GOFLAGS=-overlay=/tmp/o.json", "GOFLAGS=-buildvcs=false", "GOEXPERIMENT=none", "GOAMD64=v3", "GOARM64=v9.0", "GOARM=5",
		"GO386=softfloat", "GORISCV64=rva23u64", "GOFIPS140=latest", "GO_EXTLINK_ENABLED=1", "GO_LDSO=/lib/ld.so", "GO_GCFLAGS=-N", "GO_LDFLAGS=-X",
		"GOCACHEPROG=/tmp/prog", "GOOS=windows", "GOARCH=386", "GOROOT_FINAL=/x", "GOHOSTARCH=386", "GO_BUILDER_NAME=x", "GONEWTHING=1",
		"CGO_ENABLED=1", "CGO_CFLAGS=-O3", "CGO_LDFLAGS=-s", "CGO_CFLAGS_ALLOW=.*",
	} {
		name, value, _ := strings.Cut(kv, "=")
		err := CheckAmbient([]string{"PATH=/bin", "GOPATH=/x", kv, "ZED=1"})
		refused(t, err, "environment has "+name+`="`+value+`", which can change what go build makes or what it runs; unset it`)
	}
}

func TestAmbientHarmless(t *testing.T) {
	for _, kv := range []string{
		"GOPATH=/x", "GOPROXY=direct", "GODEBUG=x=1", "GOENV=/home/u/env", "GOMAXPROCS=1", "GOTOOLCHAIN=auto", "GO111MODULE=off", "GOWORK=/w/go.work",
		"GOFLAGS=", "GOEXPERIMENT=", "GO_EXTLINK_ENABLED=", "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off", "CGO_ENABLED=0",
		"GOOGLE_APPLICATION_CREDENTIALS=/k.json", "CC=clang", "CXX=clang++", "PKG_CONFIG=/x", "PATH=/bin", "malformed",
	} {
		if err := CheckAmbient([]string{kv}); err != nil {
			t.Errorf("%s: %v", kv, err)
		}
	}
}

// The first culprit by name is shown, whatever the order; a long value is cut.
func TestAmbientFirst(t *testing.T) {
	err := CheckAmbient([]string{"GOOS=linux", "GOAMD64=v2", "CGO_CFLAGS=" + strings.Repeat("a", 100)})
	refused(t, err, `environment has CGO_CFLAGS="`+strings.Repeat("a", 60)+`…", which`)
}
