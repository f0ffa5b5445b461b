package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
)

const (
	telephone = "+14155550100"
	another   = "+14155550101"
)

// code has one brought to a number, as a server for developers does.
func (w *world) code(number string, d *device) string {
	w.Helper()
	code, err := client.RequestCode(w.Context(), w.options(d).Server, "dev", number)
	if err != nil {
		w.Fatal(err)
	}
	return code
}

// otherThan is a code that is not this one.
func otherThan(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

// A number is registered with the code that was brought to it, and with no other, nor later.
func TestRegisteringByCode(t *testing.T) {
	w := newWorld(t)
	d := &device{world: w, name: "alice", dir: filepath.Join(t.TempDir(), "alice"), log: new(logBook)}
	register := func(code string) (*client.Account, error) {
		return client.Register(t.Context(), w.options(d), []byte("passphrase"), client.Registration{Number: telephone, Code: code})
	}
	refused := func(code, want string) {
		t.Helper()
		if a, err := register(code); err == nil || err.Error() != want {
			t.Fatalf("got %v, %v, want %s", a, err, want)
		}
		if _, err := os.Stat(filepath.Join(d.dir, "account.db")); !errors.Is(err, os.ErrNotExist) {
			t.Error("something was left behind", err)
		}
	}
	const no = "the server says: wrong code, or one that has expired (403)"
	code := w.code(telephone, d)
	refused(otherThan(code), no)
	w.skew.Add(int64(11 * time.Minute))
	refused(code, no) // right, and too late
	refused(w.code(another, d), no)
	w.skew.Add(int64(time.Hour))
	a, err := register(w.code(telephone, d))
	if err != nil {
		t.Fatal(err)
	}
	d.use(a)
	d.online()
	bob := w.person("bob")
	bob.says(telephone, "hello")
	d.sees(bob.number, "hello")
}

// A change of number takes the sessions along: both sides read on. The old number is nobody's.
func TestChangingTheNumber(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	old := alice.number
	if err := alice.acc.ChangeNumber(t.Context(), telephone, otherThan(w.code(telephone, alice))); err == nil || err.Error() != "the server says: wrong code, or one that has expired (403)" {
		t.Error(err)
	}
	if own, err := alice.acc.Own(t.Context()); err != nil || own.Number != old {
		t.Error(own.Number, err)
	}
	w.skew.Add(int64(time.Hour))
	if err := alice.acc.ChangeNumber(t.Context(), telephone, w.code(telephone, alice)); err != nil {
		t.Fatal(err)
	}
	alice.offline()
	alice.reopen()
	alice.number = telephone
	alice.online()
	alice.says(bob.number, "my new number")
	bob.waitFor("the new number", func() bool { return slices.Equal(bob.conversation(telephone), []string{"my new number"}) })
	sent := bob.says(old, "are you there")
	bob.state(sent, history.Failed)
}

// The answer to a change of number is lost, and the program ends there. The next connection finds out which number the account has.
func TestAChangeOfNumberThatWasCutOff(t *testing.T) {
	for name, done := range map[string]bool{"after the server's part": true, "before it": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice := w.person("alice")
			old := alice.number
			alice.offline()
			code := w.code(telephone, alice)
			w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/v3/account/number" {
					return false
				}
				if done {
					w.server.ServeHTTP(nobody{http.Header{}}, r)
				}
				panic(http.ErrAbortHandler)
			})
			if err := alice.acc.ChangeNumber(t.Context(), telephone, code); err == nil {
				t.Fatal("no error")
			}
			w.between.Store(nil)
			alice.reopen()
			alice.online()
			want := map[bool]string{true: telephone, false: old}[done]
			own, err := alice.acc.Own(t.Context())
			if err != nil || own.Number != want {
				t.Errorf("the account is %s, want %s, error %v", own.Number, want, err)
			}
			alice.number = own.Number
			bob := w.person("bob")
			bob.says(want, "hello")
			alice.sees(bob.number, "hello")
		})
	}
}

