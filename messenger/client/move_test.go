package client_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/session"
)

// moves changes somebody's number.
func (d *device) moves(to string) {
	d.Helper()
	d.skew.Add(int64(time.Hour)) // or the server has sent too many codes
	if err := d.acc.ChangeNumber(d.Context(), to, d.code(to, d)); err != nil {
		d.Fatal(d.name, err)
	}
	d.number = to
}

// is waits until a device knows its number.
func (d *device) is(number string) {
	d.Helper()
	d.waitFor(d.name+" is "+number, func() bool {
		own, err := d.acc.Own(d.Context())
		return err == nil && own.Number == number
	})
	d.number = number
}

// has waits until a conversation has these, in whatever order they came.
func (d *device) has(id string, want ...string) {
	d.Helper()
	for _, one := range want {
		d.waitFor(fmt.Sprintf("%q at %s", one, d.name), func() bool { return slices.Contains(d.conversation(id), one) })
	}
}

// forgot wants nothing to be left of a number.
func (d *device) forgot(number string) {
	d.Helper()
	list, err := d.acc.Conversations(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	contacts, err := d.acc.Contacts(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	if slices.ContainsFunc(list, func(v history.Conversation) bool { return v.ID == number }) ||
		slices.ContainsFunc(contacts, func(k client.Contact) bool { return k.Number == number }) || len(d.conversation(number)) > 0 {
		d.Errorf("%s still has a conversation or contact %s", d.name, number)
	}
}

// Alice has a phone and a laptop, talks with Bob, who has verified her, and is in a group with Carol, with whom she has never talked. She changes her
// number. Everybody goes on with her as if nothing had been, about what was said before too.
func TestANewNumberIsFollowed(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
	laptop := alice.link("laptop", false)
	knows(alice, bob)
	laptop.has(bob.number, "hello", "hello back")
	bob.verifies(alice, true)
	if err := bob.acc.SetName(ctx, alice.number, "Al"); err != nil {
		t.Fatal(err)
	}
	choir := bob.founds("choir", alice, carol)
	for _, d := range []*device{alice, laptop, carol} {
		d.memberOf(choir, 3)
		if err := d.acc.Accept(ctx, choir); err != nil {
			t.Fatal(err)
		}
	}
	old := alice.number
	early := alice.says(choir, "sing")
	carol.sees(choir, "[group]", "sing")
	asked := bob.says(old, "when")
	alice.sees(bob.number, "hello", "hello back", "when")
	laptop.has(bob.number, "when")
	said := alice.says(bob.number, "at nine")
	bob.sees(old, "hello", "hello back", "when", "at nine")

	alice.moves(telephone)
	laptop.is(telephone)
	bob.sees(telephone, "hello", "hello back", "when", "at nine", "[number-changed]")
	if got, want := bob.notice(telephone, "number-changed"), "Al has another number now: "+telephone+" instead of "+old+". The key is the same."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	carol.sees(choir, "[group]", "sing", "[number-changed]")
	bob.forgot(old)
	carol.forgot(old)
	if k, err := bob.acc.Contact(ctx, telephone); err != nil || k.Trust != session.Verified || k.Name != "Al" || !k.Accepted {
		t.Errorf("%+v, %v", k, err)
	}
	for _, d := range []*device{alice, laptop, bob, carol} {
		g, err := d.acc.Group(ctx, choir)
		if err != nil || !g.In(telephone) || g.In(old) || len(g.List()) != 3 {
			t.Errorf("the group at %s: %+v, %v", d.name, g, err)
		}
	}
	// Both ways, from and to both devices.
	bob.says(telephone, "nice number")
	for _, d := range []*device{alice, laptop} {
		d.has(bob.number, "nice number")
	}
	laptop.says(bob.number, "from the laptop")
	bob.has(telephone, "from the laptop")
	alice.has(bob.number, "from the laptop")
	// In the group, and about what was said there before.
	all := []*device{alice, laptop, bob, carol}
	for _, s := range []struct {
		by   *device
		text string
	}{{carol, "la"}, {alice, "li"}, {laptop, "lo"}} {
		m := s.by.says(choir, s.text)
		for _, d := range all { // before anybody answers it: else there is a gap at whoever gets the answer first, which is shown after a while
			d.has(choir, s.text)
		}
		s.by.state(m, history.Delivered)
	}
	if err := alice.acc.Edit(ctx, bob.number, said.Timestamp, "at ten"); err != nil {
		t.Fatal(err)
	}
	bob.has(telephone, "at ten")
	if err := carol.acc.React(ctx, choir, telephone, early.Timestamp, "🎶", false); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*device{alice, laptop, bob} {
		d.waitFor("a reaction to what was said under the old number, at "+d.name, func() bool {
			m, err := d.acc.Find(ctx, telephone, early.Timestamp)
			return err == nil && m != nil && len(m.Reactions) == 1
		})
	}
	if err := laptop.acc.MarkRead(ctx, bob.number, 0); err != nil {
		t.Fatal(err)
	}
	bob.state(asked, history.Read)
	for _, d := range []*device{alice, laptop, bob, carol} {
		d.waitFor("all of the group at "+d.name, func() bool { c, err := d.acc.Consistency(ctx, choir); return err == nil && c.Missing == 0 })
		if got := strings.Join(d.conversation(choir), " "); strings.Contains(got, "gap") || strings.Contains(got, "equivocation") || strings.Contains(got, "unreadable") {
			t.Errorf("%s sees %s", d.name, got)
		}
	}
	// A second time, and back again.
	alice.moves(another)
	laptop.is(another)
	bob.has(another, "at ten")
	alice.moves(telephone)
	laptop.is(telephone)
	bob.has(telephone, "at ten")
	bob.says(telephone, "make up your mind")
	laptop.has(bob.number, "make up your mind")
}

// The laptop and Bob are away while the number changes, and changes again. They come back, each by himself.
func TestWhoWasAwayFollowsLater(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	laptop := alice.link("laptop", false)
	knows(alice, bob)
	laptop.has(bob.number, "hello", "hello back")
	laptop.offline()
	late := laptop.says(bob.number, "written without a connection")
	bob.offline()
	lost := bob.says(alice.number, "to the old number")
	alice.moves(telephone)
	alice.moves(another)
	if err := bob.acc.Flush(t.Context()); err != nil { // before he is told
		t.Fatal(err)
	}
	bob.state(lost, history.Failed)
	alice.says(bob.number, "guess who")
	laptop.online()
	laptop.is(another)
	laptop.state(late, history.Sent)
	laptop.has(bob.number, "guess who")
	bob.online()
	bob.has(another, "guess who")
	bob.has(another, "written without a connection")
	if err := bob.acc.Try(t.Context(), lost.Seq); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*device{alice, laptop} {
		d.has(bob.number, "to the old number")
	}
}

// What Bob writes is on its way to the old number when he is told of the new one. Whether the server has taken it, or knows nobody by that number any more, Alice
// has it once, and he sees that she has.
func TestAMessageIsOnItsWayToTheOldNumber(t *testing.T) {
	for _, taken := range []bool{true, false} {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		knows(alice, bob)
		old, begun, open := alice.number, make(chan struct{}), make(chan struct{})
		var other atomic.Bool
		w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
			if r.Method != "PUT" || r.URL.Path != "/v1/messages/"+old || other.Swap(true) {
				return false
			}
			rec := httptest.NewRecorder()
			if taken {
				w.server.ServeHTTP(rec, r)
			}
			close(begun)
			<-open
			if !taken {
				return false
			}
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(rec.Code)
			_, _ = rw.Write(rec.Body.Bytes())
			return true
		})
		m := bob.says(alice.number, "are you there")
		wait(t, "it to be on its way", begun)
		alice.moves(telephone)
		bob.has(telephone, "[number-changed]")
		close(open)
		bob.state(m, history.Delivered)
		bob.idle()
		alice.says(bob.number, "I am")
		bob.sees(telephone, "hello", "hello back", "are you there", "[number-changed]", "I am")
		alice.sees(bob.number, "hello", "hello back", "are you there", "I am")
	}
}

