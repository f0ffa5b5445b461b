package client_test

import (
	"testing"

	"github.com/countersign-project/countersign/messenger/client"
)

// What begins after the person has chosen so disappears by itself, on both sides; what was there before stays as it was.
func TestNewConversationsGetTheChosenTimer(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
	alice.says(carol.number, "this stays")
	carol.sees(alice.number, "this stays")
	if err := alice.acc.SetPreferences(t.Context(), func(p *client.Preferences) { p.Expires = 3 * 24 * 3600 }); err != nil {
		t.Fatal(err)
	}
	alice.says(carol.number, "this too")
	alice.says(bob.number, "this goes")
	id, err := alice.acc.CreateGroup(t.Context(), "walks", []string{bob.number, carol.number})
	if err != nil {
		t.Fatal(err)
	}
	alice.says(id, "and this")
	carol.sees(alice.number, "this stays", "this too")
	if got, want := alice.notice(bob.number, "timer"), "Messages disappear from now on, 3 days after they were read."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	alice.sees(id, "[group]", "[timer]", "and this")
	for _, d := range []*device{bob, carol} {
		d.sees(id, "[group]", "and this")
	}
	for _, d := range []*device{alice, bob, carol} {
		g, err := d.acc.Group(t.Context(), id)
		if err != nil || g == nil || g.Expires != 3*24*3600 {
			t.Errorf("%s: %+v, %v", d.name, g, err)
		}
	}
	bob.sees(alice.number, "[timer]", "this goes")
	for _, c := range []struct {
		d       *device
		with    string
		expires uint32
	}{{alice, bob.number, 3 * 24 * 3600}, {bob, alice.number, 3 * 24 * 3600}, {alice, carol.number, 0}, {carol, alice.number, 0}} {
		list, err := c.d.acc.Conversations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range list {
			if v.ID == c.with && v.Expires != c.expires {
				t.Errorf("%s: %+v, want %d", c.d.name, v, c.expires)
			}
		}
	}
}
