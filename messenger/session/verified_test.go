package session_test

import (
	"testing"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/session"
)

// hears takes in that another device has compared a key, and says what is noticed.
func (d *device) hears(name string, key keys.Public) (what string) {
	d.Helper()
	err := d.try(func(b *session.Book) error {
		notices, err := b.TakeVerified(name, key)
		what = told(notices)
		return err
	})
	if err != nil {
		return err.Error()
	}
	return what
}

func TestWordOfAComparisonOnAnotherDevice(t *testing.T) {
	a, c := newDevice(t, alice, 1, nil), newDevice(t, carol, 1, nil)
	her, other := c.identity().Public(), newDevice(t, carol, 1, nil).identity().Public()
	is := func(b *device, when string, want session.Trust, key keys.Public) {
		t.Helper()
		p := b.peer(carol)
		if have, err := p.Key(); p.Trust != want || err != nil || !have.Equal(key) {
			t.Errorf("%s: %q, %v, right key %v", when, p.Trust, err, have.Equal(key))
		}
	}
	// No key yet: it is this one, and another that the server shows is a changed one.
	b := knowing(t, a)
	if got := b.hears(carol, her); got != "" {
		t.Error(got)
	}
	is(b, "none yet", session.Verified, her)
	if got := b.start(carol, bundles(nil, newDevice(t, carol, 1, nil))); got != "key changed verified; the safety number of "+carol+" has changed since it was verified: verify it again, or accept it, before anything is sent" {
		t.Error(got)
	}
	// The same key.
	b = knowing(t, a, c)
	if got := b.hears(carol, her); got != "" {
		t.Error(got)
	}
	is(b, "the same", session.Verified, her)
	// Another one, which the person has compared here: he knows best.
	if got := b.hears(carol, other); got != "" {
		t.Error(got)
	}
	is(b, "another, and verified here", session.Verified, her)
	// Another one, which nobody has compared.
	b = knowing(t, a, c)
	if got := b.hears(carol, other); got != "key changed "+carol {
		t.Error(got)
	}
	is(b, "another", session.Changed, her)
	if got := b.hears(carol, other); got != "" {
		t.Error("told twice:", got)
	}
	// What a verified contact has said is held against it.
	b = knowing(t, a)
	b.vouches(alice, a.identity().Public(), true)
	b.takes(b.says(alice, a.identity(), carol, other, 7), carol)
	if got := b.hears(carol, her); got != "introduction differs "+carol+" by "+alice {
		t.Error(got)
	}
	is(b, "verified against a word", session.Verified, her)
	if got := b.hears(bob, her); got != "invalid message: nobody verifies himself" {
		t.Error(got)
	}
}