// The program ends at any request that a change of number makes, before the server has it, or after. Started again, it comes to the same end: one number,
// which everybody knows, and nothing lost.
func TestAChangeOfNumberIsCutOffAnywhere(t *testing.T) {
	for _, done := range []bool{false, true} {
		for n := int32(1); n <= 4; n++ {
			w := newWorld(t)
			alice, bob := w.person("alice"), w.person("bob")
			laptop := alice.link("laptop", false)
			knows(alice, bob)
			laptop.has(bob.number, "hello", "hello back")
			old := alice.number
			code := w.code(telephone, alice)
			w.skew.Add(int64(time.Minute))
			own, err := alice.acc.Own(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var count atomic.Int32
			w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
				_, password, _ := r.BasicAuth()
				if password != own.Password || r.URL.Path != "/v3/account/number" && count.Load() == 0 {
					return false
				}
				switch at := count.Add(1); {
				case at < n:
					return false
				case at == n && done:
					w.server.ServeHTTP(nobody{http.Header{}}, r)
				}
				panic(http.ErrAbortHandler) // from then on nothing gets through
			})
			err = alice.acc.ChangeNumber(t.Context(), telephone, code)
			if (err == nil) != (n > 1) {
				t.Fatal(n, err)
			}
			w.waitFor("the request that is cut off", func() bool { return count.Load() >= n })
			alice.reopen()
			w.hostile(nil)
			alice.online()
			if n == 1 && !done {
				alice.is(old)
				if err := alice.acc.ChangeNumber(t.Context(), telephone, code); err != nil {
					t.Fatal(err)
				}
			}
			alice.is(telephone)
			laptop.is(telephone)
			bob.says(w.followed(bob, old), "still there")
			for _, d := range []*device{alice, laptop} {
				d.has(bob.number, "still there")
			}
			alice.state(alice.says(bob.number, "yes"), history.Delivered)
			bob.sees(telephone, "hello", "hello back", "[number-changed]", "still there", "yes")
			bob.forgot(old)
		}
	}
}

