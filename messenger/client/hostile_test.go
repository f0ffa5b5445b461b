package client_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/wire"
)

// rewrite lets the server's answer about keys pass through f.
func (w *world) rewrite(number string, f func(*api.BundlesV3)) {
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != "GET" || !strings.HasPrefix(r.URL.Path, "/v3/keys/"+number) {
			return false
		}
		rec := httptest.NewRecorder()
		w.server.ServeHTTP(rec, r) // the honest answer first
		var b api.BundlesV3
		if rec.Code == 200 && json.Unmarshal(rec.Body.Bytes(), &b) == nil {
			f(&b)
			rec.Body.Reset()
			_ = json.NewEncoder(rec.Body).Encode(b)
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(rec.Code)
		_, _ = rw.Write(rec.Body.Bytes())
		return true
	})
}

// swapped is a bundle under an identity of the server's own.
func swapped(t *testing.T, b *api.BundlesV3) {
	identity, err := keys.Generate(rand.Reader)
	if err != nil {
		t.Error(err)
		return
	}
	b.IdentityKey, b.DeviceList = identity.Public().Bytes(), nil
	for i := range b.Devices {
		k, _ := keys.Generate(rand.Reader)
		s, err := handshake.SignPrekey(identity, 5, k.Public(), rand.Reader)
		if err != nil {
			t.Error(err)
		}
		pq, _ := keys.GenerateKyber(rand.Reader)
		q, err := handshake.SignKyber(identity, 6, pq.Public(), rand.Reader)
		if err != nil {
			t.Error(err)
		}
		b.Devices[i].SignedPreKey = &api.SignedPreKey{KeyID: 5, PublicKey: s.Key.Bytes(), Signature: s.Signature[:]}
		b.Devices[i].PQPreKey = &api.SignedPreKey{KeyID: 6, PublicKey: q.Key.Bytes(), Signature: q.Signature[:]}
		b.Devices[i].PreKey = nil
	}
}

// stale makes the server claim that a contact's device was installed anew, once, so that keys are fetched; to one person, if
// there are others who might write to the contact.
func (w *world) stale(number string, f func(*api.BundlesV3), to ...*device) {
	w.rewrite(number, f)
	next := w.between.Load()
	var told atomic.Bool
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		from, _, _ := r.BasicAuth()
		if r.Method == "PUT" && r.URL.Path == "/v1/messages/"+number && (len(to) == 0 || from == to[0].number) && told.CompareAndSwap(false, true) {
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(http.StatusGone)
			_ = json.NewEncoder(rw).Encode(api.Stale{StaleDevices: []uint32{1}})
			return true
		}
		return (*next)(rw, r)
	})
}

func TestServerSwapsAKeyOfAVerifiedContact(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	ctx := t.Context()
	s, err := alice.acc.Safety(ctx, bob.number)
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.acc.SetVerified(ctx, s, true); err != nil {
		t.Fatal(err)
	}
	w.stale(bob.number, func(b *api.BundlesV3) { swapped(t, b) })
	m := alice.says(bob.number, "the secret")
	want := "the safety number of " + bob.number + " has changed since it was verified: verify it again, or accept it, before anything is sent"
	if d := alice.state(m, history.Failed); d.Why != want {
		t.Errorf("got %q", d.Why)
	}
	if got, want := alice.notice(bob.number, "key-changed-verified"), "The safety number has changed since it was verified. Nothing is sent until it is verified again or accepted."; got != want {
		t.Error(got)
	}
	// What is written next is held too, restarts included.
	alice.reopen()
	alice.online()
	alice.state(alice.says(bob.number, "another"), history.Failed)
	// The attack is over, Bob writes, Alice verifies: what was held goes out, in order.
	var fetched atomic.Int32
	w.hostile(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == "GET" && strings.HasPrefix(r.URL.Path, "/v3/keys/"+bob.number) {
			fetched.Add(1)
		}
		return false
	})
	bob.says(alice.number, "are you there?")
	alice.waitFor("Bob's word", func() bool {
		return strings.HasSuffix(strings.Join(alice.conversation(bob.number), "|"), "are you there?")
	})
	k, _ := alice.acc.Contact(ctx, bob.number)
	if k.Trust != session.Changed {
		t.Errorf("%+v", k)
	}
	theirs, err := bob.acc.Safety(ctx, alice.number)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if s, err = alice.acc.Safety(ctx, bob.number); err != nil || s.Digits != theirs.Digits {
			t.Fatalf("Alice reads %s, %v, Bob %s", s.Digits, err, theirs.Digits)
		}
	}
	if n := fetched.Load(); n != 1 {
		t.Errorf("looking at the number five times fetched prekeys %d times, want once", n)
	}
	if err := alice.acc.SetVerified(ctx, s, true); err != nil {
		t.Fatal(err)
	}
	bob.waitFor("what was held, in order", func() bool {
		return strings.HasSuffix(strings.Join(bob.conversation(alice.number), "|"), "the secret|another")
	})
}

