// Package interop holds no code, only tests against foreign readers of our evidence: each in a folder of
// its own, pinned by its own lock file, never shipped. Today these are sigstorejs, npm's verifier of
// sigstore bundles; cosign, whose program cosign/build.sh builds once into the user's cache; and tlogproof,
// which judges our log proofs and makes ones for us, with other people's code only.
package interop
