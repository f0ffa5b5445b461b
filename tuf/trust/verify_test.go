package trust

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestVerifyTellsWhoSignedWhat(t *testing.T) {
	w := newWorld()
	w.stable[eventField] = strings.Repeat("ab", 32)
	s := mustVerify(t, w)
	var order []string
	for _, r := range s.Roles() {
		order = append(order, r.Name)
	}
	if got := strings.Join(order, " "); got != "root timestamp snapshot targets beta stable" {
		t.Fatalf("roles %s", got)
	}
	r, ok := s.Role("stable")
	if !ok || r.Version != 4 || r.Quorum != 3 || !r.Made.Equal(today) || r.Event != strings.Repeat("ab", 32) ||
		!r.Expires.Equal(today.AddDate(0, 0, 90)) {
		t.Fatalf("stable %+v", r)
	}
	if holders(r.Signers) != "[Ada Ben Cleo]" || holders(r.Authorised) != "[Ada Ben Cleo Dan Eve]" {
		t.Fatalf("signers %s of %s", holders(r.Signers), holders(r.Authorised))
	}
	if k := r.Signers[1]; k.Organisation != "Ben Org" || k.Jurisdiction != "PT" || len(k.Raw) != 44 {
		t.Fatalf("key %+v", k)
	}
	var paths []string
	for _, f := range s.Targets("stable") {
		paths = append(paths, f.Path)
	}
	if !slices.Equal(paths, []string{"stable/1.4.0/linux-amd64/messenger", "stable/1.4.0/release.json"}) {
		t.Fatalf("targets %q", paths)
	}
	f, err := s.Target("stable/1.4.0/linux-amd64/messenger")
	if err != nil || f.Role != "stable" || f.Match([]byte("program")) != nil {
		t.Fatalf("%+v, %v", f, err)
	}
	wantError(t, f.Match([]byte("progrbm")), "stable/1.4.0/linux-amd64/messenger: sha256 is df28a8f22f995e2f…, want 1310ca2c8932dbd1…")
	if _, err := s.Target("stable/9.9.9/release.json"); !errors.Is(err, ErrNoTarget) {
		t.Fatalf("unknown target: %v", err)
	}
}

// TestEverySubsetOfAuditors: below k refused, from k on accepted, for each
// role that auditors or holders sign.
func TestEverySubsetOfAuditors(t *testing.T) {
	for role, verify := range map[string]func(w *world, signers func([]testKey) []testKey) error{
		"root": func(w *world, pick func([]testKey) []testKey) error {
			next := w.anchor()
			w.root["version"] = 2
			m := w.all()
			m.Roots = [][]byte{sign(w.root, pick(w.holders)...)}
			_, err := Verify(next, m, today)
			return err
		},
		"targets": func(w *world, pick func([]testKey) []testKey) error {
			_, err := Verify(w.anchor(), w.seal(sign(w.targets, pick(w.auditors)...), nil), today)
			return err
		},
		"stable": func(w *world, pick func([]testKey) []testKey) error {
			s, err := Verify(w.anchor(), w.seal(nil, map[string][]byte{"stable": sign(w.stable, pick(w.auditors)...)}), today)
			if s == nil {
				return errors.New("the top level became unusable")
			}
			if _, ok := s.Role("stable"); ok != (err == nil) {
				return errors.New("role and error disagree")
			}
			return err
		},
	} {
		for set := range 1 << 5 {
			var who []string
			pick := func(all []testKey) (list []testKey) {
				who = nil
				for i, k := range all {
					if set&(1<<i) != 0 {
						list = append(list, k)
						who = append(who, names[i])
					}
				}
				return list
			}
			err := verify(newWorld(), pick)
			var q *QuorumError
			switch {
			case len(who) >= 3 && err != nil:
				t.Errorf("%s signed by %v: %v", role, who, err)
			case len(who) < 3 && !errors.As(err, &q):
				t.Errorf("%s signed by %v only: %v", role, who, err)
			case len(who) < 3 && (len(q.Signers) != len(who) || q.Need != 3 || len(q.Authorised) != 5 || !q.Refused()):
				t.Errorf("%s signed by %v: %+v", role, who, q)
			}
		}
	}
}

func TestQuorumErrorNamesTheSigners(t *testing.T) {
	w := newWorld()
	_, err := Verify(w.anchor(), w.seal(nil, map[string][]byte{"stable": sign(w.stable, w.auditors[1], w.auditors[4])}), today)
	wantError(t, err, "stable: quorum not reached: 2 of the 5 keys authorised signed (Ben, Eve), 3 needed")
}

