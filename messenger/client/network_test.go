package client_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/client/remote/sockstest"
)

// routed wants the note beside a sealed account to name a proxy, "" for none.
func (d *device) routed(want string) {
	d.Helper()
	got := ""
	proxy, err := client.Route(d.dir)
	if proxy != nil {
		got = proxy.String()
	}
	if got != want || err != nil {
		d.Errorf("updates of %s would go through %q, want %q, error %v", d.name, got, want, err)
	}
}

// An account that is connected goes another way at once, through a proxy to a name that only the proxy knows: it receives, it sends, and it does so after a
// restart. Then it goes directly again.
func TestTheServerIsReachedAnotherWay(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	direct := alice.acc.Network()
	alice.routed("")
	proxy := sockstest.New(t, strings.TrimPrefix(w.web.URL, "http://"))
	if err := alice.acc.SetNetwork(t.Context(), remote.Options{URL: "http://chat.onion/", Proxy: proxy.URL()}, false); err != nil {
		t.Fatal(err)
	}
	alice.routed(proxy.URL())
	alice.says(bob.number, "can you hear me?")
	bob.sees(alice.number, "can you hear me?")
	bob.says(alice.number, "I can")
	alice.sees(bob.number, "can you hear me?", "I can")
	if got := proxy.Ways(); !slices.Equal(got, []string{"chat.onion:80"}) {
		t.Errorf("the proxy was asked for %v", got)
	}
	if own, err := alice.acc.Own(t.Context()); err != nil || own.Server != "http://chat.onion" {
		t.Errorf("the account's server is %q, %v", own.Server, err)
	}

	proxy.Take()
	alice.reopen()
	alice.online()
	alice.routed(proxy.URL())
	if got := proxy.Ways(); !slices.Equal(got, []string{"chat.onion:80"}) {
		t.Errorf("after a restart the proxy was asked for %v", got)
	}

	if err := alice.acc.SetNetwork(t.Context(), direct, false); err != nil {
		t.Fatal(err)
	}
	alice.routed("")
	proxy.Shut()
	bob.says(alice.number, "and now?")
	alice.sees(bob.number, "can you hear me?", "I can", "and now?")
}

// Whoever is no server of this account is refused, and who does not even ask for a password is not told it. Where nobody answers one cannot tell. All the
// while the account stays as it is, and connected.
func TestAWrongWayIsRefused(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	another := newWorld(t)
	var passwords atomic.Int32
	web := func(status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				passwords.Add(1)
			}
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte("{}"))
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	shut := sockstest.New(t, "127.0.0.1:1")
	shut.Shut()
	const only = ". An account lives on one server; for another server make another account, beside this one"
	here := w.web.URL
	some, moved, any, busy := web(404), web(302), web(200), web(503)
	before := alice.acc.Network()
	for _, c := range []struct {
		o    remote.Options
		want string // the beginning
		kind string
	}{
		{remote.Options{URL: another.web.URL}, another.web.URL + " is not the server of this account: it does not know " + alice.number + ", or not this device" + only, "refused"},
		{remote.Options{URL: some}, some + " is not the server of this account: it answers, but not as a messenger's server does (404)" + only, "refused"},
		{remote.Options{URL: moved}, moved + " is not the server of this account: it answers, but not as a messenger's server does (302)" + only, "refused"},
		{remote.Options{URL: any}, any + " is not the server of this account: it answers, but not as a messenger's server does" + only, "refused"},
		{remote.Options{URL: busy}, busy + " was tried: the server says: 503 service unavailable", "unknown"},
		{remote.Options{URL: gone.URL}, gone.URL + " was tried: no answer from the server: ", "unknown"},
		{remote.Options{URL: here, Proxy: shut.URL()}, here + " was tried: no answer from the server: ", "unknown"},
		{remote.Options{URL: here, Proxy: "http://127.0.0.1:1"}, `proxy "http://127.0.0.1:1": want socks5://host:port`, "usage"},
		{remote.Options{URL: here, Proxy: "socks5://…@127.0.0.1:1"}, `proxy "socks5://…@127.0.0.1:1": … stands for a name and password that are not shown; give it in full`, "usage"},
		{remote.Options{URL: "http://chat.example.org"}, `server "http://chat.example.org": passwords would cross the network in the clear; want https`, "usage"},
		{remote.Options{URL: here, CA: []byte("x")}, "certificate authority: no certificate in PEM form", "usage"},
	} {
		err := alice.acc.SetNetwork(t.Context(), c.o, false)
		kind := "unknown"
		var refused interface{ Refused() bool }
		var usage *remote.OptionsError
		if errors.As(err, &refused) && refused.Refused() {
			kind = "refused"
		} else if errors.As(err, &usage) {
			kind = "usage"
		}
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || kind != c.kind {
			t.Errorf("%v: %s, %v\nwant %s, %s", c.o, kind, err, c.kind, c.want)
		}
	}
	if n := passwords.Load(); n > 0 {
		t.Errorf("%d requests with a password to servers that do not ask for one", n)
	}
	if now := alice.acc.Network(); now.URL != before.URL || now.Proxy != before.Proxy || !alice.acc.Connected() || alice.acc.Offline() != "" {
		t.Errorf("the account goes to %v, connected %v, %s", now, alice.acc.Connected(), alice.acc.Offline())
	}
	alice.routed("")
	bob.says(alice.number, "still there?")
	alice.sees(bob.number, "still there?")
}

// Who knows better gets what he wants, and the account says why it is not connected. What is written meanwhile goes out over the next way.
func TestAWayIsTakenUntried(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	alice.close()
	o := w.options(alice)
	o.Pause = time.Hour // nothing happens by itself: only the change of the way has it tried again
	var err error
	if alice.acc, err = client.Open(t.Context(), o, []byte("passphrase")); err != nil {
		t.Fatal(err)
	}
	alice.online()
	direct := alice.acc.Network()
	shut := sockstest.New(t, "127.0.0.1:1")
	shut.Shut()
	if err := alice.acc.SetNetwork(t.Context(), remote.Options{URL: direct.URL, Proxy: shut.URL()}, true); err != nil {
		t.Fatal(err)
	}
	alice.routed(shut.URL())
	w.waitFor("the account says why", func() bool {
		return !alice.acc.Connected() && strings.HasPrefix(alice.acc.Offline(), "no answer from the server: ")
	})
	alice.says(bob.number, "later")
	if err := alice.acc.SetNetwork(t.Context(), direct, false); err != nil {
		t.Fatal(err)
	}
	bob.sees(alice.number, "later")
	w.waitFor("the account is connected", func() bool { return alice.acc.Connected() && alice.acc.Offline() == "" })
}
