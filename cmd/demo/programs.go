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
	Held map[string]struct {
		Reason    string
		Withdrawn bool
	}
}

type verdict struct {
	Outcome string
	Version string
	Reasons []struct {
		Number          int
		Name, State     string
		Text            string
		People, Against []struct{ Name, Jurisdiction string }
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
	for _, program := range programs() {
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
		if err := t.must(ctx, user, &v, append([]string{"verify", to, "--repository", t.mirror}, t.trusting()...)...); err != nil {
			return err
		}
		s.say("countersign verify %s: %s", program, v.Outcome)
		t.tools[program] = to
	}
	address := strings.TrimSuffix(strings.TrimPrefix(t.health, "http://"), "/health")
	if _, err := t.start(ctx, user, "messengerd", t.tools["messengerd"], "serve", "--listen", address, "--check-every", "2s"); err != nil {
		return err
	}
	if _, err := t.start(ctx, user, "messenger", t.tools["messenger"], "daemon", "--check-every", "2s"); err != nil {
		return err
	}
	if err := t.allRun(ctx, s, "1.0.0"); err != nil {
		return err
	}
	if err := t.evidence("1.0.0"); err != nil {
		return err
	}
	return t.vouched(ctx, s, 5, auditors()...)
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

// serves asks the running server which version it is.
func (t *teller) serves(ctx context.Context) string {
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
func (t *teller) allRun(ctx context.Context, s *step, version string) error {
	err := until(ctx, "both programs run "+version, func() (bool, error) {
		if err := t.alive(); err != nil {
			return false, err
		}
		if t.serves(ctx) != version {
			return false, nil
		}
		for _, program := range programs() {
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
		return fmt.Errorf("%w\nmessenger about: %+v, server health: %q", err, a, t.serves(ctx))
	}
	want, err := manifest(t.path("room", "repository"), version)
	if err != nil {
		return err
	}
	for _, program := range programs() {
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
	for _, program := range programs() {
		said := ""
		err := until(ctx, program+" refuses: "+reason, func() (bool, error) {
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
	if v := t.serves(ctx); v != running {
		return fmt.Errorf("the server runs %q, want %s", v, running)
	}
	return nil
}

// programs are the two that update themselves.
func programs() []string { return []string{"messenger", "messengerd"} }

// vouched checks that, by about, at least so many of these people and nobody else signed what runs, and that the
// people's text names readers and log. The room publishes at the quorum, so that the last to sign may be late.
func (t *teller) vouched(ctx context.Context, s *step, least int, of ...person) error {
	for _, program := range programs() {
		a, err := t.ask(ctx, program)
		if err != nil {
			return err
		}
		got := a.people("quorum")
		strangers := slices.DeleteFunc(slices.Clone(got), func(name string) bool {
			return slices.ContainsFunc(of, func(p person) bool { return p.name == name })
		})
		if len(got) < least || len(strangers) > 0 {
			return fmt.Errorf("%s about names %v, want %d or more of %v", program, got, least, of)
		}
	}
	for _, line := range []string{"rebuilt from source commit ", "reviewed by " + ana.name, "logged: in the log "} {
		if err := t.aboutSays(ctx, s, line); err != nil {
			return err
		}
	}
	return nil
}

// aboutSays checks that both programs say a line to people that begins so, and prints the messenger's.
func (t *teller) aboutSays(ctx context.Context, s *step, begin string, words ...string) error {
	for _, program := range programs() {
		r, err := t.quiet(ctx, user, t.tools[program], "about")
		if err != nil {
			return err
		}
		found := ""
		for line := range strings.Lines(string(r.out)) {
			if strings.HasPrefix(line, begin) {
				found = strings.TrimSpace(line)
			}
		}
		for _, w := range words {
			if !strings.Contains(found, w) {
				found = ""
			}
		}
		if found == "" {
			return fmt.Errorf("%s about has no line %q with %q:\n%s", program, begin, words, r.out)
		}
		if program == "messenger" {
			s.say("messenger about: %s", found)
		}
	}
	return nil
}

// people are the names behind a reason of what a program runs, and against those who spoke against it.
func (a about) people(reason string) []string  { return a.named(reason, false) }
func (a about) against(reason string) []string { return a.named(reason, true) }

func (a about) named(reason string, against bool) []string {
	var names []string
	if a.Verdict == nil {
		return nil
	}
	for _, r := range a.Verdict.Reasons {
		list := r.People
		if against {
			list = r.Against
		}
		for _, p := range list {
			if r.Name == reason {
				names = append(names, p.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}
