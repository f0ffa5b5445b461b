package server

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/devicelist"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/store"
)

func TestDevices(t *testing.T) {
	w := newWorld(t, nil)
	p := w.register(alice)
	day := store.DayOf(w.clock.Now()).Time().UnixMilli() // whole days only
	w.want(alice, "GET", "/v1/devices/", nil, 200, fmt.Sprintf(`{"devices":[{"id":1,"name":"","lastSeen":%d,"created":%d}]}`, day, day))
	second := w.link(p, 6)
	if second != alice+".2" {
		t.Fatal(second)
	}
	if got := get[api.Devices](w, second, "/v1/devices"); len(got.Devices) != 2 {
		t.Errorf("%+v", got)
	}
	w.want(second, "GET", "/v1/devices/provisioning/code", nil, 401, "")
	w.want(second, "DELETE", "/v1/devices/2", nil, 401, "")
	w.want(alice, "DELETE", "/v1/devices/1", nil, 403, "")
	w.want(alice, "DELETE", "/v1/devices/x", nil, 400, "")
	w.want(alice, "DELETE", "/v1/devices/7", nil, 404, "")
	w.want(alice, "DELETE", "/v1/devices/2/", nil, 204, "-")
	w.want(second, "GET", "/v1/devices", nil, 401, "")
}

func TestDeviceCodes(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxDevices = 2 })
	p := w.register(alice)
	code := get[api.VerificationCode](w, alice, "/v1/devices/provisioning/code").Code
	w.want("", "PUT", "/v1/devices/"+code, api.AccountAttributes{}, 401, "")
	w.want(bob, "PUT", "/v1/devices/"+code, api.AccountAttributes{}, 403, "") // nobody's
	w.want(alice, "PUT", "/v1/devices/000000", api.AccountAttributes{}, 403, "")
	w.want(alice, "PUT", "/v1/devices/"+code, api.AccountAttributes{RegistrationID: 6, FetchesMessages: true, Name: "n"}, 200, `{"deviceId":2}`)
	w.want(alice, "PUT", "/v1/devices/"+code, api.AccountAttributes{}, 413, "") // two tries a minute
	w.clock.add(time.Minute)
	w.want(alice, "PUT", "/v1/devices/"+code, api.AccountAttributes{}, 403, "") // used
	w.want(alice+".2", "PUT", "/v2/keys", p.preKeys(w, 1), 204, "-")
	w.want(alice, "GET", "/v1/devices/provisioning/code", nil, 411, `{"current":2,"max":2}`)
	// A linked device that was away for a month makes place.
	w.clock.add(31 * 24 * time.Hour)
	w.want(alice, "GET", "/v1/devices", nil, 200, "")
	w.link(p, 7)
	w.want(alice+".2", "GET", "/v2/keys", nil, 200, `{"count":3}`)
	if d := get[api.Devices](w, alice, "/v1/devices"); len(d.Devices) != 2 {
		t.Errorf("%+v", d)
	}
	w.clock.add(10 * time.Minute)
	w.want(alice, "DELETE", "/v1/devices/2", nil, 204, "-")
	code = get[api.VerificationCode](w, alice, "/v1/devices/provisioning/code").Code
	w.clock.add(linkLifetime)
	w.want(alice, "PUT", "/v1/devices/"+code, api.AccountAttributes{}, 403, "") // too old
}

func TestSignedDeviceList(t *testing.T) {
	w := newWorld(t, nil)
	p := w.register(alice)
	w.register(bob)
	w.want(bob, "GET", "/v3/devices/list/"+alice, nil, 404, "")
	sign := func(serial uint64) api.DeviceList {
		list, sig, err := devicelist.List{Serial: serial, Made: 5, Devices: []devicelist.Device{{ID: 1, RegistrationID: 5}}}.Sign(p.identity, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return api.DeviceList{List: list, Signature: sig[:]}
	}
	two := sign(2)
	w.want(bob, "PUT", "/v3/devices/list", two, 422, "") // not bob's identity
	w.want(alice, "PUT", "/v3/devices/list", two, 204, "-")
	w.want(alice, "PUT", "/v3/devices/list", sign(1), 409, `{"error":"serial 1 is not above the one on record"}`)
	want, _ := json.Marshal(two)
	w.want(bob, "GET", "/v3/devices/list/"+alice, nil, 200, string(want))
	if b := get[api.BundlesV3](w, bob, "/v3/keys/"+alice+"/*"); b.DeviceList == nil || b.DeviceList.List.String() != two.List.String() {
		t.Errorf("%+v", b.DeviceList)
	}
}
