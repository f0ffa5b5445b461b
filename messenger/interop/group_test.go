package interop_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/safety"
	"github.com/countersign-project/countersign/messenger/senderkey"
	"github.com/countersign-project/countersign/messenger/wire"
	"github.com/countersign-project/countersign/messenger/xeddsa"
)

var versions = []string{lastX3DH, current}

func TestSenderKeysBothWays(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			p := startPeer(t, version, "+14152222222")
			id, err := senderkey.DistributionID(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			s, err := senderkey.NewSender(id, now, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			d := s.Distribution()
			ask[bool](p, "takeSenderKey", map[string]any{"peer": "+14151111111", "body": d.Encode()})
			var all [][]byte
			for i := range 20 {
				m, err := s.Encrypt([]byte(fmt.Sprint("ours ", i)), rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, m)
			}
			for _, i := range []int{3, 0, 1, 19, 7} {
				if got := ask[[]byte](p, "groupDecrypt", map[string]any{"peer": "+14151111111", "body": all[i]}); string(got) != fmt.Sprint("ours ", i) {
					t.Errorf("the peer reads %q", got)
				}
			}

			h := hex.EncodeToString(id[:])
			uuid := h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
			var r senderkey.Receiver
			theirs, err := wire.ParseDistribution(ask[[]byte](p, "senderKey", map[string]any{"distribution": uuid}))
			if err != nil || theirs.Distribution != id || theirs.Old {
				t.Fatal(theirs, err)
			}
			r.Accept(theirs)
			all = nil
			for i := range 20 {
				all = append(all, ask[[]byte](p, "groupEncrypt", map[string]any{"distribution": uuid, "text": []byte(fmt.Sprint("theirs ", i))}))
			}
			for _, i := range []int{3, 0, 1, 19, 7} {
				if got, err := r.Decrypt(all[i]); err != nil || string(got) != fmt.Sprint("theirs ", i) {
					t.Errorf("we read %q, %v", got, err)
				}
			}
		})
	}
}

// The layout before distribution ids is what libsignal-protocol-c writes. We read it, and write today's.
func TestOldSenderKeyLayout(t *testing.T) {
	p := startAxc(t, "peer.c")
	d, err := wire.ParseDistribution(p.bytes(p.ask("senderkey")[0]))
	if err != nil || !d.Old {
		t.Fatalf("%+v, %v", d, err)
	}
	var r senderkey.Receiver
	r.Accept(d)
	var all [][]byte
	for i := range 20 {
		all = append(all, p.bytes(p.ask("groupencrypt", hex.EncodeToString([]byte(fmt.Sprint("theirs ", i))))[0]))
	}
	for _, i := range []int{3, 0, 1, 19, 7} {
		if got, err := r.Decrypt(all[i]); err != nil || string(got) != fmt.Sprint("theirs ", i) {
			t.Errorf("we read %q, %v", got, err)
		}
		if _, err := r.Decrypt(all[i]); refusal.Of(err) != refusal.Duplicate {
			t.Errorf("a second time: %v", err)
		}
	}
}

func TestSafetyNumbersAndCodes(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			p := startPeer(t, version, "+14152222222")
			their, err := keys.ParsePublic(p.identity)
			if err != nil {
				t.Fatal(err)
			}
			us := safety.Person{ID: []byte("+14151111111"), Key: newKey(t).Public()}
			them := safety.Person{ID: []byte("+14152222222"), Key: their}
			for v := uint32(1); v <= 2; v++ {
				ours := safety.New(v, us, them)
				got := ask[struct {
					Display   string
					Scannable []byte
				}](p, "fingerprint", map[string]any{"version": v, "local": them.ID, "localKey": them.Key.Bytes(), "remote": us.ID, "remoteKey": us.Key.Bytes()})
				if got.Display != ours.Digits() {
					t.Errorf("version %d: the peer shows %s, we %s", v, got.Display, ours.Digits())
				}
				if !bytes.Equal(got.Scannable, safety.New(v, them, us).Scannable()) {
					t.Errorf("version %d: codes differ: %x", v, got.Scannable)
				}
				if err := ours.Compare(got.Scannable); err != nil {
					t.Error(err)
				}
				if !ask[bool](p, "compare", map[string]any{"ours": got.Scannable, "theirs": ours.Scannable()}) {
					t.Error("the peer does not accept our code")
				}
			}
		})
	}
}

// The C library makes and reads codes of version 1.
func TestSafetyNumbersOfLibsignalProtocolC(t *testing.T) {
	p := startAxc(t, "peer.c")
	us := safety.Person{ID: []byte("+14151111111"), Key: newKey(t).Public()}
	them := safety.Person{ID: []byte("+14152222222"), Key: newKey(t).Public()}
	ours := safety.New(1, us, them)
	w := p.ask("fingerprint", string(them.ID), hex.EncodeToString(them.Key.Bytes()), string(us.ID), hex.EncodeToString(us.Key.Bytes()))
	if w[0] != ours.Digits() {
		t.Errorf("the peer shows %s, we %s", w[0], ours.Digits())
	}
	if !bytes.Equal(p.bytes(w[1]), safety.New(1, them, us).Scannable()) {
		t.Errorf("codes differ: %s", w[1])
	}
	if err := ours.Compare(p.bytes(w[1])); err != nil {
		t.Error(err)
	}
	other := safety.New(1, us, safety.Person{ID: them.ID, Key: newKey(t).Public()})
	for code, want := range map[string]string{hex.EncodeToString(ours.Scannable()): "1", hex.EncodeToString(other.Scannable()): "0"} {
		if got := p.ask("compare", w[1], code); got[0] != want {
			t.Errorf("the peer compares our code to its own: got %s, want %s", got[0], want)
		}
	}
}

func TestSignaturesBothWays(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			p := startPeer(t, version, "+14152222222")
			their, err := keys.ParsePublic(p.identity)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 40 {
				text := []byte(fmt.Sprint("text ", i))
				if sig := ask[[]byte](p, "sign", map[string]any{"text": text}); !xeddsa.Verify(their, text, sig) {
					t.Error("their signature does not verify")
				}
				k := newKey(t)
				sig, err := xeddsa.Sign(k, text, rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				if !ask[bool](p, "verify", map[string]any{"key": k.Public().Bytes(), "text": text, "signature": sig[:]}) {
					t.Error("our signature does not verify there")
				}
			}
		})
	}
}
