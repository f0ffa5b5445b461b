package main

import (
	"context"
	"fmt"
	"os"
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

// publisherGoneBad has the publisher's online keys.
func (t *teller) publisherGoneBad(dir string) (dishonest, error) {
	passphrase, err := os.ReadFile(t.path("keys", publisher.short()+".passphrase"))
	if err != nil {
		return dishonest{}, err
	}
	ring, err := signer.Open([]string{t.keyFile(publisher)}, func(string) ([]byte, error) {
		return []byte(strings.TrimSpace(string(passphrase))), nil
	}, os.Getenv)
	return dishonest{root: dir, keys: ring, now: time.Now(), lied: &t.lied}, err
}

func (t *teller) eventDir(version string) string { return t.path("room", "events", t.events[version]) }

// refusedByAll has our own publisher's tool refuse to publish a version, and then a hasty publisher put it on the
// mirror all the same, where both running programs refuse it for the reason of that name. meanwhile, when it is
// not nil, happens while the mirror lies.
func (t *teller) refusedByAll(ctx context.Context, s *step, version, running, reason string, meanwhile func() error) error {
	if err := t.toolRefuses(ctx, s, version, reason); err != nil {
		return err
	}
	return t.instead(func(dir string) error {
		bad, err := t.publisherGoneBad(dir)
		if err != nil {
			return err
		}
		return bad.publishEvent(t.eventDir(version), "stable")
	}, func() error {
		if err := t.stayBecause(ctx, s, running, reason); err != nil || meanwhile == nil {
			return err
		}
		return meanwhile()
	})
}

// toolRefuses tries to publish too early with the command that people use. What is not logged yet is only
// delayed (waitsForWitnesses).
func (t *teller) toolRefuses(ctx context.Context, s *step, version, reason string) error {
	if strings.Contains(reason, "logged") {
		return nil
	}
	r, err := t.quiet(ctx, publisher.short(), t.tool, "publish", t.events[version], "--room", t.path("room"), "--keys", t.keyFile(publisher), "--quiet")
	if err != nil {
		return err
	}
	if r.code != 1 {
		return fmt.Errorf("countersign publish: exit code %d, want 1\n%s", r.code, r.err)
	}
	s.say("our own publisher's tool: exit code 1, %s", refusal(r.err))
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
		r, err := t.quiet(ctx, newcomer, t.tools["messenger"], "update", "--quiet")
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
		r, err = t.quiet(ctx, newcomer, t.tool, append([]string{"verify", path, "--repository", t.mirror, "--quiet"}, t.trusting()...)...)
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
		bad, err := t.publisherGoneBad(dir)
		if err != nil {
			return err
		}
		return bad.serveAgain("stable", t.old)
	}, func() error { return t.stayBecause(ctx, s, "1.1.0", "stable") })
}
