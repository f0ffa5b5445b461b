// Package interop holds the messenger's protocol core against the libraries of others.
//
// The first judge is the library of the people who define the protocol: npm's @signalapp/libsignal-client, in the last release
// that speaks X3DH (0.72.1: v3, and v4 without SPQR) and in a current one (0.103.0: v4 with SPQR, and nothing less). Each runs as a child
// process that speaks JSON lines (peer.mjs; bench.mjs does the work of the benchmarks), out of a folder with a pinned package.json and lock file; `npm ci --ignore-scripts`
// in that folder installs it. The second judge is Debian's libsignal-protocol-c, an implementation of its own for v3, by
// way of libaxc (libaxc/peer.c, which the tests compile; packages libaxc-dev, pkg-config, gcc). It no longer starts sessions of v2, but goes on
// with them: libaxc/v2.c puts the three key agreements of v2 together and leaves the rest to the library. No other peer to be had speaks v2:
// python3-axolotl, janimo's textsecure and npm's axolotl and libsignal-protocol are v3 only.
//
// The peers are never part of a program of ours. Where one is missing the tests say so and skip, or fail if CI=true.
package interop
