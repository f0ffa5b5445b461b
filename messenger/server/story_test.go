package server

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/provision"
	"github.com/countersign-project/countersign/messenger/ratchet"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/signaling"
	"github.com/countersign-project/countersign/messenger/wire"
	"github.com/countersign-project/countersign/messenger/xeddsa"
)

// phone is a client of the TextSecure generation, as the specification describes one: v3 sessions, a signaling key, HTTP for keys and a websocket
// for the rest. It reads nothing of the server but what the server sends.
type phone struct {
	*world
	base, login, number string
	registrationID      uint32
	identity            *keys.Private
	signed              *keys.Private
	oneTime             map[uint32]*keys.Private
	signaling           signaling.Key
	records             map[string]*ratchet.Record // by "number.device"
	known               map[string]keys.Public     // by number
	pipe                *client
}

func newPhone(w *world, base, number string, registrationID uint32) *phone {
	w.Helper()
	key, err := signaling.NewKey(rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	return &phone{world: w, base: base, login: number, number: number, registrationID: registrationID, identity: newKey(w), signed: newKey(w),
		oneTime: map[uint32]*keys.Private{}, signaling: key, records: map[string]*ratchet.Record{}, known: map[string]keys.Public{}}
}

func (p *phone) attributes() api.AccountAttributes {
	return api.AccountAttributes{SignalingKey: p.signaling[:], RegistrationID: p.registrationID, FetchesMessages: true}
}

// http sends a request over the network and reads the answer.
func (p *phone) http(method, path string, body, into any, status int) {
	p.Helper()
	b := ""
	if body != nil {
		b = mustJSON(body)
	}
	req, err := http.NewRequest(method, p.base+path, strings.NewReader(b))
	if err != nil {
		p.Fatal(err)
	}
	req.SetBasicAuth(p.login, password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != status {
		p.Fatalf("%s %s: %s, want %d", method, path, resp.Status, status)
	}
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			p.Fatal(err)
		}
	}
}

// register asks for a code, as if it came by sms, and hands in keys.
func (p *phone) register() {
	p.Helper()
	p.http("GET", "/v1/accounts/sms/code/"+p.number, nil, nil, 204)
	p.http("PUT", "/v1/accounts/code/"+p.sms.codes[p.number], p.attributes(), nil, 204)
	p.uploadKeys()
}

func (p *phone) uploadKeys() {
	p.Helper()
	signed, err := handshake.SignPrekey(p.identity, 22, p.signed.Public(), rand.Reader)
	if err != nil {
		p.Fatal(err)
	}
	body := api.PreKeys{IdentityKey: p.identity.Public().Bytes(), SignedPreKey: &api.SignedPreKey{KeyID: 22, PublicKey: signed.Key.Bytes(), Signature: signed.Signature[:]}}
	for id := uint32(1); id <= 5; id++ {
		p.oneTime[id] = newKey(p)
		body.PreKeys = append(body.PreKeys, api.PreKey{KeyID: id, PublicKey: p.oneTime[id].Public().Bytes()})
	}
	p.http("PUT", "/v2/keys/", body, nil, 204)
}

func (p *phone) online() {
	p.Helper()
	p.pipe = dial(p.world, "ws"+strings.TrimPrefix(p.base, "http")+"/v1/websocket/?login="+p.login+"&password="+strings.ReplaceAll(password, " ", "%20"), nil)
}

func (p *phone) setting(number string) ratchet.Setting {
	key, known := p.known[number]
	return ratchet.Setting{Identity: p.identity, RegistrationID: p.registrationID, Peer: number, PeerIdentity: key, Known: known, Now: p.clock.Now(), Rand: rand.Reader}
}

func address(number string, device uint32) string { return loginOf(number, int(device)) }

