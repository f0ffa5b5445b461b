package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const user = "user" // the person who only wants to chat, and runs both programs here

// about is the part of `about --json` that the story looks at.
type about struct {
	Version string
	SHA256  string
	Outcome string
	Verdict *verdict
	Refused *struct {
		Version, Reason string
		Wrong           bool // shown to be wrong, and not merely not shown
	}
}

type verdict struct {
	Outcome string
	Version string
	Reasons []struct {
		Number      int
		Name, State string
		Text        string
		People      []struct{ Name, Jurisdiction string }
	}
}

// reason returns a reason's text if it is in the given state.
func (v *verdict) reason(name, state string) (string, bool) {
	if v == nil {
		return "", false
	}
	for _, r := range v.Reasons {
		if r.Name == name && r.State == state {
			return r.Text, true
		}
	}
	return "", false
}

// install copies both programs from the mirror, checks them as a careful person would, and starts them.
func (t *teller) install(ctx context.Context, s *step) error {
	anchor := t.path("source", "release", "anchor", "distribution")
	for _, program := range []string{"messenger", "messengerd"} {
		from, err := artifactFile(t.path("mirror"), "1.0.0", program)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(t.path("mirror"), from)
		if err != nil {
			return err
		}
		to := t.path("tools", exe(program))
		if err := t.fetch(ctx, t.mirror+"/"+filepath.ToSlash(rel), to); err != nil {
			return err
		}
		var v verdict
		if err := t.must(ctx, user, &v, "verify", to, "--repository", t.mirror, "--root", filepath.Join(anchor, "root.json"), "--policy", filepath.Join(anchor, "policy.json")); err != nil {
			return err
		}
		s.say("countersign verify %s: %s", program, v.Outcome)
		t.tools[program] = to
	}
	address, err := freePort()
	if err != nil {
		return err
	}
	t.health = "http://" + address + "/health"
	if _, err := t.start(ctx, user, "messengerd", t.tools["messengerd"], "serve", "--listen", address, "--check-every", "2s"); err != nil {
		return err
	}
	if _, err := t.start(ctx, user, "messenger", t.tools["messenger"], "daemon", "--check-every", "2s"); err != nil {
		return err
	}
	return t.allRun(ctx, s, "1.0.0", time.Minute)
}

func (t *teller) fetch(ctx context.Context, url, to string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, resp.Body); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// ask runs `about --json` of a program; it exits with 0, 1 or 3 by its verdict.
func (t *teller) ask(ctx context.Context, program string) (about, error) {
	r, err := t.quiet(ctx, user, t.tools[program], "about", "--json")
	if err != nil {
		return about{}, err
	}
	var a about
	if err := json.Unmarshal(r.out, &a); err != nil {
		return a, fmt.Errorf("%s about --json: %v in %q, %q", program, err, r.out, r.err)
	}
	return a, nil
}

// serving asks the running server which version it is.
func (t *teller) serving(ctx context.Context) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.health, nil)
	if err != nil {
		return ""
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	var h struct{ Status, Version string }
	if err := json.NewDecoder(resp.Body).Decode(&h); err != nil || h.Status != "ok" {
		return ""
	}
	return h.Version
}

// allRun waits until both programs run a version and say that it is genuine, and names who vouched.
func (t *teller) allRun(ctx context.Context, s *step, version string, limit time.Duration) error {
	err := until(ctx, limit, "both programs run "+version, func() (bool, error) {
		if err := t.alive(); err != nil {
			return false, err
		}
		if t.serving(ctx) != version {
			return false, nil
		}
		for _, program := range []string{"messenger", "messengerd"} {
			a, err := t.ask(ctx, program)
			if err != nil {
				return false, err
			}
			if a.Version != version || a.Outcome != "genuine" {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		a, _ := t.ask(ctx, "messenger")
		return fmt.Errorf("%w\nmessenger about: %+v, server health: %q", err, a, t.serving(ctx))
	}
	want, err := manifest(t.path("room", "repository"), version)
	if err != nil {
		return err
	}
	for _, program := range []string{"messenger", "messengerd"} {
		a, err := t.ask(ctx, program)
		if err != nil {
			return err
		}
		text, ok := a.Verdict.reason("quorum", "held")
		if !ok {
			return fmt.Errorf("%s: no quorum in %+v", program, a.Verdict)
		}
		if !valueIn(want, a.SHA256) {
			return fmt.Errorf("%s runs bytes with sha256 %s, which the manifest does not name", program, a.SHA256)
		}
		s.runs(program, a.SHA256)
		s.say("%s %s: %s", program, version, text)
	}
	return nil
}

func valueIn(m map[string]string, value string) bool {
	for _, v := range m {
		if v == value {
			return true
		}
	}
	return false
}

// alive fails when a program that should run has ended.
func (t *teller) alive() error {
	for _, c := range t.children {
		if !c.running() {
			return fmt.Errorf("%s has ended:\n%s", c.name, c.last(10))
		}
	}
	return nil
}

// stayBecause waits until both running programs have refused something for a reason, and checks that they
// still run what they ran.
func (t *teller) stayBecause(ctx context.Context, s *step, running, reason string) error {
	for _, program := range []string{"messenger", "messengerd"} {
		said := ""
		err := until(ctx, time.Minute, program+" refuses: "+reason, func() (bool, error) {
			if err := t.alive(); err != nil {
				return false, err
			}
			a, err := t.ask(ctx, program)
			if err != nil || a.Refused == nil {
				return false, err
			}
			if a.Version != running || a.Outcome != "genuine" {
				return false, fmt.Errorf("%s runs %s, %s; want %s, genuine", program, a.Version, a.Outcome, running)
			}
			said = a.Refused.Reason
			return a.Refused.Wrong && strings.Contains(said, reason), nil
		})
		if err != nil {
			return fmt.Errorf("%w; it says %q", err, said)
		}
		s.say("%s stays on %s: %s", program, running, said)
	}
	if v := t.serving(ctx); v != running {
		return fmt.Errorf("the server runs %q, want %s", v, running)
	}
	return nil
}

// countersigners are the names in the quorum of what a program runs.
func (a about) countersigners() []string {
	var names []string
	if a.Verdict == nil {
		return nil
	}
	for _, r := range a.Verdict.Reasons {
		if r.Name == "quorum" {
			for _, p := range r.People {
				names = append(names, p.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}
