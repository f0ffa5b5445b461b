package server

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/signaling"
	"github.com/countersign-project/countersign/messenger/wire"
)

// The wire specification, section by section: what the other tests here do not show already. Where they do:
//
//	6    status words, passwords, access     TestRegister, TestDevices, TestWrongPasswordsAreSlowedDown, TestOpenAPIAndHandlersAgree
//	6.1  registration                        TestRequestCode, TestDeveloperSeesTheCode, TestRegister, TestRegisterAgain, TestAttributesAndPush
//	6.2  devices, 411                        TestDevices, TestDeviceCodes
//	6.3  keys v1, v2, v3; each given once    TestKeysV1, TestKeysV2, TestKeysV3, TestKeyUploadsAreChecked, TestNoPrekeyTwice
//	6.4  409 and 410, form of 2013, receipts TestSendMatchesDevices, TestSend2013, TestReceipt, TestQueueOverHTTP, TestFullQueue
//	     ten failed deliveries               TestPoison of package deliver
//	6.5  attachments                         TestAttachment, TestUploadGoesOn, TestTooLargeUploads
//	6.6, 6.7                                 TestDirectoryAndProfile, TestUsernames
//	7    websocket                           TestWebsocketLogin, TestTunnelledRequests, TestDelivery, TestDisplacedAndDisconnected,
//	                                         TestQueueEmptyIsToldToWhoAsks; TestHostile and TestFullInbox of package socket
//	14   what is stored and logged           TestRegister, TestQuiet of messengerd; bounds: testQueueBounds of store/engine
func TestSpecification(t *testing.T) {
	for _, c := range []struct {
		section, behaviour string
		show               func(*world)
	}{
		{"6", "credentials: number, number.device, plus sign as blank", func(w *world) {
			second := w.link(w.register(alice), 6)
			for login, status := range map[string]int{
				alice: 200, alice + ".1": 200, second: 200, strings.Replace(alice, "+", " ", 1): 200, strings.Replace(second, "+", " ", 1): 200,
				alice + ".": 401, alice + ".0": 401, alice + ".3": 401, alice + ".x": 401, alice[1:]: 401, bob: 401,
			} {
				if code := w.call(login, "GET", "/v1/devices", nil).Code; code != status {
					w.Errorf("%q: %d, want %d", login, code, status)
				}
			}
		}},
		{"6", "last seen has the precision of a day", func(w *world) {
			w.register(alice)
			seen := func() int64 { return get[api.Devices](w, alice, "/v1/devices").Devices[0].LastSeen }
			first := seen()
			before := w.store.Stats().Commits
			w.clock.add(11 * time.Hour) // 23:00
			if at := seen(); at != first || at%(24*time.Hour).Milliseconds() != 0 {
				w.Errorf("the same day: %d, then %d", first, at)
			}
			if after := w.store.Stats().Commits; after != before {
				w.Errorf("being seen again the same day was written down: %d commits", after-before)
			}
			w.clock.add(time.Hour)
			seen() // the call that is the first of a day says when the last one was
			if at := seen(); at-first != (24 * time.Hour).Milliseconds() {
				w.Errorf("the next day: %d, then %d", first, at)
			}
		}},
		{"6.1", "a device with neither push nor websocket cannot be reached", func(w *world) {
			w.register(alice)
			w.register(bob)
			w.want(alice, "PUT", "/v1/accounts/attributes/", api.AccountAttributes{RegistrationID: 5}, 204, "-")
			w.want(bob, "PUT", "/v1/messages/"+alice, message(1, [2]uint32{1, 5}), 404, "")
			w.want(bob, "GET", "/v2/keys/"+alice+"/*", nil, 404, "")
			w.want(alice, "PUT", "/v1/accounts/gcm/", api.GCM{ID: "push"}, 204, "-")
			w.want(bob, "PUT", "/v1/messages/"+alice, message(1, [2]uint32{1, 5}), 200, "")
		}},
		{"6.2", "an account nobody has used for a year cannot be reached", func(w *world) {
			w.register(alice)
			w.clock.add(365 * 24 * time.Hour)
			w.register(bob)
			w.want(bob, "PUT", "/v1/messages/"+alice, message(1, [2]uint32{1, 5}), 200, "")
			w.clock.add(24 * time.Hour)
			w.want(bob, "PUT", "/v1/messages/"+alice, message(1, [2]uint32{1, 5}), 404, "")
		}},
		{"6.4", "base64 of any kind, kept to the byte", func(w *world) {
			w.register(alice)
			w.register(bob)
			content := []byte{0xfb, 0xef, 0xff, 0x01}
			for n, text := range []string{"++//AQ==", "++//AQ", "--__AQ==", "--__AQ", `++//\nAQ==\n`} {
				w.want(bob, "PUT", "/v1/messages/"+alice, fmt.Sprintf(`{"messages":[{"type":1,"destinationDeviceId":1,"destinationRegistrationId":5,"content":"%s","body":"%s"}],"timestamp":%d}`, text, text, n+1), 200, "")
			}
			w.want(bob, "PUT", "/v1/messages/"+alice, `{"messages":[{"type":1,"destinationDeviceId":1,"destinationRegistrationId":5,"content":"é"}],"timestamp":9}`, 422, "")
			for _, m := range get[api.Queued](w, alice, "/v1/messages").Messages {
				if string(m.Content) != string(content) || string(m.Message) != string(content) {
					w.Errorf("message %d: %x, %x", m.Timestamp, m.Content, m.Message)
				}
			}
		}},
		{"6.4", "unknown fields are ignored, missing ones have their zero", func(w *world) {
			w.register(alice)
			w.register(bob)
			w.want(bob, "PUT", "/v1/messages/"+alice, `{"messages":[{"type":1,"content":"eA==","urgent":true}],"online":{"a":[1]}}`, 200, `{"needsSync":false}`)
		}},
		{"6.4", "old envelopes go after thirty days", func(w *world) {
			w.register(alice)
			w.register(bob)
			w.want(bob, "PUT", "/v1/messages/"+alice, message(1, [2]uint32{1, 5}), 200, "")
			for _, step := range []struct {
				wait time.Duration
				left int
			}{{store.MaxQueuedAge - time.Hour, 1}, {2 * time.Hour, 0}} {
				w.clock.add(step.wait)
				if _, err := w.store.Sweep(w.Context(), w.clock.Now()); err != nil {
					w.Fatal(err)
				}
				if q := get[api.Queued](w, alice, "/v1/messages"); len(q.Messages) != step.left {
					w.Errorf("%d left, want %d", len(q.Messages), step.left)
				}
			}
		}},
		{"6.7", "trailing slashes make no difference", func(w *world) {
			w.register(alice)
			fill := strings.NewReplacer("{transport}", "sms", "{number}", "+14155550098", "{code}", "000000", "{id}", "77", "{address}", "nowhere", "{device}", "1",
				"{destination}", "+14155550098", "{source}", bob, "{timestamp}", "5", "{token...}", "AAAAAAAAAAAAAA", "{name}", "somebody")
			for _, r := range w.server.Routes() {
				if r.Method == http.MethodDelete || r.Direct != nil && r.Method == http.MethodGet {
					continue // the second would find nothing; and websockets are above
				}
				path := fill.Replace(r.Path)
				if strings.Contains(path, "{") {
					w.Errorf("%s: no value for a part of it", r.Path)
				}
				bare, slashed := w.call(alice, r.Method, path, ""), w.call(alice, r.Method, path+"/", "")
				limited := bare.Code == 413 || slashed.Code == 413 // by now
				if !limited && bare.Code != slashed.Code || strings.HasPrefix(slashed.Body.String(), "404 page") || slashed.Code == 405 || slashed.Code/100 == 3 && r.Direct == nil {
					w.Errorf("%s %s: %d without slash, %d with it: %s", r.Method, path, bare.Code, slashed.Code, slashed.Body)
				}
			}
		}},
		{"6.8", "limits have their sizes, and each generation the status it knows", limits68},
		{"7.1", "keepalives of any kind are answered, answers to nothing are ignored", func(w *world) {
			w.register(alice)
			a := w.connect(w.listen(), alice)
			for _, path := range []string{"/v1/keepalive", "/v1/keepalive/", "/v1/keepalive/provisioning"} {
				if r := a.tunnel("GET", path, ""); r.Status != 200 {
					w.Errorf("%s: %+v", path, r)
				}
			}
			for range 3 { // janimo answers answers
				a.write(wire.Frame{Response: &wire.Response{ID: 0, Status: 200}})
			}
			if r := a.tunnel("GET", "/v1/keepalive", ""); r.Status != 200 {
				w.Errorf("after stray answers: %+v", r)
			}
		}},
		{"7.1", "an older version of the websocket protocol is refused", func(w *world) {
			w.register(alice)
			r := w.request(alice, "GET", "/v1/websocket/", nil)
			r.Header.Set("Connection", "upgrade")
			r.Header.Set("Upgrade", "websocket")
			r.Header.Set("Sec-WebSocket-Version", "8")
			if rec := w.serve(r); rec.Code != 400 {
				w.Errorf("version 8: %d", rec.Code)
			}
		}},
		{"7.3, 7.4", "envelopes are encrypted to the signaling key there is now, and bare without one", func(w *world) {
			w.register(alice)
			w.register(bob)
			srv := w.listen()
			attributes := func(key []byte) {
				w.Helper()
				w.want(alice, "PUT", "/v1/accounts/attributes", map[string]any{"signalingKey": base64.StdEncoding.EncodeToString(key), "registrationId": 5, "fetchesMessages": true}, 204, "-")
			}
			a := w.connect(srv, alice)
			for n := range byte(3) {
				var key []byte
				if n < 2 {
					key = make([]byte, signaling.KeySize)
					key[0] = n
				}
				attributes(key)
				answered := w.meanwhile(bob, alice, message(uint64(n)+1, [2]uint32{1, 5}))
				r := a.request()
				body := r.Body
				if key != nil {
					var err error
					if body, err = (*signaling.Key)(key).Open(body); err != nil || r.Body[0] != 1 {
						w.Fatalf("%x: %v", r.Body, err)
					}
				}
				e, err := wire.ParseEnvelope(body)
				if err != nil || e.Source != bob || e.SourceDevice != 1 || e.Timestamp != uint64(n)+1 || e.Type != wire.EnvelopeCiphertext || string(e.Content) != "ciphertext" {
					w.Errorf("%+v, %v", e, err)
				}
				a.write(wire.Frame{Response: &wire.Response{ID: r.ID, Status: 200}})
				answered()
			}
		}},
		{"10.1, ours", "a stranger's frames are small", func(w *world) {
			d := dial(w, "ws"+strings.TrimPrefix(w.listen().URL, "http")+"/v1/websocket/provisioning/", nil)
			d.request()
			if err := d.ws.WriteMessage(websocket.BinaryMessage, make([]byte, strangersFrame+1)); err != nil {
				w.Fatal(err)
			}
			if code := d.closed(); code != websocket.CloseMessageTooBig {
				w.Errorf("closed with %d", code)
			}
		}},
	} {
		t.Run(c.section+" "+c.behaviour, func(t *testing.T) { c.show(newWorld(t, nil)) })
	}
}

