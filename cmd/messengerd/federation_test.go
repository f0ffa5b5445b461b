//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// town is an operator with a settings file, one of two whose servers are peers.
type town struct {
	*operator
	name, pin, peers, file string
}

// newTown shares one build of the program.
func newTown(t *testing.T, program, name string) *town {
	o := &operator{T: t, dir: t.TempDir(), program: program}
	o.home = filepath.Join(o.dir, "home")
	x := &town{operator: o, name: name, file: filepath.Join(o.dir, "messengerd.toml")}
	x.pin, _ = o.run(0, "peer", "key", "--quiet")
	n := rand.Uint32() // of all of 127.0.0.0/8, so that nobody else takes the port before the server does
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+n>>8%250, n>>16%250, 1+n>>24%250))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	x.peers = l.Addr().String() // the two must name each other before either runs
	return x
}

// know writes the settings: this town, and the other with a pin.
func (x *town) know(other *town, pin string) {
	x.Helper()
	text := fmt.Sprintf("development = true\n[federation]\nname = %q\nlisten = %q\npeer = [%q]\n", x.name, x.peers, other.name+" https://"+other.peers+" "+pin)
	if err := os.WriteFile(x.file, []byte(text), 0o600); err != nil {
		x.Fatal(err)
	}
}

// register makes an account with the keys of a client of the pairwise protocol v2, which need no signature.
func (x *town) register(r *running, number string) {
	x.Helper()
	_, code := r.request("http", "", "GET", "/v1/accounts/dev/code/"+number, "")
	if status, body := r.request("http", number, "PUT", "/v1/accounts/code/"+code, "{"+attributes); status != 204 {
		x.Fatal(status, body)
	}
	key := func(id int) string {
		return fmt.Sprintf(`{"keyId":%d,"publicKey":"%s","identityKey":"%s"}`, id, somePublic, somePublic)
	}
	if status, body := r.request("http", number, "PUT", "/v1/keys", `{"lastResortKey":`+key(7)+`,"keys":[`+key(1)+`,`+key(2)+`]}`); status != 204 {
		x.Fatal(status, body)
	}
}

// somePublic is a public key in base64: the curve's base point.
var somePublic = "BQkAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

const letter = `{"messages":[{"type":1,"destinationDeviceId":1,"destinationRegistrationId":5,"content":"Y2lwaGVydGV4dA"}],"timestamp":7}`

// Two real servers: the operators exchange pins, the doctor says what is wrong until it is right, and people write to each other. One is killed: the
// sender is told, and nothing that was answered is lost; when it is back the same message goes through.
func TestTwoServersFederate(t *testing.T) {
	program := newOperator(t).program
	a, b := newTown(t, program, "a.example"), newTown(t, program, "b.example")
	if again, _ := a.run(0, "peer", "key", "--quiet"); again != a.pin || a.pin == b.pin {
		t.Fatalf("the pin was %s and is %s", a.pin, again)
	}
	out, _ := a.run(0, "peer", "key", "--json")
	var printed printedPin
	if err := json.Unmarshal([]byte(out), &printed); err != nil || printed.Pin != a.pin || printed.Made {
		t.Fatalf("%s: %v", out, err)
	}
	if info, err := os.Stat(printed.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v %v", info, err)
	}
	const anna, bert = "+14155550001", "+14155550002"
	a.know(b, b.pin)
	b.know(a, b.pin) // b's operator has mistaken his own pin for the other's
	if _, stderr := b.run(3, "serve", "--config", b.file, "--listen", "127.0.0.1:0"); !strings.Contains(stderr, "the pin is this server's own") {
		t.Error(stderr)
	}
	ra := a.serve("--config", a.file, "--metrics-listen", "127.0.0.1:0")
	a.want(ra, "warning  peer b.example: nobody answers at "+b.peers)
	wrongPin := strings.Replace(a.pin, a.pin[len("sha256:"):][:4], "0000", 1)
	b.know(a, wrongPin)
	rb := b.serve("--config", b.file)
	b.want(rb, "wrong    peer a.example: the key is not the pinned one: got "+a.pin)
	a.want(ra, "wrong    peer b.example: it answers at "+b.peers+" with the right key, and does not talk to us")
	rb.stop()
	b.know(a, a.pin)
	rb = b.serve("--config", b.file)
	b.want(rb, "ok       peer a.example: reachable, with the right key, and knows ours")
	a.want(ra, "ok       peer b.example: reachable")

	a.register(ra, anna)
	b.register(rb, bert)
	path := "/v1/messages/" + bert + "@b.example"
	if status, body := ra.request("http", anna, "GET", "/v1/keys/"+bert+"/*?relay=b.example", ""); status != 200 || !strings.Contains(body, somePublic) {
		t.Fatal(status, body)
	}
	if status, body := ra.request("http", anna, "PUT", path, letter); status != 200 {
		t.Fatal(status, body)
	}
	rb.kill()
	second := strings.Replace(letter, ":7}", ":8}", 1)
	if status, body := ra.request("http", anna, "PUT", path, second); status != 503 || !strings.Contains(body, "b.example does not answer") {
		t.Errorf("%d %s", status, body)
	}
	rb = b.serve("--config", b.file)
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		status, body := ra.request("http", anna, "PUT", path, second)
		if status == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatal(status, body)
		}
	}
	var q struct {
		Messages []struct {
			Source, Relay string
			Timestamp     int
		}
	}
	if _, body := rb.request("http", bert, "GET", "/v1/messages", ""); json.Unmarshal([]byte(body), &q) != nil || len(q.Messages) != 2 ||
		q.Messages[0].Timestamp != 7 || q.Messages[1].Timestamp != 8 || q.Messages[1].Source != anna || q.Messages[1].Relay != "a.example" {
		t.Errorf("%+v", q)
	}
	for _, r := range []*running{ra, rb} {
		if log := r.read(); strings.Contains(log, "1415555") {
			t.Errorf("the log names somebody:\n%s", log)
		}
	}
	ra.stop()
	rb.stop()
}

