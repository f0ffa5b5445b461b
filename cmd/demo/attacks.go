package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/attest/signer"
)

// instead puts a dishonest copy of the mirror's directory in its place while f runs, and then puts the
// honest one back. make changes the copy before it is served.
func (t *teller) instead(change func(dir string) error, f func() error) error {
	honest, lying := t.path("mirror"), t.path("mirror-lying")
	if err := copyTree(honest, lying); err != nil {
		return err
	}
	if err := change(lying); err != nil {
		return err
	}
	aside := t.path("mirror-honest")
	if err := swap(honest, aside, lying); err != nil {
		return err
	}
	err := f()
	if back := swap(honest, lying, aside); back != nil {
		return back
	}
	return err
}

// swap moves a directory aside and another one into its place.
func swap(place, aside, instead string) error {
	if err := os.Rename(place, aside); err != nil {
		return err
	}
	return os.Rename(instead, place)
}

// publisherGoneBad has the publisher's online keys. ahead is how far its versions jump.
func (t *teller) publisherGoneBad(dir string, ahead int64) (dishonest, error) {
	passphrase, err := os.ReadFile(t.path("keys", publisher.short()+".passphrase"))
	if err != nil {
		return dishonest{}, err
	}
	ring, err := signer.Open([]string{t.keyFile(publisher)}, func(string) ([]byte, error) {
		return []byte(strings.TrimSpace(string(passphrase))), nil
	}, os.Getenv)
	return dishonest{root: dir, keys: ring, now: time.Now(), ahead: ahead}, err
}

func (t *teller) eventDir(version string) string { return t.path("room", "events", t.events[version]) }

// twoAreNotEnough has two auditors sign 1.1.0, which a hasty publisher then puts on the mirror.
func (t *teller) twoAreNotEnough(ctx context.Context, s *step) error {
	for _, p := range []person{ana, bram} {
		if err := t.rebuildAndSign(ctx, s, p, "1.1.0"); err != nil {
			return err
		}
	}
	r, err := t.as(ctx, publisher.short(), t.tool, "publish", t.events["1.1.0"], "--room", t.path("room"), "--keys", t.keyFile(publisher), "--quiet")
	if err != nil {
		return err
	}
	if r.code != 1 {
		return fmt.Errorf("countersign publish: exit code %d, want 1\n%s", r.code, r.err)
	}
	s.say("our own publisher's tool: %s", refusal(r.err))
	return t.instead(func(dir string) error {
		bad, err := t.publisherGoneBad(dir, 1)
		if err != nil {
			return err
		}
		return bad.publishEvent(t.eventDir("1.1.0"), "stable")
	}, func() error {
		if err := t.stayBecause(ctx, s, "1.0.0", "2 of the 5 keys authorised signed"); err != nil {
			return err
		}
		r, err := t.quiet(ctx, user, t.tools["messenger"], "update", "--check")
		if err != nil {
			return err
		}
		if r.code != 1 {
			return fmt.Errorf("messenger update --check: exit code %d, want 1\n%s%s", r.code, r.out, r.err)
		}
		s.say("messenger update --check: exit code 1, %s", refusal(r.err))
		return nil
	})
}

// updateThemselves adds the third signature and waits.
func (t *teller) updateThemselves(ctx context.Context, s *step) error {
	// The hasty publisher's snapshot and timestamp were in order as such, so the honest ones must be newer.
	if err := t.must(ctx, publisher.short(), nil, "publish", "--refresh", "--room", t.path("room"), "--keys", t.keyFile(publisher), "--quiet"); err != nil {
		return err
	}
	if err := t.rebuildAndSign(ctx, s, chioma, "1.1.0"); err != nil {
		return err
	}
	if err := t.published(ctx, t.path("room", "repository"), "1.1.0"); err != nil {
		return err
	}
	if err := t.sync(ctx); err != nil {
		return err
	}
	if err := t.allRun(ctx, s, "1.1.0", 2*time.Minute); err != nil {
		return err
	}
	for _, program := range []string{"messenger", "messengerd"} {
		a, err := t.ask(ctx, program)
		if err != nil {
			return err
		}
		if want := []string{ana.name, bram.name, chioma.name}; !slices.Equal(a.countersigners(), want) {
			return fmt.Errorf("%s about names %v, want %v", program, a.countersigners(), want)
		}
	}
	return nil
}

