package interop_test

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/kdf"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/ratchet"
	"github.com/countersign-project/countersign/messenger/wire"
)

// lazy is a peer whose SPQR is in lazy mode (3.10): its own small ratchet, for messages in order, that always says epoch 1, counts its keys and looks
// at no chunk. Our braid and libsignal's must both get along with it. It shares key derivations with the product, and nothing of ratchet and braid.
type lazy struct {
	t            testing.TB
	*us          // keys and bundle
	remote       keys.Public
	root         keys.Secret
	own          *keys.Private
	their        keys.Public
	send, recv   hashChain
	pqOut, pqIn  hashChain
	offer        *handshake.Offer // until answered
	kinds        map[uint8]int    // of the SPQR messages that came
	highestEpoch uint64
}

type hashChain struct {
	key keys.Secret
	n   uint32
}

func (c *hashChain) step() (seed keys.Secret) {
	seed, c.key = kdf.Chain(c.key)
	c.n++
	return seed
}

// stepPQ is the fifteen lines.
func (c *hashChain) stepPQ() []byte {
	c.n++
	b := kdf.HKDF(nil, c.key[:], string(binary.BigEndian.AppendUint32(nil, c.n))+"Signal PQ Ratchet V1 Chain Next", 64)
	copy(c.key[:], b)
	return b[32:]
}

func newLazy(t testing.TB) *lazy {
	return &lazy{t: t, us: newUs(t, "+14153333333"), kinds: map[uint8]int{}}
}

// begin takes what the handshake gives.
func (l *lazy) begin(a handshake.Agreement, initiator bool) {
	l.root = a.Root
	b := kdf.HKDF(nil, a.PQ[:], "Signal PQ Ratchet V1 Chain  Start", 96)
	a2b, b2a := hashChain{key: keys.Secret(b[32:])}, hashChain{key: keys.Secret(b[64:])}
	if initiator {
		l.pqOut, l.pqIn = a2b, b2a
	} else {
		l.pqOut, l.pqIn = b2a, a2b
	}
}

func (l *lazy) mix(c *hashChain, their keys.Public) {
	l.t.Helper()
	s, err := l.own.Agree(their)
	if err != nil {
		l.t.Fatal(err)
	}
	c.n = 0
	l.root, c.key = kdf.Root(wire.V4, l.root, s)
}

func (l *lazy) start(b *handshake.Bundle) {
	l.t.Helper()
	o, a, err := handshake.Initiate(wire.V4, l.identity, b, rand.Reader)
	if err != nil {
		l.t.Fatal(err)
	}
	l.begin(a, true)
	l.offer, l.remote, l.own, l.their = &o, b.Identity, newKey(l.t), b.Signed.Key
	l.recv.key = a.Chain
	l.mix(&l.send, l.their)
}

func (l *lazy) open(m letter) (string, error) {
	l.t.Helper()
	body := m.Body
	if m.Type == ratchet.PreKey {
		p, err := wire.ParsePreKey(body)
		if err != nil {
			return "", err
		}
		if l.own == nil {
			a, pair, err := handshake.Respond(l.identity, handshake.Prekeys{OneTime: l.oneTime[p.PreKeyID], Signed: l.signed, Kyber: l.kyber}, p)
			if err != nil {
				return "", err
			}
			l.begin(a, false)
			l.remote, l.own = p.Identity, pair
		}
		mac := p.Inner.MAC()
		body = append(p.Inner.Covered(), mac[:]...)
	}
	s, err := wire.ParseSignal(body)
	if err != nil {
		return "", err
	}
	pq, err := wire.ParseSPQR(s.PQ)
	if err != nil {
		return "", err
	}
	l.kinds[pq.Kind]++
	l.highestEpoch = max(l.highestEpoch, pq.Epoch)
	if s.RatchetKey != l.their {
		l.their = s.RatchetKey
		l.mix(&l.recv, l.their)
		l.own = newKey(l.t)
		l.mix(&l.send, l.their)
	}
	if s.Counter != l.recv.n || pq.Index != l.pqIn.n+1 || pq.Epoch != 1 {
		return "", fmt.Errorf("counter %d, SPQR %d of epoch %d; want %d, %d of 1", s.Counter, pq.Index, pq.Epoch, l.recv.n, l.pqIn.n+1)
	}
	k := kdf.MessageKeys(wire.V4, l.recv.step(), l.pqIn.stepPQ())
	if !k.CheckTag(wire.V4, l.remote, l.identity.Public(), s.Covered(), s.MAC()) {
		return "", kdf.Unauthentic()
	}
	l.offer = nil
	text, err := k.Decrypt(wire.V4, s.Counter, s.Ciphertext)
	return string(text), err
}

