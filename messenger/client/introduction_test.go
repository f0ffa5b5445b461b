package client_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/archive"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/introduction"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/session"
)

// verifies says that somebody has compared the safety number with another, as they are now.
func (d *device) verifies(other *device, verified bool) {
	d.Helper()
	s, err := d.acc.Safety(d.Context(), other.number)
	if err != nil {
		d.Fatal(d.name, err)
	}
	if err := d.acc.SetVerified(d.Context(), s, verified); err != nil {
		d.Fatal(d.name, err)
	}
}

// threePeople are Alice, who knows and has verified Bob and Carol, and these two, who have verified her and have never heard of each other.
func threePeople(w *world) (alice, bob, carol *device) {
	w.Helper()
	alice, bob, carol = w.person("alice"), w.person("bob"), w.person("carol")
	for _, d := range []*device{bob, carol} {
		knows(alice, d)
		alice.verifies(d, true)
		d.verifies(alice, true)
	}
	return alice, bob, carol
}

func (d *device) introduces(first, second *device) {
	d.Helper()
	if err := d.acc.Introduce(d.Context(), first.number, second.number); err != nil {
		d.Fatal(d.name, err)
	}
}

// state of somebody's key, in a word: "introduced by NUMBER", "doubted by NUMBER", the trust, or nothing.
func (d *device) trusts(other *device) string {
	d.Helper()
	k, err := d.acc.Contact(d.Context(), other.number)
	if err != nil {
		d.Fatal(err)
	}
	switch {
	case k.Introduced != nil:
		return "introduced by " + k.Introduced.Number
	case k.Doubt != "":
		return "doubted by " + k.Doubt
	}
	return string(k.Trust)
}