func TestServerSwapsAKey(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	w.stale(bob.number, func(b *api.BundlesV3) { swapped(t, b) })
	alice.says(bob.number, "hm")
	if got := alice.notice(bob.number, "key-changed"); got != "The safety number has changed: a new device, or somebody in between." {
		t.Error(got)
	}
}

func TestServerStripsPostQuantumKeys(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	alice.sees(bob.number, "hello", "hello back")
	w.stale(bob.number, func(b *api.BundlesV3) {
		for i := range b.Devices {
			b.Devices[i].PQPreKey, b.Devices[i].Capabilities = nil, api.Capabilities{}
		}
	})
	m := alice.says(bob.number, "the secret")
	d := alice.state(m, history.Failed)
	if want := "device 1 of " + bob.number + ": protocol downgrade: v3, and this contact is known to speak v4+SPQR"; d.Why != want {
		t.Errorf("got %q", d.Why)
	}
	for _, d := range []struct{ of, with *device }{{bob, alice}, {alice, bob}} { // both sides know that the other can do better
		if err := d.of.acc.AllowDowngrade(t.Context(), d.with.number, true); err != nil {
			t.Fatal(err)
		}
	}
	bob.sees(alice.number, "hello", "hello back", "the secret")
}

func TestServerAddsAGhostDevice(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.Method == "PUT" && r.URL.Path == "/v1/messages/"+bob.number:
			body, _ := io.ReadAll(r.Body)
			if bytes.Contains(body, []byte(`"destinationDeviceId":7`)) {
				t.Error("something was encrypted for the ghost")
			}
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(http.StatusConflict)
			_ = json.NewEncoder(rw).Encode(api.Mismatch{MissingDevices: []uint32{7}, ExtraDevices: []uint32{}})
			return true
		case r.Method == "GET" && r.URL.Path == "/v3/keys/"+bob.number+"/7": // Bob's own keys, under another id
			r2 := r.Clone(r.Context())
			r2.URL.Path = "/v3/keys/" + bob.number + "/1"
			rec := httptest.NewRecorder()
			w.server.ServeHTTP(rec, r2)
			var b api.BundlesV3
			if err := json.Unmarshal(rec.Body.Bytes(), &b); err != nil {
				t.Error(err)
			}
			b.Devices[0].DeviceID = 7
			rw.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(rw).Encode(b)
			return true
		}
		return false
	})
	m := alice.says(bob.number, "the secret")
	want := "the server names a device 7 of " + bob.number + " that is not in the list its owner has signed; nothing was sent to it"
	w.waitFor("the ghost to be seen", func() bool { return alice.state(m, history.Queued).Why == want })
	w.later(11 * time.Second) // longer than it takes somebody who links a device to sign for it
	if got := alice.notice(bob.number, "ghost-device"); got != want {
		t.Errorf("got %q", got)
	}
	if d := alice.state(m, history.Queued); d.Why != want {
		t.Error(d)
	}
}

