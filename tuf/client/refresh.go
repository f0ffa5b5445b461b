package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/countersign-project/countersign/tuf/trust"
)

// Refresh is TUF 5.3 to 5.6 through the courier: it asks for what a standard
// client asks for, verifies, and keeps what is verified. channels are the
// delegated roles to load. The time used is now or the remembered floor,
// whichever is later; with a zero now expiry is not judged.
//
// When root, timestamp, snapshot or targets fail, the Set is nil. When only
// channels fail, Set and Metadata hold everything else and the error tells of
// each channel (errors.Join). What failed is never kept.
func (c *Client) Refresh(ctx context.Context, courier Courier, now time.Time, channels ...string) (*trust.Set, trust.Metadata, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	unlock, err := c.lock()
	if err != nil {
		return nil, trust.Metadata{}, err
	}
	defer unlock()
	c.current = nil
	if err := c.reload(); err != nil {
		return nil, trust.Metadata{}, err
	}
	return c.walk(ctx, courier, channels).run(now)
}

// Load judges what is on disk, without a courier and without a change on disk.
// The error is fs.ErrNotExist (errors.Is) when nothing was fetched yet. The
// rest is as with Refresh. When the files do not fit together, because a
// refresh was cut short or is under way in another process, the last state
// that was complete is judged instead.
func (c *Client) Load(now time.Time, channels ...string) (*trust.Set, trust.Metadata, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.reload(); err != nil {
		return nil, trust.Metadata{}, err
	}
	set, files, err := c.walk(nil, nil, channels).run(now)
	var expired *trust.ExpiredError
	if err == nil || errors.As(err, &expired) {
		return set, files, err
	}
	if s, f, ok := c.loadLast(now, channels); ok {
		return s, f, nil
	}
	return set, files, err
}

func (c *Client) walk(ctx context.Context, courier Courier, channels []string) *walk {
	return &walk{c: c, ctx: ctx, courier: courier, channels: channels, kept: map[string]bool{}}
}

// walk is one pass over the roles. Without a courier it stays offline.
type walk struct {
	c        *Client
	ctx      context.Context
	courier  Courier
	channels []string
	set      *trust.Set
	files    trust.Metadata
	seen     memory
	kept     map[string]bool // roles whose file on disk is the verified one
	changed  bool            // a file below root was written
}

// keep writes a verified file. Only what is on disk is remembered as seen: a
// memory ahead of the files would make this device refuse its own.
func (w *walk) keep(role string, b []byte) error {
	if err := w.c.put(escape(role)+".json", b); err != nil {
		return err
	}
	w.kept[role] = true
	w.changed = w.changed || role != trust.Root
	return nil
}

func (w *walk) online() bool { return w.courier != nil }

func (w *walk) run(now time.Time) (*trust.Set, trust.Metadata, error) {
	if !now.IsZero() && now.Before(w.c.seen.floor()) {
		now = w.c.seen.floor()
	}
	w.set, w.seen = w.c.base.Restart(now), w.c.seen.clone()
	err := w.topLevel()
	var failed error
	if err == nil {
		failed = w.loadChannels()
	}
	if werr := w.remember(); err == nil {
		err = werr
	}
	if err != nil {
		return nil, trust.Metadata{}, err
	}
	w.c.current = w.set
	w.files.Roots = append([][]byte(nil), w.c.history...)
	if failed == nil && w.changed {
		failed = w.c.saveLast(w.files)
	}
	return w.set, w.files, failed
}

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
	return w.c.writeMemory(w.seen)
}

// fetchRole fetches the version of a role that the role above means.
func (w *walk) fetchRole(role string, use func([]byte) error) error {
	version, length, ok := w.set.Expected(role)
	if !ok {
		return &trust.MismatchError{Role: role, What: "entry in snapshot", Got: "none", Want: role + ".json"}
	}
	if length == 0 {
		length = trust.MaxBytes(role)
	}
	path := "metadata/" + escape(role) + ".json"
	if w.set.Consistent() {
		path = fmt.Sprintf("metadata/%d.%s.json", version, escape(role))
	}
	return w.fetch(path, min(length, trust.MaxBytes(role)), use)
}

// maxTries bounds what a courier with many lying sources can cost per file.
const maxTries = 16

// fetch brings one file and uses it; where that refuses the bytes and the
// courier has another source, that one is asked.
func (w *walk) fetch(path string, max int64, use func([]byte) error) error {
	for try := 1; ; try++ {
		b, err := w.courier.Fetch(w.ctx, path, max)
		if err != nil {
			return err
		}
		if err = use(b); err == nil {
			return nil
		}
		r, ok := w.courier.(Rejecter)
		if !ok || try == maxTries || !judged(err) || !r.Reject(path, err) {
			return err
		}
	}
}

// judged reports whether err says something about the bytes, rather than about
// our own disk.
func judged(err error) bool {
	var refused interface{ Refused() bool }
	var expired *trust.ExpiredError
	return errors.As(err, &refused) && refused.Refused() || errors.As(err, &expired)
}

// Find looks a target up in the Set of the last Refresh, fetching delegated
// roles on the way as a standard client does (5.6.7).
func (c *Client) Find(ctx context.Context, courier Courier, target string) (trust.Target, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		return trust.Target{}, errors.New("internal error: Find before Refresh")
	}
	unlock, err := c.lock()
	if err != nil {
		return trust.Target{}, err
	}
	defer unlock()
	w := c.walk(ctx, courier, nil)
	w.set, w.seen = c.current, c.seen.clone()
	for {
		t, err := w.set.Target(target)
		var missing *trust.Missing
		if !errors.As(err, &missing) {
			if werr := w.remember(); err == nil {
				err = werr
			}
			return t, err
		}
		if _, err := w.delegated(missing.Role, missing.Delegator); err != nil {
			return trust.Target{}, err
		}
	}
}

// escape makes a role name a file name and one path segment: everything but
// letters, digits and "_.-~" percent-encoded.
func escape(role string) string {
	var b strings.Builder
	for i := range len(role) {
		ch := role[i]
		if 'a' <= ch && ch <= 'z' || 'A' <= ch && ch <= 'Z' || '0' <= ch && ch <= '9' || strings.IndexByte("_.-~", ch) >= 0 {
			b.WriteByte(ch)
		} else {
			fmt.Fprintf(&b, "%%%02X", ch)
		}
	}
	return b.String()
}