func (d *device) contacts() (out []string) {
	d.Helper()
	list, err := d.acc.Contacts(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	for _, k := range list {
		out = append(out, k.Number)
	}
	return out
}

// Nobody knows the other yet: the word waits for the first key.
func TestIntroducedBeforeTheFirstKey(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := threePeople(w)
	before := time.Now().Add(-time.Minute)
	w.hostile(func(_ http.ResponseWriter, r *http.Request) bool {
		if from, _, _ := r.BasicAuth(); from == bob.number && strings.Contains(r.URL.Path, carol.number) {
			t.Errorf("%s %s because of an introduction", r.Method, r.URL.Path)
		}
		return false
	})
	alice.introduces(bob, carol)
	alice.sees(bob.number, "hello", "hello back", "[introduction-made]")
	if got, want := alice.notice(bob.number, "introduction-made"), fmt.Sprintf("You have introduced %s to %s: %[2]s is told which key %[1]s has, with your signature.", carol.number, bob.number); got != want {
		t.Error(got)
	}
	bob.sees(alice.number, "hello", "hello back", "[introduction-kept]")
	carol.sees(alice.number, "hello", "hello back", "[introduction-kept]")
	if got, want := bob.notice(alice.number, "introduction-kept"), fmt.Sprintf("%s has introduced %s to you. No key of %[2]s is here yet: the first that comes is compared with the one %[1]s has verified.", alice.number, carol.number); got != want {
		t.Error(got)
	}
	// It has begun no conversation, made no contact, and sent nothing.
	if got := bob.contacts(); len(got) != 1 || got[0] != alice.number {
		t.Error(got)
	}
	if list, err := bob.acc.Conversations(t.Context()); err != nil || len(list) != 2 { // Alice, and himself
		t.Errorf("%+v, %v", list, err)
	}
	if n, err := bob.acc.Queued(t.Context()); err != nil || n != 0 {
		t.Error(n, err)
	}
	w.hostile(nil)
	bob.reopen()
	bob.online()
	bob.says(carol.number, "Alice says I should write to you")
	carol.sees(bob.number, "Alice says I should write to you")
	bob.sees(carol.number, "Alice says I should write to you", "[introduced]")
	carol.says(bob.number, "I know")
	bob.sees(carol.number, "Alice says I should write to you", "[introduced]", "I know")
	bob.sees(alice.number, "hello", "hello back", "[introduction-kept]", "[introduced]")
	for _, d := range [][2]*device{{bob, carol}, {carol, bob}} {
		if got := d[0].trusts(d[1]); got != "introduced by "+alice.number {
			t.Errorf("%s: %q", d[0].name, got)
		}
		k, _ := d[0].acc.Contact(t.Context(), d[1].number)
		if k.Trust != session.Unverified || k.Introduced.When < before.UnixMilli() || k.Introduced.When > w.now().UnixMilli() {
			t.Errorf("%+v of %v", k.Introduced, before)
		}
	}
	if got, want := bob.notice(carol.number, "introduced"), fmt.Sprintf("%s has introduced %s to you: the key that %[1]s has verified for %[2]s is the one that is here. That is %[1]s's word; your own comparison is worth more.", alice.number, carol.number); got != want {
		t.Error(got)
	}
}

// What it is worth: less than verified, as long as both keys and Alice's state are what they were.
func TestWhatAnIntroductionIsWorth(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := threePeople(w)
	knows(bob, carol)
	alice.introduces(bob, carol)
	bob.sees(carol.number, "hello", "hello back", "[introduced]")
	introduced := "introduced by " + alice.number
	is := func(when, want string) {
		t.Helper()
		if got := bob.trusts(carol); got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	is("introduced", introduced)
	// Not enough for who is to be written to only when verified.
	if err := bob.acc.SetRule(t.Context(), carol.number, session.RuleVerified); err != nil {
		t.Fatal(err)
	}
	bob.state(bob.says(carol.number, "for verified eyes"), history.Failed)
	if err := bob.acc.SetRule(t.Context(), carol.number, session.RuleNotify); err != nil {
		t.Fatal(err)
	}
	bob.verifies(alice, false)
	is("Alice is verified no more", "")
	bob.verifies(alice, true)
	is("Alice is verified again", introduced)
	bob.verifies(carol, true)
	is("compared by himself", string(session.Verified))
	bob.verifies(carol, false)
	is("and taken back", introduced)
	carol.offline() // she would ask again for what she cannot read
	// The server swaps Carol's key: the state goes, and Bob is told that Alice has vouched for another. Nothing is held, for he has not verified it.
	w.stale(carol.number, func(b *api.BundlesV3) { swapped(t, b) }, bob)
	m := bob.says(carol.number, "the secret")
	bob.notice(carol.number, "key-changed")
	want := fmt.Sprintf("WARNING: %s says that %s has another key than the one that is here. One of the two is not %[2]s's. Most often one of them is an old one, since %[2]s has a new telephone or has installed the messenger again; but it may be that somebody in between reads along. Send nothing that matters until you have asked by another way, by telephone or in person, and have compared safety numbers.", alice.number, carol.number)
	if got := bob.notice(carol.number, "introduction-differs"); got != want {
		t.Error(got)
	}
	bob.state(m, history.Sent)
	is("swapped", "")
	// The server is honest again, and has Bob fetch her key: it is the one that Alice has named.
	w.stale(carol.number, func(*api.BundlesV3) {}, bob)
	bob.state(bob.says(carol.number, "are you there?"), history.Sent)
	is("her own key", introduced)
	w.hostile(nil)
	// Alice's key changes; whoever shows Carol is told that she is to be shown otherwise.
	events := bob.acc.Subscribe()
	defer events.Close()
	w.stale(alice.number, func(b *api.BundlesV3) { swapped(t, b) }, bob)
	bob.says(alice.number, "hm")
	bob.notice(alice.number, "key-changed-verified")
	is("Alice's key has changed", "")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for e, ok := events.Next(ctx); e.Type != client.EventConversation || e.Conversation != carol.number; e, ok = events.Next(ctx) {
		if !ok {
			t.Fatal("nobody is told")
		}
	}
	bob.verifies(alice, true) // whoever that is
	is("another key of Alice's is verified", "")
}

// The server gives Bob a key of its own for Carol, before he has ever seen hers: Alice's word stops him.
func TestAGhostKeyIsCaughtByAnIntroduction(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := threePeople(w)
	alice.introduces(bob, carol)
	bob.notice(alice.number, "introduction-kept")
	carol.notice(alice.number, "introduction-kept")
	w.rewrite(carol.number, func(b *api.BundlesV3) { swapped(t, b) })
	swap := w.between.Load()
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		if from, _, _ := r.BasicAuth(); r.Method == "PUT" && r.URL.Path == "/v1/messages/"+carol.number && from == bob.number {
			t.Error("something was sent to the ghost")
		}
		return (*swap)(rw, r)
	})
	m := bob.says(carol.number, "the secret")
	held := "the safety number of " + carol.number + " is not that of the key by which " + carol.number + " was introduced by " + alice.number + ": verify it, or accept it, before anything is sent"
	if d := bob.state(m, history.Failed); d.Why != held {
		t.Errorf("got %q", d.Why)
	}
	want := fmt.Sprintf("WARNING: %s says that %s has another key than the one that is here. One of the two is not %[2]s's. Most often one of them is an old one, since %[2]s has a new telephone or has installed the messenger again; but it may be that somebody in between reads along. Nothing is sent to %[2]s until you decide: ask by another way, by telephone or in person, and compare safety numbers.", alice.number, carol.number)
	if got := bob.notice(carol.number, "introduction-differs"); got != want {
		t.Error(got)
	}
	if got := bob.trusts(carol); got != "doubted by "+alice.number {
		t.Error(got)
	}
	bob.reopen()
	bob.online()
	bob.state(bob.says(carol.number, "another"), history.Failed)
	// The attack is over. The doubt stays until Bob decides; then what was held goes out.
	w.hostile(nil)
	carol.says(bob.number, "Alice told me of you")
	bob.notice(carol.number, "introduced")
	if got := bob.trusts(carol); got != "doubted by "+alice.number {
		t.Error(got)
	}
	if err := bob.acc.AcceptKey(t.Context(), carol.number); err != nil {
		t.Fatal(err)
	}
	carol.sees(bob.number, "Alice told me of you", "[introduced]", "the secret", "another")
	if got := bob.trusts(carol); got != "introduced by "+alice.number {
		t.Error(got)
	}
}

