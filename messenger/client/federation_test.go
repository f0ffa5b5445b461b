package client_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/group"
	"github.com/countersign-project/countersign/messenger/server"
	"github.com/countersign-project/countersign/messenger/server/federation"
	"github.com/countersign-project/countersign/messenger/session"
)

// newTwoServers is a.example and b.example, which know each other.
func newTwoServers(t *testing.T) (a, b *world) {
	t.Helper()
	names := []string{"a.example", "b.example"}
	var keys [2]*federation.Key
	var listeners [2]net.Listener
	var peers [2]federation.Peer
	for i, name := range names {
		text, err := federation.NewKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if keys[i], err = federation.ParseKey(text); err != nil {
			t.Fatal(err)
		}
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if peers[i], err = federation.ParsePeer(name + " https://" + listeners[i].Addr().String() + " " + keys[i].Pin().String()); err != nil {
			t.Fatal(err)
		}
	}
	start := func(i int) *world {
		var node *federation.Node
		w := newWorldWith(t, func(c *server.Config) {
			var err error
			node, err = federation.New(federation.Options{Name: names[i], Key: keys[i], Peers: []federation.Peer{peers[1-i]}, Counters: c.Metrics, Now: c.Now, Failed: func(string, error) {}})
			if err != nil {
				t.Fatal(err)
			}
			c.Peers = node
		})
		done := make(chan error, 1)
		go func() { done <- node.Serve(listeners[i], w.server) }()
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			_ = node.Shutdown(ctx)
			<-done
		})
		return w
	}
	return start(0), start(1)
}

