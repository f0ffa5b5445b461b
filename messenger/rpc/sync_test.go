package rpc_test

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
)

// second links another device to an account and runs it as a daemon does.
func second(t *testing.T, url string, first *rpc.Client) *rpc.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "rpc")
	if err != nil {
		t.Fatal(err)
	}
	added := make(chan error, 1)
	a, err := client.Link(t.Context(), client.Options{Dir: dir, Server: remote.Options{URL: url}, World: session.World{Now: time.Now, Rand: rand.Reader},
		Log: silent, Cost: store.Cost{Time: 1, Memory: 8, Threads: 1}}, []byte("x"), client.Linking{Name: "laptop",
		Show: func(code string) error {
			go func() { added <- first.Call(t.Context(), "addDevice", map[string]string{"uri": code}, nil) }()
			var question struct{ ID string }
			notified(t, first, "confirmDevice", &question)
			return first.Call(t.Context(), "confirmDevice", map[string]any{"id": question.ID, "accept": true}, nil)
		},
		Confirm: func(string, string) (bool, error) { return true, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-added; err != nil {
		t.Fatal(err)
	}
	serve(t, dir, a)
	return dial(t, dir)
}

// What the person writes on another device is a syncMessage, whatever it is; what they write here is nothing to tell.
func TestWhatIsWrittenOnAnotherDevice(t *testing.T) {
	url, invite := newServer(t)
	aliceDir, _ := daemon(t, url, invite())
	bobDir, bob := daemon(t, url, invite())
	phone := dial(t, aliceDir)
	laptop, b := second(t, url, phone), dial(t, bobDir)
	var sent rpc.Sent
	if err := laptop.Call(t.Context(), "send", map[string]any{"recipient": bob, "message": "hello"}, &sent); err != nil {
		t.Fatal(err)
	}
	if got := nextEnvelope(t, b); got.Data.Message != "hello" {
		t.Errorf("%+v", got.Data)
	}
	about := map[string]any{"recipient": bob, "targetTimestamp": sent.Timestamp, "targetAuthor": bob}
	about["emoji"], about["message"], about["editTimestamp"] = "+", "hello, Bob", sent.Timestamp
	var own struct{ Number string }
	if err := laptop.Call(t.Context(), "status", nil, &own); err != nil {
		t.Fatal(err)
	}
	about["targetAuthor"] = own.Number
	for _, method := range []string{"sendReaction", "send", "remoteDelete"} {
		if err := laptop.Call(t.Context(), method, about, nil); err != nil {
			t.Fatal(method, err)
		}
	}
	to := `"destination":"` + regexp.QuoteMeta(bob) + `","destinationNumber":"` + regexp.QuoteMeta(bob) + `",`
	for _, want := range []string{
		to + `"timestamp":\d+,"message":"hello","expiresInSeconds":0,"viewOnce":false`,
		to + `"timestamp":\d+,"message":"","expiresInSeconds":0,"viewOnce":false,"reaction":{"emoji":"\+","targetAuthor":"[^"]+","targetAuthorNumber":"[^"]+","targetSentTimestamp":\d+,"isRemove":false}`,
		to + `"editMessage":{"targetSentTimestamp":\d+,"dataMessage":{"timestamp":\d+,"message":"hello, Bob","expiresInSeconds":0,"viewOnce":false}}`,
		to + `"timestamp":\d+,"message":"","expiresInSeconds":0,"viewOnce":false,"remoteDelete":{"timestamp":\d+}`,
	} {
		var got string
		for !strings.Contains(got, "syncMessage") {
			var p struct{ Envelope json.RawMessage }
			notified(t, phone, "receive", &p)
			got = string(p.Envelope)
		}
		if !regexp.MustCompile(`"syncMessage":{"sentMessage":{` + want + `}}}$`).MatchString(got) {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	// The laptop's own program is told of Bob alone.
	if err := b.Call(t.Context(), "send", map[string]any{"recipient": own.Number, "message": "over"}, nil); err != nil {
		t.Fatal(err)
	}
	for {
		var p struct{ Envelope rpc.Envelope }
		notified(t, laptop, "receive", &p)
		if p.Envelope.Sync != nil || p.Envelope.Source != bob {
			t.Errorf("%+v", p.Envelope)
		}
		if p.Envelope.Data != nil {
			break
		}
	}
}