// Bob has talked to the ghost for long when Alice introduces Carol.
func TestAGhostKeyThatIsThereAlready(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := threePeople(w)
	w.rewrite(carol.number, func(b *api.BundlesV3) { swapped(t, b) })
	bob.state(bob.says(carol.number, "hello"), history.Sent)
	w.hostile(nil)
	alice.introduces(bob, carol)
	for _, conversation := range []string{carol.number, alice.number} {
		if got := bob.notice(conversation, "introduction-differs"); !strings.HasPrefix(got, "WARNING: "+alice.number+" says that "+carol.number+" has another key") {
			t.Error(got)
		}
	}
	bob.state(bob.says(carol.number, "the secret"), history.Failed)
	// The safety number can be looked at, to compare; the first look asks the server again, which is honest now.
	s, err := bob.acc.Safety(t.Context(), carol.number)
	if err != nil || s.Doubt != alice.number {
		t.Fatalf("%+v, %v", s, err)
	}
	theirs, err := carol.acc.Safety(t.Context(), bob.number)
	if err != nil || s.Digits != theirs.Digits {
		t.Fatalf("Bob reads %s, %v, Carol %s", s.Digits, err, theirs.Digits)
	}
	if err := bob.acc.SetVerified(t.Context(), s, true); err != nil {
		t.Fatal(err)
	}
	bob.waitFor("what was held", func() bool { n, err := bob.acc.Queued(t.Context()); return err == nil && n == 0 })
	if got := bob.trusts(carol); got != string(session.Verified) {
		t.Error(got)
	}
}

// The first key can be looked at although nothing is sent to it.
func TestComparingAKeyInDoubt(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := threePeople(w)
	alice.introduces(bob, carol)
	bob.notice(alice.number, "introduction-kept")
	w.rewrite(carol.number, func(b *api.BundlesV3) { swapped(t, b) })
	s, err := bob.acc.Safety(t.Context(), carol.number)
	if err != nil || s.Doubt != alice.number || s.Introduced != nil {
		t.Fatalf("%+v, %v", s, err)
	}
	if err := s.Compare(strings.Repeat("1", 60)); err == nil {
		t.Error("any digits do")
	}
}

// Whose key Bob has compared himself stays as it is, whatever Alice says.
func TestOwnComparisonIsWorthMore(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := threePeople(w)
	knows(bob, carol)
	bob.verifies(carol, true)
	client.SayIntroductionForTest(t.Context(), alice.acc, bob.number, func(s *introduction.Statement) { s.Other = introduction.Person{Address: carol.number, Key: newKey(t)} })
	if got := bob.notice(carol.number, "introduction-differs"); !strings.HasSuffix(got, " You have compared the one here yourself, so it stays as it is: tell "+alice.number+", by another way, to compare with "+carol.number+" again.") {
		t.Error(got)
	}
	if got := bob.trusts(carol); got != string(session.Verified) {
		t.Error(got)
	}
	bob.state(bob.says(carol.number, "still friends"), history.Delivered)
}

