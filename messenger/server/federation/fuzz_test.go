package federation

import (
	"bytes"
	"net/url"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
)

// What a peer sends us: whatever it is, it is refused, or it is a message in bounds.
func FuzzMessages(f *testing.F) {
	f.Add([]byte(`{"messages":[{"type":1,"destinationDeviceId":1,"content":"AAAA"}],"timestamp":5,"relay":"x"}`))
	f.Add([]byte(`{"messages":[{},{},{}]}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m api.Messages
		if err := decode(bytes.NewReader(b), messageBody, &m); err == nil && len(m.Messages) > maxParts {
			t.Errorf("%d messages", len(m.Messages))
		}
	})
}

// What a peer answers to a message: a client gets lists that can be true of what it sent, or nothing of it.
func FuzzMismatch(f *testing.F) {
	f.Add([]byte(`{"missingDevices":[3],"extraDevices":[1]}`))
	f.Add([]byte(`{"staleDevices":[2]}`))
	f.Add([]byte(`{"missingDevices":null,"extraDevices":[1,1]}`))
	sent := []api.Message{{DeviceID: 0}, {DeviceID: 2}}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := parseMismatch(b, sent); err == nil {
			if m.MissingDevices == nil || m.ExtraDevices == nil || len(m.MissingDevices)+len(m.ExtraDevices) == 0 || len(m.MissingDevices) > maxDevice || len(m.ExtraDevices) > len(sent) {
				t.Errorf("%+v", m)
			}
		}
		if s, err := parseStale(b, sent); err == nil && (len(s.StaleDevices) == 0 || len(s.StaleDevices) > len(sent)) {
			t.Errorf("%+v", s)
		}
	})
}

// What a peer answers to a look-up.
func FuzzAnswers(f *testing.F) {
	id := identity(f)
	f.Add([]byte(`{"identityKey":"` + id + `","devices":[{"deviceId":1,"registrationId":5,"preKey":{"keyId":1,"publicKey":"` + id + `"}}]}`))
	f.Add([]byte(`{"contacts":[{"token":"a","relay":"x"}]}`))
	f.Add([]byte(`{"number":"+14155550001"}`))
	f.Add([]byte(`{"list":"AAAA","signature":"AAAA"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var k api.BundlesV3
		if decode(bytes.NewReader(b), keysAnswer, &k) == nil && checkBundles(&k, "*") == nil {
			seen := map[uint32]bool{}
			for _, d := range k.Devices {
				if seen[d.DeviceID] || d.DeviceID < 1 || d.DeviceID > maxDevice {
					t.Errorf("device %d", d.DeviceID)
				}
				seen[d.DeviceID] = true
			}
		}
		var c api.Contacts
		if decode(bytes.NewReader(b), contactsAnswer, &c) == nil && checkContacts(c.Contacts, []string{"a"}) == nil && len(c.Contacts) > 1 {
			t.Errorf("%+v", c)
		}
		var p api.Profile
		if decode(bytes.NewReader(b), smallAnswer, &p) == nil && checkProfile(&p) == nil && len(p.Name) > profileName {
			t.Errorf("%+v", p)
		}
		var u api.Username
		if decode(bytes.NewReader(b), smallAnswer, &u) == nil && checkUsername(u) == nil && len(u.Number) > 16 {
			t.Errorf("%+v", u)
		}
	})
}

// What an operator writes: a peer that is accepted prints back as the same.
func FuzzParsePeer(f *testing.F) {
	f.Add("b.example https://b.example:8443 " + ones + " requests=3 at-once=2 directory")
	f.Fuzz(func(t *testing.T, line string) {
		p, err := ParsePeer(line)
		if err != nil {
			return
		}
		again, err := ParsePeer(p.Name + " " + p.URL.String() + " " + p.Pins[0].String())
		if err != nil || again.Name != p.Name || again.Pins[0] != p.Pins[0] {
			t.Errorf("%q: %v", line, err)
		}
	})
}

// Locations: only what we made is good, and only for its hour.
func FuzzLocation(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	n := &Node{Options: Options{Key: newKey(f), Now: func() time.Time { return now }}}
	u, err := url.Parse(n.Location("evil", "5", "somebody"))
	if err != nil {
		f.Fatal(err)
	}
	good := u.Query()
	if !n.CheckLocation("evil", "5", good) || n.CheckLocation("evil", "6", good) || n.CheckLocation("good", "5", good) {
		f.Fatal("the location does not hold")
	}
	other := u.Query()
	other.Set("for", "somebody else")
	if n.CheckLocation("evil", "5", other) {
		f.Error("another user's")
	}
	f.Add("evil", "5", "somebody", good.Get("until"), "x")
	f.Add("", "", "", "-1", "")
	f.Fuzz(func(t *testing.T, peer, id, user, until, key string) {
		q := url.Values{"until": {until}, "for": {user}, "key": {key}}
		if n.CheckLocation(peer, id, q) && key != good.Get("key") {
			t.Errorf("%q %q %q %q", peer, id, until, key)
		}
	})
}
