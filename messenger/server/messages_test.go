package server

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

func TestSendMatchesDevices(t *testing.T) {
	w := newWorld(t, nil)
	p := w.register(alice)
	w.register(bob)
	second := w.link(p, 6)
	path := "/v1/messages/" + alice
	both := [][2]uint32{{1, 5}, {2, 6}}
	w.want(bob, "PUT", path, message(1, both[0]), 409, `{"missingDevices":[2],"extraDevices":[]}`)
	w.want(bob, "PUT", path, message(1, both[0], both[1], [2]uint32{7, 0}), 409, `{"missingDevices":[],"extraDevices":[7]}`)
	w.want(bob, "PUT", path, message(1, [2]uint32{7, 0}), 409, `{"missingDevices":[1,2],"extraDevices":[7]}`)
	w.want(bob, "PUT", path, message(1, both[0], both[1], both[1]), 409, `{"missingDevices":[],"extraDevices":[2]}`)
	w.want(bob, "PUT", path, message(1), 409, `{"missingDevices":[1,2],"extraDevices":[]}`)
	w.want(bob, "PUT", path, message(1, [2]uint32{1, 4}, [2]uint32{2, 6}), 410, `{"staleDevices":[1]}`)
	w.want(alice, "GET", "/v1/messages", nil, 200, `{"messages":[],"more":false}`) // nothing of all that was delivered
	w.want(bob, "PUT", path+"/", message(1, both...), 200, `{"needsSync":false}`)
	w.want(bob, "PUT", path, message(2, [2]uint32{1, 0}, [2]uint32{2, 0}), 200, `{"needsSync":false}`) // unchecked
	for _, login := range []string{alice, second} {
		if q := get[api.Queued](w, login, "/v1/messages/"); len(q.Messages) != 2 || q.Messages[0].Timestamp != 1 || q.Messages[1].Timestamp != 2 {
			t.Errorf("%s: %+v", login, q)
		}
	}
	// To oneself: all devices but the sender's; and to others from somebody with two: needsSync.
	w.want(alice, "PUT", path, message(3, both[1]), 200, `{"needsSync":false}`)
	w.want(second, "PUT", path, message(3, both...), 409, `{"missingDevices":[],"extraDevices":[2]}`)
	w.want(second, "PUT", "/v1/messages/"+bob, message(4, [2]uint32{1, 5}), 200, `{"needsSync":true}`)
	w.want(bob, "PUT", "/v1/messages/+14155550099", message(1, both[0]), 404, "")
}

func TestSendRefusals(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	w.register(bob)
	path := "/v1/messages/" + alice
	with := func(change func(*api.Messages)) api.Messages {
		m := message(1, [2]uint32{1, 5})
		change(&m)
		return m
	}
	w.want("", "PUT", path, message(1), 401, "")
	w.want(bob, "PUT", path, "nonsense", 422, "")
	w.want(bob, "PUT", path, with(func(m *api.Messages) { m.Messages[0].Type = 4 }), 400, `{"error":"type 4 is plaintext, which nobody accepts"}`)
	w.want(bob, "PUT", path, with(func(m *api.Messages) { m.Messages[0].Type = 5 }), 400, "")
	w.want(bob, "PUT", path, with(func(m *api.Messages) { m.Relay = "other" }), 404, `{"error":"no server \"other\" is known here"}`)
	w.want(bob, "PUT", path, with(func(m *api.Messages) { m.Messages[0].Relay = "other" }), 404, "")
	w.want(bob, "PUT", path, with(func(m *api.Messages) { m.Messages[0].Content = make([]byte, wire.MaxFrame) }), 413, "")
	w.want(alice, "GET", "/v1/messages", nil, 200, `{"messages":[],"more":false}`)
	codes := map[int]int{}
	for range 70 {
		codes[w.call(bob, "PUT", path, message(1, [2]uint32{1, 5})).Code]++
	}
	if codes[413] < 9 || codes[200] > 60 {
		t.Errorf("a flood of 70: %v, want at most 60 accepted in a minute", codes)
	}
	w.want(alice, "PUT", "/v1/messages/"+bob, message(1, [2]uint32{1, 5}), 200, "") // the limit is per pair
}

