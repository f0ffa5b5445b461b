package client_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/server/api"
)

// gate lets a first request of a device's come to the server and keeps it there; counts are of all that came.
type gate struct {
	came, open chan struct{}
	messages   atomic.Int32 // to recipients
	files      atomic.Int32
}

// gated keeps back the first message from a device to a number.
func (w *world) gated(from *device, to string) *gate {
	g := &gate{came: make(chan struct{}), open: make(chan struct{})}
	var first atomic.Bool
	w.hostile(func(_ http.ResponseWriter, r *http.Request) bool {
		switch name, _, _ := r.BasicAuth(); {
		case r.Method != "PUT":
		case name == "":
			g.files.Add(1)
		case name == from.number && strings.HasPrefix(r.URL.Path, "/v1/messages/"):
			g.messages.Add(1)
			if r.URL.Path == "/v1/messages/"+to && first.CompareAndSwap(false, true) {
				close(g.came)
				<-g.open
			}
		}
		return false
	})
	return g
}

// asked is a context that tells when somebody first wants to know when it ends.
type asked struct {
	context.Context
	tell func()
}

func (a asked) Done() <-chan struct{} {
	a.tell()
	return a.Context.Done()
}

// Whoever has everything sent while it is being sent waits for that, and nothing goes twice.
func TestFlushWaitsForWhatIsUnderWay(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("contents"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := w.gated(alice, bob.number)
	alice.says(bob.number, "one")
	<-g.came
	m, err := alice.acc.Send(t.Context(), client.Draft{To: bob.number, Text: "two", Files: []client.File{{Path: path}}})
	if err != nil {
		t.Fatal(err)
	}
	// By then it waits for its turn, or has sent the first a second time, or is about to.
	ctx := asked{t.Context(), sync.OnceFunc(func() { close(g.open) })}
	if err := alice.acc.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	alice.state(m, history.Delivered)
	bob.sees(alice.number, "hello", "hello back", "one", "two")
	if g.messages.Load() != 2 || g.files.Load() != 1 {
		t.Errorf("%d messages and %d files were sent, want 2 and 1", g.messages.Load(), g.files.Load())
	}
}

// What is taken back while something before it is on its way is not sent any more.
func TestTakenBackBeforeItsTurn(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	alice.offline()
	alice.says(bob.number, "one")
	m := alice.says(bob.number, "what I never wanted to say")
	alice.says(bob.number, "three")
	g := w.gated(alice, bob.number)
	alice.online()
	<-g.came // with all three before it
	if err := alice.acc.DeleteForAll(t.Context(), bob.number, m.Timestamp); err != nil {
		t.Fatal(err)
	}
	close(g.open)
	alice.state(alice.says(bob.number, "four"), history.Delivered)
	bob.sees(alice.number, "hello", "hello back", "one", "three", "four")
}

// A person who decides about a key while something else is on its way has everything sent, what was written after the first that was held, too.
func TestDecidedWhileSomethingIsOnItsWay(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
	knows(alice, bob)
	knows(alice, carol)
	s, err := alice.acc.Safety(t.Context(), bob.number)
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.acc.SetVerified(t.Context(), s, true); err != nil {
		t.Fatal(err)
	}
	w.stale(bob.number, func(b *api.BundlesV3) { swapped(t, b) })
	alice.state(alice.says(bob.number, "one"), history.Failed)
	alice.offline()
	alice.says(carol.number, "in between")
	alice.says(bob.number, "two")
	g := w.gated(alice, carol.number)
	alice.online()
	<-g.came // after it was seen that Bob is held
	if s, err = alice.acc.Safety(t.Context(), bob.number); err != nil {
		t.Fatal(err)
	}
	if err := alice.acc.SetVerified(t.Context(), s, true); err != nil {
		t.Fatal(err)
	}
	close(g.open)
	bob.sees(alice.number, "hello", "hello back", "one", "two")
}