// followed waits until a device has followed to the telephone's number.
func (w *world) followed(d *device, old string) string {
	w.Helper()
	d.waitFor("the new number at "+d.name, func() bool { return len(d.conversation(telephone)) > 0 && len(d.conversation(old)) == 0 })
	return telephone
}

// Whoever says that he was somebody else, and has another key, is a stranger. Nothing moves.
func TestALiarHasNoOldNumber(t *testing.T) {
	w := newWorld(t)
	alice, bob, mallory := w.person("alice"), w.person("bob"), w.person("mallory")
	knows(alice, bob)
	bob.verifies(alice, true)
	choir := bob.founds("choir", alice)
	before := bob.conversation(alice.number)
	for range 3 { // told once
		if err := client.ClaimForTest(t.Context(), mallory.acc, bob.number, alice.number); err != nil {
			t.Fatal(err)
		}
	}
	mallory.says(bob.number, "it is me, Alice")
	bob.sees(mallory.number, "[number-claimed]", "it is me, Alice")
	if got, want := bob.notice(mallory.number, "number-claimed"), "Whoever writes from "+mallory.number+" says that "+alice.number+" was his number before, and has another key than you know of that: he need not be the same. Compare safety numbers before you trust him."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := bob.conversation(alice.number); !slices.Equal(got, before) {
		t.Error(got)
	}
	g, err := bob.acc.Group(t.Context(), choir)
	if err != nil || !g.In(alice.number) || g.In(mallory.number) {
		t.Error(g, err)
	}
	if k, _ := bob.acc.Contact(t.Context(), mallory.number); k.Trust != session.Unverified || k.Accepted {
		t.Errorf("%+v", k)
	}
	// Nor is he anybody's device.
	if err := client.ClaimForTest(t.Context(), mallory.acc, bob.number, bob.number); err != nil {
		t.Fatal(err)
	}
	mallory.says(bob.number, "or you")
	bob.sees(mallory.number, "[number-claimed]", "it is me, Alice", "or you")
	bob.is(bob.number)
}

