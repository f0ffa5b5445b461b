package engine

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
)

var now = time.UnixMilli(1_700_000_000_000)

// A path may hold what a URL would not like, and an envelope is what was put in.
func TestSQLiteByPath(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "a b?#%.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, gone, err := s.Register(t.Context(), store.Registration{Name: "+14155550101", Secret: []byte("x"), Now: now})
	if err != nil || len(gone) != 0 {
		t.Fatal(a, gone, err)
	}
	device := a.Devices[0].Key
	errs := s.Enqueue(t.Context(), []store.Envelope{{Device: device, Body: []byte("hi")}, {Device: 77}}, now)
	if errs[0] != nil || !errors.Is(errs[1], store.ErrNotFound) {
		t.Fatal(errs)
	}
	page, err := s.Page(t.Context(), device, 0, 100)
	if err != nil || len(page) != 1 || string(page[0].Body) != "hi" {
		t.Fatal(page, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRefusesOtherSchemes(t *testing.T) {
	_, err := Open(t.Context(), "mysql://root:secret@host/db", Options{})
	if want := `database URL has scheme "mysql", wanted sqlite:, a path, or postgres`; err == nil || err.Error() != want {
		t.Errorf("got %v, wanted %s", err, want)
	}
}
