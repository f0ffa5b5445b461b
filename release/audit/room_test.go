package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/publish/roomtest"
	"github.com/countersign-project/countersign/tuf/durable"
)

func TestPick(t *testing.T) {
	r := newRoom(t)
	one, two := r.stage("1.4.0", "stable"), r.stage("1.5.0", "beta")
	a := r.auditor(roomtest.Ana)
	for prefix, want := range map[string]event.ID{one.String(): one, one.String()[:6]: one, two.Short(): two} {
		if got, err := a.Pick(t.Context(), prefix); err != nil || got != want {
			t.Errorf("Pick(%q) = %v, %v", prefix, got, err)
		}
	}
	var no *NotOne
	for _, prefix := range []string{"000000", one.String()[:5], "", "stable"} {
		if _, err := a.Pick(t.Context(), prefix); !errors.As(err, &no) || !no.None || !contains(no.Candidates, one.Short()+" 1.4.0 stable") || !contains(no.Candidates, two.Short()+" 1.5.0 beta") {
			t.Errorf("Pick(%q): %v", prefix, err)
		}
	}
	near := one.String()[:8] + strings.Repeat("0", 56)
	r.check(os.Mkdir(filepath.Join(filepath.Dir(r.Room.Events.Path(one)), near), 0o755))
	_, err := a.Pick(t.Context(), one.String()[:8])
	if !errors.As(err, &no) || no.None || len(no.Candidates) != 2 {
		t.Errorf("two that begin alike: %v", err)
	}
	a.Store = event.Dir(filepath.Join(t.TempDir(), "events"))
	if _, err := a.Pick(t.Context(), "123456"); err == nil || err.Error() != `no event starts with "123456"; the room has none` {
		t.Errorf("empty room: %v", err)
	}
}

