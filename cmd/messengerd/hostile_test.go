//go:build linux

package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// worker is the process that does the work: the one in the group that is not the parent.
func (r *running) worker() int {
	r.o.Helper()
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if len(fields) > 2 && fields[2] == strconv.Itoa(r.cmd.Process.Pid) && pid != r.cmd.Process.Pid {
			return pid
		}
	}
	r.o.Fatal("no working process")
	return 0
}

// memory reads a line of /proc/PID/status, in MiB: VmRSS is now, VmHWM the most since forgetPeak.
func memory(t testing.TB, pid int, line string) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(line + `:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		t.Fatalf("no %s in %s", line, b)
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n >> 10
}

func forgetPeak(t testing.TB, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// attacker speaks from loopback addresses of their own, each of which is a source for the limits.
type attacker struct {
	*testing.T
	r *running
}

func (a *attacker) dialer(source int) *net.Dialer {
	return &net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 9, byte(source>>8), byte(source))}}
}

// ask sends one request and returns its status.
func (a *attacker) ask(source int, login, method, path, body string) int {
	a.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: a.dialer(source).DialContext}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequest(method, "http://"+a.r.address+path, strings.NewReader(body))
	if err != nil {
		a.Error(err)
		return 0
	}
	if login != "" {
		req.SetBasicAuth(login, passphrase)
	}
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Do(req)
	if err != nil {
		return 0 // cut: their problem
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func (a *attacker) socket(source int, path, login string) (*websocket.Conn, int) {
	a.Helper()
	d := websocket.Dialer{HandshakeTimeout: patience, NetDialContext: a.dialer(source).DialContext}
	if login != "" {
		path += "?login=" + url.QueryEscape(login) + "&password=" + url.QueryEscape(passphrase)
	}
	ws, resp, err := d.Dial("ws://"+a.r.address+path, nil)
	if err != nil {
		if resp == nil {
			return nil, 0
		}
		return nil, resp.StatusCode
	}
	a.Cleanup(func() { ws.Close() })
	return ws, 101
}

// every runs f for 0 to n-1, so many at a time, and counts what it returns.
func every(n, atOnce int, f func(i int) int) map[int]int {
	counts, mu := map[int]int{}, sync.Mutex{}
	var group sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			code := f(i)
			<-slots
			mu.Lock()
			counts[code]++
			mu.Unlock()
		})
	}
	group.Wait()
	return counts
}

// bodyOf is a message of so many bytes of ciphertext.
func bodyOf(size int) string {
	return `{"messages":[{"type":1,"destinationDeviceId":1,"destinationRegistrationId":5,"content":"` + strings.Repeat("QUJD", size/3) + `"}],"timestamp":5,"noReceipt":true}`
}

// The row "flood" of the table of attacks, against the real program with its usual limits. While each goes on two people go on writing to each other, and the
// memory of the server stays within bounds.
func TestFloods(t *testing.T) {
	long(t)
	const mallory, victim, slow = "+14155550666", "+14155550667", "+14155550668"
	o := newOperator(t)
	r := o.serve("--development", "--metrics-listen", "127.0.0.1:0")
	l := newLedger()
	honest := r.phones(2, l, func(*phone, int) string { return r.address })
	for _, n := range []string{mallory, victim, slow} {
		r.register(n)
	}
	start(t, honest)
	l.each(t, "before", honest, 5, 5)
	pid := r.worker()
	for _, c := range []struct {
		name   string
		more   int // MiB the worker may have at most above what it had
		attack func(*attacker)
	}{
		{"messages", 128, func(a *attacker) {
			big := bodyOf(600 << 10)
			counts := every(150, 20, func(i int) int { return a.ask(i%5, mallory, "PUT", "/v1/messages/"+victim, big) })
			if counts[200] > 70 || counts[200] == 0 || counts[413]+counts[0] < 50 { // 0: cut while still sending
				a.Errorf("by HTTP: %v; want at most about 60 accepted", counts)
			}
			ws, _ := a.socket(7, "/v1/websocket/", mallory)
			frame := wire.Frame{Request: &wire.Request{Verb: "PUT", Path: "/v1/messages/" + victim, Body: []byte(big), ID: 1}}.Append(nil)
			sent := 0
			for ; sent < 2000 && ws.WriteMessage(websocket.BinaryMessage, frame) == nil; sent++ {
			}
			if sent == 2000 {
				a.Error("two thousand large frames were read from one websocket at once")
			}
		}},
		{"prekey draining", 16, func(a *attacker) {
			identity, err := keys.Generate(rand.Reader)
			must(a.T, err)
			upload := r.prekeys(identity, 100)
			if code := a.ask(0, victim, "PUT", "/v2/keys", upload); code != 204 {
				a.Fatal(code)
			}
			counts := every(300, 20, func(i int) int {
				return a.ask(i%10, mallory, "GET", []string{"/v2/keys/" + victim + "/1", "/v3/keys/" + victim + "/*", "/v1/keys/" + victim}[i%3], "")
			})
			if code, body := r.request("http", victim, "GET", "/v2/keys", ""); code != 200 || body != `{"count":94}` { // three by numbers and three by the star
				a.Errorf("%v; left: %d %s, want 94", counts, code, body)
			}
		}},
		{"registrations", 32, func(a *attacker) {
			counts := every(2000, 20, func(i int) int {
				return a.ask(i%20, "", "GET", fmt.Sprintf("/v1/accounts/dev/code/+1999%07d", i), "")
			})
			if counts[200] > 20*45 || counts[413] < 1000 { // thirty at once, and ten a minute
				a.Errorf("%v", counts)
			}
			if code := a.ask(100, "", "GET", "/v1/accounts/dev/code/+19999999999", ""); code != 200 {
				a.Fatal(code)
			}
			guesses := every(300, 20, func(i int) int {
				return a.ask(100+i, "+19999999999", "PUT", fmt.Sprintf("/v1/accounts/code/%06d", i), "{"+attributes)
			})
			if guesses[403] > store.MaxCodeTries || guesses[204] > 0 {
				a.Errorf("guesses: %v", guesses)
			}
		}},
		{"websocket frames", 48, func(a *attacker) {
			counts := every(300, 20, func(i int) int { // from fifteen sources
				ws, code := a.socket(200+i%15, "/v1/websocket/provisioning", "")
				if ws == nil {
					return code
				}
				w, err := ws.NextWriter(websocket.BinaryMessage) // the rest never comes
				if err == nil {
					_, _ = w.Write(bytes.Repeat([]byte{1}, 15<<10))
				}
				if i%3 == 0 {
					_, _ = w.Write(make([]byte, 1<<20))
				}
				return code
			})
			if counts[101] < 200 {
				a.Errorf("%v", counts)
			}
			for range 3 {
				ws, _ := a.socket(7, "/v1/websocket/", mallory)
				for range 10_000 {
					if ws.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(time.Second)) != nil {
						break
					}
				}
			}
		}},
		{"slow clients", 128, func(a *attacker) {
			var open []net.Conn
			for i := range 400 {
				c, err := a.dialer(300+i).Dial("tcp", r.address)
				must(a.T, err)
				defer c.Close()
				_, _ = io.WriteString(c, []string{
					"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ", // never ends
					"PUT /v1/accounts/code/123456 HTTP/1.1\r\nHost: x\r\nAuthorization: Basic KzE0MTU1NTUwNjY2OnBhc3N3b3JkcGFzc3dvcmQ=\r\nContent-Length: 8000\r\n\r\n{",
				}[i%2])
				open = append(open, c)
			}
			// Somebody who does not read: that they are cut is shown in package socket, here it is what they cost until then.
			if _, code := a.socket(9, "/v1/websocket/", slow); code != 101 {
				a.Fatal(code)
			}
			big := bodyOf(600 << 10)
			every(24, 4, func(i int) int { return a.ask(i, mallory, "PUT", "/v1/messages/"+slow, big) })
			for _, c := range open {
				_ = c.SetReadDeadline(time.Now().Add(patience))
				if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
					a.Fatalf("a slow client is still there: %v", err)
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := memory(t, pid, "VmRSS")
			forgetPeak(t, pid)
			var meanwhile sync.WaitGroup
			meanwhile.Go(func() { l.each(t, "meanwhile", honest, 3, 3) })
			c.attack(&attacker{t, r})
			meanwhile.Wait()
			peak, after := memory(t, pid, "VmHWM"), memory(t, pid, "VmRSS")
			t.Logf("memory: %d MiB before, %d at most, %d after", before, peak, after)
			if peak-before > c.more {
				t.Errorf("it took %d MiB, want at most %d", peak-before, c.more)
			}
		})
	}
	hush(honest)
	l.settle(t)
	m := regexp.MustCompile(`(?m)^go_goroutines (\d+)$`).FindStringSubmatch(r.metrics())
	if m == nil {
		t.Fatal("no go_goroutines")
	}
	if many, _ := strconv.Atoi(m[1]); many > 200 {
		t.Errorf("%d goroutines are left", many)
	}
	r.stop()
}

// prekeys is an upload of n one-time keys.
func (r *running) prekeys(identity *keys.Private, n int) string {
	r.o.Helper()
	k := api.PreKeys{IdentityKey: identity.Public().Bytes(), PreKeys: []api.PreKey{}}
	for id := range n {
		one, err := keys.Generate(rand.Reader)
		must(r.o.T, err)
		k.PreKeys = append(k.PreKeys, api.PreKey{KeyID: uint32(id + 1), PublicKey: one.Public().Bytes()})
	}
	k.SignedPreKey = signedPreKey(r.o.T, identity)
	b, err := json.Marshal(k)
	must(r.o.T, err)
	return string(b)
}
