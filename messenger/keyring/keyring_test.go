package keyring

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/countersign-project/countersign/messenger/store"
)

// here is a system with a session, whose keyring is the library's own for tests.
func here(t *testing.T) System {
	keyring.MockInit()
	t.Cleanup(keyring.MockInit)
	return System{Getenv: func(string) string { return "unix:path=/somewhere" }, Exists: func(string) bool { return false }, Patience: time.Hour}
}

func TestKeysComeBack(t *testing.T) {
	s := here(t)
	ctx := t.Context()
	if key, err := s.Get(ctx, "a"); !errors.Is(err, ErrNone) {
		t.Error(key, err)
	}
	a, b := store.Named{Name: "a", Key: store.Key{0xff, 1}}, store.Named{Name: "b", Key: store.Key{31: 7}}
	for _, n := range []store.Named{{Name: "a"}, a, b} {
		if err := s.Set(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []store.Named{a, b} {
		if key, err := s.Get(ctx, n.Name); err != nil || key != n.Key {
			t.Errorf("%q: %x, %v, want %x", n.Name, key, err, n.Key)
		}
	}
	for range 2 { // the second time there is none
		if err := s.Delete(ctx, "a"); err != nil {
			t.Error(err)
		}
	}
	if key, err := s.Get(ctx, "a"); !errors.Is(err, ErrNone) {
		t.Error(key, err)
	}
	if key, err := s.Get(ctx, "b"); err != nil || key != b.Key {
		t.Error("another key went too", key, err)
	}
}

func TestAnEntryThatIsNoKey(t *testing.T) {
	s := here(t)
	for _, text := range []string{"", "password", strings.Repeat("f", 63), strings.Repeat("f", 66), strings.Repeat("g", 64)} {
		if err := keyring.Set(service, "a", text); err != nil {
			t.Fatal(err)
		}
		if key, err := s.Get(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), `the keyring's entry "a" of "Countersign messenger" has`) || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %x, %v", text, key, err)
		}
	}
}

// each calls everything there is, and wants the same error.
func each(t *testing.T, ctx context.Context, s System, want string) {
	t.Helper()
	_, err := s.Get(ctx, "a")
	for _, err := range []error{err, s.Set(ctx, store.Named{Name: "a"}), s.Delete(ctx, "a")} {
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAKeyringThatFails(t *testing.T) {
	s := here(t)
	keyring.MockInitWithError(errors.New("the name org.freedesktop.secrets was not provided"))
	each(t, t.Context(), s, "no keyring answers here: the name org.freedesktop.secrets was not provided")
}

// The library waits for ever for a person who is not there.
func TestAKeyringThatDoesNotAnswer(t *testing.T) {
	s := here(t)
	never := make(chan struct{})
	defer close(never)
	s.Patience = time.Nanosecond
	if err := s.ask(t.Context(), func() error { <-never; return nil }); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "it may be asking for its own password on your screen") {
		t.Error(err)
	}
}
