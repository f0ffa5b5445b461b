// Package interop holds no code, only tests against foreign TUF clients: each in a folder of its own,
// pinned by its own lock file, never shipped. Today that is tufjs, npm's client, which shares no line
// with go-tuf and keeps its own idea of what the specification says.
package interop
