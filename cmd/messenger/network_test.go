//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/client/remote/sockstest"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// While the daemon runs, the server is reached another way, by command: a wrong one is refused or not found, and the daemon stays as it is; a right one holds
// at once. A forced one that was wrong makes the device look unlinked, and the right one brings it back.
func TestTheNetworkOfARunningDaemon(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	w, elsewhere := newTown(t), newTown(t)
	alice, bob := w.register("alice"), w.register("bob")
	proxy := sockstest.New(t, strings.TrimPrefix(w.url, "http://"))
	w.daemon("alice")
	c := w.connected("alice")
	says := func(code int, args ...string) func(want ...string) {
		out, errs := w.run("alice", code, append([]string{"network"}, args...)...)
		return func(want ...string) {
			t.Helper()
			for _, one := range want {
				if !strings.Contains(out+errs, one) {
					t.Errorf("messenger network %s: got\n%s%swant %q", strings.Join(args, " "), out, errs, one)
				}
			}
		}
	}
	now := func() (n rpc.Network) {
		t.Helper()
		out, _ := w.run("alice", 0, "network", "--json")
		if err := json.Unmarshal([]byte(out), &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	says(0)("server     "+w.url+"\n", "authority  the system's\n", "proxy      none\n", "state      connected\n")

	says(1, "--server", elsewhere.url)(elsewhere.url+" is not the server of this account: it does not know "+alice+", or not this device. An account lives on one server", "nothing is changed")
	says(3, "--proxy", "socks5://127.0.0.1:1")(w.url+" was tried: no answer from the server: ", "connection refused", "nothing is changed", "--force takes it untried")
	says(2, "--server", "chat.example.org")(`server "chat.example.org": want an address such as https://chat.example.org`)
	says(2, "--proxy", "")("--proxy: want socks5://host:port, or none")
	says(2, "--force")("--force goes with --server, --ca or --proxy")
	if n := now(); n.Server != w.url || n.Proxy != "" || !n.Connected || n.Why != "" {
		t.Errorf("after what was refused it is %+v", n)
	}

	says(0, "--server", "http://chat.onion", "--proxy", proxy.URL())("server     http://chat.onion\n", "proxy      "+proxy.URL()+"\n", "state      the daemon goes this way from now on")
	w.await("the daemon is connected through the proxy", func() bool { return now().Connected })
	if got := proxy.Ways(); !slices.Equal(got, []string{"chat.onion:80"}) {
		t.Errorf("the proxy was asked for %v", got)
	}
	w.says("bob", "sent to "+alice, "send", alice, "through the dark")
	w.await("Alice has it", func() bool {
		out, _ := w.run("alice", 0, "messages", bob)
		return strings.Contains(out, "through the dark")
	})

	says(0, "--server", elsewhere.url, "--proxy", "none", "--force")("server     " + elsewhere.url)
	var s rpc.Status
	status := func() rpc.Status {
		if err := c.Call(t.Context(), "status", nil, &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	w.await("it looks unlinked", func() bool { return status().Unlinked != "" })
	says(0, "--server", w.url)("state      the daemon goes this way from now on")
	w.await("it is connected again", func() bool { s = rpc.Status{}; return status().Connected && s.Unlinked == "" })
	w.says("bob", "sent to "+alice, "send", alice, "directly")
	w.await("Alice has it", func() bool { out, _ := w.run("alice", 0, "messages", bob); return strings.Contains(out, "directly") })
}

// Without a daemon the command goes the new way alone: who is about to hide behind a proxy must not be seen beside it, nor through the one before.
func TestANewWayIsTriedAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	sockstest.Strace(t)
	ca, certificate, key := ownAuthority(t, unknown)
	w := newTown(t, "--tls-certificate", certificate, "--tls-key", key)
	_, address, _ := strings.Cut(w.url, "//")
	before, after := sockstest.New(t, address), sockstest.New(t, address)
	url := fmt.Sprintf("https://%s:%s", unknown, address[strings.LastIndex(address, ":")+1:])
	invite, _ := w.run("server", 0, "invite")
	w.run("alice", 0, "register", "--server", url, "--proxy", before.URL(), "--ca", ca, "--invite", strings.TrimSpace(invite))
	for _, c := range []struct {
		args  []string
		code  int
		want  string
		ports []string
	}{
		{nil, 0, "state      no daemon runs: commands connect for as long as they take", nil},
		{nil, 0, "authority  CN=our own, until ", nil},
		{[]string{"--proxy", after.URL()}, 0, "state      the account goes this way from now on", []string{after.Port()}},
		{[]string{"--ca", "system"}, 3, "give it with --ca FILE", []string{after.Port()}},
		{[]string{"--ca", ca}, 0, "authority  CN=our own, until ", []string{after.Port()}},
		{[]string{"--proxy", "socks5://me:geheim@" + after.Address()}, 0, "proxy      socks5://…@" + after.Address(), []string{after.Port()}},
		{nil, 0, "proxy      socks5://…@" + after.Address(), nil},
	} {
		out, ports := w.watched("alice", c.code, append([]string{"network"}, c.args...)...)
		if !strings.Contains(out, c.want) || strings.Contains(out, "geheim") || !slices.Equal(ports, c.ports) {
			t.Errorf("messenger network %s: connects to %v, want %v, and says\n%swant %s", strings.Join(c.args, " "), ports, c.ports, out, c.want)
		}
	}
}
