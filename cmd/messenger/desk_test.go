package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/keyring"
	"github.com/countersign-project/countersign/messenger/store"
)

// A page's state that was cut off while it was written keeps no messenger from starting.
func TestAStateThatDoesNotRead(t *testing.T) {
	var log strings.Builder
	d := new(place).newDesk(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), filepath.Join(t.TempDir(), "account"))
	for _, text := range []string{"", "{", `{"sessions":7}`, "\x00\x00"} {
		if err := os.WriteFile(d.stateFile(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		log.Reset()
		if going, err := d.goOn(); going || err != nil || !strings.Contains(log.String(), d.stateFile()) {
			t.Errorf("%q: %v, %v, %s", text, going, err, log.String())
		}
	}
}

// A page that no passphrase could unlock does not lock itself.
func TestOnlyAPassphraseLocksThePage(t *testing.T) {
	dir := t.TempDir()
	d := new(place).newDesk(t.Context(), slog.New(slog.DiscardHandler), filepath.Join(dir, "none"))
	if d.asks() {
		t.Error("asks for the passphrase of an account that is not there")
	}
	for name, by := range map[string]store.Secret{"passphrase": {Passphrase: []byte("passphrase")}, "keyring": {Key: &store.Named{Name: "a"}}} {
		d.dir = filepath.Join(dir, name)
		s, err := store.CreateBy(t.Context(), d.dir, by, store.Cost{Time: 1, Memory: 8, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := d.asks(); got != (name == "passphrase") {
			t.Errorf("%s: asks is %v", name, got)
		}
	}
}

// shelf is a keyring in memory.
type shelf map[string]store.Key

func (s shelf) Get(_ context.Context, name string) (store.Key, error) {
	key, ok := s[name]
	if !ok {
		return key, keyring.ErrNone
	}
	return key, nil
}

func (s shelf) Set(_ context.Context, n store.Named) error { s[n.Name] = n.Key; return nil }

func (s shelf) Delete(_ context.Context, name string) error { delete(s, name); return nil }

// What the keyring was given for an account that is then not made goes again; that of one that is made stays, however making it ends.
func TestAKeyForNoAccount(t *testing.T) {
	for _, made := range []bool{false, true} {
		ring := shelf{}
		p := &place{app: &cli.App{Getenv: func(string) string { return "" }}, account: "a", ring: ring, keyring: true}
		o := client.Options{Dir: t.TempDir()}
		passphrase, undo, err := p.lock(t.Context(), &o)
		if err != nil || len(passphrase) > 0 || o.Key == nil || ring[o.Key.Name] != o.Key.Key || o.Key.Key == (store.Key{}) {
			t.Fatal(passphrase, err, o.Key, ring)
		}
		if made {
			s, err := store.CreateBy(t.Context(), o.Dir, store.Secret{Key: o.Key}, o.Cost)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		undo()
		if len(ring) != map[bool]int{false: 0, true: 1}[made] {
			t.Errorf("made %v: the keyring has %v", made, ring)
		}
	}
}
