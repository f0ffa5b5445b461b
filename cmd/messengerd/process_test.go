//go:build linux

package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-project/countersign/tuf/durable/killtest"
)

// patience ends a test that would otherwise wait for ever.
const patience = 2 * time.Minute

const passphrase = "a password of the client"

// operator is somebody with the real program and a home.
type operator struct {
	*testing.T
	program, home, dir string
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	o := &operator{T: t, dir: t.TempDir()}
	o.program, o.home = filepath.Join(o.dir, "messengerd"), filepath.Join(o.dir, "home")
	if o.program == "" {
		main() // never; that it could be makes the cache of tests see changes of the program
	}
	build := exec.Command("go", "build", "-o", o.program, ".")
	build.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return o
}

func (o *operator) command(args ...string) *exec.Cmd {
	cmd := exec.Command(o.program, args...)
	cmd.Env = append(os.Environ(), "MESSENGER_HOME="+o.home, "MESSENGER_CONFIG=")
	return cmd
}

// run runs a command to its end.
func (o *operator) run(code int, args ...string) (stdout, stderr string) {
	o.Helper()
	cmd := o.command(args...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		o.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		o.Fatalf("messengerd %v: exit code %d, want %d\n%s%s", args, got, code, &out, &errs)
	}
	return strings.TrimSpace(out.String()), errs.String()
}

// running is a server.
type running struct {
	o       *operator
	cmd     *exec.Cmd
	log     string
	address string // of the API
}

var said = regexp.MustCompile(`msg=listening address=(\S+)`)

func (o *operator) serve(args ...string) *running {
	o.Helper()
	f, err := os.CreateTemp(o.dir, "log")
	if err != nil {
		o.Fatal(err)
	}
	defer f.Close()
	r := &running{o: o, log: f.Name(), cmd: o.command(append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)}
	r.cmd.Stderr = f
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := r.cmd.Start(); err != nil {
		o.Fatal(err)
	}
	o.Cleanup(func() {
		if r.cmd.ProcessState == nil {
			_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
			_ = r.cmd.Wait()
		}
	})
	for end := time.Now().Add(patience); r.address == ""; time.Sleep(20 * time.Millisecond) {
		if m := said.FindStringSubmatch(r.read()); m != nil {
			r.address = m[1]
		}
		if time.Now().After(end) {
			o.Fatalf("it does not listen:\n%s", r.read())
		}
	}
	return r
}

func (r *running) read() string {
	b, err := os.ReadFile(r.log)
	if err != nil {
		r.o.Fatal(err)
	}
	return string(b)
}

// request sends one request of an account, which may be nobody.
func (r *running) request(scheme, login, method, path, body string) (int, string) {
	r.o.Helper()
	req, err := http.NewRequest(method, scheme+"://"+r.address+path, strings.NewReader(body))
	if err != nil {
		r.o.Fatal(err)
	}
	req.SetBasicAuth(login, passphrase)
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Do(req)
	if err != nil {
		r.o.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.o.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// kill ends parent and child at once, and returns when they are gone: the child is nobody's to wait for.
func (r *running) kill() {
	r.o.Helper()
	r.signal(syscall.SIGKILL)
	_ = r.cmd.Wait()
	for end := time.Now().Add(patience); killtest.GroupLives(r.cmd.Process.Pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.o.Fatal("it does not die")
		}
	}
}

// stop ends the server and wants it to end well.
func (r *running) stop() {
	r.o.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.o.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		r.o.Fatalf("%v\n%s", err, r.read())
	}
}

const attributes = `"registrationId":5,"fetchesMessages":true}`

// An operator starts a server without any flag that matters, invites somebody, who registers; it is stopped, killed, backed up and restored.
func TestOperatorsDay(t *testing.T) {
	o := newOperator(t)
	r := o.serve()
	if code, body := r.request("http", "", "GET", "/ready", ""); code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	if code, _ := r.request("http", "", "GET", "/v1/accounts/sms/code/+14155550001", ""); code != 422 {
		t.Errorf("a server without verifier sent a code: %d", code)
	}
	invite, _ := o.run(0, "invite", "--note", "for Ann", "--quiet") // beside the running server
	code, body := r.request("http", "", "POST", "/v3/accounts", `{"invite":"`+invite+`",`+attributes)
	var registered struct{ Number string }
	if err := json.Unmarshal([]byte(body), &registered); code != 200 || err != nil {
		t.Fatalf("%d %s", code, body)
	}
	if code, body := r.request("http", "", "POST", "/v3/accounts", `{"invite":"`+invite+`",`+attributes); code != 403 {
		t.Errorf("used twice: %d %s", code, body)
	}
	whoami := func() {
		t.Helper()
		if code, body := r.request("http", registered.Number, "GET", "/v3/account", ""); code != 200 {
			t.Fatalf("%d %s\n%s", code, body, r.read())
		}
	}
	whoami()
	vouched, _ := o.run(0, "invite", "--number", "+14155550001")
	if code, body := r.request("http", "+14155550001", "PUT", "/v1/accounts/code/"+vouched, "{"+attributes); code != 204 {
		t.Errorf("a code the operator vouched for: %d %s", code, body)
	}
	o.run(0, "backup", filepath.Join(o.dir, "backup"))
	if _, stderr := o.run(2, "backup", filepath.Join(o.dir, "backup")); !strings.Contains(stderr, "is there already; want a new directory") {
		t.Error(stderr)
	}
	if _, stderr := o.run(3, "serve", "--listen", "127.0.0.1:0"); !strings.Contains(stderr, "database is in use by another server") {
		t.Error(stderr)
	}
	r.stop()
	if log := r.read(); strings.Contains(log, registered.Number) || strings.Contains(log, "1415555") || strings.Contains(log, invite) {
		t.Errorf("the log names somebody:\n%s", log)
	}
	r = o.serve()
	whoami()
	r.kill()
	r = o.serve()
	whoami()
	r.stop()
	r = o.serve("--data", filepath.Join(o.dir, "backup"))
	whoami()
	r.stop()
}