// sessions fetches the bundles of a number and starts a session with each device that has none.
func (p *phone) sessions(number string) {
	p.Helper()
	var b api.Bundles
	p.http("GET", "/v2/keys/"+number+"/*", nil, &b, 200)
	identity, err := keys.ParsePublic(b.IdentityKey)
	if err != nil {
		p.Fatal(err)
	}
	for _, d := range b.Devices {
		name := address(number, d.DeviceID)
		if name == p.login || p.records[name] != nil {
			continue
		}
		signed, err := keys.ParsePublic(d.SignedPreKey.PublicKey)
		if err != nil {
			p.Fatal(err)
		}
		bundle := &handshake.Bundle{RegistrationID: d.RegistrationID, Identity: identity,
			Signed: handshake.Signed{ID: d.SignedPreKey.KeyID, Key: signed, Signature: xeddsa.Signature(d.SignedPreKey.Signature)}}
		if d.PreKey != nil {
			k, err := keys.ParsePublic(d.PreKey.PublicKey)
			if err != nil {
				p.Fatal(err)
			}
			bundle.OneTime = &handshake.OneTime{ID: d.PreKey.KeyID, Key: k}
		}
		p.records[name] = new(ratchet.Record)
		if err := p.records[name].Initiate(p.setting(number), bundle); err != nil {
			p.Fatal(err)
		}
		p.known[number] = identity
	}
}

