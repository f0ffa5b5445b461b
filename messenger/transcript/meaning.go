package transcript

import (
	"github.com/countersign-project/countersign/messenger/attachment"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Of returns what the hash covers of a group message: of one that came from that member's device, of one that was forwarded as his, or of one of
// our own before it is sent, with Consistency filled in from Next. An attachment without key or digest cannot be bound, and is refused.
func Of(member string, device uint32, d *wire.Data) (*Message, error) {
	c := d.Consistency
	if d.Group == nil || c == nil {
		return nil, refusal.Because(refusal.InvalidMessage, "transcript: message without group or consistency")
	}
	m := &Message{Group: d.Group.ID[:], Author: Author{member, device, c.Install}, Counter: c.Counter, Timestamp: d.Timestamp, Nonce: c.Nonce,
		Body: d.Body, Flags: d.Flags, Membership: c.Membership}
	for i, a := range d.Attachments {
		if len(a.Key) != attachment.KeySize || len(a.Digest) != attachment.DigestSize {
			return nil, refusal.Because(refusal.InvalidMessage, "transcript: attachment %d without key or digest", i+1)
		}
		p := attachment.Pointer{Key: attachment.Key(a.Key), Digest: [attachment.DigestSize]byte(a.Digest), Size: int64(a.Size)}
		m.Attachments = append(m.Attachments, p.Commitment())
	}
	for _, p := range c.Parents {
		m.Parents = append(m.Parents, p)
	}
	return m, nil
}

// Consistency is the part of a message's content that carries what Next has filled in, with nonce and membership.
func (m *Message) Consistency() *wire.Consistency {
	c := &wire.Consistency{Nonce: m.Nonce, Counter: m.Counter, Install: m.Author.Install, Membership: m.Membership}
	for _, p := range m.Parents {
		c.Parents = append(c.Parents, p)
	}
	return c
}
