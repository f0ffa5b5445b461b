package braid

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/countersign-project/countersign/messenger/kdf"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/record"
	"github.com/countersign-project/countersign/messenger/refusal"
)

// Limits of 3.6.
const (
	maxJump    = 25_000
	maxSkipped = 2_000
)

// Labels of 3.10. The two blanks before Start are right.
const (
	labelStart    = "Signal PQ Ratchet V1 Chain  Start"
	labelNext     = "Signal PQ Ratchet V1 Chain Next"
	labelAddEpoch = "Signal PQ Ratchet V1 Chain Add Epoch"
)

// maxLinks is how many epochs a chain can hold: one before the sending one, the sending one, and one agreed on that we do not
// send in yet.
const maxLinks = 3

// chain is the symmetric part: one pair of hash chains per epoch. The links belong to one State; the skipped keys may be shared, and
// are never changed in place.
type chain struct {
	initiator bool
	root      keys.Secret
	epoch     uint64 // of the last link
	links     []link // oldest first, at most maxLinks
}

// link is one epoch.
type link struct{ send, recv direction }

// direction is one hash chain.
type direction struct {
	counter uint32 // index of the last key made; the first has 1
	next    keys.Secret
	skipped []skippedKey // ascending
}

type skippedKey struct {
	index uint32
	key   keys.Secret
}

func newChain(auth keys.Secret, initiator bool) chain {
	c := chain{initiator: initiator}
	c.extend(nil, auth, labelStart)
	return c
}

// addEpoch mixes in a secret both sides have agreed on.
func (c *chain) addEpoch(secret keys.Secret) {
	root := c.root
	c.extend(root[:], secret, labelAddEpoch)
	c.epoch++
	root.Wipe()
}

func (c *chain) extend(salt []byte, secret keys.Secret, label string) {
	b := kdf.HKDF(salt, secret[:], label, 96)
	defer clear(b)
	copy(c.root[:], b)
	var a2b, b2a direction
	copy(a2b.next[:], b[32:])
	copy(b2a.next[:], b[64:])
	l := link{send: a2b, recv: b2a}
	if !c.initiator {
		l = link{send: b2a, recv: a2b}
	}
	c.links = append(c.links, l)
	if len(c.links) > maxLinks {
		c.forget(1)
	}
}

// forget drops the n oldest epochs. The links are this state's own; the skipped keys of what is dropped are the old state's to wipe.
func (c *chain) forget(n int) {
	left := copy(c.links, c.links[n:])
	clear(c.links[left:])
	c.links = c.links[:left]
}

// sharesSkipped tells whether two states of a hash chain hold the same skipped keys in the same memory.
func (d *direction) sharesSkipped(o *direction) bool {
	return len(d.skipped) > 0 && len(o.skipped) > 0 && &d.skipped[0] == &o.skipped[0]
}

// at returns the place of an epoch in links.
func (c *chain) at(epoch uint64) (int, error) {
	back := c.epoch - epoch
	if epoch > c.epoch || back >= uint64(len(c.links)) {
		return 0, refusal.Because(refusal.InvalidMessage, "spqr epoch %d, have %d of up to %d", epoch, len(c.links), c.epoch)
	}
	return len(c.links) - 1 - int(back), nil
}

// sendKey makes the next key of an epoch, and forgets what is older than the epoch before it.
func (c *chain) sendKey(epoch uint64) (index uint32, key keys.Secret, err error) {
	i, err := c.at(epoch)
	if err != nil {
		return 0, key, err
	}
	if c.links[i].send.counter == math.MaxUint32 {
		return 0, key, refusal.Because(refusal.NoSession, "the spqr chain of epoch %d is used up", epoch)
	}
	key = c.links[i].send.step()
	index = c.links[i].send.counter
	if i > 1 {
		c.forget(i - 1)
	}
	return index, key, nil
}

// recvKey makes or finds the key of an index, once.
func (c *chain) recvKey(epoch uint64, index uint32) (keys.Secret, error) {
	i, err := c.at(epoch)
	if err != nil {
		return keys.Secret{}, err
	}
	return c.links[i].recv.take(index)
}

// step makes the next key.
func (d *direction) step() (key keys.Secret) {
	d.counter++
	var info [4 + len(labelNext)]byte
	binary.BigEndian.PutUint32(info[:], d.counter)
	copy(info[4:], labelNext)
	b := kdf.HKDF(nil, d.next[:], string(info[:]), 64)
	copy(d.next[:], b)
	copy(key[:], b[32:])
	clear(b)
	return key
}

// take returns the key of an index. Keys passed over are kept, at most maxSkipped, the oldest dropped first.
func (d *direction) take(index uint32) (keys.Secret, error) {
	if index <= d.counter {
		i, ok := slices.BinarySearchFunc(d.skipped, index, func(s skippedKey, index uint32) int {
			return int(int64(s.index) - int64(index))
		})
		if !ok {
			return keys.Secret{}, refusal.Because(refusal.Duplicate, "spqr key %d was used or dropped", index)
		}
		key := d.skipped[i].key
		d.skipped = slices.Concat(d.skipped[:i], d.skipped[i+1:])
		return key, nil
	}
	if index-d.counter > maxJump {
		return keys.Secret{}, refusal.Because(refusal.TooFarInFuture, "spqr key %d after %d", index, d.counter)
	}
	if index > d.counter+1 {
		skipped := slices.Clone(d.skipped)
		for d.counter+1 < index {
			key := d.step()
			if d.counter+maxSkipped >= index { // the others would be dropped below
				skipped = append(skipped, skippedKey{d.counter, key})
			}
		}
		d.skipped = skipped[max(0, len(skipped)-maxSkipped):]
	}
	return d.step(), nil
}

func (c *chain) write(w *record.Writer) {
	w.Secret(c.root)
	w.U64(c.epoch)
	w.U32(uint32(len(c.links)))
	for _, l := range c.links {
		for _, d := range [2]direction{l.send, l.recv} {
			w.U32(d.counter)
			w.Secret(d.next)
			w.U32(uint32(len(d.skipped)))
			for _, s := range d.skipped {
				w.U32(s.index)
				w.Secret(s.key)
			}
		}
	}
}

func readChain(r *record.Reader, initiator bool) chain {
	c := chain{initiator: initiator, root: r.Secret(), epoch: r.U64()}
	n := r.Count(maxLinks)
	if n == 0 || uint64(n-1) > c.epoch {
		r.Failf("spqr chain of %d epochs up to %d", n, c.epoch)
	}
	for range n {
		var l link
		for _, d := range [2]*direction{&l.send, &l.recv} {
			d.counter = r.U32()
			d.next = r.Secret()
			last := uint32(0)
			for range r.Count(maxSkipped) {
				s := skippedKey{r.U32(), r.Secret()}
				if s.index <= last || s.index >= d.counter {
					r.Failf("spqr key %d after %d, before %d", s.index, last, d.counter)
				}
				last = s.index
				d.skipped = append(d.skipped, s)
			}
		}
		c.links = append(c.links, l)
	}
	return c
}
