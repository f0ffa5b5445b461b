package devicelist

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
)

var two = List{Serial: 3, Made: 1448000000000, Devices: []Device{{1, 5}, {2, 16380}}}

const twoHex = "4353444c31" + "0000000000000003" + "0000015123869000" + "00000002" + "0000000100000005" + "0000000200003ffc"

func identity(t testing.TB) *keys.Private {
	k, err := keys.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSignAndOpen(t *testing.T) {
	id := identity(t)
	list, sig, err := two.Sign(id, rand.Reader)
	if err != nil || hex.EncodeToString(list) != twoHex {
		t.Fatalf("%x, %v", list, err)
	}
	l, err := Open(id.Public(), list, sig[:])
	if err != nil || !reflect.DeepEqual(l, two) {
		t.Fatalf("%+v, %v", l, err)
	}
	if !l.Lists(2, 16380) || l.Lists(2, 1) || l.Lists(3, 5) {
		t.Error("a device of another installation, or none, counts as listed")
	}
	if _, err := Open(identity(t).Public(), list, sig[:]); refusal.Of(err) != refusal.InvalidKey {
		t.Errorf("another identity: %v", err)
	}
	for i := range list {
		bad := bytes.Clone(list)
		bad[i] ^= 1
		if _, err := Open(id.Public(), bad, sig[:]); refusal.Of(err) != refusal.InvalidKey {
			t.Errorf("byte %d flipped: %v", i, err)
		}
		if _, err := Open(id.Public(), list[:i], sig[:]); refusal.Of(err) != refusal.InvalidKey {
			t.Errorf("cut to %d: %v", i, err)
		}
	}
}

func TestOneEncoding(t *testing.T) {
	for name, l := range map[string]List{
		"twice":      {Devices: []Device{{1, 5}, {1, 6}}},
		"descending": {Devices: []Device{{2, 5}, {1, 6}}},
		"zero":       {Devices: []Device{{0, 5}}},
		"too many":   {Devices: make([]Device, MaxDevices+1)},
	} {
		if _, _, err := l.Sign(identity(t), rand.Reader); refusal.Of(err) != refusal.InvalidMessage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(two.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parse(b)
		if err != nil {
			if refusal.Of(err) == "" {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(l.Encode(), b) {
			t.Fatalf("%x became %x", b, l.Encode())
		}
	})
}
