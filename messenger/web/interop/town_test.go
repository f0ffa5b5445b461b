package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience ends a test that would otherwise wait for ever.
const patience = 2 * time.Minute

// programs are built once for all tests.
var programs = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "page-interop-"); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir+"/", "./cmd/messenger", "./cmd/messengerd")
	cmd.Dir = "../../.."
	cmd.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := programs(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// town is a server and the people on it, each with a messenger of his own: real programs.
type town struct {
	testing.TB
	bin, dir, url string
}

// person is somebody whose messenger runs and shows the page.
type person struct {
	w     *town
	name  string
	at    string // "127.0.0.1:4711"
	token string // of this test's own tab

	number string // once there is an account
}

func newTown(t testing.TB) *town {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	w := &town{TB: t, bin: bin, dir: t.TempDir()}
	found := w.begin(w.program("messengerd", "server", "serve", "--listen", "127.0.0.1:0", "--development"), `msg=listening address=(\S+)`)
	w.url = "http://" + found
	return w
}

// program is one of ours for somebody, with a passphrase in nobody's environment.
func (w *town) program(name, who string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(w.bin, name), args...)
	cmd.Env = append(os.Environ(), "MESSENGER_HOME="+filepath.Join(w.dir, who), "MESSENGER_CONFIG=", "MESSENGER_PASSPHRASE=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// begin starts a program that is ended, with all its children, at the end of the test, and returns what the pattern finds in what it prints.
func (w *town) begin(cmd *exec.Cmd, pattern string) string {
	w.Helper()
	r, out := io.Pipe()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		_ = out.Close()
	})
	found, match := make(chan string, 1), regexp.MustCompile(pattern)
	go func() {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			if m := match.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case found <- m[1]:
				default:
				}
			}
			if testing.Verbose() {
				fmt.Fprintf(os.Stderr, "%s: %s\n", filepath.Base(cmd.Path), lines.Text())
			}
		}
	}()
	select {
	case s := <-found:
		return s
	case <-time.After(patience):
		w.Fatalf("%s says nothing like %s", cmd.Path, pattern)
		return ""
	}
}

// run runs a program to its end.
func (w *town) run(name, who string, args ...string) string {
	w.Helper()
	out, err := w.program(name, who, args...).Output()
	if err != nil {
		w.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (w *town) invite() string { return strings.TrimSpace(w.run("messengerd", "server", "invite")) }

// person starts somebody's messenger, without an account.
func (w *town) person(name string) *person {
	w.Helper()
	p := &person{w: w, name: name}
	address := w.begin(w.program("messenger", name, "open", "--print"), `(http://127\.0\.0\.1:\d+/#\S+)`)
	p.token, p.at = w.enter(address)
	return p
}

// enter exchanges the key of an address for a token.
func (w *town) enter(address string) (token, at string) {
	w.Helper()
	host, key, _ := strings.Cut(strings.TrimPrefix(address, "http://"), "/#")
	body, _ := json.Marshal(map[string]string{"key": key})
	resp, err := http.Post("http://"+host+"/token", "application/json", bytes.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.Token == "" {
		w.Fatal(resp.Status, err)
	}
	return out.Token, host
}

// address opens the page once more, for a browser: it is good once. The account must be open.
func (p *person) address() string {
	p.w.Helper()
	out := struct{ URL string }{}
	p.call("openPage", nil, &out)
	return out.URL
}

// call calls a method of somebody's messenger.
func (p *person) call(method string, params, out any) {
	p.w.Helper()
	if err := p.try(method, params, out); err != nil {
		p.w.Fatalf("%s: %s: %v", p.name, method, err)
	}
}

func (p *person) try(method string, params, out any) error {
	if params == nil {
		params = struct{}{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return err
	}
	b, err := p.post("/rpc", "application/json", body)
	if err != nil {
		return err
	}
	var answer struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return fmt.Errorf("%w in %s", err, b)
	}
	if answer.Error != nil {
		return fmt.Errorf("%s", answer.Error.Message)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer.Result, out)
}

func (p *person) post(path, kind string, body []byte, headers ...string) ([]byte, error) {
	q, err := http.NewRequest("POST", "http://"+p.at+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Authorization", "Bearer "+p.token)
	q.Header.Set("Content-Type", kind)
	for i := 0; i+1 < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	return b, err
}

// passphrase of everybody's account.
const passphrase = "correct horse battery staple"

// register makes somebody's account and returns the number.
func (p *person) register() string {
	p.w.Helper()
	return p.registerWith(map[string]string{"invite": p.w.invite()})
}

// takeOver makes an account of a number that somebody has already: what a new phone does, or a thief.
func (p *person) takeOver(number string) {
	p.w.Helper()
	resp, err := http.Get(p.w.url + "/v1/accounts/dev/code/" + number)
	if err != nil {
		p.w.Fatal(err)
	}
	defer resp.Body.Close()
	code, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.w.Fatalf("no code for %s: %s %s %v", number, resp.Status, code, err)
	}
	p.registerWith(map[string]string{"number": number, "code": string(code)})
}

func (p *person) registerWith(params map[string]string) string {
	p.w.Helper()
	params["server"], params["passphrase"] = p.w.url, passphrase
	var out struct{ Number string }
	p.call("register", params, &out)
	p.number = out.Number
	return p.number
}

// until asks again until it is so.
func (w *town) until(what string, is func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("waited in vain: %s", what)
		}
	}
}
