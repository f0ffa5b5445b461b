package trust

// signers counts, independently of the engine, which of a role's keys signed a
// document: distinct by raw key, each tried only against the signature that
// names its id (5.3.4, 5.4.2, 5.5.3, 5.6.3). The order is the delegator's.
func (d delegation) signers(doc *document) []Key {
	var list []Key
	counted := map[string]bool{}
	for _, k := range d.keys {
		sig, ok := doc.sigs[k.ID]
		if !ok || counted[string(k.Raw)] || !k.valid(doc.payload, sig) {
			continue
		}
		counted[string(k.Raw)] = true
		list = append(list, k.Key)
	}
	return list
}

// authorised lists the role's keys.
func (d delegation) authorised() []Key {
	list := make([]Key, len(d.keys))
	for i, k := range d.keys {
		list[i] = k.Key
	}
	return list
}

// check returns a QuorumError unless enough distinct keys of the role signed.
func (d delegation) check(doc *document) ([]Key, error) {
	signers := d.signers(doc)
	if d.quorum < 1 || len(signers) < d.quorum {
		return nil, &QuorumError{Role: doc.role, Need: d.quorum, Signers: signers, Authorised: d.authorised()}
	}
	return signers, nil
}

// strangers refuses, in Strict mode, signatures by keys that none of the given
// delegations lists: they are unsigned bytes that anybody could have added.
func strangers(doc *document, by ...delegation) error {
	known := map[string]bool{}
	for _, d := range by {
		for _, k := range d.keys {
			known[k.ID] = true
		}
	}
	for id := range doc.sigs {
		if !known[id] {
			return &FormatError{Role: doc.role, Where: "signatures", Reason: "signature by a key that is not the role's: " + id[:min(16, len(id))]}
		}
	}
	return nil
}
