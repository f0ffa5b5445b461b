package wire_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Parse, print, parse: whatever is accepted must come back the same, and every refusal must have a kind.

func FuzzSignal(f *testing.F) {
	f.Add(signal(f, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wire.ParseSignal(b)
		if err != nil {
			known(t, err)
			return
		}
		again, err := wire.ParseSignal(m.Seal(func([]byte) [8]byte { return m.MAC() }))
		if err != nil {
			t.Fatal(err)
		}
		if again.RatchetKey != m.RatchetKey || again.Counter != m.Counter || again.Previous != m.Previous ||
			!bytes.Equal(again.Ciphertext, m.Ciphertext) || !bytes.Equal(again.PQ, m.PQ) || !bytes.Equal(again.Addresses, m.Addresses) {
			t.Fatalf("%+v became %+v", m, again)
		}
	})
}

func FuzzPreKey(f *testing.F) {
	for _, v := range []uint8{2, 3, 4} {
		f.Add(prekey(f, v))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wire.ParsePreKey(b)
		if err != nil {
			known(t, err)
			return
		}
		inner := m.Inner.Seal(func([]byte) [8]byte { return m.Inner.MAC() })
		again, err := wire.ParsePreKey(m.Encode(inner))
		if err != nil {
			t.Fatal(err)
		}
		again.Inner, m.Inner = nil, nil
		if m.Version() == wire.V2 { // written as "none", whatever was read
			m.SignedPreKeyID = again.SignedPreKeyID
		}
		if !m.OneTime {
			m.PreKeyID = 0
		}
		if !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v became %+v", m, again)
		}
	})
}

func FuzzSenderKey(f *testing.F) {
	m := wire.SenderKey{Distribution: [16]byte{1}, Chain: 2, Iteration: 3, Ciphertext: []byte("c")}
	b, _ := m.Seal(func([]byte) ([64]byte, error) { return [64]byte{}, nil })
	f.Add(b)
	d := wire.Distribution{Chain: 1, Signing: key(f)}
	f.Add(d.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := wire.ParseSenderKey(b); err != nil {
			known(t, err)
		} else if !m.Old {
			out, _ := m.Seal(func([]byte) ([64]byte, error) { return m.Signature(), nil })
			again, err := wire.ParseSenderKey(out)
			if err != nil || again.Distribution != m.Distribution || again.Chain != m.Chain || again.Iteration != m.Iteration || !bytes.Equal(again.Ciphertext, m.Ciphertext) {
				t.Fatalf("%+v became %+v: %v", m, again, err)
			}
		}
		if d, err := wire.ParseDistribution(b); err != nil {
			known(t, err)
		} else if !d.Old {
			if again, err := wire.ParseDistribution(d.Encode()); err != nil || *again != *d {
				t.Fatal("distribution changed", err)
			}
		}
	})
}

func FuzzSPQR(f *testing.F) {
	f.Add(wire.SPQR{Epoch: 1, Index: 1, Kind: wire.SPQRHeader, Chunk: 2}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wire.ParseSPQR(b)
		if err != nil {
			known(t, err)
			return
		}
		if again, err := wire.ParseSPQR(m.Append(nil)); err != nil || again != m {
			t.Fatalf("%+v became %+v: %v", m, again, err)
		}
	})
}

func FuzzScannableAndProvision(f *testing.F) {
	f.Add(wire.Scannable{Version: 1}.Encode())
	f.Add(wire.ProvisionEnvelope{Ephemeral: key(f), Body: []byte{1}}.Encode())
	f.Add(wire.ProvisionMessage{Number: "+1", Code: "1"}.Encode())
	f.Add(wire.DeviceIdentity{Number: "+1"}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := wire.ParseScannable(b); err != nil {
			known(t, err)
		} else if again, err := wire.ParseScannable(s.Encode()); err != nil || again != s {
			t.Fatal("code changed", err)
		}
		if _, err := wire.ParseProvisionEnvelope(b); err != nil {
			known(t, err)
		}
		if _, err := wire.ParseProvisionMessage(b); err != nil {
			known(t, err)
		}
		if _, err := wire.ParseDeviceIdentity(b); err != nil {
			known(t, err)
		}
	})
}

func FuzzUnpad(f *testing.F) {
	f.Add([]byte{1, 0x80, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if out, err := wire.Unpad(b); err != nil {
			known(t, err)
		} else if again, err := wire.Unpad(wire.Pad(out)); err != nil || !bytes.Equal(again, out) {
			t.Fatal("plaintext changed", err)
		}
	})
}

func known(t *testing.T, err error) {
	t.Helper()
	if refusal.Of(err) == "" {
		t.Fatalf("refusal without a kind: %v", err)
	}
}