func TestInviteCommands(t *testing.T) {
	o := newOperator(t)
	if out, _ := o.run(0, "invite", "list"); out != "no invite can be used now; 'messengerd invite' makes one" {
		t.Error(out)
	}
	out, _ := o.run(0, "invite", "--json", "--uses", "3", "--note", "choir")
	var made printedInvite
	if err := json.Unmarshal([]byte(out), &made); err != nil || len(made.Invite) != 22 || made.Uses != 3 {
		t.Fatalf("%s: %v", out, err)
	}
	if out, _ := o.run(0, "invite", "list"); !strings.HasPrefix(out, made.ID+"  3 left  until ") || !strings.HasSuffix(out, "  choir") {
		t.Error(out)
	}
	if _, stderr := o.run(1, "invite", "revoke", "nonsense"); !strings.Contains(stderr, `no invite "nonsense" can be used now`) {
		t.Error(stderr)
	}
	o.run(0, "invite", "revoke", made.ID)
	if out, _ := o.run(0, "invite", "list", "--json"); out != "[]" {
		t.Error(out)
	}
	for _, args := range [][]string{{"--uses", "0"}, {"--number", "5"}, {"--number", "+14155550001", "--uses", "2"}, {"--expires", "-1h"}} {
		o.run(2, append([]string{"invite"}, args...)...)
	}
}

// With TLS, metrics and the development verifier; and the doctor's findings before and after.
func TestServeWithTLSAndMetrics(t *testing.T) {
	o := newOperator(t)
	certificate, key := filepath.Join(o.dir, "c.pem"), filepath.Join(o.dir, "k.pem")
	if out, _ := o.run(1, "doctor", "--tls-certificate", certificate, "--tls-key", key, "--listen", "127.0.0.1:1"); !strings.Contains(out, "wrong    certificate: ") || !strings.Contains(out, "warning  registration: nobody is registered") {
		t.Error(out)
	}
	writeCertificate(t, certificate, key, time.Now())
	r := o.serve("--tls-certificate", certificate, "--tls-key", key, "--metrics-listen", "127.0.0.1:0", "--development")
	code, body := r.request("https", "", "GET", "/v1/accounts/dev/code/+14155550001", "")
	if code != 200 || len(body) != 7 {
		t.Fatalf("%d %q", code, body)
	}
	r.request("https", "+14155550001", "PUT", "/v1/accounts/code/"+body, "{"+attributes)
	metrics := regexp.MustCompile(`msg=metrics address=(\S+)`).FindStringSubmatch(r.read())
	if metrics == nil {
		t.Fatal(r.read())
	}
	resp, err := http.Get("http://" + metrics[1] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	for _, want := range []string{"messengerd_registrations_total 1\n", `messengerd_requests_total{route="PUT /v1/accounts/code/{code}",status="204"} 1`, "messengerd_websockets 0\n", "messengerd_store_commits_total "} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	if strings.Contains(string(b), "1415555") {
		t.Error("the metrics name a number")
	}
	out, _ := o.run(0, "doctor", "--tls-certificate", certificate, "--tls-key", key, "--listen", r.address)
	for _, want := range []string{"ok       certificate: for chat.example.org", "ok       database: 1 accounts, 0 envelopes waiting", "ok       server: ready at " + r.address} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	r.stop()
}

// Hostile clients of the HTTP side: each costs little, and the others are served.
func TestHostileHTTP(t *testing.T) {
	o := newOperator(t)
	r := o.serve("--development")
	for name, c := range map[string]struct {
		send string
		want string // start of the answer, after which the connection ends
	}{
		"huge header": {"GET /health HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", "HTTP/1.1 431"},
		"huge body":   {"PUT /v1/accounts/code/123456 HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", "HTTP/1.1 413"},
		"garbage":     {"\x00\x01\x02\r\n\r\n", "HTTP/1.1 400"},
		"dot dot":     {"GET /v3/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 3"}, // to the cleaned path, where nothing is
		"slow header": {"GET /health HTTP/1.1\r\nHos", "HTTP/1.1 400"},                                             // after 10 s
	} {
		t.Run(name, func(t *testing.T) {
			if got := exchange(t, r.address, c.send); !strings.HasPrefix(got, c.want) {
				t.Errorf("%.60q, want %q", got, c.want)
			}
		})
	}
	for n := range 20 {
		if code, _ := r.request("http", "", "GET", "/v1/accounts/dev/code/+1415555"+strconv.Itoa(1000+n), ""); code != 200 {
			t.Fatalf("registration %d after all that: %d", n, code)
		}
	}
	r.stop()
}
