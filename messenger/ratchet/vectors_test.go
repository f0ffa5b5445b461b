package ratchet

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/kdf"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/vector"
	"github.com/countersign-project/countersign/messenger/wire"
)

func vectorKey(t *testing.T, b [32]byte) *keys.Private {
	t.Helper()
	k, err := keys.NewPrivate(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The messages that foreign implementations sent on the bench, in order and in reverse.
func TestVectors(t *testing.T) {
	for _, v := range vector.All(t, "../handshake/testdata") {
		for name, order := range map[string][]int{"in order": {0, 1}, "in reverse": {1, 0}} {
			t.Run(v.Name+" "+name, func(t *testing.T) {
				w := Setting{Identity: vectorKey(t, v.Bytes32("idPriv")), Policy: handshake.Policy{V2: true}, Rand: rand.Reader}
				have := handshake.Prekeys{OneTime: vectorKey(t, v.Bytes32("otpkPriv")), Signed: vectorKey(t, v.Bytes32("spkPriv"))}
				if v.Has("kemSeed") {
					have.Kyber, _ = keys.NewKyberPrivate(v.Hex("kemSeed"))
				}
				var r Record
				for n, i := range order {
					m, err := wire.ParsePreKey(v.Base64(v.All("message")[i]))
					if err != nil {
						t.Fatal(err)
					}
					o, err := r.DecryptPreKey(w, m, have)
					v.Outcome(err)
					if err != nil || string(o.Plaintext) != v.All("plaintext")[i] {
						t.Fatalf("message %d: %q, %v", i+1, o.Plaintext, err)
					}
					if o.Started != (n == 0) || o.Level.String() != v.Text("level") || o.Identity != m.Identity {
						t.Errorf("message %d: %+v", i+1, o)
					}
				}
			})
		}
	}
}

// What is made of those messages by the ways a server has: each ends as its file says, and a refusal changes nothing.
func TestMangledVectors(t *testing.T) {
	for _, v := range vector.All(t, "testdata") {
		t.Run(v.Name, func(t *testing.T) {
			w := Setting{Identity: vectorKey(t, v.Bytes32("idPriv")), Rand: rand.Reader}
			have := handshake.Prekeys{Signed: vectorKey(t, v.Bytes32("spkPriv"))}
			if v.Has("otpkPriv") {
				have.OneTime = vectorKey(t, v.Bytes32("otpkPriv"))
			}
			if v.Has("kemSeed") {
				have.Kyber, _ = keys.NewKyberPrivate(v.Hex("kemSeed"))
			}
			var r Record
			open := func(b []byte) error {
				m, err := wire.ParsePreKey(b)
				if err != nil {
					return err
				}
				_, err = r.DecryptPreKey(w, m, have)
				return err
			}
			all := v.All("message")
			for _, text := range all[:len(all)-1] {
				if err := open(v.Base64(text)); err != nil {
					t.Fatal(err)
				}
			}
			before := r.Marshal()
			err := open(v.Base64(all[len(all)-1]))
			v.Outcome(err)
			if err != nil && !bytes.Equal(r.Marshal(), before) {
				t.Error("a refusal changed the record")
			}
		})
	}
}

// Every intermediate value of the first message.
func TestDerivedValues(t *testing.T) {
	for _, v := range vector.All(t, "../handshake/testdata") {
		t.Run(v.Name, func(t *testing.T) {
			m, err := wire.ParsePreKey(v.Base64(v.All("message")[0]))
			if err != nil {
				t.Fatal(err)
			}
			own := vectorKey(t, v.Bytes32("spkPriv"))
			if m.Version() == wire.V2 {
				own = vectorKey(t, v.Bytes32("otpkPriv"))
			}
			s := &session{version: m.Version(), root: v.Bytes32("root0"), own: own}
			seed, fresh, err := s.seedFor(m.Inner, newWork())
			if err != nil || !fresh {
				t.Fatal("not a new chain", err)
			}
			agreement, err := own.Agree(m.Inner.RatchetKey)
			if err != nil {
				t.Fatal(err)
			}
			if _, chain := kdf.Root(m.Version(), v.Bytes32("root0"), agreement); chain != v.Bytes32("recvchain") {
				t.Error("receiving chain differs")
			}
			if s.root != v.Bytes32("root1") || seed != v.Bytes32("seed") {
				t.Error("root1 or message seed differs")
			}
			var salt []byte
			if v.Has("pqKey1") {
				salt = v.Hex("pqKey1")
			}
			k := kdf.MessageKeys(m.Version(), seed, salt)
			if k.Cipher != v.Bytes32("cipher") || k.MAC != v.Bytes32("mackey") {
				t.Error("message keys differ")
			}
		})
	}
}
