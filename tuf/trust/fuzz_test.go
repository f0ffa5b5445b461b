package trust

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

func FuzzRoot(f *testing.F)      { fuzzRole(f, Root, fromBytes[metadata.RootType]) }
func FuzzTimestamp(f *testing.F) { fuzzRole(f, Timestamp, fromBytes[metadata.TimestampType]) }
func FuzzSnapshot(f *testing.F)  { fuzzRole(f, Snapshot, fromBytes[metadata.SnapshotType]) }
func FuzzTargets(f *testing.F)   { fuzzRole(f, Targets, fromBytes[metadata.TargetsType]) }

// fromBytes is how the engine reads a file.
func fromBytes[T metadata.Roles](b []byte) (any, error) {
	m, err := new(metadata.Metadata[T]).FromBytes(b)
	if err != nil {
		return nil, err
	}
	return m.Signed, nil
}

// fuzzRole: whatever the strict parser passes, the engine reads without a
// panic, and both mean the same signed bytes or the engine refuses.
func fuzzRole(f *testing.F, role string, engine func([]byte) (any, error)) {
	w := newWorld()
	m := w.all()
	for _, b := range [][]byte{w.anchor(), m.Timestamp, m.Snapshot, m.Targets, m.Delegated["stable"],
		[]byte(`{"signed":{"_type":"targets","targets":{"x":null}},"signatures":[]}`), []byte(`{"signed":null}`), []byte("[")} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, mode := range []Mode{Strict, Standard} {
			d, err := parse(role, b, mode)
			if err != nil {
				continue
			}
			signed, err := engine(b) // a panic here is a finding
			if err != nil {
				continue
			}
			payload, err := cjson.EncodeCanonical(signed)
			if err == nil && mode == Strict && !bytes.Equal(payload, d.payload) && !forgets(b) {
				t.Errorf("we read %s\nthe engine %s", d.payload, payload)
			}
		}
	})
}

// forgets reports whether a file holds what the engine drops when it prints
// again: then it refuses honest signatures, which harms nobody.
func forgets(b []byte) bool {
	return bytes.Contains(b, []byte("delegations")) || bytes.Contains(b, []byte("length")) || bytes.Contains(b, []byte("\\u"))
}

// FuzzTree: what our JSON reader passes, encoding/json reads the same, and its
// canonical form is that of the library everybody signs with.
func FuzzTree(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2,null,true,"x\"\\\u00e9\n"],"":{}}`, `{"a":1,"a":2}`, `[1 2]`, `1e3`, `"\ud800"`, `{"b":1,"a":0}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseTree(b)
		if err != nil {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		var theirs any
		if err := dec.Decode(&theirs); err != nil {
			t.Fatalf("encoding/json refuses what we pass: %v", err)
		}
		want, err := cjson.EncodeCanonical(theirs)
		if err != nil {
			t.Fatal(err)
		}
		if got := canonical(v); !bytes.Equal(got, want) {
			t.Fatalf("canonical %q, want %q", got, want)
		}
		again, err := parseTree(mustJSON(t, theirs))
		if err != nil || !reflect.DeepEqual(again, v) {
			t.Fatalf("read again: %+v, %v; want %+v", again, err, v)
		}
	})
}

func mustJSON(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
