package deliver

import "github.com/countersign-project/countersign/messenger/server/store"

// remembered is how many live envelopes an attachment remembers after they landed. Only those whose sender gave up
// just before the acknowledgement came are ever asked for, so a few suffice.
const remembered = 32

// flight is one live envelope.
type flight struct {
	guid   store.GUID
	landed chan struct{} // closed when the device has answered
	acked  bool          // valid then
}

// flights are the live envelopes of an attachment, under its lock: those in the air, and the last that landed.
type flights struct {
	inAir int
	known map[store.GUID]*flight
	past  []store.GUID // landed, oldest first
}

func (f *flights) begin(g store.GUID) *flight {
	if f.known == nil {
		f.known = map[store.GUID]*flight{}
	}
	one := &flight{guid: g, landed: make(chan struct{})}
	f.known[g] = one
	f.inAir++
	return one
}

func (f *flights) land(one *flight, acked bool) {
	one.acked = acked
	close(one.landed)
	f.inAir--
	f.past = append(f.past, one.guid)
	if len(f.past) > remembered {
		if old := f.known[f.past[0]]; old != nil && isClosed(old.landed) {
			delete(f.known, f.past[0])
		}
		f.past = append(f.past[:0], f.past[1:]...)
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (f *flights) find(g store.GUID) *flight { return f.known[g] }
