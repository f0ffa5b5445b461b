package refusal_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/countersign-project/countersign/messenger/refusal"
)

func TestCallersSwitchOnTheKind(t *testing.T) {
	err := fmt.Errorf("from alice: %w", refusal.Because(refusal.Duplicate, "counter %d", 7))
	if got := refusal.Of(err); got != refusal.Duplicate {
		t.Errorf("kind %q", got)
	}
	if !errors.Is(err, refusal.Duplicate) || errors.Is(err, refusal.NoSession) {
		t.Error("errors.Is does not see the kind")
	}
	if err.Error() != "from alice: duplicate message: counter 7" {
		t.Error(err)
	}
	if refusal.Of(errors.New("disk full")) != "" || refusal.Of(nil) != "" {
		t.Error("a foreign error has a kind")
	}
}

func TestUntrustedIdentityNamesThePersonAndCarriesTheKey(t *testing.T) {
	err := error(&refusal.UntrustedIdentityError{Name: "+14151111111", Key: [32]byte{1}})
	if refusal.Of(err) != refusal.UntrustedIdentity {
		t.Error("wrong kind")
	}
	if err.Error() != `untrusted identity: the identity key of "+14151111111" is not the one on record` {
		t.Error(err)
	}
}

func TestMissingThingsAreNotRefusals(t *testing.T) {
	for k, want := range map[refusal.Kind]bool{
		refusal.Duplicate: true, refusal.InvalidMessage: true, refusal.Downgrade: true, refusal.UntrustedIdentity: true,
		refusal.NoSession: false, refusal.InvalidKeyID: false, refusal.StaleBundle: false,
	} {
		var r interface{ Refused() bool }
		if !errors.As(refusal.Because(k, "x"), &r) || r.Refused() != want {
			t.Errorf("%s: refused is not %v", k, want)
		}
	}
}
