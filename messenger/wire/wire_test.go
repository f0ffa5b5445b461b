package wire_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"reflect"
	"testing"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

func key(t testing.TB) keys.Public {
	t.Helper()
	k, err := keys.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k.Public()
}

func eight([]byte) [8]byte { return [8]byte{1, 2, 3, 4, 5, 6, 7, 8} }

func signal(t testing.TB, version uint8) []byte {
	m := wire.Signal{VersionByte: wire.VersionByte(version), RatchetKey: key(t), Counter: 300, Previous: 2, Ciphertext: make([]byte, 16), PQ: []byte{1, 1, 1, 0}}
	return m.Seal(eight)
}

func prekey(t testing.TB, version uint8) []byte {
	m := wire.PreKey{VersionByte: wire.VersionByte(version), RegistrationID: 5, PreKeyID: 31337, OneTime: true, BaseKey: key(t), Identity: key(t)}
	if version >= wire.V3 {
		m.SignedPreKeyID = 22
	}
	if version >= wire.V4 {
		m.KyberPreKeyID, m.Kyber = 77, make([]byte, keys.KyberCiphertextSize)
	}
	return m.Encode(signal(t, version))
}

func TestSignalRoundTrip(t *testing.T) {
	k := key(t)
	in := wire.Signal{VersionByte: 0x34, RatchetKey: k, Counter: 7, Previous: 3, Ciphertext: []byte("0123456789abcdef"), PQ: []byte{1, 1, 1, 0}, Addresses: make([]byte, 36)}
	b := in.Seal(eight)
	m, err := wire.ParseSignal(b)
	if err != nil {
		t.Fatal(err)
	}
	if m.RatchetKey != k || m.Counter != 7 || m.Previous != 3 || string(m.Ciphertext) != "0123456789abcdef" || m.Version() != 3 || len(m.Addresses) != 36 || len(m.PQ) != 4 {
		t.Errorf("%+v", m)
	}
	if m.MAC() != eight(nil) || !bytes.Equal(m.Covered(), b[:len(b)-8]) {
		t.Error("MAC or covered bytes differ")
	}
}

func TestPreKeyRoundTrip(t *testing.T) {
	for _, v := range []uint8{2, 3, 4} {
		m, err := wire.ParsePreKey(prekey(t, v))
		if err != nil {
			t.Fatal(err)
		}
		if m.Version() != v || m.RegistrationID != 5 || !m.OneTime || m.PreKeyID != 31337 || m.Inner.Counter != 300 {
			t.Errorf("%+v", m)
		}
	}
}

