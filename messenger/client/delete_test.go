package client_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
)

// here tells whether anything of an account is left in its directory.
func (d *device) here() bool {
	d.Helper()
	_, err := os.Stat(filepath.Join(d.dir, "account.db"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		d.Fatal(err)
	}
	return err == nil
}

// A server that refuses, or does not answer, loses nobody anything: the account goes on. If it was done and only the answer is lost, the second time does the
// rest.
func TestDeletingIsRefusedOrCutOff(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	alice.offline()
	for name, answer := range map[string]func(http.ResponseWriter){
		"a refusal": func(rw http.ResponseWriter) { http.Error(rw, `{"error":"not now"}`, http.StatusForbidden) },
		"too often": func(rw http.ResponseWriter) {
			rw.Header().Set("Retry-After", "60")
			rw.WriteHeader(http.StatusTooManyRequests)
		},
		"a server in need":  func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusServiceUnavailable) },
		"a lost connection": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		for _, keep := range []bool{false, true} {
			w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
				if r.Method != "DELETE" || r.URL.Path != "/v3/account" {
					return false
				}
				answer(rw)
				return true
			})
			if err := alice.acc.Delete(t.Context(), keep); err == nil {
				t.Fatalf("%s: it is deleted", name)
			}
			w.hostile(nil)
			if !alice.here() {
				t.Fatalf("%s: everything is gone", name)
			}
			alice.reopen()
			alice.online()
			alice.state(alice.says(bob.number, name), history.Sent)
			bob.has(alice.number, name)
			alice.offline()
		}
	}
	w.hostile(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != "DELETE" {
			return false
		}
		w.server.ServeHTTP(nobody{http.Header{}}, r)
		panic(http.ErrAbortHandler)
	})
	if err := alice.acc.Delete(t.Context(), false); err == nil || !alice.here() {
		t.Fatal("the answer was lost, and yet:", err)
	}
	w.hostile(nil)
	alice.reopen()
	acc := alice.acc
	alice.acc = nil
	if err := acc.Delete(t.Context(), false); err != nil || alice.here() {
		t.Error(err)
	}
}

// The history is kept: it reads, also after a restart, nothing is sent, and what waited to be sent says that it was not. At last it goes too.
func TestTheHistoryIsKept(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	alice.link("laptop", false)
	bob.founds("choir", alice)
	alice.memberOf(bob.founds("band", alice), 2)
	alice.state(alice.says(bob.number, "on its way"), history.Delivered)
	alice.idle() // she may have his receipt before the server's answer
	alice.offline()
	late := alice.says(bob.number, "too late")
	l, err := alice.acc.Loss(t.Context())
	if err != nil || l.Number != alice.number || l.Devices != 1 || l.Groups != 2 || l.Queued != 1 || l.Messages < 6 || l.Conversations < 3 || l.Deleted {
		t.Errorf("%+v, %v", l, err)
	}
	if err := alice.acc.Delete(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		alice.has(bob.number, "hello", "hello back", "on its way", "too late")
		if d := alice.state(late, history.Failed); d.Why != "the account was deleted before" {
			t.Error(d.Why)
		}
		var lost *client.UnlinkedError
		if _, err := alice.acc.Send(t.Context(), client.Draft{To: bob.number, Text: "from beyond"}); !errors.As(err, &lost) || !lost.Deleted {
			t.Error(err)
		}
		if err := alice.acc.Run(t.Context(), nil); !errors.As(err, &lost) || !lost.Deleted || !errors.Is(err, client.ErrUnlinked) {
			t.Error(err)
		}
		if err := alice.acc.MarkRead(t.Context(), bob.number, 0); err != nil {
			t.Error("reading is something to send:", err)
		}
		if l, err := alice.acc.Loss(t.Context()); err != nil || !l.Deleted || l.Queued != 0 {
			t.Errorf("%+v, %v", l, err)
		}
		alice.reopen()
	}
	bob.state(bob.says(alice.number, "still there"), history.Failed)
	acc := alice.acc
	alice.acc = nil
	if err := acc.Delete(t.Context(), false); err != nil || alice.here() {
		t.Error(err)
	}
}

// A further device deletes nothing: the server would refuse it as if it did not know it.
func TestAFurtherDeviceDeletesNothing(t *testing.T) {
	w := newWorld(t)
	alice := w.person("alice")
	laptop := alice.link("laptop", false)
	laptop.offline()
	for _, keep := range []bool{false, true} {
		if err := laptop.acc.Delete(t.Context(), keep); err == nil || err.Error() != "device 2 cannot delete the account: use its first device" || !laptop.here() {
			t.Error(err)
		}
	}
	laptop.online()
	alice.says(alice.number, "a note")
	laptop.has(alice.number, "a note")
}

// The number was changed, the answer lost, and the account is deleted before anything has found that out: it is the account that goes, not only what is here.
func TestDeletingAfterAChangeThatWasCutOff(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	alice.offline()
	code := w.code(telephone, alice)
	w.skew.Add(int64(time.Minute))
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v3/account/number" {
			return false
		}
		w.server.ServeHTTP(nobody{http.Header{}}, r)
		panic(http.ErrAbortHandler)
	})
	if err := alice.acc.ChangeNumber(t.Context(), telephone, code); err == nil {
		t.Fatal("no error")
	}
	w.hostile(nil)
	acc := alice.acc
	alice.acc = nil
	if err := acc.Delete(t.Context(), false); err != nil || alice.here() {
		t.Fatal(err)
	}
	if _, registered, err := bob.acc.Registered(t.Context(), telephone); err != nil || registered {
		t.Error("the account is still there", err)
	}
}
