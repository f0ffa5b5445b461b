#!/usr/bin/env bash
# Generates the Go code of the messenger's protobufs, or with --check says whether the committed code is what would be generated.
# Needs protoc (Debian: protobuf-compiler); the Go plugin is built at the version go.mod requires.
set -euo pipefail
cd "$(dirname "$0")"
command -v protoc >/dev/null || { echo "protoc is not installed (Debian: protobuf-compiler)" >&2; exit 3; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go
protoc --plugin="$work/protoc-gen-go" --go_out="$work" --go_opt=paths=source_relative -I . ./*.proto
# The comment that names the protoc release is dropped, so that any release gives the same files.
sed -i '/^\/\/ \tprotoc  *v/d' "$work"/*.pb.go
gofmt -w "$work"/*.pb.go
if [ "${1:-}" = --check ]; then
	for f in *.proto; do diff -u "${f%.proto}.pb.go" "$work/${f%.proto}.pb.go"; done
	exit
fi
cp "$work"/*.pb.go .
