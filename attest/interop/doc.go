// Package interop holds no code, only tests against foreign readers of our evidence: each in a folder of
// its own, pinned by its own lock file, never shipped. Today that is sigstorejs, npm's verifier of
// sigstore bundles.
package interop
