package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// know waits until both running programs know something, by about. The mirror copies what there is to know.
func (t *teller) know(ctx context.Context, what string, yes func(about) bool) error {
	return until(ctx, "both programs know "+what, func() (bool, error) {
		if err := errors.Join(t.alive(), t.sync(ctx)); err != nil {
			return false, err
		}
		for _, program := range programs() {
			if a, err := t.ask(ctx, program); err != nil || !yes(a) {
				return false, err
			}
		}
		return true, nil
	})
}

// withdraw has one auditor withdraw a version; the room publishes it by itself.
func (t *teller) withdraw(ctx context.Context, p person, version, reason string) error {
	return t.must(ctx, p.short(), nil, "audit", "withdraw", version, "--room", t.room, "--keys", t.keyFile(p), "--reason", reason, "--yes", "--quiet")
}

// oneWithdraws has one auditor withdraw 1.1.0, where two would be needed.
func (t *teller) oneWithdraws(ctx context.Context, s *step) error {
	if err := t.withdraw(ctx, daichi, "1.1.0", "it answers strangers"); err != nil {
		return err
	}
	err := t.know(ctx, "of the withdrawal, and stay on 1.1.0", func(a about) bool {
		return a.Version == "1.1.0" && a.Outcome == "genuine" && slices.Equal(a.against("not withdrawn"), []string{daichi.name})
	})
	if err != nil {
		return err
	}
	return t.aboutSays(ctx, s, "withdrawals: ", daichi.name, "2 would stop it", "it answers strangers")
}

// twoWithdraw adds the second.
func (t *teller) twoWithdraw(ctx context.Context, s *step) error {
	if err := t.withdraw(ctx, chioma, "1.1.0", "so it does here"); err != nil {
		return err
	}
	err := t.know(ctx, "that 1.1.0 is withdrawn, by whom, and run 1.0.0", func(a about) bool {
		h := a.Held["1.1.0"]
		return a.Version == "1.0.0" && h.Withdrawn && strings.Contains(h.Reason, daichi.name) && strings.Contains(h.Reason, chioma.name)
	})
	if err != nil {
		return err
	}
	if err := t.allRun(ctx, s, "1.0.0"); err != nil {
		return err
	}
	return t.aboutSays(ctx, s, "held: 1.1.0")
}

// fiveAtOnce has five auditors work on 1.2.0 at the same time, all with what they built before. Somebody broke
// into Daichi's machine; his rebuild says that the bytes differ, and that is published like all else.
func (t *teller) fiveAtOnce(ctx context.Context, s *step) error {
	if err := t.propose(ctx, s, "1.2.0", "Strangers get no answer."); err != nil {
		return err
	}
	if err := poison(t.cacheOf(daichi)); err != nil {
		return err
	}
	var done signatures
	err := together(auditors(), func(p person) error {
		if p == daichi {
			return t.getsOtherBytes(ctx, s, p, "1.2.0")
		}
		duties := rebuilds | signs
		if p == ana || p == bram {
			duties |= reads
		}
		if err := t.audit(ctx, s, p, "1.2.0", duties); err != nil {
			return err
		}
		done.add(p, time.Now())
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.published(ctx, t.path("room", "repository"), "1.2.0"); err != nil {
		return err
	}
	t.report.measure("from the tag to the quorum of 1.2.0, five auditor processes at once, with what they built before", done.quorum().Sub(t.tagged["1.2.0"]).Seconds(), "s")
	t.report.measure("from the tag to its publication", time.Since(t.tagged["1.2.0"]).Seconds(), "s")
	if err := t.sync(ctx); err != nil {
		return err
	}
	if err := t.allRun(ctx, s, "1.2.0"); err != nil {
		return err
	}
	return t.vouched(ctx, s, 3, ana, bram, chioma, eva)
}

// signatures are who signed and when.
type signatures struct {
	mu   sync.Mutex // guards what follows
	who  []person
	when []time.Time
}

func (g *signatures) add(p person, at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.who, g.when = append(g.who, p), append(g.when, at)
}

// quorum is when three people of three jurisdictions had signed; they come in the order of time.
func (g *signatures) quorum() time.Time {
	countries := map[string]bool{}
	for i, p := range g.who {
		countries[p.jurisdiction] = true
		if i >= 2 && len(countries) >= 3 {
			return g.when[i]
		}
	}
	return time.Time{}
}

// theRecord looks at what everybody can see afterwards.
func (t *teller) theRecord(ctx context.Context, s *step) error {
	err := t.know(ctx, "that somebody got other bytes, and run 1.2.0", func(a about) bool {
		return a.Version == "1.2.0" && a.Outcome == "genuine" && slices.Equal(a.against("rebuilt"), []string{daichi.name})
	})
	if err != nil {
		return err
	}
	if err := t.evidence("1.2.0"); err != nil {
		return err
	}
	if err := t.pageSays(ctx, s, "stable/1.2.0.html", daichi.name, "other bytes"); err != nil {
		return err
	}
	if err := t.pageSays(ctx, s, "stable/1.1.0.html", "it answers strangers", "so it does here"); err != nil {
		return err
	}
	if err := t.logShows(ctx, s, "1.1.0", map[string]int{"release": 1, "rebuilt": 4, "review": 2, "withdrawn": 2}); err != nil {
		return err
	}
	if err := t.logShows(ctx, s, "1.2.0", map[string]int{"release": 1, "rebuilt": 4, "rebuilt otherwise": 1, "review": 2}); err != nil {
		return err
	}
	if err := t.monitored(ctx, s, "disagreement", "withdrawal", "withdrawal"); err != nil {
		return err
	}
	return t.allRun(ctx, s, "1.2.0")
}
