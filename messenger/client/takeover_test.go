package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/wire"
)

// tookOver waits until a device has taken over all that was announced to it.
func (d *device) tookOver() {
	d.Helper()
	d.waitFor(d.name+" to take the history over", func() bool {
		_, awaited, err := d.acc.TakingOver(d.Context())
		if err != nil {
			d.Fatal(err)
		}
		return !awaited
	})
}

// A laptop is linked and gets everything, while the world goes on.
func TestTheHistoryComesWithLinking(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	phone, bob, carol := w.person("phone"), w.person("bob"), w.person("carol") // from whom the laptop hears nothing itself
	knows(phone, bob)
	knows(phone, carol)
	if err := phone.acc.MarkRead(ctx, bob.number, 0); err != nil {
		t.Fatal(err)
	}
	for _, who := range []*device{bob, carol} {
		s, err := phone.acc.Safety(ctx, who.number)
		if err != nil {
			t.Fatal(err)
		}
		if err := phone.acc.SetVerified(ctx, s, true); err != nil {
			t.Fatal(err)
		}
	}
	bob.says(phone.number, "not read yet")
	phone.sees(bob.number, "hello", "hello back", "not read yet")
	phone.says(phone.number, "a note")
	id := phone.founds("friends", bob, carol)
	phone.says(id, "all of you")
	for _, d := range []*device{bob, carol} {
		d.sees(id, "[group]", "all of you")
	}
	bob.says(id, "here")
	phone.sees(id, "[group]", "all of you", "here")

	open := make(chan struct{})
	w.hostile(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == "PUT" && strings.HasPrefix(r.URL.Path, "/v3/blobs/") {
			<-open
		}
		return false
	})
	laptop := phone.linkWithHistory("laptop")
	if p, awaited, err := laptop.acc.TakingOver(ctx); !awaited || p.Total < 4 || err != nil {
		t.Errorf("%+v, %v, %v", p, awaited, err)
	}
	bob.says(phone.number, "meanwhile")
	laptop.sees(bob.number, "meanwhile") // it does not wait for the past
	close(open)
	if err := phone.acc.SendHistory(ctx, 2, nil); err != nil { // asked for again: it is under way, or was
		t.Fatal(err)
	}
	laptop.tookOver()
	laptop.sees(bob.number, "hello", "hello back", "not read yet", "meanwhile")
	if got := laptop.conversation(phone.number); !slices.Contains(got, "a note") {
		t.Errorf("the laptop's notes are %q", got)
	}
	all, err := laptop.acc.Conversations(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.ID == bob.number && (v.Unread != 2 || !v.Accepted) {
			t.Errorf("%+v, want 2 unread: what came and was not read on the phone", v)
		}
	}
	for _, who := range []*device{bob, carol} {
		if k, err := laptop.acc.Contact(ctx, who.number); err != nil || k.Trust != session.Verified {
			t.Errorf("%s at the laptop: %+v, %v", who.name, k, err)
		}
	}
	if found, err := laptop.acc.Search(ctx, "not read", "", 0, 10); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
	bob.says(id, "still here")
	carol.sees(id, "[group]", "all of you", "here", "still here")
	laptop.hears(id, "still here") // her copy may come later than Carol's, and than Carol's answer
	carol.says(id, "me too")
	laptop.hears(id, "me too")
	if err := client.ShowGapsForTest(ctx, laptop.acc); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(laptop.conversation(id), "|"); strings.Replace(got, "[group]|", "", 2) != "all of you|here|still here|me too" {
		t.Errorf("the laptop sees the group as %q", got)
	}
	laptop.says(bob.number, "from the laptop")
	bob.hears(phone.number, "from the laptop")
	phone.hears(bob.number, "from the laptop")
	for _, d := range []*device{phone, laptop} {
		d.leftNothing()
	}
	// The tablet is linked without, and gets it when that is asked for.
	tablet := phone.link("tablet", false)
	if _, awaited, err := tablet.acc.TakingOver(ctx); awaited || err != nil {
		t.Error(awaited, err)
	}
	var told heard
	if err := phone.acc.SendHistory(ctx, 3, told.tell); err != nil {
		t.Fatal(err)
	}
	tablet.waitFor("the history at the tablet", func() bool { return slices.Contains(tablet.conversation(bob.number), "hello back") })
	for _, what := range []client.Step{client.Packing, client.Uploading} {
		if list := told.of(what); len(list) == 0 || list[len(list)-1].Done != list[len(list)-1].Total {
			t.Errorf("%s was told as %+v", what, list)
		}
	}
	if err := laptop.acc.SendHistory(ctx, 3, nil); err == nil || err.Error() != "this is device 2: the history comes from the account's first device" {
		t.Error(err)
	}
	if err := phone.acc.SendHistory(ctx, 9, nil); err == nil || !strings.HasPrefix(err.Error(), "there is no device 9 that you have signed for") {
		t.Error(err)
	}
}

