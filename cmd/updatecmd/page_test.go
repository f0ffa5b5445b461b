//go:build linux

package updatecmd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tab is a browser's tab, as far as requests go.
type tab struct {
	m         *machine
	at, token string
}

func (b *tab) post(path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	q, err := http.NewRequest("POST", "http://"+b.at+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	q.Close = true
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+b.token)
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

func (b *tab) call(method string, params, into any) error {
	var answer struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	if err := b.post("/rpc", map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, &answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return fmt.Errorf("%s: %s", method, answer.Error.Message)
	}
	return json.Unmarshal(answer.Result, into)
}

func (b *tab) must(method string, params, into any) {
	b.m.t.Helper()
	if err := b.call(method, params, into); err != nil {
		b.m.t.Fatal(err)
	}
}

// unlocked waits until another process answers the tab, gives it the passphrase, and returns which version it is.
func (b *tab) unlocked(log string) string {
	b.m.t.Helper()
	var status struct{ State, Version string }
	b.m.until(log, "the page goes on", func() bool { return b.call("status", nil, &status) == nil && status.State == "locked" })
	var fresh struct{ Token string }
	b.m.until(log, "the passphrase unlocks it", func() bool {
		return b.call("unlock", map[string]string{"passphrase": "open sesame"}, &fresh) == nil && fresh.Token != ""
	})
	b.token = fresh.Token
	b.must("status", nil, &status)
	return status.Version
}

func (m *machine) start(log string, program string, args ...string) *exec.Cmd {
	m.t.Helper()
	f, err := os.Create(log)
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = m.environ(), f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		f.Close()
		if b, _ := os.ReadFile(log); m.t.Failed() {
			m.t.Logf("%s:\n%s", filepath.Base(log), b)
		}
	})
	return cmd
}

func (m *machine) found(log, pattern string) (text string) {
	m.t.Helper()
	m.until(log, pattern, func() bool {
		b, _ := os.ReadFile(log)
		if f := regexp.MustCompile(pattern).FindSubmatch(b); f != nil {
			text = string(f[1])
		}
		return text != ""
	})
	return text
}

// TestThePageOutlivesAnUpdate is what a person with the page open goes through: a new version comes, the tab stays, and goes back when told.
func TestThePageOutlivesAnUpdate(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the real programs three times")
	}
	m := newMachine(t)
	server, base := m.build("messengerd", "1.0.0"), m.build("messenger", "1.0.0")
	m.publish("1.0.0", nil, server, base)
	serverLog, log := filepath.Join(m.dir, "server.log"), filepath.Join(m.dir, "page.log")
	m.staysAsItIs(server)
	m.start(serverLog, server, "serve", "--listen", "127.0.0.1:0", "--development", "--check-every", "24h")
	url := "http://" + m.found(serverLog, `msg=listening address=(\S+)`)
	invite, errs, code := m.run(server, "invite")
	if code != 0 {
		t.Fatal(errs)
	}
	m.start(log, base, "open", "--print", "--check-every", "1s")
	address := m.found(log, `(http://127\.0\.0\.1:\d+/#\S+)`)
	at, key, _ := strings.Cut(strings.TrimPrefix(address, "http://"), "/#")
	b := &tab{m: m, at: at}
	var entered struct{ Token string }
	if err := b.post("/token", map[string]string{"key": key}, &entered); err != nil {
		t.Fatal(err)
	}
	b.token = entered.Token
	b.must("register", map[string]string{"server": url, "invite": strings.TrimSpace(invite), "passphrase": "open sesame"}, new(struct{}))
	type picture struct {
		Version, Outcome, Return, Channel string
		Channels                          []string
		Counts                            struct{ Signed, Rebuilt int }
		People                            []struct {
			Signed, Rebuilt bool
			RebuiltAt       time.Time
		}
		Versions []struct{ Version, Outcome string }
	}
	var about picture
	m.until(log, "1.0.0 is shown to be genuine", func() bool {
		about = picture{}
		return b.call("about", nil, &about) == nil && about.Outcome == "genuine"
	})
	if about.Counts.Signed < 3 || about.Counts.Rebuilt < 3 || len(about.People) < 3 || len(about.Channels) == 0 {
		t.Errorf("%+v", about)
	}
	// The server says what it is; it is what the distribution has.
	var there struct {
		Says    struct{ Version, Program string }
		Checked struct {
			Outcome, Why, Newest string
			Behind               bool
		}
	}
	b.must("serverAbout", nil, &there)
	if there.Says.Program != "messengerd" || there.Says.Version != "1.0.0" || there.Checked.Outcome != "genuine" || there.Checked.Behind {
		t.Errorf("%+v", there)
	}

	m.publish("1.1.0", nil, m.build("messengerd", "1.1.0"), m.build("messenger", "1.1.0"))
	m.until(log, "the new version receives, before anybody comes to the page", func() bool {
		raw, _ := os.ReadFile(log)
		_, since, other := strings.Cut(string(raw), "msg=started version=1.1.0")
		return other && strings.Contains(since, "msg=connected")
	})
	if v := b.unlocked(log); v != "1.1.0" {
		t.Fatal("the page is of version ", v)
	}
	about = picture{}
	b.must("about", nil, &about)
	if about.Version != "1.1.0" || about.Outcome != "genuine" || about.Return != "1.0.0" || len(about.Versions) != 2 {
		t.Errorf("%+v", about)
	}
	b.must("serverAbout", nil, &there)
	if there.Checked.Outcome != "genuine" || !there.Checked.Behind || there.Checked.Newest != "1.1.0" {
		t.Errorf("%+v", there)
	}
	m.found(log, `msg="version works" version=(1\.1\.0)`) // only then is there nothing to return from by itself
	if err := b.call("returnToLastVersion", nil, new(struct{})); err != nil {
		t.Fatal(err)
	}
	if v := b.unlocked(log); v != "1.0.0" {
		t.Error("back at version ", v)
	}
	if raw, err := os.ReadFile(log); err != nil || strings.Count(string(raw), "/#") != 1 {
		t.Errorf("an update opens the page again, which is open: %v", err)
	}
	about = picture{}
	b.must("updateSettings", map[string]any{"unpin": true, "automatic": false}, &about)
	if about.Version != "1.0.0" || about.Outcome != "genuine" || !slices.Contains(about.Channels, about.Channel) {
		t.Errorf("%+v", about)
	}
}