func newKey(t testing.TB) keys.Public {
	k, err := keys.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k.Public()
}

// Every reason not to take an introduction is told, and nothing of it is kept.
func TestIntroductionsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := threePeople(w)
	mallory := w.person("mallory")
	knows(mallory, bob)
	ctx := t.Context()
	say := func(d *device, change func(*introduction.Statement), raw ...func(statement, sig []byte) ([]byte, []byte)) {
		t.Helper()
		key, err := identityOf(carol)
		if err != nil {
			t.Fatal(err)
		}
		client.SayIntroductionForTest(ctx, d.acc, bob.number, func(s *introduction.Statement) {
			s.Other = introduction.Person{Address: carol.number, Key: key}
			change(s)
		}, raw...)
	}
	as := func(*introduction.Statement) {}
	now := uint64(w.now().UnixMilli())
	prefix := " has introduced somebody to you, and that was not taken: "
	for i, c := range []struct {
		from   *device
		change func(*introduction.Statement)
		raw    func(statement, sig []byte) ([]byte, []byte)
		want   string
	}{
		{mallory, as, nil, "you have not compared safety numbers with " + mallory.number + ", whose word therefore proves nothing. Compare them, and have " + mallory.number + " do it again."},
		{alice, func(s *introduction.Statement) { s.Recipient.Key = newKey(t) }, nil, "the key it names for you is not yours."},
		{alice, func(s *introduction.Statement) { s.Recipient.Address = "+99900000000000" }, nil, "it is for +99900000000000, and not for you."},
		{alice, func(s *introduction.Statement) { s.Recipient.Address += "@elsewhere.example" }, nil, "it is for " + bob.number + "@elsewhere.example, and not for you."},
		{alice, func(s *introduction.Statement) { s.Other.Address = "carol" }, nil, "its addresses are no numbers."},
		{alice, func(s *introduction.Statement) { s.Other.Address = alice.number }, nil, "nobody introduces himself, or somebody to himself."},
		{alice, func(s *introduction.Statement) { s.Other.Address = bob.number }, nil, "nobody introduces himself, or somebody to himself."},
		{alice, func(s *introduction.Statement) { s.Time = now + uint64(48*time.Hour/time.Millisecond) }, nil, "it is dated DATE, which is still to come."},
		{alice, as, func(b, sig []byte) ([]byte, []byte) { sig[5] ^= 1; return b, sig }, "the introduction is not signed by the introducer's identity key."},
		{alice, as, func(b, sig []byte) ([]byte, []byte) { return b, sig[:63] }, "the introduction is not signed by the introducer's identity key."},
		{alice, as, func(b, sig []byte) ([]byte, []byte) { b[len(b)-1] ^= 1; return b, sig }, "the introduction is not signed by the introducer's identity key."},
		{alice, as, func(b, sig []byte) ([]byte, []byte) { return append(b, make([]byte, 300)...), sig }, "introduction: got SIZE bytes, want at most 287."},
		{alice, as, func(b, sig []byte) ([]byte, []byte) { return nil, nil }, "introduction: no statement of the form CSIN1."},
	} {
		if i%4 == 0 {
			w.later(25*time.Hour, bob) // only a few are told in a day
			now = uint64(w.now().UnixMilli())
		}
		if c.raw == nil {
			c.raw = func(b, sig []byte) ([]byte, []byte) { return b, sig }
		}
		want := c.from.number + prefix + c.want
		size := 300 + len(introduction.Statement{Recipient: introduction.Person{Address: bob.number}, Other: introduction.Person{Address: carol.number}}.Encode())
		want = strings.NewReplacer("DATE", time.UnixMilli(int64(now)).Add(48*time.Hour).UTC().Format(time.DateOnly), "SIZE", fmt.Sprint(size)).Replace(want)
		say(c.from, c.change, c.raw)
		bob.waitFor(want, func() bool {
			list, err := bob.acc.Messages(ctx, c.from.number, 0, 1)
			return err == nil && len(list) == 1 && list[0].Notice == "introduction-refused" && list[0].Body == want
		})
	}
	bob.says(carol.number, "hello")
	carol.sees(bob.number, "hello")
	bob.sees(carol.number, "hello")
	if got := bob.trusts(carol); got != "" {
		t.Error(got)
	}
}