func TestExpiryOfEachRole(t *testing.T) {
	for role, days := range map[string]int{"timestamp": 1, "snapshot": 7, "stable": 90, "targets": 180, "root": 365} {
		w := newWorld()
		for name, o := range map[string]object{"timestamp": w.timestamp, "snapshot": w.snapshot, "stable": w.stable, "targets": w.targets, "root": w.root, "beta": w.beta} {
			if name != role { // only this one runs out
				o["expires"] = "2040-01-01T00:00:00Z"
			}
		}
		end := today.AddDate(0, 0, days)
		if _, err := Verify(w.anchor(), w.all(), end); err != nil {
			t.Errorf("%s in its last second: %v", role, err)
		}
		s, err := Verify(w.anchor(), w.all(), end.Add(time.Second))
		var e *ExpiredError
		if !errors.As(err, &e) || e.Role != role || !e.Expires.Equal(end) {
			t.Errorf("%s a second later: %v", role, err)
		}
		if (s != nil) != (role == "stable") {
			t.Errorf("%s expired: set %v", role, s)
		}
		if _, err := Verify(w.anchor(), w.all(), time.Time{}); err != nil {
			t.Errorf("%s without a time: %v", role, err)
		}
	}
	w := newWorld()
	_, err := Verify(w.anchor(), w.all(), today.AddDate(0, 0, 2))
	wantError(t, err, "timestamp: expired on 2026-11-22T12:00:00Z, now is 2026-11-23T12:00:00Z")
	var refused interface{ Refused() bool }
	if errors.As(err, &refused) {
		t.Error("age counts as a refusal")
	}
}

