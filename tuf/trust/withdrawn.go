package trust

// Withdrawn is the name under which the snapshot may list one file that is no role: the withdrawals of
// releases, metadata/<version>.withdrawn.json. No role can have the name. That it is listed fixes its
// version and bytes like a role's, and its version never goes back; what it says is for others to judge.
const Withdrawn = "withdrawn"

// Listed is a file that the snapshot lists.
type Listed struct {
	Version int64
	Length  int64 // bytes
	SHA256  [32]byte
}

// Withdrawn returns what the snapshot lists as withdrawn.json; ok is false when it lists none. It is known
// once the snapshot that the timestamp means is loaded.
func (s *Set) Withdrawn() (f Listed, ok bool) {
	if !s.final {
		return Listed{}, false
	}
	m, ok := s.snapshot.meta[Withdrawn+".json"]
	if !ok {
		return Listed{}, false
	}
	f = Listed{Version: m.version, Length: m.length}
	copy(f.SHA256[:], m.hashes["sha256"])
	return f, true
}

// stillWithdrawn refuses a snapshot without the list of withdrawals that this device has seen (5.5.5).
func (s *Set) stillWithdrawn(d *document) error {
	if _, ok := d.meta[Withdrawn+".json"]; !ok && s.atLeast[Withdrawn] > 0 {
		return &MismatchError{Role: Snapshot, What: "entry for " + Withdrawn + ".json", Got: "gone", Want: "version " + number(s.atLeast[Withdrawn]) + " or newer"}
	}
	return nil
}
