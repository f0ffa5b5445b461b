package rpc

// unknown is the number of the last message as long as there is none to name.
const unknown = -1

// told is which messages a program was told, by their numbers.
type told struct {
	last int64 // everything up to it
	// After a new connection messages come from two sides, the disk and what happens; these have come, from whichever was first.
	both    map[int64]bool
	reading bool  // from the disk
	highest int64 // of both
}

// again begins a new connection. What the one before had begun to read is read on.
func (t *told) again() {
	if !t.reading {
		t.both, t.highest = map[int64]bool{}, t.last
	}
	t.reading = true
}

// done says that all is read.
func (t *told) done() { t.reading, t.last = false, max(t.last, t.highest) }

// news tells whether a message is to be told. Number 0 is something else than a message, and always is.
func (t *told) news(seq int64) bool {
	switch {
	case seq == 0:
		return true
	case t.both[seq]:
		return false
	case t.reading:
		t.both[seq], t.highest = true, max(t.highest, seq)
	default:
		t.last = max(t.last, seq)
	}
	return true
}
