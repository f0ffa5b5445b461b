package repo_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/tuf/repo"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

func TestVerifyCountsOnlyItsHolder(t *testing.T) {
	w := repotest.New(t, 5, 3)
	stable := w.Role("stable")
	sigs, err := repo.Signatures(stable)
	if err != nil || len(sigs) != 3 {
		t.Fatal(sigs, err)
	}
	byID := map[string]repo.Holder{}
	for _, h := range w.Layout.Targets.Holders {
		id, err := repo.KeyID(h)
		if err != nil {
			t.Fatal(err)
		}
		byID[id] = h
	}
	for _, s := range sigs {
		h := byID[s.KeyID]
		if err := repo.Verify(stable, h, s); err != nil {
			t.Error(err)
		}
		if err := repo.Verify(w.Role("beta"), h, s); err == nil || err.Error() != "targets: signature by "+h.Name+" does not verify" {
			t.Errorf("a signature for stable counts for beta: %v", err)
		}
		moved := h
		moved.Jurisdiction = "XX"
		if err := repo.Verify(stable, moved, s); err == nil || !strings.Contains(err.Error(), "signature carries key id "+s.KeyID) {
			t.Errorf("the same key under another description: %v", err)
		}
		bad := s
		bad.Sig = slices.Clone(s.Sig)
		bad.Sig[len(bad.Sig)/2] ^= 1
		if err := repo.Verify(stable, h, bad); err == nil {
			t.Error("a changed signature verifies")
		}
	}
}

func TestAttach(t *testing.T) {
	ok := must(t)
	for name, b := range unsigned(t) {
		a, c := repo.Signature{KeyID: strings.Repeat("a", 64), Sig: []byte("1")}, repo.Signature{KeyID: strings.Repeat("c", 64), Sig: []byte("2")}
		one := ok(repo.Attach(b, []repo.Signature{c, a}))
		if two := ok(repo.Attach(one, []repo.Signature{a, c})); !bytes.Equal(one, two) {
			t.Errorf("%s: the order of signatures matters", name)
		}
		got, err := repo.Signatures(one)
		if err != nil || !reflect.DeepEqual(got, []repo.Signature{a, c}) {
			t.Errorf("%s: signatures %v, %v", name, got, err)
		}
		if !bytes.Equal(ok(repo.Attach(one, nil)), b) {
			t.Errorf("%s: taking the signatures off does not give the unsigned bytes", name)
		}
		if !bytes.Equal(ok(repo.Payload(one)), ok(repo.Payload(b))) {
			t.Errorf("%s: signing changes what is signed", name)
		}
		for want, sigs := range map[string][]repo.Signature{
			"two signatures by key id":                        {a, a},
			`signature by key id "x", want 64 lower-case hex`: {{KeyID: "x", Sig: []byte("1")}},
			`signature by key id "AAAA`:                       {{KeyID: strings.Repeat("A", 64), Sig: []byte("1")}},
			"empty signature by key id " + a.KeyID:            {{KeyID: a.KeyID}},
		} {
			if b, err := repo.Attach(b, sigs); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %s, %v, want %q", name, b, err, want)
			}
		}
	}
}

// Root rotation: the same bytes carry the old quorum's signatures and the new one's.
func TestRootRotation(t *testing.T) {
	w := repotest.New(t, 6, 3)
	old := clone(w.Layout)
	old.Root.Holders, old.Root.Quorum = old.Root.Holders[:3], 2
	next := clone(w.Layout)
	next.Root.Holders, next.Root.Quorum = next.Root.Holders[2:], 3
	b, err := repo.Root(next, stamp(2))
	if err != nil {
		t.Fatal(err)
	}
	b = w.Sign(b, w.People[0].Root, w.People[1].Root, w.People[3].Root, w.People[4].Root, w.People[5].Root)
	sigs, err := repo.Signatures(b)
	if err != nil {
		t.Fatal(err)
	}
	count := func(l repo.Layout) (n int) {
		for _, h := range l.Root.Holders {
			for _, s := range sigs {
				if repo.Verify(b, h, s) == nil {
					n++
				}
			}
		}
		return n
	}
	if count(old) != 2 || count(next) != 3 {
		t.Fatalf("%d old and %d new holders signed, want 2 and 3", count(old), count(next))
	}
}