func (l *lazy) seal(text string) letter {
	m := wire.Signal{VersionByte: wire.VersionByte(wire.V4), RatchetKey: l.own.Public(), Counter: l.send.n}
	seed, salt := l.send.step(), l.pqOut.stepPQ()
	m.PQ = wire.SPQR{Epoch: 1, Index: l.pqOut.n, Kind: wire.SPQRNone}.Append(nil)
	k := kdf.MessageKeys(wire.V4, seed, salt)
	m.Ciphertext = k.Encrypt(wire.V4, m.Counter, []byte(text))
	body := m.Seal(func(covered []byte) [wire.MACSize]byte { return k.Tag(wire.V4, l.identity.Public(), l.remote, covered) })
	o := l.offer
	if o == nil {
		return letter{ratchet.Whisper, body}
	}
	p := wire.PreKey{VersionByte: m.VersionByte, RegistrationID: 5, PreKeyID: o.PreKeyID, OneTime: o.OneTime, SignedPreKeyID: o.SignedID,
		KyberPreKeyID: o.KyberID, Kyber: o.Kyber, BaseKey: o.Base, Identity: l.identity.Public()}
	return letter{ratchet.PreKey, p.Encode(body)}
}

// other is who talks to the lazy one.
type other struct {
	bundle  func() *handshake.Bundle
	process func(b map[string]any)
	seal    func(text string) letter
	open    func(m letter) (string, error)
}

func others(t *testing.T, l *lazy) map[string]other {
	p, ours := startPeer(t, current, "+14152222222"), newUs(t, "+14151111111")
	return map[string]other{
		"libsignal": {
			bundle:  func() *handshake.Bundle { return p.bundle(true, true).bundle(t, true) },
			process: func(b map[string]any) { p.process(l.name, b) },
			seal:    func(text string) letter { return p.seal(l.name, text) },
			open:    func(m letter) (string, error) { return p.open(l.name, m) },
		},
		"ours": {
			bundle: func() *handshake.Bundle { return ownBundle(t, ours) },
			process: func(map[string]any) {
				if err := ours.record.Initiate(ours.setting(), ownBundle(t, l.us)); err != nil {
					t.Fatal(err)
				}
			},
			seal: ours.seal,
			open: ours.open,
		},
	}
}

func ownBundle(t testing.TB, u *us) *handshake.Bundle {
	t.Helper()
	signed, err1 := handshake.SignPrekey(u.identity, 22, u.signed.Public(), rand.Reader)
	kyber, err2 := handshake.SignKyber(u.identity, 77, u.kyber.Public(), rand.Reader)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return &handshake.Bundle{RegistrationID: 5, Identity: u.identity.Public(), Signed: signed, Kyber: &kyber, SPQR: true,
		OneTime: &handshake.OneTime{ID: 31337, Key: u.oneTime[31337].Public()}}
}

// A hundred and fifty turns, in which a braid would have come round twice: the lazy one never leaves epoch 1, keeps the other there, and every
// message is read.
func TestLazySPQR(t *testing.T) {
	for _, who := range []string{"libsignal", "ours"} {
		for _, lazyStarts := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, lazy starts: %v", who, lazyStarts), func(t *testing.T) {
				l := newLazy(t)
				o := others(t, l)[who]
				toLazy := func(text string) {
					t.Helper()
					if got, err := l.open(o.seal(text)); err != nil || got != text {
						t.Fatalf("the lazy one reads %q, %v; want %q", got, err, text)
					}
				}
				fromLazy := func(text string) {
					t.Helper()
					if got, err := o.open(l.seal(text)); err != nil || got != text {
						t.Fatalf("the other reads %q, %v; want %q", got, err, text)
					}
				}
				if lazyStarts {
					l.start(o.bundle())
					fromLazy("hello")
				} else {
					o.process(l.us.bundle(true, true))
					toLazy("hello")
				}
				for i := range 150 {
					toLazy(fmt.Sprint("to lazy ", i))
					toLazy("and one more")
					fromLazy(fmt.Sprint("from lazy ", i))
				}
				want := uint8(wire.SPQRNone) // as the responder, the other waits for a header
				if !lazyStarts {
					want = wire.SPQRHeader // as the initiator, it sends its header for ever
				}
				if l.highestEpoch != 1 || len(l.kinds) != 1 || l.kinds[want] == 0 {
					t.Errorf("epoch %d, kinds %v, want kind %d only", l.highestEpoch, l.kinds, want)
				}
			})
		}
	}
}
