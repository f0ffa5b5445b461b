package server

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
)

func TestKeysV2(t *testing.T) {
	w := newWorld(t, nil)
	p := w.register(alice)
	w.register(bob)
	k := p.preKeys(w, 2)
	w.want(alice, "PUT", "/v2/keys/", k, 204, "-")
	w.want(alice, "GET", "/v2/keys", nil, 200, `{"count":2}`)
	w.want(alice, "GET", "/v2/keys/signed", nil, 200, mustJSON(k.SignedPreKey))
	for n := range 3 {
		b := api.Bundle{DeviceID: 1, RegistrationID: 5, SignedPreKey: k.SignedPreKey}
		if n < 2 {
			b.PreKey = &k.PreKeys[n]
		}
		w.want(bob, "GET", fmt.Sprintf("/v2/keys/%s/%s", alice, []string{"1", "*", "1"}[n]), nil, 200, mustJSON(api.Bundles{IdentityKey: k.IdentityKey, Devices: []api.Bundle{b}}))
	}
	next := p.signed(w, 10)
	w.want(alice, "PUT", "/v2/keys/signed", next, 204, "-")
	w.want(alice, "GET", "/v2/keys/signed", nil, 200, mustJSON(next))
	// A last-resort key, which the Go peer needs, is given out again and again.
	k.LastResortKey = &api.PreKey{KeyID: 0xffffff, PublicKey: newKey(w).Public().Bytes()}
	k.PreKeys = nil
	w.want(alice, "PUT", "/v2/keys", k, 204, "-")
	w.clock.add(time.Hour)
	for range 2 {
		if b := get[api.Bundles](w, bob, "/v2/keys/"+alice+"/1"); b.Devices[0].PreKey == nil || b.Devices[0].PreKey.KeyID != 0xffffff {
			t.Fatalf("%+v", b.Devices[0].PreKey)
		}
	}
	w.want(bob, "GET", "/v2/keys/+14155550099/*", nil, 404, "")
	w.want(bob, "GET", "/v2/keys/"+alice+"/2", nil, 404, "")
	w.want(bob, "GET", "/v2/keys/"+alice+"/*?relay=other", nil, 404, `{"error":"no server \"other\" is known here"}`)
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Draining: three fetches of one device by one device, and then one every ten minutes (6.8).
func TestDrainingPrekeysIsSlow(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	w.register(bob)
	for range 3 {
		w.want(bob, "GET", "/v3/keys/"+alice+"/*", nil, 200, "")
	}
	rec := w.call(bob, "GET", "/v3/keys/"+alice+"/*", nil)
	if rec.Code != 429 || rec.Header().Get("Retry-After") != "600" {
		t.Fatalf("%d, Retry-After %q", rec.Code, rec.Header().Get("Retry-After"))
	}
	w.clock.add(10*time.Minute + time.Second)
	w.want(bob, "GET", "/v3/keys/"+alice+"/*", nil, 200, "")
}

func TestKeyUploadsAreChecked(t *testing.T) {
	w := newWorld(t, nil)
	p := w.register(alice)
	mallory := person{bob, newKey(w)}
	for name, c := range map[string]struct {
		change func(*api.PreKeysV3)
		want   string
	}{
		"no identity":      {func(k *api.PreKeysV3) { k.IdentityKey = nil }, `{"error":"identityKey is not a public key of 33 bytes"}`},
		"long identity":    {func(k *api.PreKeysV3) { k.IdentityKey = append(k.IdentityKey, 0) }, `{"error":"identityKey is not a public key of 33 bytes"}`},
		"other's signed":   {func(k *api.PreKeysV3) { s := mallory.signed(w, 9); k.SignedPreKey = &s }, `{"error":"signedPreKey: the identity key's signature does not hold"}`},
		"large id":         {func(k *api.PreKeysV3) { k.PreKeys.PreKeys[1].KeyID = 1 << 24 }, `{"error":"preKeys[1]: want an id of 24 bits and a public key of 33 bytes"}`},
		"zero key":         {func(k *api.PreKeysV3) { k.PreKeys.PreKeys[0].PublicKey = make([]byte, 33) }, `{"error":"preKeys[0]: want an id of 24 bits and a public key of 33 bytes"}`},
		"kyber length":     {func(k *api.PreKeysV3) { k.PQPreKeys[0].PublicKey = k.PQPreKeys[0].PublicKey[1:] }, `{"error":"pqPreKeys[0]: want an id of 24 bits and a public key of 1569 bytes, got 1568"}`},
		"other's kyber":    {func(k *api.PreKeysV3) { k.PQPreKeys[0] = mallory.kyber(w, 1) }, `{"error":"pqPreKeys[0]: the identity key's signature does not hold"}`},
		"other last kyber": {func(k *api.PreKeysV3) { s := mallory.kyber(w, 1); k.PQLastResortKey = &s }, `{"error":"pqLastResortPreKey: the identity key's signature does not hold"}`},
	} {
		k := api.PreKeysV3{PreKeys: p.preKeys(w, 2), PQPreKeys: []api.SignedPreKey{p.kyber(w, 1)}}
		c.change(&k)
		if rec := w.call(alice, "PUT", "/v3/keys", k); rec.Code != 422 || rec.Body.String() != c.want {
			t.Errorf("%s: %d %s, want 422 %s", name, rec.Code, rec.Body, c.want)
		}
	}
	w.want(alice, "GET", "/v3/keys", nil, 200, `{"count":3,"pqCount":0}`) // nothing of it stayed
	many := api.PreKeys{IdentityKey: p.identity.Public().Bytes(), PreKeys: make([]api.PreKey, 1001)}
	w.want(alice, "PUT", "/v2/keys", many, 413, `{"error":"1001 prekeys, want at most 1000"}`)
	second := w.link(p, 6)
	w.want(second, "PUT", "/v2/keys", person{alice, newKey(w)}.preKeys(w, 1), 401, `{"error":"only the account's first device may change the identity key"}`)
}

func TestKeysV3(t *testing.T) {
	w := newWorld(t, nil)
	p := w.register(alice)
	w.register(bob)
	w.want(alice, "PUT", "/v1/accounts/attributes", api.AccountAttributes{RegistrationID: 5, FetchesMessages: true, Capabilities: api.Capabilities{SPQR: true}}, 204, "-")
	last := p.kyber(w, 0xffffff)
	k := api.PreKeysV3{PreKeys: p.preKeys(w, 1), PQPreKeys: []api.SignedPreKey{p.kyber(w, 4)}, PQLastResortKey: &last}
	w.want(alice, "PUT", "/v3/keys", k, 204, "-")
	w.want(alice, "GET", "/v3/keys", nil, 200, `{"count":1,"pqCount":1}`)
	for n, pq := range []*api.SignedPreKey{&k.PQPreKeys[0], &last, &last} {
		b := api.Bundle{DeviceID: 1, RegistrationID: 5, SignedPreKey: k.SignedPreKey}
		if n == 0 {
			b.PreKey = &k.PreKeys.PreKeys[0]
		}
		w.want(bob, "GET", "/v3/keys/"+alice+"/*", nil, 200, mustJSON(api.BundlesV3{IdentityKey: k.IdentityKey, Devices: []api.BundleV3{{Bundle: b, PQPreKey: pq, Capabilities: api.Capabilities{SPQR: true}}}}))
	}
}

// Clients of the pairwise protocol v2 have no signed prekeys (6.3).
func TestKeysV1(t *testing.T) {
	w := newWorld(t, nil)
	w.register(bob)
	w.want("", "GET", "/v1/accounts/sms/code/"+alice, nil, 204, "-")
	w.want(alice, "PUT", "/v1/accounts/code/"+w.sms.codes[alice], api.AccountAttributes{RegistrationID: 5, FetchesMessages: true}, 204, "-")
	w.want(bob, "PUT", "/v1/messages/"+alice, message(1, [2]uint32{1, 5}), 404, "") // not active: no keys yet
	identity := api.Bytes(newKey(w).Public().Bytes())
	key := func(id uint32) api.PreKeyV1 {
		return api.PreKeyV1{KeyID: id, PublicKey: newKey(w).Public().Bytes(), IdentityKey: identity}
	}
	last := key(0xffffff)
	k := api.PreKeysV1{LastResortKey: &last, Keys: []api.PreKeyV1{key(1), key(2)}}
	w.want(alice, "PUT", "/v1/keys", api.PreKeysV1{Keys: k.Keys}, 422, `{"error":"lastResortKey is missing"}`)
	w.want(alice, "PUT", "/v1/keys", k, 204, "-")
	w.want(alice, "GET", "/v1/keys", nil, 200, `{"count":2}`)
	give := func(k api.PreKeyV1) api.PreKeyV1 { k.DeviceID, k.RegistrationID = 1, 5; return k }
	w.want(bob, "GET", "/v1/keys/"+alice, nil, 200, mustJSON(give(k.Keys[0])))
	w.want(bob, "GET", "/v1/keys/"+alice+"/*", nil, 200, mustJSON(api.PreKeysV1{Keys: []api.PreKeyV1{give(k.Keys[1])}}))
	w.want(bob, "GET", "/v1/keys/"+alice+"/1", nil, 200, mustJSON(api.PreKeysV1{Keys: []api.PreKeyV1{give(last)}}))
	w.want(bob, "PUT", "/v1/messages/"+alice, message(1, [2]uint32{1, 5}), 200, `{"needsSync":false}`)
}

// 1,000 fetches at once: no one-time key twice (threats.md). The limit is off, so that it is the store that holds.
func TestNoPrekeyTwice(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.LimitFactor = 0 })
	p := w.register(alice)
	w.register(bob)
	const n = 1000
	k := p.preKeys(w, 0)
	public := newKey(w).Public().Bytes()
	for id := range uint32(n - 100) {
		k.PreKeys = append(k.PreKeys, api.PreKey{KeyID: id + 1, PublicKey: public})
	}
	w.want(alice, "PUT", "/v2/keys", k, 204, "-")
	var mu sync.Mutex
	seen, none := map[uint32]int{}, 0
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			for range n / 20 {
				rec := httptest.NewRecorder()
				w.server.ServeHTTP(rec, w.request(bob, "GET", "/v2/keys/"+alice+"/1", nil))
				var b api.Bundles
				if err := json.Unmarshal(rec.Body.Bytes(), &b); err != nil || len(b.Devices) != 1 {
					t.Errorf("%d %s", rec.Code, rec.Body)
					return
				}
				mu.Lock()
				if k := b.Devices[0].PreKey; k != nil {
					seen[k.KeyID]++
				} else {
					none++
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(seen) != n-100 || none != 100 {
		t.Errorf("%d keys were given out, and %d times none; want %d and 100", len(seen), none, n-100)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("key %d was given out %d times", id, times)
		}
	}
}
