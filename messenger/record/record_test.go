package record_test

import (
	"testing"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/record"
)

func TestRoundTripAndEveryPrefix(t *testing.T) {
	var w record.Writer
	w.U8(1)
	w.U32(2)
	w.U64(3)
	w.Bool(true)
	w.Secret(keys.Secret{4})
	w.Public(keys.Public{5})
	w.Var([]byte("six"))
	w.Var(nil)
	w.Fixed([]byte{7})
	read := func(b []byte) error {
		r := record.NewReader(b)
		if a, b, c, d := r.U8(), r.U32(), r.U64(), r.Bool(); r.Err() == nil && (a != 1 || b != 2 || c != 3 || !d) {
			t.Error("numbers differ")
		}
		if s, p := r.Secret(), r.Public(); r.Err() == nil && (s != keys.Secret{4} || p != keys.Public{5}) {
			t.Error("keys differ")
		}
		if v, e, f := r.Var(3), r.Var(3), r.Fixed(1); r.Err() == nil && (string(v) != "six" || e != nil || f[0] != 7) {
			t.Error("bytes differ")
		}
		return r.End()
	}
	b := w.Bytes()
	if err := read(b); err != nil {
		t.Fatal(err)
	}
	for n := range b {
		if read(b[:n]) == nil {
			t.Errorf("prefix of %d bytes accepted", n)
		}
	}
	if err := read(append(b, 0)); err == nil || err.Error() != "stored record: 1 bytes too many" {
		t.Error(err)
	}
	if r := record.NewReader([]byte{2}); r.Bool() || r.Err() == nil {
		t.Error("2 is neither yes nor no")
	}
	if r := record.NewReader([]byte{0, 0, 0, 9, 1}); r.Var(8) != nil || r.Err().Error() != "stored record: got a count of 9, want at most 8" {
		t.Error("limit of a length ignored")
	}
}