// swappedBytes lets a newcomer with version 1.0.0 ask a mirror that has other bytes under the right name.
func (t *teller) swappedBytes(ctx context.Context, s *step) error {
	return t.instead(func(dir string) error {
		for _, program := range []string{"messenger", "messengerd"} {
			path, err := artifactFile(dir, "1.1.0", program)
			if err != nil {
				return err
			}
			if err := flipMiddleByte(path); err != nil {
				return err
			}
		}
		return nil
	}, func() error {
		const newcomer = "newcomer"
		r, err := t.as(ctx, newcomer, t.tools["messenger"], "update", "--quiet")
		if err != nil {
			return err
		}
		if r.code != 1 || !strings.Contains(r.err, "sha256") {
			return fmt.Errorf("messenger update from a lying mirror: exit code %d, want 1 and the two hashes\n%s%s", r.code, r.out, r.err)
		}
		s.say("messenger update: exit code 1, %s", refusal(r.err))
		path, err := artifactFile(t.path("mirror"), "1.1.0", "messenger")
		if err != nil {
			return err
		}
		anchor := t.path("source", "release", "anchor", "distribution")
		r, err = t.as(ctx, newcomer, t.tool, "verify", path, "--repository", t.mirror, "--root", filepath.Join(anchor, "root.json"), "--policy", filepath.Join(anchor, "policy.json"), "--quiet")
		if err != nil {
			return err
		}
		if r.code != 1 {
			return fmt.Errorf("countersign verify of swapped bytes: exit code %d, want 1\n%s%s", r.code, r.out, r.err)
		}
		s.say("countersign verify: exit code 1, %s", refusal(r.err))
		return t.alive()
	})
}

func flipMiddleByte(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 1
	return os.WriteFile(path, b, 0o644)
}

// servedAgain re-serves the channel as it was with 1.0.0, under a fresh snapshot and timestamp.
func (t *teller) servedAgain(ctx context.Context, s *step) error {
	return t.instead(func(dir string) error {
		bad, err := t.publisherGoneBad(dir, 10)
		if err != nil {
			return err
		}
		return bad.serveAgain("stable", t.old)
	}, func() error { return t.stayBecause(ctx, s, "1.1.0", "stable") })
}

// twoJurisdictions has three people of only two countries sign 1.2.0. Our own room does not publish it;
// a dishonest publisher does.
func (t *teller) twoJurisdictions(ctx context.Context, s *step) error {
	if err := t.propose(ctx, s, "1.2.0", "The third release."); err != nil {
		return err
	}
	for _, p := range []person{ana, bram, eva} {
		if err := t.rebuildAndSign(ctx, s, p, "1.2.0"); err != nil {
			return err
		}
	}
	r, err := t.as(ctx, publisher.short(), t.tool, "publish", t.events["1.2.0"], "--room", t.path("room"), "--keys", t.keyFile(publisher), "--quiet")
	if err != nil {
		return err
	}
	if r.code != 1 || !strings.Contains(r.err, "jurisdictions") {
		return fmt.Errorf("countersign publish: exit code %d, want 1 because of the jurisdictions\n%s", r.code, r.err)
	}
	s.say("our own publisher's tool: %s", refusal(r.err))
	return t.instead(func(dir string) error {
		bad, err := t.publisherGoneBad(dir, 20)
		if err != nil {
			return err
		}
		return bad.publishEvent(t.eventDir("1.2.0"), "stable")
	}, func() error { return t.stayBecause(ctx, s, "1.1.0", "2 jurisdictions (NL, PT)") })
}

// stillThere looks once more at both programs, with the honest mirror back in its place.
func (t *teller) stillThere(ctx context.Context, s *step) error {
	return t.allRun(ctx, s, "1.1.0", time.Minute)
}
