package keys_test

import (
	"testing"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/vector"
)

func TestAgreementVectors(t *testing.T) {
	for _, v := range vector.All(t, "testdata") {
		t.Run(v.Name, func(t *testing.T) {
			a, err := keys.NewPrivate(v.Bytes32("privateA"))
			if err != nil {
				t.Fatal(err)
			}
			b, err := keys.NewPrivate(v.Bytes32("privateB"))
			if err != nil {
				t.Fatal(err)
			}
			if a.Public() != v.Bytes32("publicA") || b.Public() != v.Bytes32("publicB") {
				t.Error("public keys differ")
			}
			ab, err1 := a.Agree(b.Public())
			ba, err2 := b.Agree(a.Public())
			v.Outcome(err1)
			if err1 != nil || err2 != nil || ab != v.Bytes32("shared") || ba != ab {
				t.Error("secrets differ", err1, err2)
			}
		})
	}
}
