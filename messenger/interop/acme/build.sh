#!/bin/sh
# Builds the ACME authority of this directory, once, into the user's cache under the version of pebble that go.mod pins,
# where the tests look for it: about 20 s of processor time. Prints where it is.
set -eu
cd "$(dirname "$0")"
export GOENV=off GOTOOLCHAIN=local GOFLAGS= GOWORK=off CGO_ENABLED=0
version=$(go list -m -f '{{.Version}}' github.com/letsencrypt/pebble/v2)-$(sha256sum <main.go | cut -c 1-8)
dir="${XDG_CACHE_HOME:-$HOME/.cache}/countersign-interop"
out="$dir/pebble-$version"
if [ ! -x "$out" ]; then
	mkdir -p "$dir"
	nice go build -trimpath -ldflags=-s -o "$out.$$" .
	mv "$out.$$" "$out"
fi
echo "$out"
