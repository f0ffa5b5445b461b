#!/bin/sh
# Runs the public tuf-conformance suite against cmd/tuf-client. See README.md.
set -eu

if [ -z "${TUF_CONFORMANCE:-}" ]; then
	echo "SKIP: TUF_CONFORMANCE does not name a checkout of theupdateframework/tuf-conformance"
	exit 0
fi
repository=$(cd "$(dirname "$0")/../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

(cd "$repository" && GOENV=off GOFLAGS= go build -o "$work/tuf-client" ./cmd/tuf-client)

cd "$TUF_CONFORMANCE"
python=${PYTHON:-env/bin/python}
[ -x "$python" ] || python=${PYTHON:-python3}
"$python" -m pytest tuf_conformance --entrypoint "$work/tuf-client" "$@"