// What is refused, and in which words.
func TestRefusals(t *testing.T) {
	parse := map[string]func([]byte) error{
		"signal":       func(b []byte) error { _, err := wire.ParseSignal(b); return err },
		"prekey":       func(b []byte) error { _, err := wire.ParsePreKey(b); return err },
		"sender key":   func(b []byte) error { _, err := wire.ParseSenderKey(b); return err },
		"distribution": func(b []byte) error { _, err := wire.ParseDistribution(b); return err },
		"spqr":         func(b []byte) error { _, err := wire.ParseSPQR(b); return err },
		"scannable":    func(b []byte) error { _, err := wire.ParseScannable(b); return err },
	}
	with := func(b []byte, i int, v byte) []byte { b = bytes.Clone(b); b[i] = v; return b }
	s, p3, p4 := signal(t, 3), prekey(t, 3), prekey(t, 4)
	inner := func(outer, inner byte) []byte {
		m := wire.PreKey{VersionByte: outer, SignedPreKeyID: 1, BaseKey: key(t), Identity: key(t)}
		return m.Encode(with(s, 0, inner))
	}
	halfKyber := wire.PreKey{VersionByte: 0x44, SignedPreKeyID: 1, BaseKey: key(t), Identity: key(t), Kyber: []byte{8}}
	tests := []struct {
		kind string
		in   []byte
		want string
	}{
		{"signal", nil, "invalid message: signal message: got 0 bytes, want at least 9"},
		{"signal", with(s, 0, 0x13), "legacy version: version byte 0x13"},
		{"signal", with(s, 0, 0x54), "unknown version: version byte 0x54, want at most 0x40"},
		{"signal", s[:1+8], "invalid message: signal message lacks ratchet key, counter or ciphertext"},
		{"signal", s[:30], "invalid message: signal message is not a protobuf of that kind"},
		{"signal", with(s, 3, 6), "invalid key: public key: got type 0x06, want 0x05"},
		{"signal", make([]byte, wire.MaxMessage+1), "invalid message: signal message: got 262145 bytes, want at most 262144"},
		{"prekey", nil, "invalid message: prekey message: got 0 bytes, want at least 1"},
		{"prekey", with(p3, 0, 0x44), "invalid message: prekey message of version 4 lacks kyber prekey id or ciphertext"},
		{"prekey", with(p4, 0, 0x34), "invalid message: prekey message of version 3 has kyber fields"},
		{"prekey", halfKyber.Encode(s), "invalid message: prekey message of version 4 has a kyber ciphertext of the wrong length"},
		{"prekey", inner(0x34, 0x33), "invalid message: prekey message: version byte 0x34 around 0x33"},
		{"prekey", inner(0x24, 0x24), "invalid message: prekey message of version 2 lacks the prekey id"},
		{"prekey", []byte{0x34}, "invalid message: prekey message of version 3 lacks base key, identity key or message"},
		{"sender key", []byte{0x33}, "invalid message: sender-key message: got 1 bytes, want at least 65"},
		{"sender key", append([]byte{0x23}, make([]byte, 64)...), "legacy version: sender-key version byte 0x23"},
		{"sender key", append([]byte{0x43}, make([]byte, 64)...), "unknown version: sender-key version byte 0x43"},
		{"sender key", append([]byte{0x33}, make([]byte, 64)...), "invalid message: sender-key message lacks distribution id, chain id, iteration or ciphertext"},
		{"distribution", []byte{0x33}, "invalid message: sender-key distribution lacks distribution id, chain id or iteration"},
		{"distribution", []byte{0x33, 0x08, 1, 0x10, 1}, "invalid message: sender-key distribution: chain key of 0 bytes, want 32"},
		{"spqr", nil, "invalid message: spqr message: unknown version"},
		{"spqr", []byte{1, 0, 1, 0}, "invalid message: spqr message: bad epoch or index"},
		{"spqr", []byte{1, 1, 1, 7}, "invalid message: spqr message: unknown kind 7"},
		{"spqr", []byte{1, 1, 1, 5, 0, 1}, "invalid message: spqr message: bad chunk"},
		{"scannable", []byte{8, 0, 0x12, 0, 0x1a, 0}, "legacy version: scanned code of version 0"},
		{"scannable", []byte{8, 1, 0x12, 0, 0x1a, 0}, "invalid message: scanned code: fingerprints of 0 and 0 bytes, want 32"},
		{"scannable", nil, "invalid message: scanned code lacks version or fingerprints"},
	}
	for _, test := range tests {
		err := parse[test.kind](test.in)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s %.20x: got %v, want %q", test.kind, test.in, err, test.want)
		}
		if refusal.Of(err) == "" {
			t.Errorf("%s: %v has no kind", test.kind, err)
		}
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	b := signal(t, 3)
	longer := append(append(bytes.Clone(b[:len(b)-8]), 0x98, 0x06, 0x05), b[len(b)-8:]...) // field 99
	if _, err := wire.ParseSignal(longer); err != nil {
		t.Error(err)
	}
}

func TestEveryPrefixIsRefusedOrHarmless(t *testing.T) {
	for _, b := range [][]byte{signal(t, 3), prekey(t, 3), prekey(t, 4)} {
		for n := range b {
			wire.ParseSignal(b[:n])
			if m, err := wire.ParsePreKey(b[:n]); err == nil && m.Inner == nil {
				t.Fatal("a prekey message without an inner one")
			}
		}
	}
}