// send encrypts a text for every device the phone knows of, and does what a client does on 409. It returns the answer.
func (p *phone) send(number, text string, timestamp uint64) api.Sent {
	p.Helper()
	plain := wire.Pad((&wire.Content{Data: &wire.Data{Body: text, Timestamp: timestamp}}).Encode())
	for range 3 {
		m := api.Messages{Timestamp: timestamp, Messages: []api.Message{}}
		for device := uint32(1); device <= 6; device++ {
			r := p.records[address(number, device)]
			if r == nil {
				continue
			}
			c, err := r.Encrypt(p.setting(number), plain)
			if err != nil {
				p.Fatal(err)
			}
			kind := wire.EnvelopeCiphertext
			if c.Kind == ratchet.PreKey {
				kind = wire.EnvelopePreKey
			}
			m.Messages = append(m.Messages, api.Message{Type: uint32(kind), DeviceID: device, RegistrationID: c.RegistrationID, Content: c.Body})
		}
		r := p.pipe.tunnel("PUT", "/v1/messages/"+number, mustJSON(m))
		switch r.Status {
		case 200:
			var sent api.Sent
			if err := json.Unmarshal(r.Body, &sent); err != nil {
				p.Fatal(err)
			}
			return sent
		case 409:
			p.sessions(number)
		default:
			p.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	p.Fatal("409 without end")
	return api.Sent{}
}

// receive waits for an envelope, opens it with the signaling key, decrypts, and acknowledges. A receipt has no text.
func (p *phone) receive() (wire.Envelope, string) {
	p.Helper()
	r := p.pipe.request()
	plain, err := p.signaling.Open(r.Body)
	if err != nil {
		p.Fatal(err)
	}
	e, err := wire.ParseEnvelope(plain)
	if err != nil {
		p.Fatal(err)
	}
	text := p.decrypt(e)
	p.pipe.write(wire.Frame{Response: &wire.Response{ID: r.ID, Status: 200, Message: "OK"}})
	return e, text
}

func (p *phone) decrypt(e wire.Envelope) string {
	p.Helper()
	name := address(e.Source, e.SourceDevice)
	record := p.records[name]
	if record == nil {
		record = new(ratchet.Record)
	}
	var o ratchet.Opened
	var err error
	switch e.Type {
	case wire.EnvelopeReceipt:
		return ""
	case wire.EnvelopeCiphertext:
		o, err = record.Decrypt(p.setting(e.Source), e.Content)
	case wire.EnvelopePreKey:
		var m *wire.PreKey
		if m, err = wire.ParsePreKey(e.Content); err == nil {
			o, err = record.DecryptPreKey(p.setting(e.Source), m, handshake.Prekeys{OneTime: p.oneTime[m.PreKeyID], Signed: p.signed})
		}
	}
	if err != nil {
		p.Fatalf("%s reads an envelope of type %d of %s: %v", p.login, e.Type, name, err)
	}
	p.records[name], p.known[e.Source] = record, o.Identity
	b, err := wire.Unpad(o.Plaintext)
	if err != nil {
		p.Fatal(err)
	}
	c, err := wire.ParseContent(b)
	if err != nil || c.Data == nil || c.Data.Timestamp != e.Timestamp {
		p.Fatalf("%+v, %v", c, err)
	}
	return c.Data.Body
}

// wants receives a text, or for "" a receipt, with that timestamp.
func (p *phone) wants(from, text string, timestamp uint64) {
	p.Helper()
	e, got := p.receive()
	if e.Source != from || got != text || e.Timestamp != timestamp || (text == "") != (e.Type == wire.EnvelopeReceipt) {
		p.Fatalf("%s got %q of %s at %d (type %d), want %q of %s at %d", p.login, got, e.Source, e.Timestamp, e.Type, text, from, timestamp)
	}
}

// Two people register, talk, are away, come back; one adds a tablet by scanning its code; and all along nobody but they can read.
func TestStory(t *testing.T) {
	w := newWorld(t, nil)
	srv := w.listen()
	ann, ben := newPhone(w, srv.URL, alice, 11), newPhone(w, srv.URL, bob, 22)
	ann.register()
	ben.register()
	ann.online()
	ben.online()

	// Both ways, while both are there. Each message is received in a goroutine of its own client, since its sender waits for that.
	exchange := func(from, to *phone, text string, at uint64) {
		t.Helper()
		got := make(chan struct{})
		go func() { defer close(got); to.wants(from.number, text, at) }()
		from.send(to.number, text, at)
		<-got
		from.wants(to.number, "", at) // the server's receipt
	}
	exchange(ann, ben, "hello Ben", 1001)
	exchange(ben, ann, "hello Ann", 1002)
	exchange(ann, ben, "how are you?", 1003)

	// Ben is away: the queue keeps it, in order.
	ben.pipe.ws.Close()
	w.eventually("ben is away", func() bool { return w.server.live.of(w.device(bob).Key) == nil })
	ann.send(bob, "are you there?", 1004)
	ann.send(bob, "?", 1005)
	ben.online()
	ben.wants(alice, "are you there?", 1004)
	ben.wants(alice, "?", 1005)
	for range 2 {
		if e, _ := ann.receive(); e.Type != wire.EnvelopeReceipt {
			t.Fatalf("%+v", e)
		}
	}

	// Ben's tablet: it shows a code, the phone scans it, the tablet registers and has keys of its own under the same identity.
	tablet := newPhone(w, srv.URL, bob, 33)
	newcomer := dial(w, "ws"+strings.TrimPrefix(srv.URL, "http")+"/v1/websocket/provisioning/", nil)
	r := newcomer.request()
	where, err := wire.ParseProvisionAddress(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	newcomer.write(wire.Frame{Response: &wire.Response{ID: r.ID, Status: 200}})
	ephemeral := newKey(w)
	shown := provision.Code{Address: string(where), Key: ephemeral.Public()}.String()
	scanned, err := provision.ParseCode(shown)
	if err != nil {
		t.Fatal(err)
	}
	var code api.VerificationCode
	ben.http("GET", "/v1/devices/provisioning/code", nil, &code, 200)
	envelope, onPhone, err := provision.Shipped{}.Seal(scanned.Key, provision.Account{Identity: ben.identity, Number: bob, Code: code.Code}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		ben.http("PUT", "/v1/provisioning/"+scanned.Address, api.Provision{Body: envelope}, nil, 204)
	}()
	r = newcomer.request()
	account, onTablet, err := provision.Shipped{}.Open(ephemeral, r.Body)
	if err != nil || onTablet != onPhone || account.Number != bob {
		t.Fatalf("%+v, %v; the screens show %s and %s", account, err, onPhone, onTablet)
	}
	newcomer.write(wire.Frame{Response: &wire.Response{ID: r.ID, Status: 200}})
	<-delivered
	var id api.DeviceID
	tablet.http("PUT", "/v1/devices/"+account.Code, tablet.attributes(), &id, 200)
	tablet.identity, tablet.login = account.Identity, address(bob, id.DeviceID)
	tablet.uploadKeys()
	tablet.online()

	// Ann does not know of the tablet: 409, fetch, again, for all.
	got := make(chan struct{}, 2)
	for _, p := range []*phone{ben, tablet} {
		go func() { p.wants(alice, "on both", 1006); got <- struct{}{} }()
	}
	if sent := ann.send(bob, "on both", 1006); sent.NeedsSync {
		t.Error("ann has one device")
	}
	<-got
	<-got

	// What the server keeps and logs names no text, and the log nobody.
	if strings.Contains(w.log.String(), "1415555") || strings.Contains(w.log.String(), "Ben") {
		t.Errorf("the log: %s", w.log)
	}
}