// want runs the doctor beside a running server and looks for a finding.
func (x *town) want(r *running, finding string) {
	x.Helper()
	code := 0
	if strings.HasPrefix(finding, "wrong") {
		code = 1
	}
	out, _ := x.run(code, "doctor", "--config", x.file, "--listen", r.address)
	if !regexp.MustCompile("(?m)^" + regexp.QuoteMeta(finding)).MatchString(out) {
		x.Errorf("no %q in\n%s", finding, out)
	}
}

// The peer is killed again and again while somebody writes to it: every message that was answered is there in the end, and each that came twice has
// one id in both.
func TestKilledPeerLosesNothingAnswered(t *testing.T) {
	program := newOperator(t).program
	a, b := newTown(t, program, "a.example"), newTown(t, program, "b.example")
	a.know(b, b.pin)
	b.know(a, a.pin)
	ra, rb := a.serve("--config", a.file, "--limit-factor", "0"), b.serve("--config", b.file, "--limit-factor", "0")
	const anna, bert, kills, enough = "+14155550001", "+14155550002", 5, 200
	a.register(ra, anna)
	b.register(rb, bert)
	var answered atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { // each message again with its timestamp until it is answered
		defer close(done)
		for n := 1; n <= 400; { // below the half of the queue that peers can fill
			select {
			case <-stop:
				return
			default:
			}
			body := strings.Replace(letter, `"timestamp":7}`, fmt.Sprintf(`"timestamp":%d}`, n), 1)
			switch status := ra.send(anna, "/v1/messages/"+bert+"@b.example", body); status {
			case 200:
				answered.Store(int64(n))
				n++
			case 503:
				time.Sleep(20 * time.Millisecond)
			default:
				t.Errorf("message %d: %d, want 200 or 503", n, status)
				return
			}
		}
	}()
	until := func(n int64) {
		t.Helper()
		for end := time.Now().Add(patience); answered.Load() < n; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d messages were answered, want %d", answered.Load(), n)
			}
		}
	}
	for k := range kills {
		until(int64(k+1) * enough / kills)
		rb.kill()
		rb = b.serve("--config", b.file, "--limit-factor", "0")
	}
	until(enough + 1)
	close(stop)
	<-done
	ids := map[int]string{}
	for more := true; more; {
		var q struct {
			Messages []struct {
				Source    string
				Timestamp int
				GUID      string
			}
			More bool
		}
		if _, body := rb.request("http", bert, "GET", "/v1/messages", ""); json.Unmarshal([]byte(body), &q) != nil {
			t.Fatal(body)
		}
		for _, m := range q.Messages {
			if id, twice := ids[m.Timestamp]; twice && id != m.GUID {
				t.Errorf("message %d came twice, as %s and %s", m.Timestamp, id, m.GUID)
			}
			ids[m.Timestamp] = m.GUID
			rb.request("http", bert, "DELETE", fmt.Sprintf("/v1/messages/%s/%d", m.Source, m.Timestamp), "")
		}
		more = len(q.Messages) > 0
	}
	for n := 1; n <= int(answered.Load()); n++ {
		if ids[n] == "" {
			t.Errorf("message %d was answered and is lost", n)
		}
	}
	t.Logf("%d messages answered, %d kills, none lost", answered.Load(), kills)
	ra.stop()
	rb.stop()
}

// send returns the status of a message; 503 if the server itself is not there.
func (r *running) send(login, path, body string) int {
	req, err := http.NewRequest("PUT", "http://"+r.address+path, strings.NewReader(body))
	if err != nil {
		return 0
	}
	req.SetBasicAuth(login, passphrase)
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		return 503
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}
