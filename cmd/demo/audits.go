package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// What an auditor does with an event.
type duty int

const (
	reads    duty = 1 << iota // reviews the change of the source
	rebuilds                  // builds it from the source, and compares
	signs                     // countersigns it
)

// criterion is what this distribution's policy asks reviewers to vouch for, and honesty is in every review. A
// statement is somebody's word, and must be true here, too: nobody reads anything in a demonstration, so
// none of the criteria that speak of reading would be.
const (
	criterion = "listed-by-a-script"
	honesty   = "a demonstration: a script listed the change and marked it as read, nobody read it"
)

// audit is one auditor at work, with the commands that auditors use.
func (t *teller) audit(ctx context.Context, s *step, p person, version string, duties duty) error {
	began, did := time.Now(), []string{}
	if duties&reads != 0 {
		text, err := t.review(ctx, p, version)
		if err != nil {
			return err
		}
		did = append(did, "read "+text)
	}
	if duties&rebuilds != 0 {
		r, err := t.rebuild(ctx, p, version)
		if err != nil {
			return err
		}
		if r.code != 0 {
			return fmt.Errorf("audit rebuild %s: exit code %d\n%s", version, r.code, tail(r.err, 12))
		}
		did = append(did, "rebuilt it: every byte is the same")
	}
	if duties&signs != 0 {
		err := t.sign(ctx, p, t.events[version], t.room)
		switch {
		case err == nil:
			did = append(did, "signed")
		case strings.Contains(err.Error(), "is published already"): // as soon as there is a quorum, the room publishes
			did = append(did, "came after the quorum and need not sign")
		default:
			return err
		}
	}
	s.say("%s (%s) and %s: %s; %.0f s", p.name, p.jurisdiction, version, strings.Join(did, ", "), time.Since(began).Seconds())
	return nil
}

// rebuild runs audit rebuild, whatever comes of it.
func (t *teller) rebuild(ctx context.Context, p person, version string) (result, error) {
	return t.quiet(ctx, p.short(), t.tool, t.withToolchain("audit", "rebuild", t.events[version], "--room", t.room, "--keys", t.keyFile(p), "--cache", t.cacheOf(p), "--quiet", "--json")...)
}

// cacheOf is an auditor's own build cache. None is ever shared: who fills a cache has built what comes out.
func (t *teller) cacheOf(p person) string { return t.path("homes", p.short(), "cache") }

// review lists what a release changes since the base that the tool chooses, marks it as read, and states it.
func (t *teller) review(ctx context.Context, p person, version string) (string, error) {
	review := func(v any, args ...string) error {
		return t.must(ctx, p.short(), v, append([]string{"audit", "review", t.events[version], "--room", t.room, "--quiet"}, args...)...)
	}
	var list struct {
		Base  struct{ Version, Why string }
		Items []struct{ Name string }
		Lines int
	}
	if err := review(&list, "--list"); err != nil {
		return "", err
	}
	if err := review(nil, "--mark", "read", "all"); err != nil {
		return "", err
	}
	var finished struct{ Verdict string }
	if err := review(&finished, "--finish", "--yes", "--keys", t.keyFile(p), "--minutes", "1", "--criteria", criterion, "--tools", "the demo's script", "--notes", honesty, "--independence", "none"); err != nil {
		return "", err
	}
	if finished.Verdict != "pass" {
		return "", fmt.Errorf("review of %s: verdict %q, want pass", version, finished.Verdict)
	}
	since := "the whole source"
	if list.Base.Version != "" {
		since = fmt.Sprintf("the change since %s (base: %s)", list.Base.Version, list.Base.Why)
	}
	return fmt.Sprintf("%s: %d items, %d lines", since, len(list.Items), list.Lines), nil
}

// firstRelease has all five countersign 1.0.0. Before that, one of them tries to sign unseen, which the tool
// refuses. No witness runs yet, so the room does not publish what it has the quorum for, and says why.
func (t *teller) firstRelease(ctx context.Context, s *step) error {
	if err := t.cannotSign(ctx, s, ana, "1.0.0"); err != nil {
		return err
	}
	from := t.serving.lines()
	err := someAtOnce(2, auditors(), func(p person) error { // each compiles all there is
		if p == ana || p == bram {
			return t.audit(ctx, s, p, "1.0.0", reads|rebuilds|signs)
		}
		return t.audit(ctx, s, p, "1.0.0", rebuilds|signs)
	})
	if err != nil {
		return err
	}
	t.report.measure("from the tag to the last of five signatures of 1.0.0, two at a time, nothing built before", time.Since(t.tagged["1.0.0"]).Seconds(), "s")
	return t.waitsForWitnesses(ctx, s, "1.0.0", from)
}

// cannotSign checks that the tool does not let somebody sign what they did not rebuild.
func (t *teller) cannotSign(ctx context.Context, s *step, p person, version string) error {
	r, err := t.quiet(ctx, p.short(), t.tool, "audit", "sign", t.events[version], "--room", t.room, "--keys", t.keyFile(p), "--yes", "--quiet")
	if err != nil {
		return err
	}
	if r.code != 1 {
		return fmt.Errorf("audit sign by %s: exit code %d, want 1\n%s", p.name, r.code, r.err)
	}
	s.say("countersign audit sign by %s: exit code 1, %s", p.name, refusal(r.err))
	return nil
}
