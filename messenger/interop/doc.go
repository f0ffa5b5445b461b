// Package interop holds the messenger's protocol core against the library of the people who define it: npm's
// @signalapp/libsignal-client, in the last release that speaks X3DH (0.72.1: v3, and v4 without SPQR) and in a current one
// (0.103.0: v4 with SPQR, and nothing less).
//
// The peers are never part of a program of ours. Each runs as a child process (peer.mjs) that speaks JSON lines, out of a folder
// with a pinned package.json and lock file; `npm ci --ignore-scripts` in that folder installs it. Without it the
// tests say so and skip, or fail where CI=true.
package interop
