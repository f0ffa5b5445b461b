package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// notFromTheSource has the publisher change one byte of the messenger after building it, in such a way that all
// of the publisher's own files agree. Ana rebuilds it, gets other bytes, and states so; she cannot sign. Then
// the true build of the same commit is proposed in its place.
func (t *teller) notFromTheSource(ctx context.Context, s *step) error {
	if err := t.build(ctx, s, "1.1.0", "The second release."); err != nil {
		return err
	}
	honest := t.path("out", "1.1.0")
	changed := t.path("out", "1.1.0-changed")
	if err := copyTree(honest, changed); err != nil {
		return err
	}
	if err := changeProgram(changed, "messenger"); err != nil {
		return err
	}
	if err := t.stage(ctx, s, "1.1.0", changed); err != nil {
		return err
	}
	if err := t.getsOtherBytes(ctx, s, ana, "1.1.0"); err != nil {
		return err
	}
	if err := t.cannotSign(ctx, s, ana, "1.1.0"); err != nil {
		return err
	}
	return t.stage(ctx, s, "1.1.0", honest, "--supersedes", t.events["1.1.0"])
}

// getsOtherBytes has an auditor rebuild a version, who gets other bytes; the statement that says so is in the room.
func (t *teller) getsOtherBytes(ctx context.Context, s *step, p person, version string) error {
	r, err := t.rebuild(ctx, p, version)
	if err != nil {
		return err
	}
	if r.code != 1 {
		return fmt.Errorf("audit rebuild by %s: exit code %d, want 1\n%s", p.name, r.code, tail(r.err, 12))
	}
	var own struct {
		Differences []struct{ What, Ours, Theirs string }
	}
	if err := json.Unmarshal(r.out, &own); err != nil {
		return fmt.Errorf("audit rebuild --json: %v in %q", err, r.out)
	}
	s.say("countersign audit rebuild by %s: exit code 1, %s", p.name, refusal(r.err))
	for _, d := range own.Differences[:min(1, len(own.Differences))] {
		s.say("%s: the publisher's is %s; this auditor got %s (%d such files)", d.What, d.Theirs, d.Ours, len(own.Differences))
	}
	var event struct {
		Rebuilds []struct {
			Person struct{ Name string }
			Result string
		}
	}
	if err := t.must(ctx, p.short(), &event, "audit", "show", t.events[version], "--room", t.room, "--quiet"); err != nil {
		return err
	}
	for _, b := range event.Rebuilds {
		if b.Person.Name == p.name && b.Result == "differs" {
			s.say("in the room for everybody: %s: %s", p.name, b.Result)
			return nil
		}
	}
	return fmt.Errorf("the room does not show what %s got: %+v", p.name, event)
}

// twoAreNotEnough has two auditors sign 1.1.0.
func (t *teller) twoAreNotEnough(ctx context.Context, s *step) error {
	err := together([]person{ana, bram}, func(p person) error {
		if p == ana {
			return t.audit(ctx, s, p, "1.1.0", reads|rebuilds|signs)
		}
		return t.audit(ctx, s, p, "1.1.0", rebuilds|signs)
	})
	if err != nil {
		return err
	}
	return t.refusedByAll(ctx, s, "1.1.0", "1.0.0", "2 of the 5 keys authorised signed", func() error {
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

// twoJurisdictions has a third one sign, of a country that is there already.
func (t *teller) twoJurisdictions(ctx context.Context, s *step) error {
	if err := t.audit(ctx, s, eva, "1.1.0", rebuilds|signs); err != nil {
		return err
	}
	return t.refusedByAll(ctx, s, "1.1.0", "1.0.0", "2 jurisdictions (NL, PT)", nil)
}

// oneReader adds a third country; only Ana has read the change.
func (t *teller) oneReader(ctx context.Context, s *step) error {
	if err := t.audit(ctx, s, chioma, "1.1.0", rebuilds|signs); err != nil {
		return err
	}
	return t.refusedByAll(ctx, s, "1.1.0", "1.0.0", "(reason 5, reviewed)", nil)
}

// unlogged adds the second reader while the witnesses are away. Nothing but the log is missing now.
func (t *teller) unlogged(ctx context.Context, s *step) error {
	if err := t.sleep(); err != nil {
		return err
	}
	from := t.serving.lines()
	if err := t.audit(ctx, s, bram, "1.1.0", reads); err != nil {
		return err
	}
	if err := t.waitsForWitnesses(ctx, s, "1.1.0", from); err != nil {
		return err
	}
	return t.refusedByAll(ctx, s, "1.1.0", "1.0.0", "(reason 6, logged)", func() error {
		l, code, err := t.look(ctx)
		if err != nil {
			return err
		}
		for _, a := range l.New {
			if a.Kind == "unlogged" && strings.HasPrefix(a.Text, "release stable 1.1.0") && code == 1 {
				s.say("countersign monitor: exit code 1, %s: %s", a.Kind, a.Text)
				return nil
			}
		}
		return fmt.Errorf("countersign monitor: exit code %d, want 1 and an alarm about the unlogged release: %+v", code, l)
	})
}

// updateThemselves wakes the witnesses and waits.
func (t *teller) updateThemselves(ctx context.Context, s *step) error {
	if err := t.wake(ctx, witnesses()...); err != nil {
		return err
	}
	if err := t.published(ctx, t.path("room", "repository"), "1.1.0"); err != nil {
		return err
	}
	if err := t.sync(ctx); err != nil {
		return err
	}
	if err := t.allRun(ctx, s, "1.1.0"); err != nil {
		return err
	}
	if err := t.vouched(ctx, s, 4, ana, bram, chioma, eva); err != nil {
		return err
	}
	return t.monitored(ctx, s)
}
