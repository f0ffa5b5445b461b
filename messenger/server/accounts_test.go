package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/verify"
)

const (
	alice = "+14155550001"
	bob   = "+14155550002"
	carol = "+14155550003"
)

func TestRequestCode(t *testing.T) {
	w := newWorld(t, nil)
	w.want("", "GET", "/v1/accounts/sms/code/+14155550001?client=android", nil, 204, "-")
	if code := w.sms.codes[alice]; len(code) != 6 || code[0] == '0' {
		t.Fatalf("code %q", code)
	}
	w.want("", "GET", "/v1/accounts/voice/code/%2B14155550001/", nil, 204, "-") // escaped, and with a slash
	w.want("", "GET", "/v1/accounts/sms/code/4155550001", nil, 400, `{"error":"\"4155550001\" is not a number of the form +14155550100"}`)
	w.want("", "GET", "/v1/accounts/sms/code/+123", nil, 400, "")
	w.want("", "GET", "/v1/accounts/dev/code/+14155550001", nil, 422, `{"error":"this server sends no codes by \"dev\"; ask its operator for an invite"}`)
	w.want("", "GET", "/v1/accounts/pigeon/code/+14155550001", nil, 422, "")
	w.want("", "GET", "/v1/accounts/sms/code/+14155550001", nil, 204, "-")
	rec := w.call("", "GET", "/v1/accounts/sms/code/+14155550001", nil)
	if rec.Code != 413 || rec.Header().Get("Retry-After") != "30" {
		t.Errorf("the third sms in a minute: %d, Retry-After %q", rec.Code, rec.Header().Get("Retry-After"))
	}
	w.sms.fail = errors.New("down")
	w.want("", "GET", "/v1/accounts/sms/code/"+bob, nil, 502, "")
	if strings.Contains(w.log.String(), "1415555") {
		t.Errorf("the log names a number: %s", w.log)
	}
}

func TestDeveloperSeesTheCode(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Verifier = verify.Developer{} })
	code := w.want("", "GET", "/v1/accounts/dev/code/"+alice, nil, 200, "")
	if len(code) != 7 || code[3] != '-' {
		t.Fatalf("%q, want XXX-XXX", code)
	}
	w.want(alice, "PUT", "/v1/accounts/code/"+code, api.AccountAttributes{}, 204, "-")
}

func TestRegister(t *testing.T) {
	w := newWorld(t, nil)
	w.want("", "GET", "/v1/accounts/sms/code/"+alice, nil, 204, "-")
	code := w.sms.codes[alice]
	path := "/v1/accounts/code/" + code
	w.want("", "PUT", path, api.AccountAttributes{}, 401, "")
	w.want("alice", "PUT", path, api.AccountAttributes{}, 400, "")
	weak := w.request("", "PUT", path, api.AccountAttributes{})
	weak.SetBasicAuth(alice, "short")
	if rec := w.serve(weak); rec.Code != 400 || !strings.Contains(rec.Body.String(), "the password has 5 characters, want 16 to 200 random ones") {
		t.Errorf("weak password: %d %s", rec.Code, rec.Body)
	}
	w.want(alice, "PUT", path, "{", 422, "")
	w.want(alice, "PUT", path, api.AccountAttributes{SignalingKey: api.Bytes("x")}, 422, `{"error":"signalingKey has 1 bytes, want 52"}`)
	w.clock.add(time.Minute)
	w.want(alice, "PUT", path, api.AccountAttributes{RegistrationID: 5, FetchesMessages: true}, 204, "-")
	w.want(alice, "PUT", path, api.AccountAttributes{}, 403, `{"error":"wrong code, or one that has expired"}`) // used
	a, err := w.store.Account(t.Context(), alice)
	if err != nil || len(a.Devices) != 1 || a.Devices[0].RegistrationID != 5 || !a.Devices[0].FetchesMessages || strings.Contains(string(a.Devices[0].Secret), password) {
		t.Errorf("%+v, %v", a, err)
	}
	// A code that is too old.
	w.want("", "GET", "/v1/accounts/sms/code/"+bob, nil, 204, "-")
	w.clock.add(codeLifetime)
	w.want(bob, "PUT", "/v1/accounts/code/"+w.sms.codes[bob], api.AccountAttributes{}, 403, "")
}