// TestClockSetBack: what root holders dated moves the time forward; what the
// publisher alone dated does not.
func TestClockSetBack(t *testing.T) {
	w := newWorld()
	w.timestamp[madeField] = "2026-11-22T11:00:00Z"
	s, err := Verify(w.anchor(), w.all(), today.AddDate(-10, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if !s.Now().Equal(today) {
		t.Fatalf("now %v, want the %v of root", s.Now(), today)
	}
	anchor, m := w.anchor(), w.all()
	w.root["version"], w.root[madeField] = 2, "2026-12-21T12:00:00Z"
	m.Roots = [][]byte{w.anchor()}
	_, err = Verify(anchor, m, today.AddDate(-10, 0, 0))
	wantError(t, err, "timestamp: expired on 2026-11-22T12:00:00Z, now is 2026-12-21T12:00:00Z")
}

// TestEachRoleSwapped is mix and match: a role that was good yesterday, or is
// good elsewhere, in the bundle of today.
func TestEachRoleSwapped(t *testing.T) {
	old := newWorld()
	before := old.all()
	w := newWorld()
	for _, o := range []object{w.targets, w.stable, w.snapshot, w.timestamp} {
		o["version"] = o["version"].(int) + 1
	}
	w.stable["targets"].(object)["stable/1.4.1/release.json"] = fileOf("release two")
	now := w.all()
	// Snapshot lists fresh versions of unequal length, so that length speaks first.
	for name, c := range map[string]struct {
		swap func(m *Metadata)
		want string
	}{
		"snapshot": {func(m *Metadata) { m.Snapshot = before.Snapshot }, "snapshot: sha256 is "},
		"targets":  {func(m *Metadata) { m.Targets = before.Targets }, "targets: sha256 is "},
		"stable": {func(m *Metadata) { m.Delegated = map[string][]byte{"stable": before.Delegated["stable"]} },
			"stable: length is "},
		"beta for stable": {func(m *Metadata) { m.Delegated = map[string][]byte{"stable": now.Delegated["beta"]} },
			"stable: length is "},
		"targets for stable": {func(m *Metadata) { m.Delegated = map[string][]byte{"stable": now.Targets} },
			"stable: length is "},
		"timestamp for snapshot": {func(m *Metadata) { m.Snapshot = m.Timestamp }, "snapshot: length is "},
		"nobody's role":          {func(m *Metadata) { m.Delegated = map[string][]byte{"nightly": now.Delegated["beta"]} }, "nightly: delegation is none, want one by a verified role"},
	} {
		m := now
		c.swap(&m)
		_, err := Verify(w.anchor(), m, today)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s swapped: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Verify(w.anchor(), now, today); err != nil {
		t.Fatal(err)
	}
}

// TestRollbackOfEachRole: what a device has seen is a floor, file or no file.
func TestRollbackOfEachRole(t *testing.T) {
	w := newWorld()
	load := func(floors map[string]int64, m Metadata) error {
		s, err := New(w.anchor(), Strict, today)
		if err != nil {
			t.Fatal(err)
		}
		for role, v := range floors {
			s.AtLeast(role, v)
		}
		if _, err := s.UpdateTimestamp(m.Timestamp); err != nil {
			return err
		}
		if err := s.UpdateSnapshot(m.Snapshot); err != nil {
			return err
		}
		if err := s.UpdateTargets(m.Targets); err != nil {
			return err
		}
		return s.updateAll(m.Delegated)
	}
	for _, c := range []struct {
		floors map[string]int64
		want   string
	}{
		{map[string]int64{Root: 1, Timestamp: 9, Snapshot: 7, Targets: 1, "stable": 4}, ""},
		{map[string]int64{Root: 2}, "root: version 1 offered, but version 2 was seen before"},
		{map[string]int64{Timestamp: 10}, "timestamp: version 9 offered, but version 10 was seen before"},
		{map[string]int64{Snapshot: 8}, "snapshot: version 7 offered, but version 8 was seen before"},
		{map[string]int64{Targets: 2}, "targets: version 1 offered, but version 2 was seen before"},
		{map[string]int64{"stable": 5}, "stable: version 4 offered, but version 5 was seen before"},
	} {
		err := load(c.floors, w.all())
		if c.want == "" {
			if err != nil {
				t.Errorf("%v: %v", c.floors, err)
			}
			continue
		}
		var r *RollbackError
		if !errors.As(err, &r) || err.Error() != c.want || !r.Refused() {
			t.Errorf("%v: %v, want %q", c.floors, err, c.want)
		}
	}
}

// TestOlderThanLoaded: the online keys alone cannot bring back what auditors
// signed before, once a newer snapshot was loaded (5.4.3, 5.5.5).
func TestOlderThanLoaded(t *testing.T) {
	w := newWorld()
	first := w.all()
	w.stable["version"] = 3
	w.snapshot["version"], w.timestamp["version"] = 8, 10
	back := w.all() // newer snapshot, older channel
	s, err := New(w.anchor(), Strict, today)
	if err != nil {
		t.Fatal(err)
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = s.UpdateTimestamp(first.Timestamp)
	ok(err)
	newer, err := s.UpdateTimestamp(back.Timestamp)
	if !newer || err != nil {
		t.Fatal(newer, err)
	}
	newer, err = s.UpdateTimestamp(back.Timestamp)
	if newer || err != nil {
		t.Fatal("the same timestamp again:", newer, err)
	}
	_, err = s.UpdateTimestamp(first.Timestamp)
	wantError(t, err, "timestamp: version 9 offered, but version 10 was seen before")
	final, err := s.LoadSnapshot(first.Snapshot)
	if final || err != nil {
		t.Fatal("an older snapshot of ours:", final, err)
	}
	wantError(t, s.UpdateSnapshot(back.Snapshot), "stable: version 3 offered, but version 4 was seen before")
	w.snapshot["version"], w.timestamp["version"] = 9, 11
	gone := w.seal(nil, map[string][]byte{"beta": first.Delegated["beta"]})
	s2, _ := New(w.anchor(), Strict, today)
	_, err = s2.UpdateTimestamp(gone.Timestamp)
	ok(err)
	_, err = s2.LoadSnapshot(first.Snapshot)
	ok(err)
	wantError(t, s2.UpdateSnapshot(gone.Snapshot), "snapshot: entry for stable.json is gone, want version 4 or newer")
}

func TestOrderIsKept(t *testing.T) {
	w := newWorld()
	m := w.all()
	s, err := New(w.anchor(), Strict, today)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{s.UpdateSnapshot(m.Snapshot), s.UpdateTargets(m.Targets), s.UpdateDelegated("stable", Targets, m.Delegated["stable"]), s.UpdateDelegated(Targets, Targets, m.Targets)} {
		if err == nil {
			t.Fatal("a role was taken before the one above it")
		}
	}
	if _, err := s.UpdateTimestamp(m.Timestamp); err != nil {
		t.Fatal(err)
	}
	if err := s.UpdateRoot(w.anchor()); !errors.Is(err, errOrder) {
		t.Fatalf("root after timestamp: %v", err)
	}
}
