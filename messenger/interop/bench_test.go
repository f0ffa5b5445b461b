package interop_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"testing"

	"github.com/countersign-project/countersign/messenger/attachment"
	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/kdf"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/ratchet"
	"github.com/countersign-project/countersign/messenger/senderkey"
	"github.com/countersign-project/countersign/messenger/wire"
)

// The same work, done here and by libsignal in its own process, in one run:
//
//	go test ./messenger/interop -run '^$' -bench Beside
//
// "stored" reads the session record from its stored form before, and writes it after, each message, as libsignal's stores do;
// "kept" is how our clients work, with decoded records and one write per batch.

func theirBench(b *testing.B, what string) {
	b.Run("libsignal", func(b *testing.B) {
		p := startPeer(b, current, "+14152222222")
		b.ResetTimer()
		ns := ask[float64](p, "bench", map[string]any{"what": what, "n": b.N, "size": 1024})
		b.ReportMetric(ns, "ns/op")
	})
}

// couple is two devices of ours with an answered session.
type couple struct {
	b   *testing.B
	u   [2]*us
	set [2]ratchet.Setting
}

func newCouple(b *testing.B) *couple {
	c := &couple{b: b, u: [2]*us{newUs(b, "a"), newUs(b, "b")}}
	c.set = [2]ratchet.Setting{c.u[0].setting(), c.u[1].setting()}
	c.meet()
	c.pass(1)
	return c
}

func (c *couple) meet() {
	u := c.u[1]
	signed, _ := handshake.SignPrekey(u.identity, 22, u.signed.Public(), rand.Reader)
	kyber, _ := handshake.SignKyber(u.identity, 77, u.kyber.Public(), rand.Reader)
	u.oneTime[31337] = newKey(c.b)
	bundle := &handshake.Bundle{RegistrationID: 5, Identity: u.identity.Public(), Signed: signed, Kyber: &kyber, SPQR: true,
		OneTime: &handshake.OneTime{ID: 31337, Key: u.oneTime[31337].Public()}}
	if err := c.u[0].record.Initiate(c.set[0], bundle); err != nil {
		c.b.Fatal(err)
	}
	c.pass(0)
}

var kilobyte = make([]byte, 1024)

// pass sends 1 KiB from one to the other.
func (c *couple) pass(from int) {
	m, err := c.u[from].record.Encrypt(c.set[from], kilobyte)
	if err != nil {
		c.b.Fatal(err)
	}
	if _, err := c.u[1-from].open(letter{m.Kind, m.Body}); err != nil {
		c.b.Fatal(err)
	}
}

// stored replaces the records by what their stored forms read as.
func (c *couple) stored() {
	for _, u := range c.u {
		var err error
		if u.record, err = ratchet.Unmarshal(u.record.Marshal()); err != nil {
			c.b.Fatal(err)
		}
	}
}

func BenchmarkBesideSetup(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		c := newCouple(b)
		for b.Loop() {
			c.u[0].record, c.u[1].record = new(ratchet.Record), new(ratchet.Record)
			kyberBefore := c.u[1].kyber
			c.meet()
			c.u[1].kyber = kyberBefore
		}
	})
	theirBench(b, "setup")
}

func BenchmarkBesideSameChain(b *testing.B) {
	b.Run("ours kept", func(b *testing.B) {
		c := newCouple(b)
		for b.Loop() {
			c.pass(0)
		}
	})
	b.Run("ours stored", func(b *testing.B) {
		c := newCouple(b)
		for b.Loop() {
			c.pass(0)
			c.stored()
		}
	})
	theirBench(b, "sameChain")
}

func BenchmarkBesidePingPong(b *testing.B) {
	b.Run("ours kept", func(b *testing.B) {
		c := newCouple(b)
		for b.Loop() {
			c.pass(0)
			c.pass(1)
		}
	})
	theirBench(b, "pingPong")
}

func BenchmarkBesideGroupEncrypt(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		s, err := senderkey.NewSender([16]byte{1}, now, rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := s.Encrypt(kilobyte, rand.Reader); err != nil {
				b.Fatal(err)
			}
		}
	})
	theirBench(b, "groupEncrypt")
}

func BenchmarkBesideParse(b *testing.B) {
	c := newCouple(b)
	m, err := c.u[0].record.Encrypt(c.set[0], kilobyte)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := wire.ParseSignal(m.Body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBesideAttachment(b *testing.B) {
	plain := make([]byte, 16<<20)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		if _, err := attachment.Encrypt(io.Discard, bytes.NewReader(plain), int64(len(plain)), attachment.Key{}, rand.Reader); err != nil {
			b.Fatal(err)
		}
	}
}

// The floor: what the primitives alone cost for 1 KiB sealed and opened in the same chain, SPQR included. Nothing is parsed, copied or stored.
func BenchmarkBesideFloor(b *testing.B) {
	b.Run("same chain", func(b *testing.B) {
		var seed keys.Secret
		padded := make([]byte, 1040)
		for b.Loop() {
			for range 2 {
				s, _ := kdf.Chain(seed)
				salt := kdf.HKDF(nil, seed[:], "Signal PQ Ratchet V1 Chain Next", 64)
				k := kdf.MessageKeys(wire.V4, s, salt[32:])
				k.Tag(wire.V4, keys.Public{}, keys.Public{}, padded)
			}
			kdf.DecryptCBC(seed, [16]byte{}, kdf.EncryptCBC(seed, [16]byte{}, kilobyte))
		}
	})
	b.Run("ratchet step", func(b *testing.B) {
		k := newKey(b)
		for b.Loop() {
			newKey(b)
			k.Agree(k.Public())
			k.Agree(k.Public())
		}
	})
}