func identityOf(d *device) (keys.Public, error) {
	own, err := d.acc.Own(d.Context())
	if err != nil {
		return keys.Public{}, err
	}
	k, err := own.Identity()
	if err != nil {
		return keys.Public{}, err
	}
	return k.Public(), nil
}

// What Alice has signed for Bob is no use to anybody else, and an old one does not come back.
func TestAnIntroductionIsReplayed(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := threePeople(w)
	dave := w.person("dave")
	for _, pair := range [][2]*device{{alice, dave}, {dave, bob}} {
		knows(pair[0], pair[1])
		pair[0].verifies(pair[1], true)
		pair[1].verifies(pair[0], true)
	}
	ctx := t.Context()
	first := client.MadeIntroductionForTest(ctx, alice.acc, bob.number, carol.number)
	later := client.MadeIntroductionForTest(ctx, alice.acc, bob.number, carol.number)
	// To another person, by Alice's own device even; and by Dave, whom Bob has verified, as if it were his word.
	for _, c := range []struct {
		from, to *device
		want     string
	}{
		{alice, dave, "it is for " + bob.number + ", and not for you."},
		{dave, bob, "the introduction is not signed by the introducer's identity key."},
	} {
		client.PassIntroductionForTest(ctx, c.from.acc, c.to.number, later)
		if got, want := c.to.notice(c.from.number, "introduction-refused"), c.from.number+" has introduced somebody to you, and that was not taken: "+c.want; got != want {
			t.Error(got)
		}
	}
	client.PassIntroductionForTest(ctx, alice.acc, bob.number, later)
	bob.notice(alice.number, "introduction-kept")
	client.PassIntroductionForTest(ctx, alice.acc, bob.number, later) // the same again says nothing
	client.PassIntroductionForTest(ctx, alice.acc, bob.number, first)
	if got, want := bob.notice(alice.number, "introduction-refused"), alice.number+" has introduced somebody to you, and that was not taken: it is older than one that is here."; got != want {
		t.Error(got)
	}
	alice.says(bob.number, "that was all")
	bob.sees(alice.number, "hello", "hello back", "[introduction-kept]", "[introduction-refused]", "that was all")
}