// Who asks for yet another number, before anything has found out that the first one was given, gets it, and loses neither.
func TestAnotherNumberAfterOneThatWasCutOff(t *testing.T) {
	w := newWorld(t)
	alice := w.person("alice")
	alice.offline()
	first, another := w.code(telephone, alice), "+14155550177"
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v3/account/number" {
			return false
		}
		w.server.ServeHTTP(nobody{http.Header{}}, r)
		panic(http.ErrAbortHandler)
	})
	if err := alice.acc.ChangeNumber(t.Context(), telephone, first); err == nil {
		t.Fatal("no error")
	}
	w.between.Store(nil)
	if err := alice.acc.ChangeNumber(t.Context(), another, w.code(another, alice)); err != nil {
		t.Fatal(err)
	}
	alice.online()
	if own, err := alice.acc.Own(t.Context()); err != nil || own.Number != another {
		t.Errorf("the account is %s, want %s, error %v", own.Number, another, err)
	}
}

// A change that was cut off comes through after all, before the same is asked for once more, or while it is: it is what was asked for.
func TestTheSameNumberAfterOneThatWasCutOff(t *testing.T) {
	for name, early := range map[string]bool{"before": true, "meanwhile": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice := w.person("alice")
			alice.offline()
			code := w.code(telephone, alice)
			var first atomic.Pointer[http.Request]
			comesThrough := func() { w.server.ServeHTTP(nobody{http.Header{}}, first.Load()) }
			w.hostile(func(_ http.ResponseWriter, r *http.Request) bool {
				switch {
				case r.URL.Path != "/v3/account/number":
				case first.Load() == nil:
					body, err := io.ReadAll(r.Body)
					if err != nil {
						t.Error(err)
					}
					again := r.Clone(context.Background())
					again.Body = io.NopCloser(bytes.NewReader(body))
					first.Store(again)
					panic(http.ErrAbortHandler)
				default:
					comesThrough()
				}
				return false
			})
			if err := alice.acc.ChangeNumber(t.Context(), telephone, code); err == nil {
				t.Fatal("no error")
			}
			if early {
				comesThrough()
			}
			if err := alice.acc.ChangeNumber(t.Context(), telephone, code); err != nil {
				t.Error(err)
			}
			if own, err := alice.acc.Own(t.Context()); err != nil || own.Number != telephone {
				t.Errorf("the account is %s, want %s, error %v", own.Number, telephone, err)
			}
			if err := alice.acc.ChangeNumber(t.Context(), telephone, code); err == nil || err.Error() != "the account is "+telephone+" already" {
				t.Error(err)
			}
		})
	}
}

// nobody gets the answer.
type nobody struct{ header http.Header }

func (d nobody) Header() http.Header       { return d.header }
func (nobody) Write(b []byte) (int, error) { return len(b), nil }
func (nobody) WriteHeader(int)             {}

// A removed device says so, and stops; so does one whose account was deleted. What they have stays theirs.
func TestARemovedDeviceStops(t *testing.T) {
	w := newWorld(t)
	alice := w.person("alice")
	laptop := alice.link("laptop", false)
	own, err := laptop.acc.Own(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	laptop.stopsAfter(func() error { return alice.acc.RemoveDevice(t.Context(), own.Device) })
	again := alice.link("again", false)
	again.stopsAfter(func() error {
		alice.offline()
		acc := alice.acc
		alice.acc = nil
		return acc.Delete(t.Context(), false)
	})
	for _, d := range []*device{laptop, again} {
		if _, err := os.Stat(filepath.Join(d.dir, "account.db")); err != nil {
			t.Error(d.name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(alice.dir, "account.db")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a deleted account is still here", err)
	}
}

// stopsAfter wants the device's Run to end with ErrUnlinked.
func (d *device) stopsAfter(f func() error) {
	d.Helper()
	if err := f(); err != nil {
		d.Fatal(err)
	}
	select {
	case err := <-d.done:
		d.cancel()
		d.cancel = nil
		if !errors.Is(err, client.ErrUnlinked) {
			d.Error(d.name, err)
		}
	case <-time.After(patience):
		d.Fatal(d.name, "goes on")
	}
	if err := d.acc.Run(context.Background(), nil); !errors.Is(err, client.ErrUnlinked) {
		d.Error(d.name, "begun again", err)
	}
}
