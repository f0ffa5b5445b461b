package interop_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"os/exec"
	"strconv"
	"testing"

	"github.com/countersign-project/countersign/messenger/attachment"
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
// "stored" reads the record from its stored form before, and writes it after, each message, as libsignal's stores do in our
// clients' place; "kept" hands the records on as they are, which is how our clients work, with one write per batch.
//
// libsignal is Rust, and is called through Node, whose calls cost as much as the cryptography. The line of libsignal has what was measured
// (ns/op), what of it is Node's by the calibration in bench.mjs (node-ns/op, a little too much), and what is left for
// Rust (rust-ns/op, a little too little). All are the best of ten batches; ours are averages, so a busy machine is to our disadvantage.

// The number of rounds in the other process is fixed: to start it costs more than the first thousand.
func theirBench(b *testing.B, what string, rounds int) {
	for _, mode := range []string{"kept", "stored"} {
		b.Run("libsignal "+mode, func(b *testing.B) {
			node, folder := findPeer(b, current)
			out, err := exec.Command(node, "bench.mjs", folder, what, mode, strconv.Itoa(rounds)).Output()
			if err != nil {
				b.Fatal(err)
			}
			var got struct{ NS, Node float64 }
			if err := json.Unmarshal(out, &got); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
			b.ReportMetric(got.NS, "ns/op")
			b.ReportMetric(got.Node, "node-ns/op")
			b.ReportMetric(max(0, got.NS-got.Node), "rust-ns/op")
		})
	}
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
	u, err := c.u[1], error(nil) // with fresh prekeys of all three kinds, as the peer's round has
	u.oneTime[31337], u.signed = newKey(c.b), newKey(c.b)
	if u.kyber, err = keys.GenerateKyber(rand.Reader); err != nil {
		c.b.Fatal(err)
	}
	if err := c.u[0].record.Initiate(c.set[0], ownBundle(c.b, c.u[1])); err != nil {
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
			c.meet()
		}
	})
	theirBench(b, "setup", 300)
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
	theirBench(b, "sameChain", 4000)
}

func BenchmarkBesidePingPong(b *testing.B) {
	b.Run("ours kept", func(b *testing.B) {
		c := newCouple(b)
		for b.Loop() {
			c.pass(0)
			c.pass(1)
		}
	})
	b.Run("ours stored", func(b *testing.B) {
		c := newCouple(b)
		for b.Loop() {
			c.pass(0)
			c.stored()
			c.pass(1)
			c.stored()
		}
	})
	theirBench(b, "pingPong", 1000)
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
	theirBench(b, "groupEncrypt", 4000)
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