// Three people with five devices, at two servers.
func TestTwoServers(t *testing.T) {
	a, b := newTwoServers(t)
	alice, bob, carol := a.person("alice"), b.person("bob"), a.person("carol")
	ctx := t.Context()
	if err := bob.acc.SetUsername(ctx, "bob"); err != nil {
		t.Fatal(err)
	}
	laptop, tablet := bob.link("bob's laptop", false), alice.link("alice's tablet", false)
	toBob, err := alice.acc.Resolve(ctx, "bob@b.example")
	if err != nil || toBob != bob.number+"@b.example" {
		t.Fatal(toBob, err)
	}
	fromAlice := alice.number + "@a.example"
	alice.says(toBob, "hello over there")
	for _, d := range []*device{bob, laptop} {
		d.sees(fromAlice, "hello over there")
	}
	tablet.sees(toBob, "hello over there")
	bob.says(fromAlice, "hello over here")
	m := alice.says(toBob, "you have a laptop, too?")
	alice.state(m, history.Delivered)
	// Both see one safety number, though each calls the other differently.
	x, err := alice.acc.Safety(ctx, toBob)
	if err != nil {
		t.Fatal(err)
	}
	y, err := bob.acc.Safety(ctx, fromAlice)
	if err != nil || x.Digits != y.Digits {
		t.Error(x.Digits, y.Digits, err)
	}
	// A file crosses.
	path := filepath.Join(t.TempDir(), "file.txt")
	if err := os.WriteFile(path, []byte("contents"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.acc.Send(ctx, client.Draft{To: toBob, Text: "take this", Files: []client.File{{Path: path}}}); err != nil {
		t.Fatal(err)
	}
	bob.waitFor("the file", func() bool { return strings.HasSuffix(strings.Join(bob.conversation(fromAlice), "|"), "take this") })
	list, _ := bob.acc.Messages(ctx, fromAlice, 0, 1)
	var got bytes.Buffer
	if err := bob.acc.Download(ctx, list[0].Attachments[0], &got, nil); err != nil || got.String() != "contents" {
		t.Error(got.String(), err)
	}
	if err := bob.acc.React(ctx, fromAlice, fromAlice, list[0].Timestamp, "👍", false); err != nil {
		t.Fatal(err)
	}
	alice.waitFor("his thumb", func() bool {
		m, _ := alice.acc.Find(ctx, alice.number, list[0].Timestamp)
		return len(m.Reactions) == 1 && m.Reactions[0].Author == toBob
	})
	// A group of all three, with the transcript.
	id, err := alice.acc.CreateGroup(ctx, "both sides", []string{toBob, carol.number})
	if err != nil {
		t.Fatal(err)
	}
	bob.memberOf(id, 3)
	carol.memberOf(id, 3)
	g, _ := bob.acc.Group(ctx, id)
	if !g.In(bob.number) || !g.In(fromAlice) || !g.In(carol.number+"@a.example") || !g.Admin(fromAlice) {
		t.Errorf("Bob sees %v", g.List())
	}
	alice.says(id, "one")
	for _, d := range []*device{bob, carol} { // before Bob answers it
		d.sees(id, "[group]", "one")
	}
	bob.says(id, "two")
	carol.sees(id, "[group]", "one", "two")
	carol.says(id, "three")
	for _, d := range []*device{alice, bob, laptop, tablet} {
		d.waitFor(d.name+" to hear all three", func() bool { // a second device may hear an answer before its own person's question
			got := strings.Join(d.conversation(id), "|")
			return strings.Contains(got, "|one") && strings.Contains(got, "|two") && strings.Contains(got, "|three") && !strings.Contains(got, "[gap]")
		})
	}
	bob.says(id, "four")
	alice.waitFor("Bob", func() bool { return strings.HasSuffix(strings.Join(alice.conversation(id), "|"), "|four") })
	if c, err := alice.acc.Consistency(ctx, id); err != nil || c.Missing != 0 || c.SeenByAll == 0 {
		t.Errorf("%+v, %v", c, err)
	}
	alice.changes(id, func(g *group.State, self string) error { return g.Appoint(self, toBob, true) })
	bob.waitFor("Bob an admin", func() bool { g, _ := bob.acc.Group(ctx, id); return g.Admin(bob.number) && g.Members[bob.number].Admin })
	bob.changes(id, func(g *group.State, self string) error { return g.Remove(self, carol.number+"@a.example") })
	alice.memberOf(id, 2)
	carol.memberOf(id, 2)
}

// One person has an account at each of two servers, on one computer. To everybody else, and to each other, they are two people; nothing goes from one to the
// other but what is sent.
func TestTwoAccountsOfOnePerson(t *testing.T) {
	a, b := newTwoServers(t)
	home, work, bob := a.person("alice at home"), b.person("alice at work"), b.person("bob")
	ctx := t.Context()
	atWork, atHome := work.number+"@b.example", home.number+"@a.example"
	home.says(atWork, "buy milk")
	work.sees(atHome, "buy milk")
	work.says(atHome, "done")
	home.sees(atWork, "buy milk", "done")
	// Bob knows the one at work; what she tells him there is not told at home, nor the other way round.
	knows(work, bob)
	bob.says(home.number+"@a.example", "is that you, too?")
	home.sees(bob.number+"@b.example", "is that you, too?")
	if got := work.conversation(bob.number); strings.Join(got, "|") != "hello|hello back" {
		t.Errorf("at work she sees %q", got)
	}
	x, err := bob.acc.Safety(ctx, work.number)
	if err != nil {
		t.Fatal(err)
	}
	y, err := bob.acc.Safety(ctx, atHome)
	if err != nil || x.Digits == y.Digits {
		t.Errorf("one number for two keys: %s, %v", x.Digits, err)
	}
	// A verified key of one says nothing of the other, and blocking one does not block the other.
	if err := bob.acc.SetVerified(ctx, x, true); err != nil {
		t.Fatal(err)
	}
	if k, err := bob.acc.Contact(ctx, atHome); err != nil || k.Trust == session.Verified {
		t.Errorf("%+v, %v", k, err)
	}
	if err := bob.acc.Block(ctx, atHome, true); err != nil {
		t.Fatal(err)
	}
	work.says(bob.number, "still here")
	bob.sees(work.number, "hello", "hello back", "still here")
	// In one group they are two members, each of whom hears the other.
	id, err := work.acc.CreateGroup(ctx, "family", []string{atHome, bob.number})
	if err != nil {
		t.Fatal(err)
	}
	home.memberOf(id, 3)
	work.says(id, "from work")
	home.sees(id, "[group]", "from work")
	home.says(id, "from home")
	work.sees(id, "[group]", "from work", "from home")
}
