package introduction

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/xeddsa"
)

func key(first byte) (k keys.Public) {
	k[0] = first
	return k
}

func sample() Statement {
	return Statement{Time: 1448000000000, Recipient: Person{"+999", key(9)}, Other: Person{"+888@b.example", key(8)}}
}

func sampleHex() string {
	zeros := strings.Repeat("00", 31)
	return "4353494e31" + "0000015123869000" + "0004" + "2b393939" + "0021" + "0509" + zeros + "000e" + "2b38383840622e6578616d706c65" + "0021" + "0508" + zeros
}

func identity(t testing.TB) *keys.Private {
	k, err := keys.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSignAndOpen(t *testing.T) {
	id := identity(t)
	b, sig, err := sample().Sign(id, rand.Reader)
	if err != nil || hex.EncodeToString(b) != sampleHex() {
		t.Fatalf("%x, %v", b, err)
	}
	s, err := Open(id.Public(), b, sig[:])
	if err != nil || s != sample() {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := Open(identity(t).Public(), b, sig[:]); refusal.Of(err) != refusal.InvalidKey {
		t.Errorf("another introducer: %v", err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if _, err := Open(id.Public(), bad, sig[:]); refusal.Of(err) != refusal.InvalidKey {
			t.Errorf("byte %d flipped: %v", i, err)
		}
		if _, err := Open(id.Public(), b[:i], sig[:]); refusal.Of(err) != refusal.InvalidKey {
			t.Errorf("cut to %d: %v", i, err)
		}
	}
	for i := range sig {
		bad := sig
		bad[i] ^= 1
		if _, err := Open(id.Public(), b, bad[:]); refusal.Of(err) != refusal.InvalidKey {
			t.Errorf("byte %d of the signature flipped: %v", i, err)
		}
	}
	// Moved to other people it is another statement.
	moved := Statement{Time: sample().Time, Recipient: sample().Other, Other: sample().Recipient}
	if _, err := Open(id.Public(), moved.Encode(), sig[:]); refusal.Of(err) != refusal.InvalidKey {
		t.Errorf("moved: %v", err)
	}
}

// A signature over the same bytes for another purpose is none here.
func TestDomainIsSeparate(t *testing.T) {
	id := identity(t)
	b := sample().Encode()
	for _, prefix := range []string{"", "Countersign device list\x00", "Countersign introduction"} {
		sig, err := xeddsa.Sign(id, append([]byte(prefix), b...), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(id.Public(), b, sig[:]); refusal.Of(err) != refusal.InvalidKey {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

func TestOneEncoding(t *testing.T) {
	good := sample().Encode()
	long := sample()
	long.Recipient.Address = strings.Repeat("1", MaxAddress+1)
	largest := sample()
	largest.Recipient.Address, largest.Other.Address = strings.Repeat("1", MaxAddress), strings.Repeat("2", MaxAddress)
	both := long
	both.Other.Address = long.Recipient.Address
	none, timeless, twins := sample(), sample(), sample()
	none.Other.Address, timeless.Time, twins.Other.Key = "", 0, twins.Recipient.Key
	otherKind := bytes.Clone(good)
	otherKind[len(good)-33] = 6
	short := binary.BigEndian.AppendUint16(bytes.Clone(good[:len(good)-35]), 32)
	short = append(short, make([]byte, 32)...)
	if s, err := Parse(largest.Encode()); err != nil || s != largest || len(largest.Encode()) != MaxSize {
		t.Error(s, err)
	}
	wide := binary.BigEndian.AppendUint16(bytes.Clone(good[:len(good)-35]), 34)
	wide = append(append(wide, good[len(good)-33:]...), 0)
	for _, c := range []struct {
		name string
		in   []byte
		want string
	}{
		{"nothing", nil, "invalid message: introduction: no statement of the form CSIN1"},
		{"another form", append([]byte("CSIN2"), good[5:]...), "invalid message: introduction: no statement of the form CSIN1"},
		{"longer", append(bytes.Clone(good), 0), "invalid message: introduction: 1 bytes behind its end"},
		{"too long", both.Encode(), fmt.Sprintf("invalid message: introduction: got %d bytes, want at most %d", MaxSize+2, MaxSize)},
		{"long address", long.Encode(), "invalid message: introduction: got an address of 101 bytes, want 1 to 100"},
		{"no address", none.Encode(), "invalid message: introduction: got an address of 0 bytes, want 1 to 100"},
		{"no time", timeless.Encode(), "invalid message: introduction: it has no time"},
		{"one key", twins.Encode(), "invalid message: introduction: both people have one key"},
		{"key of another kind", otherKind, "invalid key: public key: got type 0x06, want 0x05"},
		{"short key", short, "invalid key: public key: got 32 bytes, want 33"},
		{"long key", wide, "invalid message: introduction: got a key of 34 bytes, want 33"},
		{"cut off", good[:len(good)-1], "invalid message: introduction: it is cut off"},
	} {
		if _, err := Parse(c.in); fmt.Sprint(err) != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
	for _, bad := range []Statement{long, none, timeless, twins} {
		if _, _, err := bad.Sign(identity(t), rand.Reader); refusal.Of(err) != refusal.InvalidMessage {
			t.Errorf("%+v is signed: %v", bad, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample().Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			if refusal.Of(err) == "" {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(s.Encode(), b) {
			t.Fatalf("%x became %x", b, s.Encode())
		}
	})
}
