#!/bin/sh
# Builds the S3-compatible store that go.mod pins, once: it takes about 70 s of processor time, so the program is
# kept in the user's cache under its version, where the tests look for it. Prints where it is.
set -eu
cd "$(dirname "$0")"
export GOENV=off GOTOOLCHAIN=local GOFLAGS= GOWORK=off CGO_ENABLED=0
version=$(go list -m -f '{{.Version}}' github.com/versity/versitygw)
dir="${XDG_CACHE_HOME:-$HOME/.cache}/countersign-interop"
out="$dir/versitygw-$version"
if [ ! -x "$out" ]; then
	mkdir -p "$dir"
	nice go build -trimpath -ldflags=-s -o "$out.$$" github.com/versity/versitygw/cmd/versitygw
	mv "$out.$$" "$out"
fi
echo "$out"
