//go:build linux

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/verify"
)

// gateway is an SMS gateway: it takes what is signed, and brings it to nobody but the test.
type gateway struct {
	*testing.T
	secret []byte
	broken atomic.Bool
	got    chan map[string]string
}

func (g *gateway) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var seconds int64
	if m := regexp.MustCompile(`^t=(\d+),`).FindStringSubmatch(r.Header.Get("X-Countersign-Signature")); m != nil {
		_ = json.Unmarshal([]byte(m[1]), &seconds)
	}
	if err != nil || r.Header.Get("X-Countersign-Signature") != verify.Sign(g.secret, time.Unix(seconds, 0), body) {
		g.Errorf("signed with %q: %v", r.Header.Get("X-Countersign-Signature"), err)
	}
	if g.broken.Load() {
		rw.WriteHeader(http.StatusInternalServerError)
		return
	}
	var got map[string]string
	if err := json.Unmarshal(body, &got); err != nil {
		g.Error(err)
	}
	g.got <- got
}

// registering starts somebody's registration, and types the code that comes.
func (w *town) registering(who string, code func() string, args ...string) (out string, exit int) {
	w.Helper()
	cmd := w.program("messenger", who, append([]string{"register", "--server", w.url}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		w.Fatal(err)
	}
	var text strings.Builder
	cmd.Stdout, cmd.Stderr = &text, &text
	w.begin(cmd)
	if _, err := io.WriteString(in, code()+"\n"); err != nil {
		w.Fatal(err)
	}
	_ = cmd.Wait()
	return text.String(), cmd.ProcessState.ExitCode()
}

// A code comes by way of the gateway, to a telephone or spoken; who tries too many is told so, and when to come again.
func TestACodeByTheGateway(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	const number, other = "+14155550100", "+14155550101"
	g := &gateway{T: t, secret: []byte("a secret of the gateway's"), got: make(chan map[string]string, 10)}
	hook := httptest.NewServer(g)
	defer hook.Close()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, g.secret, 0o600); err != nil {
		t.Fatal(err)
	}
	w := newTown(t, "--sms-webhook", hook.URL, "--sms-webhook-secret", secret)
	var last map[string]string
	brought := func() string {
		select {
		case last = <-g.got:
			return last["code"]
		case <-time.After(patience):
			t.Fatal("the gateway gets nothing")
			return ""
		}
	}
	wants := func(got string, exit, code int, want ...string) {
		t.Helper()
		for _, one := range want {
			if exit != code || !strings.Contains(got, one) {
				t.Errorf("exit %d, want %d, %s\n%s", exit, code, one, got)
			}
		}
	}
	g.broken.Store(true)
	_, errs := w.run("alice", 3, "register", "--server", w.url, "--number", other)
	wants(errs, 3, 3, "messenger: error: the server says: the code could not be sent; try again later (502)")
	g.broken.Store(false)
	out, exit := w.registering("alice", func() string { brought(); return "000000" }, "--number", number)
	wants(out, exit, 1, "The code you were sent: ", "messenger: refused: the server says: wrong code, or one that has expired (403)")
	if want := "Your verification code: " + verify.Spoken(last["code"]); last["transport"] != "sms" || last["number"] != number || last["text"] != want {
		t.Errorf("the gateway got %v", last)
	}
	out, exit = w.registering("alice", func() string { return verify.Spoken(brought()) }, "--number", number, "--voice")
	wants(out, exit, 0, "You are "+number+".")
	if last["transport"] != "voice" {
		t.Errorf("the gateway got %v", last)
	}
	// Whoever guesses is stopped, and told; so is whoever has the telephone ring again and again.
	again := regexp.MustCompile(`messenger: refused: too many codes were asked for, or tried, for \` + other + `: try again in \d+ (seconds|minutes)\n`)
	tooMany := func(who string, args ...string) {
		t.Helper()
		for range 10 {
			cmd := w.program("messenger", who, args...)
			cmd.Stdin = strings.NewReader("000000\n")
			got, _ := cmd.CombinedOutput()
			if exit := cmd.ProcessState.ExitCode(); exit != 1 {
				t.Fatalf("exit %d\n%s", exit, got)
			}
			if again.Match(got) {
				return
			}
		}
		t.Error(args, "can be tried for ever")
	}
	tooMany("bob", "register", "--server", w.url, "--number", other, "--code", "000000")
	tooMany("bob", "register", "--server", w.url, "--number", other, "--voice")
	tooMany("alice", "account", "number", other)
}

// Where no gateway is, in development, the server prints the code.
func TestACodeOnTheServersScreen(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	const number = "+14155550100"
	w := newTown(t, "--development")
	shown := regexp.MustCompile(`development: no telephone gets this code, type it yourself: (\d{3}-\d{3}) for \` + number + `\n`)
	out, exit := w.registering("alice", func() (code string) {
		w.await("the code", func() bool {
			m := shown.FindStringSubmatch(w.shown.String())
			if m != nil {
				code = m[1]
			}
			return m != nil
		})
		return code
	}, "--number", number)
	if exit != 0 || !strings.Contains(out, "You are "+number+".") {
		t.Errorf("%d\n%s", exit, out)
	}
}