func (w *world) serve(r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	return rec
}

// Registering anew removes all other devices and their queues (6.1).
func TestRegisterAgain(t *testing.T) {
	w := newWorld(t, nil)
	p := w.register(alice)
	second := w.link(p, 6)
	b := w.register(bob)
	w.want(bob, "PUT", "/v1/messages/"+alice, message(1, [2]uint32{1, 5}, [2]uint32{2, 6}), 200, `{"needsSync":false}`)
	w.clock.add(time.Hour)
	w.register(alice)
	w.want(second, "GET", "/v1/devices", nil, 401, "")
	w.want(alice, "GET", "/v1/messages", nil, 200, `{"messages":[],"more":false}`)
	_ = b
}

// Guessing stops: the bucket leaks two tries a minute, and after ten wrong ones nothing helps until the code is dead (6.8, threats.md).
func TestGuessingCodesStops(t *testing.T) {
	w := newWorld(t, nil)
	w.want("", "GET", "/v1/accounts/sms/code/"+alice, nil, 204, "-")
	wrong, tries := 0, 0
	for ; tries < 200 && w.clock.Now().Before(time.Date(2026, 11, 24, 12, 9, 0, 0, time.UTC)); tries++ {
		switch rec := w.call(alice, "PUT", "/v1/accounts/code/000000", api.AccountAttributes{}); rec.Code {
		case 403:
			wrong++
		case 413:
			w.clock.add(10 * time.Second)
		default:
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	}
	if wrong < store.MaxCodeTries || wrong > 20 {
		t.Errorf("%d guesses were looked at in nine minutes, want about two a minute", wrong)
	}
	w.clock.add(30 * time.Second)
	w.want(alice, "PUT", "/v1/accounts/code/"+w.sms.codes[alice], api.AccountAttributes{}, 403, "") // even the right one
	w.want("", "GET", "/v1/accounts/sms/code/"+alice, nil, 413, "")                                 // and no new one helps
	w.clock.add(codeLifetime)
	w.register(alice)
}

func TestRegistrationLock(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	w.want(alice, "PUT", "/v1/accounts/attributes/", api.AccountAttributes{RegistrationID: 5, FetchesMessages: true, Pin: "1234"}, 204, "-")
	try := func(pin string, status int) {
		t.Helper()
		w.clock.add(time.Minute)
		w.want("", "GET", "/v1/accounts/sms/code/"+alice, nil, 204, "-")
		w.want(alice, "PUT", "/v1/accounts/code/"+w.sms.codes[alice], api.AccountAttributes{Pin: pin}, status, "")
	}
	try("", 423)
	for range 5 {
		try("0000", 423)
	}
	try("1234", 413) // too many wrong ones
	w.clock.add(8 * 24 * time.Hour)
	try("", 204) // whoever has the number a week later is not locked out for ever
}

func TestAttributesAndPush(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	key := make(api.Bytes, 52)
	w.want(alice, "PUT", "/v1/accounts/attributes", api.AccountAttributes{SignalingKey: key, RegistrationID: 77, Voice: true, Name: "desk", Capabilities: api.Capabilities{SPQR: true, SenderKeys: true}}, 204, "-")
	w.want(alice, "PUT", "/v1/accounts/gcm/", api.GCM{ID: "g", WebSocketChannel: true}, 204, "-")
	d := w.device(alice)
	if d.RegistrationID != 77 || d.FetchesMessages || !d.Voice || d.Name != "desk" || len(d.SignalingKey) != 52 || d.GCM != "g" || !d.WebSocket || !d.SPQR || !d.SenderKeys {
		t.Errorf("%+v", d)
	}
	w.want(alice, "DELETE", "/v1/accounts/gcm/", nil, 204, "-")
	w.want(alice, "PUT", "/v1/accounts/apn/", api.APN{ID: "a", VoIP: "v"}, 204, "-")
	if d := w.device(alice); d.GCM != "" || d.APN != "a" || d.VoIP != "v" || !d.SPQR {
		t.Errorf("%+v", d)
	}
	w.want(alice, "DELETE", "/v1/accounts/apn/", nil, 204, "-")
	if d := w.device(alice); d.APN != "" || d.VoIP != "" {
		t.Errorf("%+v", d)
	}
	w.want(alice, "PUT", "/v1/accounts/ups/", "{}", 204, "-")
	w.want(alice, "PUT", "/v1/accounts/gcm", `{"gcmRegistrationId":"`+strings.Repeat("x", 5000)+`"}`, 422, "")
	w.want(alice, "PUT", "/v1/accounts/gcm", `{"gcmRegistrationId":"`+strings.Repeat("x", smallBody)+`"}`, 413, "")
}

// device is the one that logs in so.
func (w *world) device(login string) store.Device {
	w.Helper()
	c, ok := parseLogin(login, password)
	a, err := w.store.Account(w.Context(), c.number)
	if err != nil {
		w.Fatal(err)
	}
	d, found := a.Device(c.device)
	if !ok || !found {
		w.Fatalf("no device %s", login)
	}
	return d
}

func TestWrongPasswordsAreSlowedDown(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	codes := map[int]int{}
	for range 30 {
		r := w.request("", "GET", "/v1/devices", nil)
		r.SetBasicAuth(alice, "wrong password ever")
		codes[w.serve(r).Code]++
	}
	if codes[401] != 20 || codes[413] != 10 {
		t.Errorf("%v, want 20 times 401, then 413", codes)
	}
	w.want(alice, "GET", "/v1/devices", nil, 200, "") // the right one is not locked out
	w.want("", "GET", "/v1/devices", nil, 401, `{"error":"wrong number or password"}`)
	w.want(alice+".x", "GET", "/v1/devices", nil, 401, "")
	w.want(bob+".2", "GET", "/v1/devices", nil, 401, "")
	w.want("+14155550099", "GET", "/v1/devices", nil, 401, `{"error":"wrong number or password"}`)
}

func TestInvites(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Verifier = verify.None{} })
	w.want("", "GET", "/v1/accounts/sms/code/"+alice, nil, 422, "")
	const invite = "a token of enough bits"
	if err := w.store.PutInvite(t.Context(), store.Invite{Hash: HashInvite(invite), Uses: 1, Created: w.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	body := api.Registration{Invite: "another token, not known", AccountAttributes: api.AccountAttributes{RegistrationID: 5, FetchesMessages: true}}
	newcomer := func(b api.Registration) *httptest.ResponseRecorder {
		r := w.request("", "POST", "/v3/accounts", b)
		r.SetBasicAuth("", password)
		return w.serve(r)
	}
	if rec := newcomer(body); rec.Code != 403 || rec.Body.String() != `{"error":"the invite is unknown, used up or expired"}` {
		t.Fatalf("%d %s", rec.Code, rec.Body.String())
	}
	body.Invite = invite
	rec := newcomer(body)
	var n string
	if _, err := fmt.Sscanf(rec.Body.String(), `{"number":"+999%12s"}`, &n); rec.Code != 200 || err != nil {
		t.Fatalf("%d %s: %v", rec.Code, rec.Body.String(), err)
	}
	number := "+999" + strings.TrimSuffix(n, `"}`)
	w.want(number, "GET", "/v3/account", nil, 200, `{"number":"`+number+`","account":"#1","deviceId":1}`)
	if rec := newcomer(body); rec.Code != 403 {
		t.Errorf("an invite for one was used twice: %d", rec.Code)
	}
	for range 40 {
		rec = newcomer(body)
	}
	if rec.Code != 429 || rec.Header().Get("Retry-After") == "" {
		t.Errorf("a flood of registrations: %d, Retry-After %q", rec.Code, rec.Header().Get("Retry-After"))
	}
}

func TestDeleteAccount(t *testing.T) {
	w := newWorld(t, nil)
	p := w.register(alice)
	second := w.link(p, 6)
	w.want(second, "DELETE", "/v3/account", nil, 401, `{"error":"only the account's first device may do this"}`)
	w.want(alice, "DELETE", "/v3/account", nil, 204, "-")
	w.want(alice, "GET", "/v1/devices", nil, 401, "")
	w.register(bob)
	w.want(bob, "PUT", "/v1/messages/"+alice, message(1, [2]uint32{1, 5}), 404, "")
}

func TestChangeNumber(t *testing.T) {
	w := newWorld(t, nil)
	p := w.register(alice)
	w.register(bob)
	const other = "+14155550009"
	w.want("", "GET", "/v1/accounts/sms/code/"+other, nil, 204, "-")
	w.want(alice, "PUT", "/v3/account/number", api.NumberChange{Number: other, Code: "000000"}, 403, "")
	w.want(alice, "PUT", "/v3/account/number", api.NumberChange{Number: "x", Code: "000000"}, 400, "")
	w.want(bob, "PUT", "/v1/messages/"+alice, message(1, [2]uint32{1, 5}), 200, `{"needsSync":false}`)
	w.want(alice, "PUT", "/v3/account/number", api.NumberChange{Number: other, Code: w.sms.codes[other]}, 204, "-")
	w.want(alice, "GET", "/v1/devices", nil, 401, "")
	if q := get[api.Queued](w, other, "/v1/messages"); len(q.Messages) != 1 { // what waited is not lost
		t.Errorf("%+v", q)
	}
	w.want(bob, "PUT", "/v1/messages/"+other, message(2, [2]uint32{1, 5}), 200, `{"needsSync":false}`)
	w.clock.add(time.Minute)
	w.want("", "GET", "/v1/accounts/sms/code/"+bob, nil, 204, "-")
	w.want(other, "PUT", "/v3/account/number", api.NumberChange{Number: bob, Code: w.sms.codes[bob]}, 409, "")
	_ = p
}

// A device that was away while the number changed logs in by the account's name, and learns the number. Nobody else's device gets in by it.
func TestTheAccountsName(t *testing.T) {
	w := newWorld(t, nil)
	p := w.register(alice)
	second := w.link(p, 6)
	w.register(bob)
	name := get[api.Whoami](w, second, "/v3/account").Account
	const other = "+14155550009"
	w.want("", "GET", "/v1/accounts/sms/code/"+other, nil, 204, "-")
	w.want(alice, "PUT", "/v3/account/number", api.NumberChange{Number: other, Code: w.sms.codes[other]}, 204, "-")
	w.want(second, "GET", "/v3/account", nil, 401, "")
	w.want(name+".2", "GET", "/v3/account", nil, 200, `{"number":"`+other+`","account":"`+name+`","deviceId":2}`)
	w.want(name, "GET", "/v3/account", nil, 200, `{"number":"`+other+`","account":"`+name+`","deviceId":1}`)
	r := w.request("", "GET", "/v3/account", nil)
	r.SetBasicAuth(name+".2", "another password of enough bits")
	if rec := w.serve(r); rec.Code != 401 {
		t.Errorf("with a wrong password: %d", rec.Code)
	}
	for _, wrong := range []string{name + ".3", "#", "#0" + name[1:], "#-1", "#+1", "#99", "#1e0", "##1", name[1:]} {
		if rec := w.call(wrong, "GET", "/v3/account", nil); rec.Code != 401 {
			t.Errorf("%q: %d %s", wrong, rec.Code, rec.Body)
		}
	}
}