func TestBothSenderKeyLayouts(t *testing.T) {
	sign := func([]byte) ([64]byte, error) { return [64]byte{9}, nil }
	m := wire.SenderKey{Distribution: [16]byte{1}, Chain: 2, Iteration: 3, Ciphertext: []byte("c")}
	b, err := m.Seal(sign)
	if err != nil {
		t.Fatal(err)
	}
	got, err := wire.ParseSenderKey(b)
	if err != nil || got.Old || got.Distribution != m.Distribution || got.Chain != 2 || got.Iteration != 3 || got.Signature() != [64]byte{9} {
		t.Errorf("%+v %v", got, err)
	}
	old := append([]byte{0x33, 0x08, 7, 0x10, 4, 0x1a, 1, 'c'}, make([]byte, 64)...)
	got, err = wire.ParseSenderKey(old)
	if err != nil || !got.Old || got.Chain != 7 || got.Iteration != 4 || string(got.Ciphertext) != "c" {
		t.Errorf("%+v %v", got, err)
	}
	k := key(t)
	d := wire.Distribution{Distribution: [16]byte{1}, Chain: 5, Iteration: 6, ChainKey: keys.Secret{7}, Signing: k}
	back, err := wire.ParseDistribution(d.Encode())
	if err != nil || *back != d {
		t.Error(back, err)
	}
	oldD := append([]byte{0x33, 0x08, 7, 0x10, 4, 0x1a, 32}, make([]byte, 32)...)
	oldD = append(append(oldD, 0x22, 33), k.Bytes()...)
	back, err = wire.ParseDistribution(oldD)
	if err != nil || !back.Old || back.Chain != 7 || back.Signing != k {
		t.Error(back, err)
	}
}

func TestPadding(t *testing.T) {
	for n := range 1000 {
		in := bytes.Repeat([]byte{'x'}, n)
		b := wire.Pad(in)
		if (len(b)+1)%160 != 0 || len(b) <= n || len(b) > n+161 {
			t.Fatalf("%d bytes padded to %d", n, len(b))
		}
		if out, err := wire.Unpad(b); err != nil || !bytes.Equal(out, in) {
			t.Fatal(n, err)
		}
	}
	for _, bad := range [][]byte{nil, {0}, make([]byte, 159), {'a', 'b'}, {0x80, 1}, {0x81, 0, 0}} {
		if _, err := wire.Unpad(bad); refusal.Of(err) != refusal.InvalidMessage {
			t.Errorf("%x: %v", bad, err)
		}
	}
	if out, err := wire.Unpad([]byte{'a', 0x80}); err != nil || string(out) != "a" { // another peer's step
		t.Error(err)
	}
}

func TestSPQRRoundTrip(t *testing.T) {
	for kind := range uint8(7) {
		in := wire.SPQR{Epoch: 300, Index: 1 << 20, Kind: kind}
		if in.HasData() {
			in.Chunk, in.Data = 65535, [32]byte{1, 2, 3}
		}
		b := in.Append(nil)
		out, err := wire.ParseSPQR(b)
		if err != nil || out != in {
			t.Error(fmt.Sprint(out), err)
		}
		for n := range b {
			if _, err := wire.ParseSPQR(b[:n]); err == nil {
				t.Errorf("kind %d: prefix of %d bytes accepted", kind, n)
			}
		}
	}
}

func TestProvisionRoundTrip(t *testing.T) {
	e := wire.ProvisionEnvelope{Ephemeral: key(t), Body: []byte("body")}
	if got, err := wire.ParseProvisionEnvelope(e.Encode()); err != nil || !reflect.DeepEqual(got, e) {
		t.Error(got, err)
	}
	m := wire.ProvisionMessage{IdentityPrivate: keys.Secret{1}, IdentityPublic: key(t).Bytes(), Number: "+1", Code: "123456", UserAgent: "a", ProfileKey: []byte{1}, ReadReceipts: true, UUID: "u", Version: 1, History: 7}
	if got, err := wire.ParseProvisionMessage(m.Encode()); err != nil || !reflect.DeepEqual(got, m) {
		t.Error(got.Number, err)
	}
	d := wire.DeviceIdentity{IdentityPrivate: keys.Secret{1}, Number: "+1", Server: "s", MasterSupportsSMS: true, Code: 7}
	if got, err := wire.ParseDeviceIdentity(d.Encode()); err != nil || got != d {
		t.Error(got.Number, err)
	}
	for _, parse := range []func([]byte) error{
		func(b []byte) error { _, err := wire.ParseProvisionEnvelope(b); return err },
		func(b []byte) error { _, err := wire.ParseProvisionMessage(b); return err },
		func(b []byte) error { _, err := wire.ParseDeviceIdentity(b); return err },
	} {
		if refusal.Of(parse(make([]byte, 9000))) != refusal.InvalidMessage || refusal.Of(parse(nil)) == "" {
			t.Error("too long or empty is not refused")
		}
	}
}