// Each byte of a file changed: either it is refused, or what it says or who signed it has changed.
func TestEveryByteMatters(t *testing.T) {
	w := repotest.New(t, 3, 2)
	for _, role := range []string{"root", "targets", "stable", "snapshot", "timestamp"} {
		good := w.Role(role)
		info, err := repo.Inspect(good)
		if err != nil {
			t.Fatal(err)
		}
		payload, _ := repo.Payload(good)
		for i := range good {
			b := slices.Clone(good)
			b[i] ^= []byte{0x01, 0x20, 0x80}[i%3]
			got, err := repo.Inspect(b)
			if err != nil {
				continue
			}
			p, err := repo.Payload(b)
			if err != nil || (bytes.Equal(p, payload) && reflect.DeepEqual(got, info)) {
				t.Fatalf("%s: byte %d changed is not noticed", role, i)
			}
		}
		for i := range good {
			if _, err := repo.Inspect(good[:i]); err == nil {
				t.Fatalf("%s: cut to %d bytes is accepted", role, i)
			}
		}
		for _, b := range [][]byte{append([]byte(" "), good...), append(slices.Clone(good), ' '), append(slices.Clone(good), good...), bytes.TrimSpace(good)} {
			if _, err := repo.Inspect(b); err == nil {
				t.Fatalf("%s: other spacing is accepted", role)
			}
		}
	}
}

// What makes readers disagree, or crash.
func TestHostileMetadata(t *testing.T) {
	good := string(unsigned(t)["stable"])
	edit := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s is not in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, b := range map[string]string{
		"null target":     edit(`{"hashes":`, `null,"stable/1/x":{"hashes":`),
		"field twice":     edit(`"version":3`, `"version":3,"version":4`),
		"other case":      edit(`"version":3`, `"Version":4,"version":3`),
		"float":           edit(`"version":3`, `"version":3.0`),
		"exponent":        edit(`"version":3`, `"version":3e0`),
		"big number":      edit(`"version":3`, `"version":3,"x":9007199254740993`),
		"unknown float":   edit(`"version":3`, `"version":3,"x":1.5`),
		"escaped":         edit(`"_type"`, `"\u005ftype"`),
		"spaces":          edit(`"version":3`, `"version": 3`),
		"null signatures": edit(`"signatures":[]`, `"signatures":null`),
		"extra outside":   edit(`{"signatures":[]`, `{"extra":1,"signatures":[]`),
		"offset":          edit(`T09:00:00Z","spec`, `T10:00:00+01:00","spec`),
		"null":            "null", "number": "1", "nothing": "", "array": "[]", "other type": `{"signed":{"_type":"mirrors"}}`,
		"deep":      strings.Repeat("[", 20000),
		"too large": good + strings.Repeat(" ", repo.MaxMetadata),
	} {
		if info, err := repo.Inspect([]byte(b)); err == nil {
			t.Errorf("%s: accepted as version %d of %s", name, info.Version, info.Role)
		} else if r, ok := err.(interface{ Refused() bool }); !ok || !r.Refused() {
			t.Errorf("%s: %v is no refusal", name, err)
		}
	}
}

func FuzzInspect(f *testing.F) {
	w := repotest.New(f, 3, 2)
	for _, role := range []string{"root", "targets", "stable", "snapshot", "timestamp"} {
		f.Add(w.Role(role))
	}
	f.Add([]byte(`{"signed":{"_type":"targets","targets":{"a":null}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := repo.Inspect(b); err != nil {
			return
		}
		sigs, err := repo.Signatures(b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := repo.Attach(b, sigs)
		if err == nil && !bytes.Equal(again, b) {
			t.Fatalf("prints as %s", again)
		}
		if _, err := repo.Diff(w.Role("stable"), b); err != nil && fmt.Sprint(err) == "" {
			t.Fatal("an error without words")
		}
	})
}
