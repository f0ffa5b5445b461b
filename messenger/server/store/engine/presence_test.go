package engine

import (
	"errors"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
)

func testPresence(t *testing.T, w *world) {
	const d, e = store.DeviceKey(41), store.DeviceKey(42)
	first, second := store.Place{Node: "a", Epoch: 1 << 60}, store.Place{Node: "b", Epoch: 2}
	where := func(at time.Time) map[store.DeviceKey]store.Place {
		return must[map[store.DeviceKey]store.Place](t)(w.Where(t.Context(), []store.DeviceKey{d, e, 43}, at))
	}
	if earlier := must[store.Place](t)(w.Arrive(t.Context(), d, first)); earlier != (store.Place{}) {
		t.Errorf("first arrival found %v", earlier)
	}
	if got := where(now); len(got) != 0 {
		t.Errorf("a node without a lease: %v", got)
	}
	check(t, w.Heartbeat(t.Context(), "a", now.Add(30*time.Second)))
	check(t, w.Heartbeat(t.Context(), "b", now.Add(10*time.Second)))
	if got := where(now); len(got) != 1 || got[d] != first {
		t.Errorf("got %v", got)
	}
	if earlier := must[store.Place](t)(w.Arrive(t.Context(), d, second)); earlier != first {
		t.Errorf("second arrival found %v", earlier)
	}
	check(t, w.Leave(t.Context(), d, first)) // late: the newer connection stays
	if got := where(now); got[d] != second {
		t.Errorf("after the old one left: %v", got)
	}
	if got := where(now.Add(10 * time.Second)); len(got) != 0 {
		t.Errorf("the lease of b has lapsed: %v", got)
	}
	check(t, w.Heartbeat(t.Context(), "b", now.Add(60*time.Second)))
	if got := where(now.Add(30 * time.Second)); got[d] != second {
		t.Errorf("the lease of b was extended: %v", got)
	}
	must[store.Place](t)(w.Arrive(t.Context(), e, first))
	check(t, w.LeaveAll(t.Context(), "b"))
	if got := where(now); len(got) != 1 || got[e] != first {
		t.Errorf("after b shut down: %v", got)
	}
	check(t, w.Leave(t.Context(), e, first))
	if got := where(now); len(got) != 0 {
		t.Errorf("all gone: %v", got)
	}
}

func testAttachments(t *testing.T, w *world) {
	check(t, w.Allocate(t.Context(), 1<<62+5, 1, now.Add(time.Hour)))
	if err := w.Allocate(t.Context(), 1<<62+5, 1, now.Add(time.Hour)); !errors.Is(err, store.ErrTaken) {
		t.Errorf("allocated twice: %v", err)
	}
	hash := [32]byte{7}
	check(t, w.CompleteAttachment(t.Context(), 1<<62+5, 1000, hash, now.Add(48*time.Hour)))
	check(t, w.CompleteAttachment(t.Context(), 1<<62+5, 1000, hash, now.Add(48*time.Hour)))
	if err := w.CompleteAttachment(t.Context(), 1<<62+5, 1000, [32]byte{8}, now); !errors.Is(err, store.ErrStale) {
		t.Errorf("completed with another hash: %v", err)
	}
	if err := w.CompleteAttachment(t.Context(), 6, 1000, hash, now); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("completed an unknown one: %v", err)
	}
	w.reopen(t)
	a := must[store.Attachment](t)(w.AttachmentOf(t.Context(), 1<<62+5, now))
	want := store.Attachment{ID: 1<<62 + 5, Owner: 1, Complete: true, Size: 1000, Hash: hash, Expires: now.Add(48 * time.Hour).UTC()}
	if a != want {
		t.Errorf("got %+v, wanted %+v", a, want)
	}
	if _, err := w.AttachmentOf(t.Context(), 1<<62+5, now.Add(48*time.Hour)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("expired: %v", err)
	}
	if !must[bool](t)(w.Referenced(t.Context(), hash)) || must[bool](t)(w.Referenced(t.Context(), [32]byte{8})) {
		t.Error("referenced is wrong")
	}
}

func testSweep(t *testing.T, w *world) {
	_, d := register(t, w, alice)
	enqueue(t, w, d, "old", "old too")
	later := now.Add(store.MaxQueuedAge + time.Second)
	check(t, w.Enqueue(t.Context(), []store.Envelope{{Device: d, Body: []byte("young")}}, later)[0])
	check(t, w.PutCode(t.Context(), store.CodeRegister, bob, "1", now, now.Add(time.Minute)))
	check(t, w.PutInvite(t.Context(), store.Invite{Hash: store.InviteHash{1}, Uses: 1, Expires: now.Add(time.Minute)}))
	check(t, w.PutInvite(t.Context(), store.Invite{Hash: store.InviteHash{2}, Uses: 1}))
	check(t, w.Allocate(t.Context(), 5, 1, now.Add(time.Minute)))
	check(t, w.Allocate(t.Context(), 6, 1, later.Add(time.Minute)))
	check(t, w.Heartbeat(t.Context(), "dead", now))
	check(t, w.Heartbeat(t.Context(), "alive", later.Add(time.Minute)))
	for i, node := range []string{"dead", "alive"} {
		must[store.Place](t)(w.Arrive(t.Context(), store.DeviceKey(90+i), store.Place{Node: node, Epoch: 1}))
	}
	if s := must[store.Swept](t)(w.Sweep(t.Context(), now.Add(time.Second))); s.Envelopes+s.Codes+s.Invites+s.Nodes+len(s.Attachments) != 0 {
		t.Errorf("too early: %+v", s)
	}
	s := must[store.Swept](t)(w.Sweep(t.Context(), later))
	if s.Envelopes != 2 || s.Codes != 1 || s.Invites != 1 || s.Nodes != 1 || len(s.Attachments) != 1 || s.Attachments[0].ID != 5 {
		t.Errorf("swept %+v", s)
	}
	if left := must[[]store.Envelope](t)(w.Page(t.Context(), d, 0, 100)); len(left) != 1 || string(left[0].Body) != "young" {
		t.Errorf("left %v", bodies(left))
	}
	check(t, w.Heartbeat(t.Context(), "dead", later.Add(time.Minute)))
	if got := must[map[store.DeviceKey]store.Place](t)(w.Where(t.Context(), []store.DeviceKey{90, 91}, later)); len(got) != 1 || got[91].Node != "alive" {
		t.Errorf("present %v", got)
	}
}
