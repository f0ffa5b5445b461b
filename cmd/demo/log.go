package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// wake starts people's witnesses. Each remembers what it cosigned in that person's home.
func (t *teller) wake(ctx context.Context, people ...person) error {
	for _, p := range people {
		c, err := t.start(ctx, p.short(), "witness-"+p.short(), t.tool, "witness", "--keys", t.keyFile(p), "--log-policy", t.anchor("log.policy"),
			"--dir", t.path("homes", p.short(), "witness"), "--listen", t.witness[p])
		if err != nil {
			return err
		}
		t.awake[p] = c
		err = until(ctx, p.name+"'s witness listens", func() (bool, error) {
			_, ok := c.said(0, "witness http://")
			return ok, t.alive()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sleep stops all witnesses. Their addresses stay theirs.
func (t *teller) sleep() error {
	var errs []error
	for _, p := range witnesses() {
		t.dismiss(t.awake[p])
		_, err := t.keep(t.witness[p])
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// waitsForWitnesses checks that the room has a quorum for a version, does not publish it, and says why.
func (t *teller) waitsForWitnesses(ctx context.Context, s *step, version string, from int) error {
	line := ""
	err := until(ctx, "the signing room says that "+version+" waits for the log's witnesses", func() (ok bool, err error) {
		line, ok = t.serving.said(from, "delayed "+version+" stable")
		return ok, t.alive()
	})
	if err != nil {
		return err
	}
	if !strings.Contains(line, "not in the log yet") || !strings.Contains(line, "too few witnesses cosigned") {
		return fmt.Errorf("countersign serve: %s; want that too few witnesses cosigned", line)
	}
	s.say("countersign serve: %s", line)
	if list, err := filepath.Glob(filepath.Join(t.path("room", "repository", "targets", "stable", version), "*")); err != nil || len(list) > 0 {
		return fmt.Errorf("published without witnesses: %q, %v", list, err)
	}
	return nil
}

// witnessesCome starts two of the three witnesses, which is enough.
func (t *teller) witnessesCome(ctx context.Context, s *step) error {
	if err := t.wake(ctx, ana, bram); err != nil {
		return err
	}
	if err := t.published(ctx, t.path("room", "repository"), "1.0.0"); err != nil {
		return err
	}
	s.say("the room published 1.0.0 by itself")
	var err error
	t.old, err = newest(t.path("room", "repository", "metadata"), "stable")
	return err
}

// looked is the part of `monitor --json` that the story looks at.
type looked struct {
	New, Over, Standing []struct{ ID, Kind, Text string }
	Problems            []string
	Entries             int
}

// look has a monitor look once at the mirror. It remembers what it saw and told from one look to the next.
func (t *teller) look(ctx context.Context) (looked, int, error) {
	var l looked
	args := append([]string{"monitor", "--once", "--json", "--quiet", "--grace", "0s", "--repository", t.mirror, "--state", t.path("homes", "monitor", "state")}, t.trusting()...)
	r, err := t.quiet(ctx, "monitor", t.tool, args...)
	if err != nil {
		return l, r.code, err
	}
	if err := json.Unmarshal(r.out, &l); err != nil {
		return l, r.code, fmt.Errorf("countersign monitor: exit code %d, %v in %q\n%s", r.code, err, r.out, tail(r.err, 12))
	}
	return l, r.code, nil
}

// monitored has the monitor look until exactly these kinds of alarms stand, and prints them. What is signed
// is logged a moment later, so an alarm may come and go; the mirror copies it meanwhile.
func (t *teller) monitored(ctx context.Context, s *step, kinds ...string) error {
	var l looked
	slices.Sort(kinds)
	err := until(ctx, fmt.Sprintf("the monitor has the alarms %q", kinds), func() (bool, error) {
		var err error
		if err = t.sync(ctx); err != nil {
			return false, err
		}
		l, _, err = t.look(ctx)
		return err == nil && len(l.Problems) == 0 && slices.Equal(l.kinds(), kinds), err
	})
	if err != nil {
		return fmt.Errorf("%w; it says %+v", err, l)
	}
	if len(kinds) == 0 {
		s.say("countersign monitor: %d entries of the log, no alarm", l.Entries)
	}
	for _, a := range l.Standing {
		s.say("countersign monitor: %s: %s", a.Kind, a.Text)
	}
	return nil
}

// kinds are those of the alarms that stand, sorted.
func (l looked) kinds() []string {
	list := []string{}
	for _, a := range l.Standing {
		list = append(list, a.Kind)
	}
	slices.Sort(list)
	return list
}

// logShows checks what `log show` lists about a version: how often each kind of entry is there.
func (t *teller) logShows(ctx context.Context, s *step, version string, want map[string]int) error {
	var l struct {
		Size      uint64
		Witnesses []struct{ Name string }
		Entries   []struct{ What, By, Text string }
	}
	args := append([]string{"log", "show", "--release", version, "--repository", t.mirror, "--quiet"}, t.trusting()...)
	if err := t.must(ctx, user, &l, args...); err != nil {
		return err
	}
	got := map[string]int{}
	for _, e := range l.Entries {
		got[e.What]++
		s.say("countersign log show: %s", e.Text)
	}
	if !maps.Equal(got, want) || len(l.Witnesses) < 2 {
		return fmt.Errorf("the log has %v about %s under a head of %d witnesses, want %v and 2 or more", got, version, len(l.Witnesses), want)
	}
	return nil
}

// anchor is the directory of the trust anchor, or a file in it.
func (t *teller) anchor(file ...string) string {
	return t.path(append([]string{"source", "release", "anchor", "distribution"}, file...)...)
}

// trusting are the flags by which a tool that was built without a distribution believes this one.
func (t *teller) trusting() []string {
	return []string{"--root", t.anchor("root.json"), "--policy", t.anchor("policy.json"), "--log-policy", t.anchor("log.policy")}
}

// evidence measures what a device fetches to judge a release: the evidence file and the proof in it.
func (t *teller) evidence(version string) error {
	list, err := filepath.Glob(t.path("mirror", "targets", "stable", version, "*.release.json"))
	if err != nil || len(list) != 1 {
		return fmt.Errorf("%d release.json of %s, %v", len(list), version, err)
	}
	sum, _, _ := strings.Cut(filepath.Base(list[0]), ".")
	b, err := os.ReadFile(t.path("mirror", "evidence", sum+".json"))
	if err != nil {
		return err
	}
	var file struct {
		Statements []json.RawMessage
		Proof      string
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return err
	}
	if file.Proof == "" {
		return fmt.Errorf("evidence of %s: no proof", version)
	}
	t.report.measure(fmt.Sprintf("evidence file of %s with %d statements", version, len(file.Statements)), float64(len(b)), "bytes")
	t.report.measure("its proof that all of them are in the log", float64(len(file.Proof)), "bytes")
	return nil
}
