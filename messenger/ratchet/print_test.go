package ratchet_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/braid"
	"github.com/countersign-project/countersign/messenger/braid/split"
	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/kdf"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/provision"
	"github.com/countersign-project/countersign/messenger/ratchet"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Whatever holds a secret, and is printed by mistake with whatever verb, prints none of it.
func TestNothingPrintsItsSecrets(t *testing.T) {
	var secret keys.Secret
	copy(secret[:], strings.Repeat("SECRET##", 4))
	key, err := keys.NewPrivate(secret)
	if err != nil {
		t.Fatal(err)
	}
	secret = key.Scalar()
	encapsulation, err := split.ParseEncapsulation(append(secret[:], secret[:]...))
	if err != nil {
		t.Fatal(err)
	}
	alice, _ := pair(t, handshake.LevelV4SPQR)
	values := []any{
		secret, key, encapsulation, &encapsulation, braid.New(secret, true, false), handshake.Agreement{Root: secret}, &handshake.Agreement{Chain: secret},
		handshake.Prekeys{Signed: key}, kdf.Message{Cipher: secret, MAC: secret}, &kdf.Message{MAC: secret}, wire.Distribution{ChainKey: secret},
		wire.ProvisionMessage{IdentityPrivate: secret}, wire.DeviceIdentity{IdentityPrivate: secret}, provision.Account{Identity: key},
		ratchet.Setting{Identity: key}, alice.record, wire.Attachment{Key: secret[:]}, &wire.Data{ProfileKey: secret[:], Attachments: []wire.Attachment{{Key: secret[:]}}},
		&wire.Content{SenderKey: secret[:]}, wire.ProvisionMessage{ProfileKey: secret[:]}, provision.Account{ProfileKey: secret[:]},
	}
	forms := []string{string(secret[8:16]), hex.EncodeToString(secret[8:16]), strings.ToUpper(hex.EncodeToString(secret[8:16])), strings.Trim(fmt.Sprint(secret[8:16]), "[]"), "0x53, 0x45, 0x43"}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
			out := fmt.Sprintf(verb, v)
			for _, f := range forms {
				if strings.Contains(out, f) {
					t.Errorf("%T with %s prints %q", v, verb, f)
				}
			}
			if _, is := v.(*ratchet.Record); is && len(out) > 80 {
				t.Errorf("a record prints %q", out)
			}
		}
	}
}
