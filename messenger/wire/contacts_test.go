package wire_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/countersign-project/countersign/messenger/wire"
)

func TestContacts(t *testing.T) {
	list := []wire.Contact{{Number: "+1", Name: "Alice", ProfileKey: make([]byte, 32), ExpireTimer: 60}, {Number: "+2", Blocked: true}}
	b := wire.EncodeContacts(list)
	got, err := wire.ParseContacts(b)
	if err != nil || !reflect.DeepEqual(got, list) {
		t.Fatalf("%+v, %v", got, err)
	}
	// A picture of three bytes behind an entry, as other clients send it.
	with := append([]byte{8, 0x0a, 2, '+', '3', 0x1a, 2, 0x10, 3}, "abc"...)
	if got, err := wire.ParseContacts(append(with, b...)); err != nil || len(got) != 3 || got[0].Number != "+3" {
		t.Errorf("%+v, %v", got, err)
	}
	for n := 1; n < len(b); n++ {
		if got, err := wire.ParseContacts(b[:n]); err == nil && len(got) != 1 {
			t.Errorf("%d bytes of %d: %+v", n, len(b), got)
		}
	}
}

func FuzzContacts(f *testing.F) {
	f.Add(wire.EncodeContacts([]wire.Contact{{Number: "+1", Name: "x"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := wire.ParseContacts(b)
		if err != nil {
			return
		}
		first := wire.EncodeContacts(list)
		again, err := wire.ParseContacts(first)
		if err != nil || !bytes.Equal(wire.EncodeContacts(again), first) {
			t.Fatalf("%+v became %+v, %v", list, again, err)
		}
	})
}
