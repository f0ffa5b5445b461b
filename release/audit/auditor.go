// Package audit is what one auditor does at their own machine: look at an event, rebuild it, and sign it,
// in this order and nothing unseen.
//
// # World
//
// The room (event.Store) is somebody else's: a publisher's server, or a copy on a stick. It may withhold
// or garble; whatever it hands out is checked against the event's id. The auditor's own things are the
// keys in hand (a ring) and a private home directory:
//
//	home/lock                                keeps two of this auditor's commands apart where they write
//	home/distributions/<16 hex>/memory.json  roots this auditor verified, highest versions seen
//	home/distributions/<16 hex>/signed.json  what this auditor signed, by role and version
//	home/<event id>/record.json              how this auditor's rebuild of that event ended
//	home/<event id>/statement.json           the statement made about it (sigstore bundle)
//	home/<event id>/source.bundle …          what was rebuilt from; ours/ and theirs/ where bytes differ
//
// # Who may change what, and the worst they can do
//
// The publisher may propose anything, also two things for one version, also something built on metadata
// this auditor never saw. The answer is a refusal, with the rule named. Whoever can write to home is the
// auditor as far as this package knows: they can make it forget what was signed, and claim a rebuild that
// never happened; they still lack the keys. A private build cache is as good as the build itself, so one
// that belongs to another key is refused.
//
// Nothing here prints or asks: reports go to the caller, who shows them before Sign is called.
package audit

import (
	"path/filepath"
	"time"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/tuf/client"
)

// Auditor is one auditor at work.
type Auditor struct {
	Home  string      // private directory; made when it is missing
	Store event.Store // the room
	Keys  signer.Ring // the keys in hand; none are needed for looking

	// Anchor is the root.json this auditor trusts, from the source tree or given by hand. Nil means: the
	// roots remembered in Home, and where there are none, the event's own first root, which is then
	// reported as trusted on first use.
	Anchor []byte

	Now      func() time.Time
	Machine  string                               // free text in statements: the building machine and system
	Environ  []string                             // ambient environment; the builder takes PATH and little else from it
	Build    Builder                              // Hermetic, but in tests
	Progress func(step string, done, total int64) // may be nil

	// Published is what the room's repository serves, as PublishedAt reads it; the zero value means that it
	// is not known. Repository is where older versions can be looked up, for showing; it may be nil.
	Published  event.Published
	Repository client.Courier
}

// Dir is the directory of one event below Home.
func (a *Auditor) Dir(id event.ID) string { return filepath.Join(a.Home, id.String()) }

func (a *Auditor) progress(step string, done, total int64) {
	if a.Progress != nil {
		a.Progress(step, done, total)
	}
}
