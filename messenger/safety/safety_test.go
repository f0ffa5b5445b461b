package safety_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/safety"
	"github.com/countersign-project/countersign/messenger/vector"
	"github.com/countersign-project/countersign/messenger/wire"
)

func person(t *testing.T, v vector.Vector, name string) safety.Person {
	t.Helper()
	k, err := keys.ParsePublic(v.Hex(name + "Key"))
	if err != nil {
		t.Fatal(err)
	}
	return safety.Person{ID: []byte(v.Text(name + "ID")), Key: k}
}

func TestVectors(t *testing.T) {
	for _, v := range vector.All(t, "testdata") {
		t.Run(v.Name, func(t *testing.T) {
			alice, bob := person(t, v, "alice"), person(t, v, "bob")
			for version := uint32(1); version <= 2; version++ {
				a, b := safety.New(version, alice, bob), safety.New(version, bob, alice)
				if a.Digits() != v.Text("digits") || b.Digits() != v.Text("digits") {
					t.Errorf("digits %s and %s", a.Digits(), b.Digits())
				}
				if !bytes.Equal(a.Scannable(), v.Hex(fmt.Sprintf("aliceScannable%d", version))) {
					t.Errorf("scannable %x", a.Scannable())
				}
				v.Outcome(a.Compare(b.Scannable()))
				if err := b.Compare(a.Scannable()); err != nil {
					t.Error(err)
				}
				if !a.CompareDigits(strings.Join(b.Groups(), " ")) || len(b.Groups()) != 12 {
					t.Error("groups", b.Groups())
				}
			}
		})
	}
}

func TestWhatComparisonFinds(t *testing.T) {
	v := vector.All(t, "testdata")[0]
	alice, bob := person(t, v, "alice"), person(t, v, "bob")
	mallory := safety.Person{ID: bob.ID, Key: alice.Key}
	ours := safety.New(1, alice, bob)
	tests := []struct {
		scanned []byte
		want    string
	}{
		{safety.New(1, mallory, alice).Scannable(), "safety numbers differ: the key we have for them is not theirs"},
		{safety.New(1, bob, mallory).Scannable(), "safety numbers differ: the key they have for us is not ours"},
		{safety.New(1, alice, bob).Scannable(), "safety numbers differ: neither key is the one the other side has"},
		{safety.New(2, bob, alice).Scannable(), "the other app is newer: its code has version 2, ours 1"},
		{[]byte("hello"), "invalid message: scanned code is not a protobuf of that kind"},
	}
	for _, test := range tests {
		if err := ours.Compare(test.scanned); fmt.Sprint(err) != test.want {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
	var version *safety.VersionError
	if !errors.As(safety.New(2, alice, bob).Compare(safety.New(1, bob, alice).Scannable()), &version) || version.Error() != "the other app is older: its code has version 1, ours 2" {
		t.Error(version)
	}
	moved := bob
	moved.ID = []byte("+14154444444")
	if safety.New(1, alice, moved).Equal(ours) || !safety.New(1, alice, bob).Equal(ours) || ours.CompareDigits(safety.New(1, alice, moved).Digits()) {
		t.Error("a changed number does not change the safety number")
	}
	good := safety.New(1, bob, alice).Scannable()
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if ours.Compare(bad) == nil {
			t.Errorf("byte %d does not matter", i)
		}
		if err := ours.Compare(good[:i]); err == nil {
			t.Errorf("prefix of %d bytes accepted", i)
		}
	}
	if refusal.Of(ours.Compare([]byte{8, 0, 0x12, 0, 0x1a, 0})) != refusal.LegacyVersion {
		t.Error("version 0")
	}
}

// Only the code of the other side compares as the same; every other is refused with a reason.
func FuzzCompare(f *testing.F) {
	alice, bob := safety.Person{ID: []byte("+14152222222"), Key: keys.Public{1}}, safety.Person{ID: []byte("+14153333333"), Key: keys.Public{2}}
	ours, theirs := safety.New(1, alice, bob), safety.New(1, bob, alice).Scannable()
	f.Add(theirs)
	f.Add(ours.Scannable())
	f.Fuzz(func(t *testing.T, code []byte) {
		err := ours.Compare(code)
		if err == nil {
			s, err := wire.ParseScannable(code)
			if err != nil || !bytes.Equal(s.Encode(), theirs) {
				t.Fatalf("another code compares as the same: %x", code)
			}
			return
		}
		var version *safety.VersionError
		var mismatch *safety.MismatchError
		if refusal.Of(err) == "" && !errors.As(err, &version) && !errors.As(err, &mismatch) {
			t.Fatal(err)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		safety.New(1, safety.Person{ID: []byte("+14152222222")}, safety.Person{ID: []byte("+14153333333")})
	}
}
