package client

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/countersign-project/countersign/tuf/trust"
)

// topLevel runs the steps in the order of the specification.
func (w *walk) topLevel() error {
	for _, step := range []func() error{w.roots, w.recover, w.timestamp, w.snapshot, w.targets} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// roots is 5.3: follow the chain until nobody has a next root.
func (w *walk) roots() error {
	for range trust.MaxRootSteps {
		if !w.online() {
			return nil
		}
		root, _ := w.set.Role(trust.Root)
		name := fmt.Sprintf("%d.root.json", root.Version+1)
		err := w.fetch("metadata/"+name, trust.MaxRoot, func(b []byte) error {
			if err := w.set.UpdateRoot(b); err != nil {
				return err
			}
			// History before root.json: after a crash in between, the history
			// is what counts and Open repairs the other.
			if err := w.c.put(rootsDir+"/"+name, b); err != nil {
				return err
			}
			w.c.history, w.c.base = append(w.c.history, b), w.set.Restart(zero)
			return w.keep(trust.Root, b)
		})
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// recover is 5.3.11: when root has replaced a key of timestamp or snapshot,
// whoever stole the old one may have driven version numbers up; files and
// memory made under it go. Files first: a crash then finds the memory still
// naming the old keys, and does it again.
func (w *walk) recover() error {
	root, _ := w.set.Role(trust.Root)
	if root.Version < w.seen.Root {
		// The newest root is hidden from us, or its file is lost: keys of an
		// older one say nothing about what was replaced.
		return &trust.RollbackError{Role: trust.Root, Got: root.Version, Have: w.seen.Root}
	}
	w.kept[trust.Root] = true
	if w.seen.changed(trust.Timestamp, w.set.Authorised(trust.Timestamp)) ||
		w.seen.changed(trust.Snapshot, w.set.Authorised(trust.Snapshot)) {
		if w.online() {
			for _, role := range []string{trust.Timestamp, trust.Snapshot} {
				if err := w.c.disk.Remove(w.c.path(role + ".json")); err != nil {
					return err
				}
			}
		}
		w.seen.Timestamp, w.seen.Snapshot = 0, 0
		delete(w.seen.Channels, trust.Withdrawn) // its version is the snapshot's word
		delete(w.seen.Keys, trust.Timestamp)
		delete(w.seen.Keys, trust.Snapshot)
		if w.c.mode == trust.Standard {
			// The specification's only memory of targets is the snapshot.
			w.seen.Targets, w.seen.Channels = 0, map[string]int64{}
		}
	}
	if w.seen.replaced(trust.Targets, w.set.Authorised(trust.Targets)) {
		w.seen.Targets = 0
		delete(w.seen.Keys, trust.Targets)
	}
	w.set.AtLeast(trust.Timestamp, w.seen.Timestamp)
	w.set.AtLeast(trust.Snapshot, w.seen.Snapshot)
	w.set.AtLeast(trust.Withdrawn, w.seen.Channels[trust.Withdrawn])
	w.set.AtLeast(trust.Targets, w.seen.Targets)
	return nil
}

// timestamp is 5.4. The kept one may be expired: it guards against rollback.
func (w *walk) timestamp() error {
	const name = "timestamp.json"
	local := w.c.get(name, trust.MaxTimestamp)
	var err error
	if local != nil {
		var loaded bool
		if loaded, err = w.set.UpdateTimestamp(local); loaded {
			w.files.Timestamp = local
			w.kept[trust.Timestamp] = true
		}
	}
	if !w.online() {
		if local == nil {
			return fmt.Errorf("%s: nothing was fetched yet: %w", w.c.path(name), fs.ErrNotExist)
		}
		return err
	}
	return w.fetch("metadata/"+name, trust.MaxTimestamp, func(b []byte) error {
		newer, err := w.set.UpdateTimestamp(b)
		if err != nil || !newer {
			return err
		}
		w.files.Timestamp = b
		return w.keep(trust.Timestamp, b)
	})
}

// snapshot is 5.5.
func (w *walk) snapshot() error {
	const name = "snapshot.json"
	local := w.c.get(name, trust.MaxSnapshot)
	var err error
	if local != nil {
		var final bool
		if final, err = w.set.LoadSnapshot(local); err == nil && final {
			w.files.Snapshot = local
			w.kept[trust.Snapshot] = true
			return nil
		}
	}
	if !w.online() {
		return w.incomplete(name, err)
	}
	return w.fetchRole(trust.Snapshot, func(b []byte) error {
		if err := w.set.UpdateSnapshot(b); err != nil {
			return err
		}
		w.files.Snapshot = b
		return w.keep(trust.Snapshot, b)
	})
}

// targets is 5.6 for the top-level role.
func (w *walk) targets() error {
	b, err := w.delegated(trust.Targets, trust.Root)
	w.files.Targets = b
	return err
}

// delegated loads a targets role, from disk when that copy is the one the
// snapshot means, or else through the courier.
func (w *walk) delegated(role, delegator string) ([]byte, error) {
	name := escape(role) + ".json"
	local := w.c.get(name, trust.MaxTargets)
	var err error
	if local != nil {
		if err = w.set.UpdateDelegated(role, delegator, local); err == nil {
			w.kept[role] = true
			return local, nil
		}
	}
	if !w.online() {
		return nil, w.incomplete(name, err)
	}
	var got []byte
	err = w.fetchRole(role, func(b []byte) error {
		if err := w.set.UpdateDelegated(role, delegator, b); err != nil {
			return err
		}
		got = b
		return w.keep(role, b)
	})
	return got, err
}

// incomplete explains why an offline walk ends.
func (w *walk) incomplete(name string, why error) error {
	if why != nil {
		return why
	}
	return fmt.Errorf("%s: missing or older than the files above it: %w", w.c.path(name), fs.ErrNotExist)
}

// loadChannels loads each delegated role asked for; one bad channel does not
// keep the others away.
func (w *walk) loadChannels() error {
	var errs []error
	for _, role := range w.channels {
		if err := w.channel(role); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (w *walk) channel(role string) error {
	delegator, ok := w.set.Delegator(role)
	if !ok {
		return &trust.MismatchError{Role: role, What: "delegation", Got: "none", Want: "one by targets"}
	}
	if w.seen.replaced(role, w.set.Delegated(role)) {
		delete(w.seen.Channels, role)
		delete(w.seen.Keys, role)
	}
	w.set.AtLeast(role, w.seen.Channels[role])
	b, err := w.delegated(role, delegator)
	if err != nil {
		return err
	}
	if w.files.Delegated == nil {
		w.files.Delegated = map[string][]byte{}
	}
	w.files.Delegated[role] = b
	return nil
}

// remember adds what was verified to seen.json, however far the walk came.
func (w *walk) remember() error {
	if !w.online() {
		return nil
	}
	for _, r := range w.set.Roles() {
		if w.kept[r.Name] {
			w.seen.note(r)
		}
	}
	if f, ok := w.set.Withdrawn(); ok && w.kept[trust.Snapshot] {
		w.seen.Channels[trust.Withdrawn] = max(w.seen.Channels[trust.Withdrawn], f.Version)
	}
	return w.c.writeMemory(w.seen)
}
