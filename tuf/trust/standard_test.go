package trust

import (
	"errors"
	"testing"
)

// TestDiamond: in standard mode a role with two delegators is verified with
// the keys of each, and never served to one on the word of the other.
func TestDiamond(t *testing.T) {
	a, b := makeKey("key of A", ""), makeKey("key of B", "")
	build := func(signers ...testKey) (*Set, Metadata) {
		w := newWorld()
		common := signedOf("targets", 1, 30)
		common["targets"] = object{"a/x": fileOf("x"), "b/x": fileOf("x")}
		for name, k := range map[string]testKey{"stable": a, "beta": b} {
			o := quorumOf(1, k)
			path := map[string]string{"stable": "a/*", "beta": "b/*"}[name]
			o["name"], o["terminating"], o["paths"] = "common", false, []any{path}
			role := map[string]object{"stable": w.stable, "beta": w.beta}[name]
			role["delegations"] = object{"keys": keyObjects(k), "roles": []any{o}}
		}
		w.delegation(0)["paths"], w.delegation(1)["paths"] = []any{"a/*"}, []any{"b/*"}
		m := w.seal(nil, map[string][]byte{"stable": sign(w.stable, w.auditors[:3]...), "beta": sign(w.beta, w.auditors[0]), "common": sign(common, signers...)})
		s, err := New(w.anchor(), Standard, today)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.UpdateTimestamp(m.Timestamp); err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{s.UpdateSnapshot(m.Snapshot), s.UpdateTargets(m.Targets),
			s.UpdateDelegated("stable", Targets, m.Delegated["stable"]), s.UpdateDelegated("beta", Targets, m.Delegated["beta"])} {
			if err != nil {
				t.Fatal(err)
			}
		}
		return s, m
	}
	find := func(s *Set, path string) error { _, err := s.Target(path); return err }

	s, m := build(a)
	wantError(t, find(s, "a/x"), `role "common", delegated by stable, is needed and not loaded`)
	if err := s.UpdateDelegated("common", "stable", m.Delegated["common"]); err != nil {
		t.Fatal(err)
	}
	if err := find(s, "a/x"); err != nil {
		t.Fatal(err)
	}
	var missing *Missing
	if err := find(s, "b/x"); !errors.As(err, &missing) || missing.Delegator != "beta" {
		t.Fatalf("served by name: %v", err)
	}
	wantError(t, s.UpdateDelegated("common", "beta", m.Delegated["common"]), "common: quorum not reached: 0 of the 1 keys authorised signed, 1 needed")
	if err := find(s, "b/x"); !errors.As(err, &missing) {
		t.Fatalf("served after a refusal: %v", err)
	}

	s, m = build(a, b)
	for _, delegator := range []string{"stable", "beta"} {
		if err := s.UpdateDelegated("common", delegator, m.Delegated["common"]); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(find(s, "a/x"), find(s, "b/x")); err != nil {
		t.Fatal(err)
	}
}

// TestPaths: patterns match segment by segment, prefixes are hexadecimal, bins
// are counted from the left of the hash.
func TestPaths(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"stable/*/*", "stable/1.4.0/release.json", true},
		{"stable/*/*", "stable/1.4.0/linux-amd64/messenger", false},
		{"stable/*/*", "stable/1.4.0", false},
		{"stable/*/*", "Stable/1.4.0/x", false},
		{"*", "a/b", false},
		{"*", "a", true},
		{"?.txt", "b.txt", true},
		{"", "", true},
	} {
		d := delegation{paths: []string{c.pattern}}
		if d.covers(c.path) != c.want {
			t.Errorf("%q covers %q: %v, want %v", c.pattern, c.path, !c.want, c.want)
		}
	}
	// sha256 of "file1.txt" begins with 55ae75d9.
	if !(delegation{prefixes: []string{"55ae"}}).covers("file1.txt") || (delegation{prefixes: []string{"55af"}}).covers("file1.txt") {
		t.Error("path_hash_prefixes are not hexadecimal digits of the hash")
	}
	for bits, want := range map[int]string{1: "bin-0", 4: "bin-5", 8: "bin-55", 10: "bin-156", 32: "bin-55ae75d9"} {
		if got := (bins{prefix: "bin", bits: bits}).bin("file1.txt").name; got != want {
			t.Errorf("%d bits: %s, want %s", bits, got, want)
		}
	}
}
