package client_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/wire"
)

// A program of 2014 speaks v3 and puts a bare message into a field of its own (7.3).
func TestAnOldProgramIsUnderstood(t *testing.T) {
	w := newWorld(t)
	old, bob := w.person("old"), w.person("bob")
	w.rewrite(bob.number, func(b *api.BundlesV3) {
		for i := range b.Devices {
			b.Devices[i].PQPreKey, b.Devices[i].Capabilities = nil, api.Capabilities{}
		}
	})
	for i, text := range []string{"hello from 2014", "still here"} {
		if err := client.SendBareForTest(t.Context(), old.acc, bob.number, text, uint64(1000+i)); err != nil {
			t.Fatal(err)
		}
	}
	w.hostile(nil)
	bob.sees(old.number, "hello from 2014", "still here")
	bob.says(old.number, "hello back") // the session goes on, and so does the field once it is no longer new
	old.sees(bob.number, "hello back")
	if err := client.SendBareForTest(t.Context(), old.acc, bob.number, "bye", 1002); err != nil {
		t.Fatal(err)
	}
	bob.sees(old.number, "hello from 2014", "still here", "hello back", "bye")
}

// What was written by a program of today is not read as what it is not, because its server says that it is old.
func TestServerCallsAMessageOld(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	alice.says(bob.number, "hello")
	bob.sees(alice.number, "hello")
	bob.state(bob.says(alice.number, "hello back"), history.Delivered) // so that Alice owes no receipt, which would go the same way
	var honest []byte
	w.hostile(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != "PUT" || r.URL.Path != "/v1/messages/"+bob.number {
			return false
		}
		var m api.Messages
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &m)
		}
		if err != nil {
			t.Error(err)
		}
		honest = m.Messages[0].Content
		m.Messages[0].Body, m.Messages[0].Content = honest, nil
		body, _ = json.Marshal(m)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return false
	})
	sent := alice.says(bob.number, "the secret")
	if got := bob.notice(alice.number, "unreadable"); got != "A message could not be read (invalid message)." {
		t.Error(got)
	}
	// The session has not moved: delivered as it was sent, the message is there.
	w.hostile(nil)
	e := wire.Envelope{Type: wire.EnvelopeCiphertext, Source: alice.number, SourceDevice: 1, Timestamp: sent.Timestamp, Content: honest}
	if !client.TakeForTest(t.Context(), bob.acc, e) {
		t.Error("not taken")
	}
	bob.sees(alice.number, "hello", "hello back", "the secret")
}
