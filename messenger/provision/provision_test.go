package provision

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"reflect"
	"testing"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/vector"
	"github.com/countersign-project/countersign/messenger/wire"
)

func private(t testing.TB, b [32]byte) *keys.Private {
	t.Helper()
	k, err := keys.NewPrivate(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestVectors(t *testing.T) {
	for _, v := range vector.All(t, "testdata") {
		t.Run(v.Name, func(t *testing.T) {
			own := private(t, v.Bytes32("private"))
			if v.Text("codec") == "shipped" {
				plaintext, _, err := openFrom(own, v.Hex("envelope"), Shipped{}.body)
				if err != nil || !bytes.Equal(plaintext, v.Hex("plaintext")) {
					t.Fatalf("%x, %v", plaintext, err)
				}
				a, _, err := Shipped{}.Open(own, v.Hex("envelope"))
				v.Outcome(err)
				if err != nil || a.Number != v.Text("number") || a.Code != v.Text("code") {
					t.Errorf("%s %s, %v", a.Number, a.Code, err)
				}
				return
			}
			master := private(t, v.Bytes32("masterPrivate"))
			if !bytes.Equal(own.Public().Bytes(), v.Hex("public")) || !bytes.Equal(master.Public().Bytes(), v.Hex("masterPublic")) {
				t.Fatal("public keys differ")
			}
			agreement, err := own.Agree(master.Public())
			if err != nil || agreement != v.Bytes32("agreement") {
				t.Fatal("agreement differs", err)
			}
			k := Draft{}.body(agreement, master.Public())
			if !bytes.Equal(append(k.cipher[:], k.mac[:]...), v.Hex("keys")) {
				t.Error("keys differ")
			}
			b, err := k.seal([]byte(v.Text("text")), bytes.NewReader(v.Hex("iv")))
			if err != nil || !bytes.Equal(b, v.Hex("body")) {
				t.Errorf("body %x, %v", b, err)
			}
			got, err := k.open(v.Hex("body"))
			v.Outcome(err)
			if err != nil || string(got) != v.Text("text") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func account(t testing.TB) Account {
	k, err := keys.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Account{Identity: k, Number: "+14155550021", Code: "069073"}
}

func TestLinkADevice(t *testing.T) {
	for _, codec := range []Codec{Shipped{}, Draft{}} {
		t.Run(fmt.Sprintf("%T", codec), func(t *testing.T) {
			device, _ := keys.Generate(rand.Reader)
			a := account(t)
			if _, draft := codec.(Draft); draft {
				a.Server, a.MasterSMS = "example.org", true
			} else {
				a.UserAgent, a.ProfileKey, a.ReadReceipts, a.UUID, a.History = "agent", make([]byte, 32), true, "u", 7
			}
			envelope, shown, err := codec.Seal(device.Public(), a, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			got, shownToo, err := codec.Open(device, envelope)
			if err != nil {
				t.Fatal(err)
			}
			if got.Identity.Public() != a.Identity.Public() || shown != shownToo || len(shown) != 6 {
				t.Error("identity or digits differ", shown, shownToo)
			}
			got.Identity = a.Identity
			if !reflect.DeepEqual(got, a) {
				t.Errorf("%+v became %+v", a, got)
			}
			other, _ := keys.Generate(rand.Reader)
			if _, _, err := codec.Open(other, envelope); refusal.Of(err) != refusal.InvalidMessage {
				t.Error("another device opens it:", err)
			}
			for _, wrong := range []Codec{Shipped{}, Draft{}} {
				if _, _, err := wrong.Open(device, envelope); wrong != codec && refusal.Of(err) != refusal.UnknownVersion {
					t.Errorf("the other codec: %v", err)
				}
			}
			for i := range envelope {
				bad := bytes.Clone(envelope)
				bad[i] ^= 1
				if got, _, err := codec.Open(device, bad); err == nil || refusal.Of(err) == "" || got.Identity != nil {
					t.Errorf("byte %d: %v", i, err)
				}
				if _, _, err := codec.Open(device, envelope[:i]); refusal.Of(err) == "" {
					t.Errorf("prefix of %d bytes: %v", i, err)
				}
			}
		})
	}
}

func TestIdentityKeysMustBelongTogether(t *testing.T) {
	device, _ := keys.Generate(rand.Reader)
	a, b := account(t), account(t)
	m := wire.ProvisionMessage{IdentityPrivate: a.Identity.Scalar(), IdentityPublic: b.Identity.Public().Bytes(), Number: "+1", Code: "1"}
	envelope, _, err := sealTo(device.Public(), m.Encode(), rand.Reader, Shipped{}.body)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := (Shipped{}).Open(device, envelope); fmt.Sprint(err) != "invalid key: the identity's public key does not belong to its private key" {
		t.Error(err)
	}
	m.IdentityPublic = nil // an old master
	envelope, _, _ = sealTo(device.Public(), m.Encode(), rand.Reader, Shipped{}.body)
	if got, _, err := (Shipped{}).Open(device, envelope); err != nil || got.Identity.Public() != a.Identity.Public() {
		t.Error(err)
	}
}

func TestCodes(t *testing.T) {
	k, _ := keys.Generate(rand.Reader)
	for _, c := range []Code{{Address: "a-_=+/", Key: k.Public()}, {Address: "1-2", Key: k.Public(), Server: "example.org", Draft: true}} {
		if got, err := ParseCode(c.String()); err != nil || got != c {
			t.Errorf("%s: %+v, %v", c, got, err)
		}
	}
	today := "sgnl://linkdevice?uuid=abc&pub_key=BQaGO8ZtArQNJ7jUnKfAnpI5I2+dfSXW/Mpc4TxwZNho" // with an unescaped plus sign
	if c, err := ParseCode(today); err != nil || c.Address != "abc" || c.Draft {
		t.Error(c, err)
	}
	for text, want := range map[string]string{
		"https://example.org/?uuid=a":  `invalid message: device code with scheme "https"`,
		"sgnl://elsewhere?uuid=a":      `invalid message: device code with scheme "sgnl"`,
		"tsdevice:/?pub_key=BQ":        "invalid message: device code without an address",
		"tsdevice:/?uuid=a&pub_key=!":  "invalid key: device code: key is not base64",
		"tsdevice:/?uuid=a&pub_key=BQ": "invalid key: public key: got 1 bytes, want 33",
		"\x7f":                         "invalid message: device code is not a link",
		string(make([]byte, 1025)):     "invalid message: device code of 1025 characters, want at most 1024",
	} {
		if _, err := ParseCode(text); fmt.Sprint(err) != want {
			t.Errorf("%.20q: got %v, want %q", text, err, want)
		}
	}
	var bad wire.ProvisionEnvelope
	if _, _, err := (Shipped{}).Open(k, bad.Encode()); refusal.Of(err) != refusal.InvalidKey {
		t.Error(err)
	}
	if _, _, err := (Draft{}).Seal(k.Public(), Account{Identity: k, Code: "12-34"}, rand.Reader); fmt.Sprint(err) != `provisioning code "12-34" is not a number` {
		t.Error(err)
	}
}

// An envelope is the one that was sealed, or is refused with a kind.
func FuzzOpen(f *testing.F) {
	device, err := keys.NewPrivate(keys.Secret{1})
	if err != nil {
		f.Fatal(err)
	}
	for _, codec := range []Codec{Shipped{}, Draft{}} {
		envelope, _, err := codec.Seal(device.Public(), account(f), rand.Reader)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(envelope)
	}
	f.Fuzz(func(t *testing.T, envelope []byte) {
		for _, codec := range []Codec{Shipped{}, Draft{}} {
			a, digits, err := codec.Open(device, envelope)
			switch {
			case err == nil && (a.Number != "+14155550021" || a.Code != "069073" || len(digits) != 6):
				t.Fatalf("%T opens another account", codec)
			case err != nil && (refusal.Of(err) == "" || a.Identity != nil):
				t.Fatalf("%T: %v", codec, err)
			}
		}
	})
}

func FuzzCode(f *testing.F) {
	k, _ := keys.Generate(rand.Reader)
	f.Add(Code{Address: "a", Key: k.Public()}.String())
	f.Add(Code{Address: "a", Key: k.Public(), Server: "s", Draft: true}.String())
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCode(text)
		if err != nil {
			if refusal.Of(err) == "" {
				t.Fatal(err)
			}
			return
		}
		if again, err := ParseCode(c.String()); err != nil || again != c {
			t.Fatalf("%+v became %+v, %v", c, again, err)
		}
	})
}