func TestList(t *testing.T) {
	r := newRoom(t)
	stable, beta := r.stage("1.4.0", "stable"), r.stage("1.5.0", "beta")
	events := filepath.Dir(r.Room.Events.Path(stable))
	r.check(os.Mkdir(filepath.Join(events, strings.Repeat("7", 64)), 0o755))
	r.check(os.Mkdir(filepath.Join(events, strings.Repeat("8", 64)), 0o755))
	r.plant(event.ID(bytes.Repeat([]byte{0x88}, 32)), "event.json", r.Load(stable).Raw)
	r.check(os.WriteFile(filepath.Join(events, "README"), nil, 0o644))
	r.rebuild(beta, roomtest.Ana)
	r.sign(beta, roomtest.Ana)
	a := r.auditor(roomtest.Ana)
	list, err := a.List(t.Context())
	r.check(err)
	got := list.Text(r.Now.Add(3 * 3600e9))
	for _, want := range []string{
		stable.Short() + "  1.4.0 stable (release), 3 h old\n  stable: signed by 0 of 3 needed; not yet: Ana Sousa, Ben Weiss, Cleo Hart, Dai Mori, Eva Reis\n  → waiting: ",
		"  you: rebuild, then sign stable\n",
		beta.Short() + "  1.5.0 beta (release), 3 h old\n  beta: signed by 1 of 2 needed (Ana Sousa); not yet: Ben Weiss, Cleo Hart, Dai Mori, Eva Reis\n  rebuilt: Ana Sousa matched\n",
		"  you: nothing more; your rebuild matched\n",
		strings.Repeat("7", 64) + "\n  not an event that can be read: is half-written: has no event.json\n",
		strings.Repeat("8", 64) + "\n  not an event that can be read: its event.json has the id " + stable.String(),
		"README\n  not an event that can be read: is not an event\n",
		"  → published\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	second := r.stage("1.4.0", "stable")
	list, err = a.List(t.Context())
	r.check(err)
	if got, want := list.Text(r.Now), "  event "+second.Short()+" (1.4.0 stable) proposes the same version of stable\n"; !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
}

// What a publisher writes must not move the cursor of the terminal it is shown on.
func TestTextIsPlain(t *testing.T) {
	r := newRoom(t)
	m := r.manifest("1.4.0", "stable")
	m.Notes = "All good.\n\x1b[2K\x1b[1A\u202Enothing changed\r\x00"
	c, err := r.auditor(roomtest.Ana).Show(t.Context(), r.stageAs(m, nil))
	r.check(err)
	text := c.Text()
	for _, bad := range []string{"\x1b", "\r", "\x00", "\u202E"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q got through:\n%q", bad, text)
		}
	}
	for _, want := range []string{"    All good.\n", "source commit " + m.Source.Commit, "stable: version 1 → version 2, expires 2027-02-19", "linux-amd64/messenger.debug", "rebuild by Ana Sousa (Alpha, PT): not yet"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// An auditor without a network: the event goes there on a stick, and the answers come back.
func TestOnAStick(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	var there, back bytes.Buffer
	r.check(event.Export(t.Context(), r.Room.Events, id, &there, false))
	far := event.Dir(filepath.Join(t.TempDir(), "events"))
	_, err := far.Import(t.Context(), &there)
	r.check(err)
	a := r.auditor(roomtest.Ana)
	a.Store, a.Published = far, event.Published{}
	_, err = a.Rebuild(t.Context(), id, RebuildOptions{})
	r.check(err)
	d, err := a.Check(t.Context(), id, Options{})
	r.check(err)
	_, err = a.Sign(t.Context(), d)
	r.check(err)
	r.rebuild(id, roomtest.Ben) // meanwhile, at home
	r.sign(id, roomtest.Ben)
	r.check(event.Export(t.Context(), far, id, &back, true))
	got, err := r.Room.Events.Import(t.Context(), &back)
	r.check(err)
	if got.New || got.Signatures != 1 || got.Statements != 1 || len(got.Refused) != 0 {
		t.Errorf("brought back %+v", got)
	}
	if s := r.Load(id).Status(event.Published{}, ""); len(s.Quorums[0].Signed) != 2 {
		t.Errorf("%s", s.Text())
	}
}

// A light copy has no source: it can be looked at, not rebuilt; and what was rebuilt elsewhere under the
// same home can be signed on it.
func TestLightCopy(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	light := event.Dir(filepath.Join(t.TempDir(), "events"))
	_, err := light.Collect(t.Context(), r.Room.Events, id, true)
	r.check(err)
	a := r.auditor(roomtest.Ana)
	a.Store = light
	_, err = a.Rebuild(t.Context(), id, RebuildOptions{})
	if err == nil || isRefusal(err) || !strings.Contains(err.Error(), "it was exported without what a rebuild needs") {
		t.Errorf("rebuild: %v", err)
	}
	r.rebuild(id, roomtest.Ana)
	_, err = light.Collect(t.Context(), r.Room.Events, id, true)
	r.check(err)
	d, err := a.Check(t.Context(), id, Options{})
	r.check(err)
	if want := "this copy of the event is without artifacts/"; len(d.Warnings) == 0 || !strings.HasPrefix(d.Warnings[0], want) {
		t.Errorf("warnings %q", d.Warnings)
	}
}

func TestOverHTTP(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	srv := httptest.NewServer(r.Room.Handler(nil))
	defer srv.Close()
	var wait sync.WaitGroup
	errs := make(chan error, 3)
	for _, m := range []int{roomtest.Ana, roomtest.Ben, roomtest.Cleo} {
		a := r.auditor(m)
		store, err := event.OpenStore(srv.URL, srv.Client())
		r.check(err)
		a.Store = store
		wait.Add(1)
		go func() { // all at once: nobody waits for anybody
			defer wait.Done()
			if _, err := a.Rebuild(t.Context(), id, RebuildOptions{}); err != nil {
				errs <- err
				return
			}
			d, err := a.Check(t.Context(), id, Options{})
			if err == nil {
				_, err = a.Sign(t.Context(), d)
			}
			errs <- err
		}()
	}
	wait.Wait()
	for range 3 {
		r.check(<-errs)
	}
	r.Publish(id)
}

func TestDeadEvents(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	r.rebuild(id, roomtest.Ana)
	o := r.Opening()
	o.Supersedes = id
	next := r.StageAs(r.manifest("1.4.0", "stable"), o)
	_, err := r.decide(id, roomtest.Ana)
	refused(t, err, id, "event {id} is superseded by event "+next.Short())
	r.Now = r.Now.AddDate(0, 0, 90)
	_, err = r.decide(next, roomtest.Ana)
	refused(t, err, next, "event {id}: its stable would have expired on 2027-02-19")
}

func TestPublishedEvent(t *testing.T) {
	r := newRoom(t)
	id := r.release("1.4.0", "stable")
	_, err := r.decide(id, roomtest.Ana)
	refused(t, err, id, "event {id} is published already")
}

// The room takes nothing: the signature is remembered, and signing again sends it.
func TestSignatureThatDidNotArrive(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	r.rebuild(id, roomtest.Ana)
	d, err := r.decide(id, roomtest.Ana)
	r.check(err)
	a := r.auditor(roomtest.Ana)
	a.Store = deaf{r.Room.Events}
	if _, err = a.Sign(t.Context(), d); err == nil || isRefusal(err) || !strings.HasPrefix(err.Error(), "the signature on stable is made and remembered, and could not be stored in ") {
		t.Errorf("err = %v", err)
	}
	r.sign(id, roomtest.Ana)
	known, err := a.memories()
	r.check(err)
	if len(known) != 1 || len(known[0].signed) != 1 || len(r.Load(id).Signatures) != 1 {
		t.Errorf("remembered %+v", known[0].signed)
	}
}

func TestOneRebuildOfAnEventAtATime(t *testing.T) {
	r := newRoom(t)
	id, other := r.stage("1.4.0", "stable"), r.stage("1.5.0", "beta")
	a := r.auditor(roomtest.Ana)
	var same, beside error
	a.Build = func(ctx context.Context, j Job) (Product, error) {
		_, same = r.auditor(roomtest.Ana).Rebuild(ctx, id, RebuildOptions{})
		_, beside = r.auditor(roomtest.Ana).Rebuild(ctx, other, RebuildOptions{})
		return r.honest(ctx, j)
	}
	record, err := a.Rebuild(t.Context(), id, RebuildOptions{})
	r.check(err)
	if !errors.Is(same, durable.ErrLocked) || isRefusal(same) || !strings.Contains(same.Error(), "a rebuild of this event is under way") {
		t.Errorf("the same event: %v", same)
	}
	if beside != nil || record.Result != event.Matched {
		t.Errorf("another event: %v, %s", beside, record.Result)
	}
}

func TestInconclusiveStatementsLeaveRoom(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	a := r.auditor(roomtest.Ana)
	for i := range 12 { // a room takes eight statements of one key
		a.Build = func(context.Context, Job) (Product, error) { return Product{}, fmt.Errorf("cause %d", i/2) }
		record, err := a.Rebuild(t.Context(), id, RebuildOptions{})
		r.check(err)
		if record.Result != event.Inconclusive {
			t.Fatal(record.Text())
		}
	}
	if n := len(r.Load(id).Statements); n != maxInconclusive {
		t.Errorf("%d statements", n)
	}
	r.rebuild(id, roomtest.Ana)
	r.sign(id, roomtest.Ana)
}
