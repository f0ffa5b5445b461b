#!/bin/sh
# Builds the cosign that go.mod pins, once: it takes about 400 s of processor time, so the program is
# kept in the user's cache under its version, where the tests look for it. Prints where it is.
set -eu
cd "$(dirname "$0")"
export GOENV=off GOTOOLCHAIN=local GOFLAGS= GOWORK=off CGO_ENABLED=0
version=$(go list -m -f '{{.Version}}' github.com/sigstore/cosign/v3)
dir="${XDG_CACHE_HOME:-$HOME/.cache}/countersign-interop"
out="$dir/cosign-$version"
if [ ! -x "$out" ]; then
	mkdir -p "$dir"
	nice go build -trimpath -ldflags=-s -o "$out.$$" github.com/sigstore/cosign/v3/cmd/cosign
	mv "$out.$$" "$out"
fi
echo "$out"
