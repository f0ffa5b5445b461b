package session

import (
	"github.com/countersign-project/countersign/messenger/ratchet"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Opened is what an envelope held.
type Opened struct {
	From      string
	Device    uint32
	Timestamp uint64 // milliseconds, the sender's
	Content   *wire.Content
	// Retry: the sender could not open a message of ours and asks for it again. Its Content is nil.
	Retry *wire.DecryptionError
	// Group is the distribution of a message that came by sender key, nil if it came pairwise.
	Distribution *[16]byte
	Notices      []Notice
}

// Open decrypts an envelope. Its error is of package refusal if the envelope is to blame, and then nothing has changed; any other error is about
// this machine, and the envelope must not be acknowledged.
func (b *Book) Open(e wire.Envelope) (o Opened, err error) {
	o = Opened{From: e.Source, Device: e.SourceDevice, Timestamp: e.Timestamp}
	if o.Device == 0 {
		o.Device = Master // clients of before several devices
	}
	if o.From == b.own.Number && o.Device == b.own.Device {
		return o, refusal.Because(refusal.InvalidMessage, "a message of this very device came back")
	}
	p, err := b.Peer(o.From)
	if err != nil {
		return o, err
	}
	body, bare, err := bodyOf(e)
	if err != nil {
		return o, err
	}
	var padded []byte
	switch e.Type {
	case wire.EnvelopeCiphertext:
		padded, err = b.openSignal(&o, p, body)
	case wire.EnvelopePreKey:
		padded, err = b.openPreKey(&o, p, body)
	case wire.EnvelopeSenderKey:
		padded, err = b.openSenderKey(&o, e.Content)
	case wire.EnvelopeRetry:
		r, err := wire.ParsePlaintext(e.Content)
		o.Retry = &r
		return o, err
	default:
		return o, refusal.Because(refusal.InvalidMessage, "envelope of type %d", e.Type)
	}
	if err != nil {
		return o, err
	}
	plain, err := wire.Unpad(padded)
	if err != nil {
		return o, err
	}
	if o.Content, err = contentOf(plain, bare); err != nil {
		return o, err
	}
	if d := dataOf(o.Content); d != nil && d.Timestamp != 0 && d.Timestamp != e.Timestamp {
		return o, refusal.Because(refusal.InvalidMessage, "the server says the message was sent at %d, its author says %d", e.Timestamp, d.Timestamp)
	}
	return o, nil
}

// bodyOf returns the ciphertext of an envelope, and whether its plaintext is a bare DataMessage. Such have a field of their own (7.3), which is read if
// the other is empty. Who uses it speaks v3 at most. In a later session the server has moved a message there, so that it is read as what it is not.
func bodyOf(e wire.Envelope) (body []byte, bare bool, err error) {
	pairwise := e.Type == wire.EnvelopeCiphertext || e.Type == wire.EnvelopePreKey
	if !pairwise || len(e.Content) > 0 || len(e.Legacy) == 0 {
		return e.Content, false, nil
	}
	if version := e.Legacy[0] >> 4; version > wire.V3 {
		return nil, false, refusal.Because(refusal.InvalidMessage, "a message of version %d in the field of those who speak at most %d", version, wire.V3)
	}
	return e.Legacy, true, nil
}

func contentOf(plain []byte, bare bool) (*wire.Content, error) {
	if !bare {
		return wire.ParseContent(plain)
	}
	d, err := wire.ParseBareData(plain)
	return &wire.Content{Data: d}, err
}

func dataOf(c *wire.Content) *wire.Data {
	switch {
	case c.Data != nil:
		return c.Data
	case c.Edit != nil:
		return c.Edit.Data
	}
	return nil
}

func (b *Book) openSignal(o *Opened, p Peer, body []byte) ([]byte, error) {
	r, err := b.record(o.From, o.Device)
	if err != nil {
		return nil, err
	}
	w, err := b.setting(o.From, p, true)
	if err != nil {
		return nil, err
	}
	got, err := r.Decrypt(w, body)
	if err != nil {
		return nil, err
	}
	return b.opened(o, p, r, got)
}

func (b *Book) openPreKey(o *Opened, p Peer, body []byte) ([]byte, error) {
	m, err := wire.ParsePreKey(body)
	if err != nil {
		return nil, err
	}
	r, err := b.record(o.From, o.Device)
	if err != nil {
		return nil, err
	}
	w, err := b.setting(o.From, p, true)
	if err != nil {
		return nil, err
	}
	have, lastResort, err := b.wanted(m)
	if err != nil {
		return nil, err
	}
	got, err := r.DecryptPreKey(w, m, have)
	if err != nil {
		return nil, err
	}
	if got.Started {
		if err := b.used(m, lastResort); err != nil {
			return nil, err
		}
	}
	return b.opened(o, p, r, got)
}

// opened keeps what a success has changed. An archived session may bring back the key of before a change: that is no change, only lateness.
func (b *Book) opened(o *Opened, p Peer, r *ratchet.Record, got ratchet.Opened) (_ []byte, err error) {
	if got.Started || len(p.Identity) == 0 {
		if o.Notices, err = b.learn(o.From, &p, got.Identity); err != nil {
			return nil, err
		}
	} else if have, err := p.Key(); err != nil {
		return nil, err
	} else if !have.Equal(got.Identity) {
		r.Archive() // it still reads what is on its way, but we do not write with it
	}
	if err := b.keep(o.From, o.Device, r); err != nil {
		return nil, err
	}
	if !contains(p.Devices, o.Device) && (p.List == nil || inList(p.List, o.Device)) {
		p.Devices = with(p.Devices, o.Device)
		if err := b.savePeer(o.From, p); err != nil {
			return nil, err
		}
	}
	return got.Plaintext, nil
}

// RetryFor makes the request to send a message again that we could not open (15). Nil: there is nothing to gain by asking.
func RetryFor(e wire.Envelope, cause error) *wire.DecryptionError {
	switch refusal.Of(cause) {
	case refusal.InvalidMessage, refusal.InvalidKeyID, refusal.NoSession, refusal.TooFarInFuture:
	default:
		return nil
	}
	r := wire.DecryptionError{Timestamp: e.Timestamp, Device: e.SourceDevice}
	switch e.Type {
	case wire.EnvelopeCiphertext:
		m, err := wire.ParseSignal(e.Content)
		if err != nil {
			return nil
		}
		r.RatchetKey, r.HasKey = m.RatchetKey, true
	case wire.EnvelopePreKey:
		m, err := wire.ParsePreKey(e.Content)
		if err != nil {
			return nil
		}
		r.RatchetKey, r.HasKey = m.Inner.RatchetKey, true
	case wire.EnvelopeSenderKey:
	default:
		return nil
	}
	return &r
}

// Retry takes in such a request. It proves nothing, so only one that names the key we send with now counts: then the session is put away, and
// the message deserves to be sent again. A request about a sender key has no key; again says whether to hand out ours anew.
func (b *Book) Retry(o Opened) (again bool, err error) {
	if !o.Retry.HasKey {
		return true, nil
	}
	r, err := b.record(o.From, o.Device)
	if err != nil || !r.Sends(o.Retry.RatchetKey) {
		return false, err
	}
	r.Archive()
	return true, b.keep(o.From, o.Device, r)
}