func TestQueueOverHTTP(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.LimitFactor = 0 })
	w.register(alice)
	w.register(bob)
	for n := range 101 {
		w.want(bob, "PUT", "/v1/messages/"+alice, message(uint64(n), [2]uint32{1, 5}), 200, "")
	}
	q := get[api.Queued](w, alice, "/v1/messages")
	first := q.Messages[0]
	if len(q.Messages) != 100 || !q.More || first.Source != bob || first.SourceDevice != 1 || first.Type != 1 || string(first.Content) != "ciphertext" || len(first.GUID) != 36 {
		t.Fatalf("%d, more %v, %+v", len(q.Messages), q.More, first)
	}
	if first.Timestamp != uint64(w.clock.Now().UnixMilli()) { // 0 is replaced by the server's time
		t.Errorf("timestamp %d", first.Timestamp)
	}
	for n := uint64(1); n < 101; n++ {
		w.want(alice, "DELETE", fmt.Sprintf("/v1/messages/%s/%d", bob, n), nil, 204, "-")
	}
	w.want(alice, "DELETE", "/v1/messages/"+bob+"/x", nil, 400, "")
	w.want(alice, "DELETE", "/v1/messages/"+carol+"/5", nil, 204, "-") // nothing there
	if q := get[api.Queued](w, alice, "/v1/messages"); len(q.Messages) != 1 || q.More {
		t.Errorf("%+v", q)
	}
	// Each deletion made one receipt for bob.
	w.eventually("100 receipts", func() bool {
		q := get[api.Queued](w, bob, "/v1/messages")
		return len(q.Messages) == 100 && q.Messages[0].Type == 5 && q.Messages[0].Source == alice
	})
}

func (w *world) eventually(what string, is func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("waited in vain: %s", what)
		}
	}
}

// A full queue is told to the sender, and what was acknowledged stays.
func TestFullQueue(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.LimitFactor = 0 })
	w.register(alice)
	w.register(bob)
	for n := range store.MaxQueued {
		w.want(bob, "PUT", "/v1/messages/"+alice, message(uint64(n+1), [2]uint32{1, 5}), 200, "")
	}
	rec := w.call(bob, "PUT", "/v1/messages/"+alice, message(5000, [2]uint32{1, 5}))
	if rec.Code != 413 || rec.Header().Get("Retry-After") != "3600" {
		t.Errorf("%d %s, Retry-After %q", rec.Code, rec.Body, rec.Header().Get("Retry-After"))
	}
	if q := get[api.Queued](w, alice, "/v1/messages"); q.Messages[0].Timestamp != 1 {
		t.Errorf("the oldest is %d", q.Messages[0].Timestamp)
	}
}

func TestSend2013(t *testing.T) {
	w := newWorld(t, nil)
	p := w.register(alice)
	w.register(bob)
	w.link(p, 6)
	w.register(carol)
	body := `{"messages":[{"destination":"` + alice + `","type":1,"body":"YWJj","timestamp":7},{"destination":"+14155550099","type":1,"body":"YWJj"},{"destination":"` + carol + `","type":3,"body":"YWJj","timestamp":7}]}`
	want := `{"success":["` + alice + `","` + carol + `"],"failure":["+14155550099"],"missingDeviceIds":["` + alice + `.2"]}`
	w.want(bob, "POST", "/v1/messages/", body, 200, want)
	w.want(bob, "PUT", "/v1/messages", body, 200, want)
	if q := get[api.Queued](w, carol, "/v1/messages"); len(q.Messages) != 2 || string(q.Messages[0].Message) != "abc" || q.Messages[0].Content != nil || q.Messages[0].Timestamp != 7 {
		t.Errorf("%+v", q)
	}
}

