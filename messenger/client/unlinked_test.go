package client_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
)

// stops waits until a device's Run has ended, and returns with what.
func (d *device) stops() error {
	d.Helper()
	select {
	case err := <-d.done:
		d.cancel()
		d.cancel = nil
		return err
	case <-time.After(patience):
		d.Fatal(d.name, "goes on")
		return nil
	}
}

// unlinkedNotices are what a device has said of that in the person's own conversation.
func (d *device) unlinkedNotices() (out []string) {
	d.Helper()
	list, err := d.acc.Messages(d.Context(), d.number, 0, 100)
	if err != nil {
		d.Fatal(err)
	}
	for _, m := range list {
		if m.Notice == "unlinked" {
			out = append(out, m.Body)
		}
	}
	return out
}

// Somebody gets hold of the code for Alice's number and registers it. Her telephone and her laptop say what has happened and what to do, once; what they have
// stays readable; and Bob sees that it is another key.
func TestANumberIsRegisteredAnew(t *testing.T) {
	w := newWorld(t)
	register := func(name string) *device {
		d := &device{world: w, name: name, dir: filepath.Join(t.TempDir(), "account"), log: new(logBook)}
		w.skew.Add(int64(time.Hour)) // a code an hour
		acc, err := client.Register(t.Context(), w.options(d), []byte("passphrase"), client.Registration{Number: telephone, Code: w.code(telephone, d)})
		if err != nil {
			t.Fatal(err)
		}
		d.use(acc)
		return d
	}
	alice, bob := register("alice"), w.person("bob")
	alice.online()
	laptop := alice.link("laptop", false)
	knows(alice, bob)
	mallory := register("mallory")
	mallory.online()
	const rest = " If it was none of your doing, somebody else has your number now, and can write in your name: tell your contacts by another way to trust no new safety number of yours, and register the number again. What is here stays, to be read and to be saved with a backup"
	for d, want := range map[*device]string{
		alice:  "the server does not know this device any more: " + telephone + " was registered anew on another device, or the account was deleted. If that was you, go on there." + rest,
		laptop: "the server does not know this device any more: the account's first device has removed this one, or " + telephone + " was registered anew on another device, which removes all others. If that was you, go on there, or link this device again." + rest,
	} {
		events := d.acc.Subscribe()
		for i := range 2 { // begun again it says it again to whoever began it, and not in the conversation
			if i > 0 {
				d.done = make(chan error, 1)
				d.cancel = func() {}
				d.done <- d.acc.Run(t.Context(), nil)
			}
			if err := d.stops(); !errors.Is(err, client.ErrUnlinked) || err.Error() != want {
				t.Errorf("%s: %v", d.name, err)
			}
			if got := d.unlinkedNotices(); len(got) != 1 || got[0] != want+"." {
				t.Errorf("%s: %q", d.name, got)
			}
			if err := d.acc.Unlinked(); err == nil || err.Error() != want {
				t.Errorf("%s: %v", d.name, err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		e, ok := events.Next(ctx)
		for ok && !e.Unlinked {
			e, ok = events.Next(ctx)
		}
		if e.Why != want {
			t.Errorf("%s: %+v", d.name, e)
		}
		cancel()
		events.Close()
	}
	alice.sees(bob.number, "hello", "hello back")
	bob.says(telephone, "is it you?")
	if got := bob.notice(telephone, "key-changed"); !strings.HasPrefix(got, "The safety number has changed") {
		t.Error(got)
	}
}

// A server that has lost its accounts, and finds them again: the device goes on, and would tell of another time.
func TestAServerThatForgets(t *testing.T) {
	w := newWorld(t)
	alice := w.person("alice")
	for i := range 2 {
		if err := alice.acc.Unlinked(); err != nil {
			t.Error(err)
		}
		alice.offline()
		w.hostile(func(rw http.ResponseWriter, _ *http.Request) bool {
			rw.WriteHeader(http.StatusUnauthorized)
			return true
		})
		if err := alice.acc.Run(t.Context(), nil); !errors.Is(err, client.ErrUnlinked) {
			t.Fatal(err)
		}
		if got := alice.unlinkedNotices(); len(got) != i+1 {
			t.Errorf("%q", got)
		}
		w.hostile(nil)
		alice.online()
		alice.waitFor("what was told is forgotten", func() bool { return !client.ToldUnlinkedForTest(t.Context(), alice.acc) })
	}
}