// The connection breaks off each way, and both programs are killed at every stage: what arrives is everything, once, in order.
func TestAHistoryOutlivesCutsAndKills(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	phone, bob := w.person("phone"), w.person("bob")
	knows(phone, bob)
	const many = 4500
	if err := client.FillForTest(ctx, phone.acc, bob.number, many); err != nil {
		t.Fatal(err)
	}
	between := w.watchBlobs()
	client.PartsForTest(phone.acc, 300_000)
	between.set(func() { between.cutPut = 100_000 })
	laptop := phone.linkWithHistory("laptop")
	// The phone is killed with a part of it sent.
	w.waitFor("half a part to be sent", func() (cut bool) {
		between.set(func() { cut = between.cutPut == 0 })
		return cut
	})
	phone.reopen()
	client.PartsForTest(phone.acc, 300_000)
	// The laptop is killed while it fetches, and while it stores: after the first batch, and again.
	hold := make(chan struct{})
	between.set(func() { between.cutGet, between.holdGet = 100_000, hold }) // and what is fetched after it has to wait for the kill
	sub := laptop.acc.Subscribe()
	phone.online()
	if err := phone.acc.SendHistory(ctx, 2, nil); err != nil {
		t.Fatal(err)
	}
	for stage := 0; stage < 3; {
		e, ok := sub.Next(ctx)
		if !ok {
			t.Fatal("no event")
		}
		if e.Type != client.EventHistory {
			continue
		}
		if e.Progress.Done > e.Progress.Total {
			t.Errorf("%+v", e.Progress)
		}
		if e.Progress.Total == e.Progress.Done && e.Progress.What == client.TakingOver {
			break
		}
		if stage == 0 && e.Progress.What == client.Downloading || e.Progress.What == client.TakingOver && e.Progress.Done > 0 {
			stage++
			sub.Close()
			laptop.reopen()
			if stage == 1 { // and an older try had left more than comes now
				f, err := os.OpenFile(filepath.Join(laptop.dir, "outgoing", "takeover.history"), os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.WriteString(strings.Repeat("an older try", 1<<20)); errors.Join(err, f.Close()) != nil {
					t.Fatal(err)
				}
			}
			sub = laptop.acc.Subscribe()
			if _, awaited, err := laptop.acc.TakingOver(ctx); err != nil || !awaited { // it was faster than this test: nothing more is told
				if err != nil || stage == 1 {
					t.Fatal("taken over before it could be killed", err)
				}
				stage = 3
			}
			between.set(func() { between.holdGet = nil })
			laptop.online()
		}
	}
	sub.Close()
	laptop.tookOver()
	bob.says(phone.number, "the newest")
	for _, d := range []*device{phone, laptop} {
		d.hears(bob.number, "the newest")
	}
	want, err := phone.acc.Messages(ctx, bob.number, 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	got, err := laptop.acc.Messages(ctx, bob.number, 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := texts(want), texts(got); !slices.Equal(a, b) {
		t.Errorf("the laptop has %d messages, the phone %d, or they differ", len(b), len(a))
	}
	laptop.leftNothing()
}

func texts(list []*history.Message) (out []string) {
	for _, m := range list {
		out = append(out, fmt.Sprint(m.Author, m.Timestamp, m.Body))
	}
	return out
}

// Only the first device gives a history, whole and with its key; anything else is told, or nothing at all, and costs nothing.
func TestHistoriesThatAreNotTakenOver(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	phone, bob := w.person("phone"), w.person("bob")
	knows(phone, bob)
	laptop := phone.link("laptop", false)
	tablet := phone.link("tablet", false)
	good, err := client.PackForTest(ctx, phone.acc, 2)
	if err != nil {
		t.Fatal(err)
	}
	before := laptop.conversation(bob.number)
	// Nobody else is believed: not a contact, not another device of one's own, and not what is meant for another.
	announce := func(from *device, h wire.History) {
		t.Helper()
		if err := client.AnnounceForTest(ctx, from.acc, phone.number, h); err != nil {
			t.Fatal(err)
		}
	}
	announce(bob, *good)
	announce(tablet, *good)
	other := *good
	other.Device = 3
	announce(phone, other)
	none := *good
	none.Parts = nil
	announce(phone, none)
	none = *good
	none.Parts = slices.Clone(good.Parts)
	none.Parts[0].Size = 200 << 20
	announce(phone, none)
	for _, d := range []*device{bob, tablet, phone} { // what they said after it has arrived
		d.says(phone.number, "after that from "+d.name)
	}
	for _, text := range []string{"after that from bob", "after that from tablet", "after that from phone"} {
		w.waitFor(text, func() bool {
			return slices.Contains(slices.Concat(laptop.conversation(bob.number), laptop.conversation(phone.number)), text)
		})
	}
	if got := laptop.conversation(bob.number); !slices.Equal(got, append(before, "after that from bob")) {
		t.Errorf("the laptop sees %q", got)
	}
	if got := laptop.conversation(phone.number); slices.Contains(got, "[history]") {
		t.Errorf("the laptop sees %q", got)
	}
	// What the first device says is tried, and why it fails is told.
	var served atomic.Int32
	fails := func(what string, change func(h *wire.History), want string) {
		t.Helper()
		h := *good
		h.Parts = slices.Clone(good.Parts)
		change(&h)
		had := len(laptop.notices("history"))
		announce(phone, h)
		var got []string
		w.waitFor("word of "+what, func() bool { got = laptop.notices("history"); return len(got) > had })
		if text := "The history of your first device could not be taken over: " + want + ". 'messenger device history' on the first device sends it again."; got[len(got)-1] != text {
			t.Errorf("%s\n got %s\nwant %s", what, got[len(got)-1], text)
		}
		laptop.leftNothing()
	}
	fails("a wrong key", func(h *wire.History) { h.Seed = make([]byte, 16) }, "the key that came with it is another's")
	fails("a part that is gone", func(h *wire.History) { h.Parts[0].ID = 77 }, "part 1 of 1 is not at the server any more")
	fails("a part twice", func(h *wire.History) { h.Parts = append(h.Parts, h.Parts[0]) }, "the backup is damaged or cut off")
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != "GET" || !strings.HasPrefix(r.URL.Path, "/v3/blobs/") {
			return false
		}
		served.Add(1)
		_, _ = io.WriteString(rw, strings.Repeat("x", 20_000)[:sizeOf(good.Parts[0])])
		return true
	})
	fails("a server that gives something else", func(*wire.History) {}, "part 1 of 1: invalid message: attachment: digest or MAC differs")
	if n := served.Load(); n != 3 {
		t.Errorf("fetched %d times, want 3", n)
	}
	w.hostile(nil)
	theirs, err := client.PackForTest(ctx, bob.acc, 2)
	if err != nil {
		t.Fatal(err)
	}
	fails("somebody else's", func(h *wire.History) { *h = *theirs }, fmt.Sprintf("a history of %q in form 2, and this account is %s and knows form 2", bob.number, phone.number))
	// None of that is in the way of a good one.
	announce(phone, *good)
	w.waitFor("the history", func() bool { return slices.Contains(laptop.conversation(bob.number), "hello back") })
}

func sizeOf(p wire.Attachment) int64 { return client.BlobSizeForTest(int64(p.Size)) }

// notices are the texts of a kind of notice in a device's conversation with itself.
func (d *device) notices(kind string) (out []string) {
	d.Helper()
	list, err := d.acc.Messages(d.Context(), d.number, 0, 1000)
	if err != nil {
		d.Fatal(err)
	}
	for _, m := range list {
		if m.Notice == kind {
			out = append(out, m.Body)
		}
	}
	return out
}

// A device that is removed before the history has left gets none of it.
func TestARemovedDeviceGetsNoHistory(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	phone, bob := w.person("phone"), w.person("bob")
	knows(phone, bob)
	phone.link("laptop", false)
	begun, open := make(chan struct{}, 10), make(chan struct{})
	w.hostile(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == "PUT" && strings.HasPrefix(r.URL.Path, "/v3/blobs/") {
			begun <- struct{}{}
			<-open
		}
		return false
	})
	sent := make(chan error, 1)
	go func() { sent <- phone.acc.SendHistory(ctx, 2, nil) }()
	wait(t, "the upload to begin", begun)
	if err := phone.acc.RemoveDevice(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err == nil || err.Error() != "the device was removed" {
		t.Error(err)
	}
	close(open)
	phone.leftNothing()
	w.waitFor("nothing to be queued", func() bool { n, err := phone.acc.Queued(ctx); return n == 0 && err == nil })
}