func TestReceipt(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	w.register(bob)
	w.want(alice, "PUT", "/v1/receipt/"+bob+"/77", nil, 204, "-")
	w.want(alice, "PUT", "/v1/receipt/"+bob+"/77?relay=other", nil, 404, "")
	w.want(alice, "PUT", "/v1/receipt/"+bob+"/x", nil, 400, "")
	w.want(alice, "PUT", "/v1/receipt/+14155550099/77", nil, 404, "")
	q := get[api.Queued](w, bob, "/v1/messages")
	if len(q.Messages) != 1 || q.Messages[0].Type != 5 || q.Messages[0].Source != alice || q.Messages[0].SourceDevice != 1 || q.Messages[0].Timestamp != 77 {
		t.Errorf("%+v", q)
	}
}

func TestMulti(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	second := w.link(w.register(bob), 6)
	w.clock.add(time.Minute)
	w.register(carol)
	send := func(status int, want string, recipients ...api.Recipient) {
		t.Helper()
		w.want(alice, "PUT", "/v3/messages", api.Multi{Type: 7, Content: api.Bytes("group"), Timestamp: 9, Recipients: recipients}, status, want)
	}
	to := func(number string, devices ...api.RecipientDevice) api.Recipient {
		return api.Recipient{Number: number, Devices: devices}
	}
	bobs := []api.RecipientDevice{{ID: 1, RegistrationID: 5}, {ID: 2, RegistrationID: 6}}
	send(422, `{"error":"0 recipients, want 1 to 1000"}`)
	send(409, `{"recipients":[{"number":"`+bob+`","missingDevices":[2],"extraDevices":[],"staleDevices":[]},{"number":"`+carol+`","missingDevices":[],"extraDevices":[],"staleDevices":[1]}]}`,
		to(bob, bobs[0]), to(carol, api.RecipientDevice{ID: 1, RegistrationID: 4}))
	send(410, `{"recipients":[{"number":"`+carol+`","missingDevices":[],"extraDevices":[],"staleDevices":[1]}]}`, to(bob, bobs...), to(carol, api.RecipientDevice{ID: 1, RegistrationID: 4}))
	send(422, `{"error":"a recipient is named twice"}`, to(bob, bobs...), to(bob, bobs...))
	w.want(bob, "GET", "/v1/messages", nil, 200, `{"messages":[],"more":false}`)
	send(200, `{"unregistered":["+14155550099"],"needsSync":false}`, to(bob, bobs...), to(carol, api.RecipientDevice{ID: 1, RegistrationID: 5}), to("+14155550099"))
	for _, login := range []string{bob, second, carol} {
		if q := get[api.Queued](w, login, "/v1/messages"); len(q.Messages) != 1 || q.Messages[0].Type != 7 || string(q.Messages[0].Content) != "group" || q.Messages[0].Source != alice || q.Messages[0].Timestamp != 9 {
			t.Errorf("%s: %+v", login, q)
		}
	}
	var many []api.Recipient
	for n := range 1000 {
		many = append(many, to("+1999000"+strconv.Itoa(1000+n)))
	}
	for range 4 {
		send(200, "", many...)
	}
	send(429, "", many...)
}

func TestEnvelopeCoding(t *testing.T) {
	e := wire.Envelope{Type: 1, Source: alice, Timestamp: 5, Content: []byte("x")}
	for _, receipt := range []bool{true, false} {
		b, r, err := decoded(coded(&e, receipt))
		if err != nil || r != receipt || string(b) != string(e.Encode()) {
			t.Errorf("%x %v %v", b, r, err)
		}
	}
	if _, _, err := decoded(nil); err == nil {
		t.Error("an empty body was decoded")
	}
	if tagOf(alice, 5) == tagOf(alice, 6) || tagOf(alice, 5) == tagOf(bob, 5) || tagOf(alice, 5) == 0 {
		t.Error("tags do not tell messages apart")
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(mustJSON(compare(nil, nil))), &m); err != nil || m["missingDevices"] == nil || m["extraDevices"] == nil || m["staleDevices"] == nil {
		t.Errorf("an absent list: %v", m)
	}
}