// A device that is linked slowly is no ghost: whoever writes meanwhile looks again and again until it is signed for, and tells nobody.
func TestALinkThatTakesItsTime(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	var looked atomic.Int32
	often := make(chan struct{})
	w.hostile(func(_ http.ResponseWriter, r *http.Request) bool {
		switch name, _, _ := r.BasicAuth(); {
		case r.Method == "GET" && name == bob.number && strings.HasPrefix(r.URL.Path, "/v3/keys/"+alice.number):
			if looked.Add(1) == 7 {
				close(often)
			}
		case r.Method == "PUT" && name == alice.number && r.URL.Path == "/v3/devices/list": // the new device has registered and handed in keys
			if _, err := bob.acc.Send(t.Context(), draft(alice.number, "who else is there?")); err != nil {
				t.Error(err)
			}
			<-often
		}
		return false
	})
	laptop := alice.link("laptop", false)
	for _, d := range []*device{alice, laptop} {
		d.has(bob.number, "who else is there?")
	}
	bob.sees(alice.number, "hello", "hello back", "who else is there?")
}

// envelopes rewrites what the server hands to a device, by a store of its own making.
func TestServerForgesAReceipt(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	bob.offline()
	m := alice.says(bob.number, "did you get this?")
	alice.state(m, history.Sent)
	bob.forged(alice, wire.Envelope{Type: wire.EnvelopeReceipt, Source: bob.number, SourceDevice: 1, Timestamp: m.Timestamp})
	now, _ := alice.acc.Message(t.Context(), m.Seq)
	if now.State().State != history.Sent {
		t.Errorf("%+v", now.State())
	}
}

// forged has an envelope that only a server could make put into somebody's hands.
func (d *device) forged(to *device, e wire.Envelope) {
	d.Helper()
	if !client.TakeForTest(d.Context(), to.acc, e) {
		d.Error("it would come for ever")
	}
}

func TestServerMakesUpMessages(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	for _, e := range []wire.Envelope{
		{Type: wire.EnvelopeCiphertext, Content: []byte{0x44, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{Type: wire.EnvelopePreKey, Content: []byte{0x44}},
		{Type: wire.EnvelopeKeyExchange, Content: []byte("x")},
		{Type: wire.EnvelopeSealed, Content: []byte("x")},
		{Type: wire.EnvelopeSenderKey, Content: make([]byte, 100)},
		{Type: wire.EnvelopeRetry, Content: wire.DecryptionError{Timestamp: 1, Device: 1}.EncodePlaintext()},
		{Type: wire.EnvelopeCiphertext},
		{Type: wire.EnvelopeCiphertext, Legacy: []byte{0x34}},
		{Type: wire.EnvelopePreKey, Legacy: []byte{0x33}},
		{Type: wire.EnvelopeSenderKey, Legacy: make([]byte, 100)},
	} {
		for _, source := range []string{bob.number, alice.number, "+15550000000"} {
			e.Source, e.SourceDevice, e.Timestamp = source, 1, 77
			bob.forged(alice, e)
		}
	}
	alice.sees(bob.number, "hello", "hello back", "[unreadable]")
	if list, _ := alice.acc.Conversations(t.Context()); len(list) > 2 { // Bob, and perhaps herself
		t.Errorf("%+v", list)
	}
	m := alice.says(bob.number, "still here") // nothing of it broke the session
	alice.state(m, history.Delivered)
	bob.says(alice.number, "me too")
	alice.sees(bob.number, "hello", "hello back", "[unreadable]", "still here", "me too")
}

// Lost, and asked for again: the receiver's device asks, the sender's sends it once more.
func TestAMessageThatCannotBeReadComesAgain(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	var spoilt atomic.Bool
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != "PUT" || r.URL.Path != "/v1/messages/"+bob.number || !spoilt.CompareAndSwap(false, true) {
			return false
		}
		var m api.Messages
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &m); err != nil {
			t.Error(err)
		}
		c := m.Messages[0].Content
		c[len(c)-1] ^= 1 // the MAC
		body, _ = json.Marshal(m)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return false
	})
	alice.says(bob.number, "important")
	bob.sees(alice.number, "hello", "hello back", "important")
}

