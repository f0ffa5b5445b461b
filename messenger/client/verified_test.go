package client_test

import (
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/session"
)

// Whom the person has verified on the telephone is verified on a watch that is linked later, before it has ever seen a key of his: one that the server makes up
// for the watch gets nothing.
func TestAKeyIsSwappedForANewDevice(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	alice.verifies(bob, true)
	watch := alice.link("watch", false)
	watch.waitFor("that Bob is verified", func() bool { return watch.trusts(bob) == string(session.Verified) })
	w.rewrite(bob.number, func(b *api.BundlesV3) { swapped(t, b) })
	m := watch.says(bob.number, "the secret")
	want := "the safety number of " + bob.number + " has changed since it was verified: verify it again, or accept it, before anything is sent"
	if d := watch.state(m, history.Failed); d.Why != want {
		t.Errorf("got %q", d.Why)
	}
	watch.notice(bob.number, "key-changed-verified")
	// The server is honest again: the right key is compared, and what was held goes out.
	w.hostile(nil)
	watch.verifies(bob, true)
	bob.waitFor("the secret", func() bool { return strings.HasSuffix(strings.Join(bob.conversation(alice.number), "|"), "the secret") })
}

// The tablet was shown another key for Bob than the telephone, on which the person now compares: the tablet stops.
func TestDevicesAreShownDifferentKeys(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	tablet := alice.link("tablet", false)
	w.rewrite(bob.number, func(b *api.BundlesV3) { swapped(t, b) })
	tablet.state(tablet.says(bob.number, "hello"), history.Sent)
	w.hostile(nil)
	alice.verifies(bob, true)
	tablet.notice(bob.number, "key-changed-verified")
	tablet.state(tablet.says(bob.number, "the secret"), history.Failed)
	if got := tablet.trusts(bob); got != string(session.Changed) {
		t.Error(got)
	}
	// Word of a comparison that is taken back does not come with a key.
	alice.verifies(bob, false)
	alice.says(bob.number, "from the telephone")
	tablet.waitFor("what was said after that", func() bool {
		return strings.HasSuffix(strings.Join(tablet.conversation(bob.number), "|"), "from the telephone")
	})
	if got := tablet.trusts(bob); got != string(session.Changed) {
		t.Error(got)
	}
}
