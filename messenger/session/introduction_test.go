package session_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/introduction"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

const carol = "+99933333333333"

// says makes an introducer's word that other has that key, to d.
func (d *device) says(by string, identity *keys.Private, other string, key keys.Public, at uint64) wire.Introduced {
	d.Helper()
	s := introduction.Statement{Time: at, Recipient: introduction.Person{Address: d.own.Number, Key: d.identity().Public()}, Other: introduction.Person{Address: other, Key: key}}
	b, sig, err := s.Sign(identity, rand.Reader)
	if err != nil {
		d.Fatal(err)
	}
	return wire.Introduced{Introducer: by, Identity: identity.Public(), Introduction: wire.Introduction{Statement: b, Signature: sig[:]}}
}

// takes takes it in, and says what is noticed.
func (d *device) takes(i wire.Introduced, other string) (what string) {
	d.Helper()
	err := d.try(func(b *session.Book) error {
		notices, err := b.TakeIntroduction(i, other, func() error { return nil })
		what = told(notices)
		return err
	})
	if err != nil {
		return err.Error()
	}
	return what
}

func told(list []session.Notice) string {
	var out []string
	for _, n := range list {
		s := string(n.Kind) + " " + n.Name
		if n.By != "" {
			s += " by " + n.By
		}
		if n.Held {
			s += " held"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

// vouches sets whether a name is verified, and says what is noticed.
func (d *device) vouches(name string, key keys.Public, verified bool) (what string) {
	d.Helper()
	d.in(func(b *session.Book) error {
		if err := b.SetVerified(name, key, verified); err != nil {
			return err
		}
		_, notices, err := b.Vouched(name)
		what = told(notices)
		return err
	})
	return what
}

func (d *device) introduced(name string) (by string) {
	d.Helper()
	d.in(func(b *session.Book) error {
		i, ok, err := b.IntroducedBy(name)
		if ok {
			by = fmt.Sprint(i.By, " ", i.Time)
		}
		return err
	})
	return by
}

// knowing is a device of Bob's that has sessions with these.
func knowing(t *testing.T, others ...*device) *device {
	t.Helper()
	b := newDevice(t, bob, 1, nil)
	for _, o := range others {
		b.start(o.own.Number, bundles(nil, o))
	}
	return b
}

func TestAWordCountsWhileItsKeyIsVerified(t *testing.T) {
	a, c := newDevice(t, alice, 1, nil), newDevice(t, carol, 1, nil)
	b := knowing(t, a, c)
	her, his := a.identity().Public(), c.identity().Public()
	// From another device of his own, before he has verified Alice here: kept, and silent.
	if got := b.takes(b.says(alice, a.identity(), carol, his, 7), carol); got != "" || b.introduced(carol) != "" {
		t.Error(got, b.introduced(carol))
	}
	if got := b.vouches(alice, her, true); got != "" || b.introduced(carol) != alice+" 7" {
		t.Error(got, b.introduced(carol))
	}
	// Alice installs anew, and he verifies her new key: what the old one has signed does not count.
	a2 := newDevice(t, alice, 1, nil)
	b.start(alice, bundles(nil, a2))
	if got := b.vouches(alice, a2.identity().Public(), true); got != "" || b.introduced(carol) != "" {
		t.Error(got, b.introduced(carol))
	}
	// Of several who say the same the newest is named.
	d := newDevice(t, "+99944444444444", 1, nil)
	b.start(d.own.Number, bundles(nil, d))
	b.vouches(d.own.Number, d.identity().Public(), true)
	b.takes(b.says(d.own.Number, d.identity(), carol, his, 9), carol)
	if got := b.takes(b.says(alice, a2.identity(), carol, his, 8), carol); got != "introduced "+carol+" by "+alice || b.introduced(carol) != d.own.Number+" 9" {
		t.Error(got, b.introduced(carol))
	}
	if got := b.takes(b.says(alice, a2.identity(), carol, his, 10), carol); got != "introduced "+carol+" by "+alice || b.introduced(carol) != alice+" 10" {
		t.Error(got, b.introduced(carol))
	}
}

// A word that a device of ours has told us is held against the key once the introducer is verified here; and what the person has decided stays.
func TestADoubtIsDecidedOnce(t *testing.T) {
	for name, decide := range map[string]func(*session.Book, keys.Public) error{
		"accepted": func(b *session.Book, _ keys.Public) error { return b.Accept(carol) },
		"compared": func(b *session.Book, key keys.Public) error { return b.SetVerified(carol, key, false) },
	} {
		a, c := newDevice(t, alice, 1, nil), newDevice(t, carol, 1, nil)
		b := knowing(t, a, c)
		her := a.identity().Public()
		wrong := newDevice(t, carol, 1, nil).identity().Public()
		if got := b.takes(b.says(alice, a.identity(), carol, wrong, 7), carol); got != "" {
			t.Error(got)
		}
		if got, want := b.vouches(alice, her, true), "introduction differs "+carol+" by "+alice+" held"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if _, what := b.seal(carol, "secret"); !strings.HasPrefix(what, "the safety number of "+carol+" is not that of the key by which ") {
			t.Error(what)
		}
		b.in(func(b *session.Book) error { return decide(b, c.identity().Public()) })
		if p := b.peer(carol); p.Held || p.Doubt != "" {
			t.Errorf("%s: %+v", name, p)
		}
		if _, what := b.seal(carol, "secret"); what != "" {
			t.Errorf("%s: %s", name, what)
		}
		b.vouches(alice, her, false)
		if got := b.vouches(alice, her, true); got != "" {
			t.Errorf("%s, and told again: %s", name, got)
		}
		if got := b.takes(b.says(alice, a.identity(), carol, wrong, 8), carol); got != "" {
			t.Errorf("%s, and told again after the same word: %s", name, got)
		}
		if got, want := b.takes(b.says(alice, a.identity(), carol, newDevice(t, carol, 1, nil).identity().Public(), 9), carol), "introduction differs "+carol+" by "+alice+" held"; got != want {
			t.Errorf("%s, and another word: got %q, want %q", name, got, want)
		}
	}
}

func (d *device) peer(name string) (p session.Peer) {
	d.Helper()
	d.in(func(b *session.Book) (err error) { p, err = b.Peer(name); return err })
	return p
}

// What is kept is bounded: in introducers of one name, and in names.
func TestIntroductionsAreBounded(t *testing.T) {
	b := newDevice(t, bob, 1, nil)
	key := newDevice(t, carol, 1, nil).identity().Public()
	a := newDevice(t, alice, 1, nil)
	for i := range 8 {
		if got := b.takes(b.says(fmt.Sprintf("+9995555555%04d", i), a.identity(), carol, key, 1), carol); got != "" {
			t.Fatal(got)
		}
	}
	if got, want := b.takes(b.says(alice, a.identity(), carol, key, 1), carol), "invalid message: 8 others have introduced the same person, and no more are kept"; got != want {
		t.Errorf("got %q", got)
	}
	if got := b.takes(b.says("+99955555550000", a.identity(), carol, key, 2), carol); got != "" {
		t.Error("a newer one of theirs:", got)
	}
	if err := b.store.Update(t.Context(), func(tx *store.Tx) error {
		for i := range 1_999 {
			if err := session.SaveIntroductions(tx, fmt.Sprintf("+9996666%08d", i), []session.Introduction{{By: bob}}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.takes(b.says(alice, a.identity(), "+99977777777777", key, 1), "+99977777777777"), "invalid message: introductions of 2000 people are here, and no more are kept"; got != want {
		t.Errorf("got %q", got)
	}
	if got := b.takes(b.says(alice, a.identity(), "+999666600000001", key, 1), "+999666600000001"); got != "" {
		t.Error("of somebody who is there:", got)
	}
}
