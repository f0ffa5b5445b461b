package trust

// Caps on the bytes of one metadata file, asked of the courier and checked
// again before parsing. The numbers are go-tuf's defaults; ours are below 10 kB.
const (
	MaxRoot      = 512_000
	MaxTimestamp = 16_384
	MaxSnapshot  = 2_000_000
	MaxTargets   = 5_000_000

	// MaxRootSteps is how many new roots one refresh follows (5.3.3).
	MaxRootSteps = 256

	// maxWalk is how many roles one search for a target may visit (5.6.7.1).
	maxWalk = 32
)

// Mode says how much stricter than the specification we are.
type Mode int

const (
	// Strict is what the product uses: only what our own tools write. Unique
	// role names and holders, two key types, length and sha256 everywhere, no
	// signature of a stranger.
	Strict Mode = iota
	// Standard is TUF as specified, for other people's repositories and the
	// conformance suite.
	Standard
)

// MaxBytes is the cap for one role's file when nobody has said its length.
func MaxBytes(role string) int64 {
	switch role {
	case Root:
		return MaxRoot
	case Timestamp:
		return MaxTimestamp
	case Snapshot:
		return MaxSnapshot
	}
	return MaxTargets
}