// The number that Alice had is somebody else's now. He is a newcomer, and not mixed up with her; who is blocked stays so under another number.
func TestTheOldNumberIsSomebodyElses(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	alice.moves(telephone)
	knows(alice, bob)
	alice.moves(another)
	bob.has(another, "hello")
	dave := &device{world: w, name: "dave", dir: t.TempDir() + "/dave", log: new(logBook)}
	w.skew.Add(int64(time.Hour))
	acc, err := client.Register(t.Context(), w.options(dave), []byte("passphrase"), client.Registration{Number: telephone, Code: w.code(telephone, dave)})
	if err != nil {
		t.Fatal(err)
	}
	dave.use(acc)
	dave.online()
	dave.says(bob.number, "who are you")
	bob.sees(telephone, "who are you")
	bob.says(telephone, "Bob, and you")
	dave.sees(bob.number, "who are you", "Bob, and you")
	dave.says(alice.number, "I have your number")
	alice.has(telephone, "I have your number")
	bob.says(another, "Alice?")
	alice.has(bob.number, "Alice?")

	if err := bob.acc.Block(t.Context(), another, true); err != nil {
		t.Fatal(err)
	}
	const third = "+14155550102"
	alice.moves(third)
	alice.state(alice.says(bob.number, "you cannot keep me out"), history.Sent)
	dave.says(bob.number, "after that")
	bob.sees(telephone, "who are you", "Bob, and you", "after that")
	bob.waitFor("the block to go along", func() bool { k, err := bob.acc.Contact(t.Context(), third); return err == nil && k.Blocked })
	bob.sees(third, "hello", "hello back", "[number-changed]", "Alice?")
}

// What was said about keys goes along with those who said it, and with those it is about.
func TestIntroductionsGoAlong(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := threePeople(w)
	alice.introduces(bob, carol)
	for _, d := range []*device{bob, carol} {
		d.sees(alice.number, "hello", "hello back", "[introduction-kept]")
	}
	bob.says(carol.number, "Alice says I should write to you")
	carol.has(bob.number, "Alice says I should write to you")
	if got, want := carol.trusts(bob), "introduced by "+alice.number; got != want {
		t.Fatalf("%q, want %q", got, want)
	}
	alice.moves(telephone)
	carol.has(telephone, "[number-changed]")
	if got, want := carol.trusts(bob), "introduced by "+telephone; got != want {
		t.Errorf("once Alice has moved: %q, want %q", got, want)
	}
	bob.moves(another)
	carol.has(another, "[number-changed]")
	if got, want := carol.trusts(bob), "introduced by "+telephone; got != want {
		t.Errorf("once Bob has moved: %q, want %q", got, want)
	}
}

// Somebody at another server has another number: there he is called by the number and the server.
func TestANumberOfAnotherServerIsFollowed(t *testing.T) {
	a, b := newTwoServers(t)
	alice, bob := a.person("alice"), b.person("bob")
	toAlice, toBob := alice.number+"@a.example", bob.number+"@b.example"
	alice.says(toBob, "hello")
	bob.sees(toAlice, "hello")
	bob.says(toAlice, "hello back")
	alice.sees(toBob, "hello", "hello back")
	choir, err := bob.acc.CreateGroup(t.Context(), "choir", []string{toAlice})
	if err != nil {
		t.Fatal(err)
	}
	alice.memberOf(choir, 2)
	alice.moves(telephone)
	now := telephone + "@a.example"
	bob.sees(now, "hello", "hello back", "[number-changed]")
	bob.forgot(toAlice)
	bob.says(now, "still there")
	alice.sees(toBob, "hello", "hello back", "still there")
	bob.says(choir, "sing")
	alice.has(choir, "sing")
	alice.says(choir, "la")
	bob.has(choir, "la")
}