func TestServerRepeatsAndReorders(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	var held sync.Map // by timestamp: a receipt may come in between
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != "PUT" || r.URL.Path != "/v1/messages/"+bob.number {
			return false
		}
		var m api.Messages
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		held.Store(m.Timestamp, m)
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, `{"needsSync":false}`)
		return true
	})
	var said []uint64
	for _, text := range []string{"one", "two", "three"} {
		m := alice.says(bob.number, text)
		alice.state(m, history.Sent)
		said = append(said, m.Timestamp)
	}
	w.hostile(nil)
	for _, i := range []int{2, 0, 0, 1, 2, 0} {
		all, ok := held.Load(said[i])
		if !ok {
			t.Fatal("nothing was held")
		}
		m := all.(api.Messages).Messages[0]
		bob.forged(bob, wire.Envelope{Type: wire.EnvelopeType(m.Type), Source: alice.number, SourceDevice: 1, Timestamp: said[i], Content: m.Content})
	}
	bob.sees(alice.number, "hello", "hello back", "three", "one", "two")
	// Under another name, or another time, it is not believed.
	alice.state(alice.says(bob.number, "four"), history.Delivered)
	bob.sees(alice.number, "hello", "hello back", "three", "one", "two", "four")
}

// Nothing that was written or received, no name, number or key is readable on disk, while the program runs and after.
func TestNothingOfAnAccountIsReadableOnDisk(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	if err := alice.acc.SetName(t.Context(), bob.number, "Uncle Bob"); err != nil {
		t.Fatal(err)
	}
	alice.state(alice.says(bob.number, "meet me at the old bridge"), history.Delivered)
	own, err := alice.acc.Own(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secrets := [][]byte{[]byte("old bridge"), []byte("Uncle Bob"), []byte(bob.number[1:]), []byte(alice.number[1:]), []byte("hello back"), own.IdentityKey, own.ProfileKey, own.SignalingKey, []byte(own.Password)}
	look := func() {
		t.Helper()
		total := 0
		for name, b := range copyOf(t, alice.dir) {
			total += len(b)
			for i, s := range secrets {
				if bytes.Contains(b, s) || bytes.Contains(b, []byte(api.Bytes(s).String())) {
					t.Errorf("%s holds secret %d", name, i)
				}
			}
		}
		if total < 64<<10 {
			t.Errorf("only %d bytes were searched", total)
		}
	}
	look()
	alice.close()
	look()
	files, _ := filepath.Glob(filepath.Join(alice.dir, "*"))
	if len(files) == 0 {
		t.Error("nothing there")
	}
	alice.restore(nil)
}

// Whatever name a sender gives a file, it lands in the directory that the person chose, under a name that misleads neither shell nor screen, and over
// nothing that is there.
func TestSenderNamesAFile(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	ctx := t.Context()
	source := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(source, []byte("what is in it"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.acc.Send(ctx, client.Draft{To: bob.number, Text: "look", Files: []client.File{{Path: source}}}); err != nil {
		t.Fatal(err)
	}
	bob.sees(alice.number, "look")
	list, err := bob.acc.Messages(ctx, alice.number, 0, 1)
	if err != nil || len(list) != 1 || len(list[0].Attachments) != 1 {
		t.Fatal(list, err)
	}
	file := list[0].Attachments[0]
	for name, want := range map[string]string{
		"../../.ssh/authorized_keys": "authorized_keys", `..\..\boot.ini`: "boot.ini", "C:autoexec.bat": "autoexec.bat", "/etc/passwd": "passwd",
		".bashrc": "bashrc", "a\x1b[2Jb\nc": "a[2Jbc", "exe.\u202etxt": "exe.txt", "..": "attachment-", "": "attachment-", strings.Repeat("x", 5000): strings.Repeat("x", 200),
	} {
		file.FileName = name
		dir := filepath.Join(t.TempDir(), "chosen")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			path, err := bob.acc.SaveAttachment(ctx, file, dir, nil)
			if err != nil {
				t.Fatalf("%.40q: %v", name, err)
			}
			if got := filepath.Base(path); filepath.Dir(path) != dir || i == 0 && !strings.HasPrefix(got, want) || i == 0 && !strings.HasSuffix(want, "-") && got != want {
				t.Errorf("%.40q is saved as %q, want %q", name, path, want)
			}
			if b, err := os.ReadFile(path); err != nil || string(b) != "what is in it" {
				t.Errorf("%.40q: %q, %v", name, b, err)
			}
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
			t.Errorf("%.40q saved twice leaves %v, %v", name, entries, err)
		}
	}
}