// limits68 fills each bucket of 6.8 and looks at the answer to one event more.
func limits68(w *world) {
	w.link(w.register(alice), 6)
	w.register(bob)
	w.clock.add(24 * time.Hour)
	for _, c := range []struct {
		name         string
		size         int
		method, path string
		body         any
		status, wait int // of the first that is too many
	}{
		{"sms", 2, "GET", "/v1/accounts/sms/code/+14155550097", nil, 413, 30},
		{"voice", 2, "GET", "/v1/accounts/voice/code/+14155550097", nil, 413, 120},
		{"verify code", 2, "PUT", "/v1/accounts/code/000000", api.AccountAttributes{}, 413, 30},
		{"attachments", 50, "GET", "/v1/attachments", nil, 413, 2}, // 1.2 s, rounded up
		{"prekeys, v2", 3, "GET", "/v2/keys/" + alice + "/1", nil, 413, 600},
		{"prekeys, v3", 3, "GET", "/v3/keys/" + alice + "/2", nil, 429, 600}, // of another device: a bucket of its own
		{"messages", 60, "PUT", "/v1/messages/" + alice, message(1, [2]uint32{1, 5}, [2]uint32{2, 6}), 413, 1},
		{"messages to nobody", 60, "PUT", "/v1/messages/+14155550096", message(1, [2]uint32{1, 5}), 413, 1}, // before it is looked up
		{"allocate device", 2, "GET", "/v1/devices/provisioning/code", nil, 413, 120},
		{"verify device", 2, "PUT", "/v1/devices/000000", api.AccountAttributes{}, 413, 30},
	} {
		for n := range c.size {
			if rec := w.call(bob, c.method, c.path, c.body); rec.Code == 413 || rec.Code == 429 {
				w.Errorf("%s: number %d of %d: %d %s", c.name, n+1, c.size, rec.Code, rec.Body)
				break
			}
		}
		rec := w.call(bob, c.method, c.path, c.body)
		if wait := rec.Header().Get("Retry-After"); rec.Code != c.status || wait != fmt.Sprint(c.wait) {
			w.Errorf("%s: one above %d: %d, Retry-After %q; want %d, %d: %s", c.name, c.size, rec.Code, wait, c.status, c.wait, rec.Body)
		}
	}
}