// Whom Alice has not verified she cannot introduce.
func TestWhomOneCanIntroduce(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := threePeople(w)
	ctx := t.Context()
	alice.verifies(carol, false)
	for _, c := range []struct{ first, second, want string }{
		{bob.number, carol.number, "untrusted identity: " + carol.number + " is not verified: compare your safety numbers first"},
		{carol.number, bob.number, "untrusted identity: " + carol.number + " is not verified: compare your safety numbers first"},
		{bob.number, bob.number, fmt.Sprintf("%q and %[1]q: want two different contacts, and neither yourself nor a group", bob.number)},
		{bob.number, alice.number, fmt.Sprintf("%q and %q: want two different contacts, and neither yourself nor a group", bob.number, alice.number)},
		{"group:00", bob.number, fmt.Sprintf("%q and %q: want two different contacts, and neither yourself nor a group", "group:00", bob.number)},
	} {
		if err := alice.acc.Introduce(ctx, c.first, c.second); fmt.Sprint(err) != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	alice.verifies(carol, true)
	if err := alice.acc.Block(ctx, carol.number, true); err != nil {
		t.Fatal(err)
	}
	if err := alice.acc.Introduce(ctx, bob.number, carol.number); fmt.Sprint(err) != carol.number+" is blocked; unblock first" {
		t.Error(err)
	}
	if n, err := alice.acc.Queued(ctx); err != nil || n != 0 {
		t.Error("half of a refused introduction is queued:", n, err)
	}
}

// A flood is cut off at both ends: by Alice's device, and by Bob's if hers is not ours.
func TestAFloodOfIntroductions(t *testing.T) {
	w := newWorld(t)
	alice, bob, _ := threePeople(w)
	ctx := t.Context()
	kept := func() (n int) {
		for _, what := range bob.conversation(alice.number) {
			if what == "[introduction-kept]" {
				n++
			}
		}
		return n
	}
	flood := func(end string) {
		for i := range 30 {
			client.SayIntroductionForTest(ctx, alice.acc, bob.number, func(s *introduction.Statement) {
				s.Other = introduction.Person{Address: fmt.Sprintf("+9990000%08d", i), Key: newKey(t)}
			})
		}
		alice.says(bob.number, end)
		bob.hears(alice.number, end)
	}
	flood("that was all today")
	if n := kept(); n != 20 {
		t.Errorf("%d of 30 are kept", n)
	}
	if got, want := bob.notice(alice.number, "introduction-refused"), alice.number+" has introduced somebody to you, and that was not taken: it is more than the 20 that are taken from one person in a day."; got != want {
		t.Error(got)
	}
	refusals := 0
	for _, what := range bob.conversation(alice.number) {
		if what == "[introduction-refused]" {
			refusals++
		}
	}
	if refusals != 5 {
		t.Errorf("%d refusals are told", refusals)
	}
	w.later(25*time.Hour, bob)
	flood("that was all on the second day")
	if n := kept(); n != 40 {
		t.Errorf("%d are kept on the second day", n)
	}
}

func TestOneCannotIntroduceForEver(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := threePeople(w)
	for range 20 {
		alice.introduces(bob, carol)
	}
	if err := alice.acc.Introduce(t.Context(), bob.number, carol.number); fmt.Sprint(err) != "you have introduced 20 people to "+bob.number+" within a day, who would take no more: go on tomorrow" {
		t.Error(err)
	}
	w.later(25*time.Hour, alice)
	alice.introduces(bob, carol)
}

// All devices of a person know of it: those that were there, and one that is linked later.
func TestIntroductionsReachOwnDevices(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := threePeople(w)
	laptop, tablet := alice.link("alice's laptop", false), bob.link("bob's tablet", false)
	alice.says(bob.number, "hello tablet") // which is how they come to know her
	tablet.waitFor("Alice", func() bool {
		return strings.Contains(strings.Join(tablet.conversation(alice.number), "|"), "hello tablet")
	})
	laptop.waitFor("what she has said", func() bool {
		return strings.Contains(strings.Join(laptop.conversation(bob.number), "|"), "hello tablet")
	})
	bob.verifies(alice, true)
	tablet.waitFor("that she is verified", func() bool { return tablet.trusts(alice) == string(session.Verified) })
	alice.introduces(bob, carol)
	laptop.notice(bob.number, "introduction-made")
	tablet.notice(alice.number, "introduction-kept")
	bob.says(carol.number, "hello")
	carol.says(bob.number, "hello Bob")
	for _, d := range []*device{bob, tablet} {
		d.waitFor(d.name+" has it", func() bool { return d.trusts(carol) == "introduced by "+alice.number })
	}
	watch := bob.link("bob's watch", false)
	carol.says(bob.number, "hello watch")
	alice.says(bob.number, "hello watch")
	watch.waitFor("both", func() bool {
		return strings.Contains(strings.Join(watch.conversation(alice.number), "|"), "hello watch") && strings.Contains(strings.Join(watch.conversation(carol.number), "|"), "hello watch")
	})
	watch.waitFor("the watch has it", func() bool { return watch.trusts(carol) == "introduced by "+alice.number })
}

// vouchesNot takes back, on one device alone, that somebody is verified: as if word of it had not come.
func (d *device) vouchesNot(other *device) {
	d.Helper()
	d.waitFor("that "+other.name+" is verified", func() bool { return d.trusts(other) == string(session.Verified) })
	client.ForgetVerifiedForTest(d.Context(), d.acc, other.number)
}

// A device on which Alice is not verified does not take her word; it has it from the one that does, and it counts once she is verified there.
func TestAnIntroductionThatOneDeviceTakes(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := threePeople(w)
	tablet := bob.link("bob's tablet", false)
	for _, d := range []*device{alice, carol} {
		d.says(bob.number, "hello tablet")
		tablet.waitFor(d.name, func() bool { return strings.Contains(strings.Join(tablet.conversation(d.number), "|"), "hello tablet") })
	}
	tablet.vouchesNot(alice)
	alice.introduces(bob, carol)
	tablet.notice(alice.number, "introduction-refused")
	bob.notice(alice.number, "introduced")
	bob.says(alice.number, "thank you") // after what the tablet is told
	tablet.waitFor("what Bob has said", func() bool {
		return strings.Contains(strings.Join(tablet.conversation(alice.number), "|"), "thank you")
	})
	if got := tablet.trusts(carol); got != "" {
		t.Error(got, "by somebody who is not verified there")
	}
	tablet.verifies(alice, true)
	if got := tablet.trusts(carol); got != "introduced by "+alice.number {
		t.Error(got)
	}
}

// On a device where Alice was not verified the server has shown a key of its own for Carol: it is found out when she is, there or on another device.
func TestAGhostKeyIsCaughtOnceTheIntroducerIsVerified(t *testing.T) {
	for _, there := range []bool{true, false} {
		w := newWorld(t)
		alice, bob, carol := threePeople(w)
		tablet := bob.link("bob's tablet", false)
		alice.says(bob.number, "hello tablet")
		tablet.waitFor("Alice", func() bool {
			return strings.Contains(strings.Join(tablet.conversation(alice.number), "|"), "hello tablet")
		})
		tablet.vouchesNot(alice)
		w.rewrite(carol.number, func(b *api.BundlesV3) { swapped(t, b) })
		tablet.state(tablet.says(carol.number, "hello"), history.Sent)
		w.hostile(nil)
		alice.introduces(bob, carol)
		tablet.notice(alice.number, "introduction-refused")
		bob.notice(alice.number, "introduction-kept")
		bob.says(alice.number, "thank you") // after what the tablet is told
		tablet.waitFor("what Bob has said", func() bool {
			return strings.Contains(strings.Join(tablet.conversation(alice.number), "|"), "thank you")
		})
		if there {
			tablet.verifies(alice, true)
		} else {
			bob.verifies(alice, true)
		}
		tablet.notice(carol.number, "introduction-differs")
		if got := tablet.trusts(carol); got != "doubted by "+alice.number {
			t.Error(got)
		}
		tablet.state(tablet.says(carol.number, "the secret"), history.Failed)
	}
}

// Alice and Carol are at one server, Bob is at another: each knows the others by other names, and Alice's word is about the same people.
func TestAnIntroductionAcrossServers(t *testing.T) {
	a, b := newTwoServers(t)
	alice, carol, bob := a.person("alice"), a.person("carol"), b.person("bob")
	ctx := t.Context()
	toBob, toAlice, toCarol := bob.number+"@b.example", alice.number+"@a.example", carol.number+"@a.example"
	knows(alice, carol)
	alice.says(toBob, "hello")
	bob.sees(toAlice, "hello")
	bob.says(toAlice, "hello back")
	alice.sees(toBob, "hello", "hello back")
	for _, v := range []struct {
		of   *device
		whom string
	}{{alice, toBob}, {alice, carol.number}, {bob, toAlice}, {carol, alice.number}} {
		s, err := v.of.acc.Safety(ctx, v.whom)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.of.acc.SetVerified(ctx, s, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := alice.acc.Introduce(ctx, toBob, carol.number); err != nil {
		t.Fatal(err)
	}
	bob.notice(toAlice, "introduction-kept")
	carol.notice(alice.number, "introduction-kept")
	bob.says(toCarol, "Alice says hello")
	carol.sees(toBob, "Alice says hello")
	for _, c := range []struct {
		of       *device
		whom, by string
	}{{bob, toCarol, toAlice}, {carol, toBob, alice.number}} {
		if k, err := c.of.acc.Contact(ctx, c.whom); err != nil || k.Introduced == nil || k.Introduced.Number != c.by {
			t.Errorf("%s: %+v, %v", c.of.name, k, err)
		}
	}
}

// A restored account still knows who has introduced whom, and goes on refusing what is older.
func TestIntroductionsAreInABackup(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := threePeople(w)
	old := client.MadeIntroductionForTest(t.Context(), alice.acc, bob.number, carol.number)
	knows(bob, carol)
	alice.introduces(bob, carol)
	bob.notice(carol.number, "introduced")
	seed, err := archive.NewSeed(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := bob.acc.Backup(t.Context(), &file, seed); err != nil {
		t.Fatal(err)
	}
	bob.close()
	again := &device{world: w, name: "bob again", dir: t.TempDir() + "/again", log: new(logBook)}
	acc, _, err := client.Restore(t.Context(), w.options(again), []byte("passphrase"), bytes.NewReader(file.Bytes()), seed)
	if err != nil {
		t.Fatal(err)
	}
	again.use(acc)
	again.online()
	if got := again.trusts(carol); got != "introduced by "+alice.number {
		t.Error(got)
	}
	client.PassIntroductionForTest(t.Context(), alice.acc, bob.number, old)
	again.notice(alice.number, "introduction-refused")
}

// A refusal is of its kind all the way up, so that a command exits as it should.
func TestIntroducingIsRefusedByKind(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
	if err := alice.acc.Introduce(t.Context(), bob.number, carol.number); refusal.Of(err) != refusal.UntrustedIdentity {
		t.Error(err)
	}
}
