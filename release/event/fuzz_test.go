package event_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/countersign-project/countersign/release/event"
	. "github.com/countersign-project/countersign/release/publish/roomtest"
)

// seeds adds real files of a staged release to a corpus, besides the committed ones in testdata/fuzz.
func seeds(f *testing.F, pattern string) {
	f.Helper()
	w := New(f)
	w.Distribute()
	id := w.Stage("1.0.0", "stable")
	w.SignAll(id, Ana)
	found, err := filepath.Glob(filepath.Join(w.Room.Events.Path(id), pattern))
	if err != nil || len(found) == 0 {
		f.Fatal(pattern, err)
	}
	for _, path := range found {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// Whatever parses as an event prints back the same: one event, one id.
func FuzzParse(f *testing.F) {
	seeds(f, "event.json")
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := event.Parse(b)
		if err != nil {
			return
		}
		again, err := e.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q\nprints as\n%q (%v)", b, again, err)
		}
	})
}

// Whatever parses as a signature file prints back the same.
func FuzzParseSignature(f *testing.F) {
	seeds(f, "signatures/*.json")
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := event.ParseSignature(b)
		if err != nil {
			return
		}
		again, err := s.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q\nprints as\n%q (%v)", b, again, err)
		}
	})
}

// Whatever parses as a distribution file can be laid out, and its policy and mirrors written.
func FuzzParseDistribution(f *testing.F) {
	f.Add(New(f).TOML())
	f.Add([]byte("name = \"x\"\n[quorum]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := event.ParseDistribution(b)
		if err != nil {
			return
		}
		if _, err := d.Layout(); err != nil {
			t.Fatal(err)
		}
		if _, err := d.TargetFiles(); err != nil {
			t.Fatal(err)
		}
	})
}

// A carried event, whatever its bytes, is imported whole or leaves nothing.
func FuzzImport(f *testing.F) {
	w := New(f)
	w.Distribute()
	id := w.Stage("1.0.0", "stable")
	var b bytes.Buffer
	if err := event.Export(f.Context(), w.Room.Events, id, &b, false); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("not a tar"))
	f.Fuzz(func(t *testing.T, b []byte) {
		room := w.Open(t.TempDir())
		in, err := room.Events.Import(t.Context(), bytes.NewReader(b))
		list, lerr := room.Events.List(t.Context())
		if lerr != nil {
			t.Fatal(lerr)
		}
		if err == nil && (len(list) != 1 || list[0].ID != in.ID) || err != nil && len(list) != 0 {
			t.Fatalf("%v left %+v", err, list)
		}
	})
}
