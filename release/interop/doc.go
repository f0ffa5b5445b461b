// Package interop holds no code, only tests against foreign readers of what release makes: each in a
// folder of its own, pinned by its own lock file, never shipped. Today that is htmlvalidate, npm's
// html-validate, which judges the pages of release/site.
package interop
