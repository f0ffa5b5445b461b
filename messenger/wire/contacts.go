package wire

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire/pb"
)

// Contact is one entry of the list of contacts that travels between own devices as an attachment (9.4).
type Contact struct {
	Number, Name string
	ProfileKey   keys.SecretBytes
	Verified     *Verified
	Blocked      bool
	ExpireTimer  uint32 // seconds
}

// maxContacts bounds a list.
const maxContacts = 50_000

// EncodeContacts serialises a list: each entry behind its length as a varint. Pictures are left out.
func EncodeContacts(list []Contact) []byte {
	var b []byte
	for _, c := range list {
		p := &pb.ContactDetails{Number: &c.Number, Name: some(c.Name), ProfileKey: c.ProfileKey, Blocked: some(c.Blocked), ExpireTimer: some(c.ExpireTimer)}
		if v := c.Verified; v != nil {
			p.Verified = v.proto()
		}
		b = protowire.AppendBytes(b, marshal(nil, p))
	}
	return b
}

// ParseContacts reads a list, and skips pictures.
func ParseContacts(b []byte) (out []Contact, err error) {
	for len(b) > 0 {
		raw, n := protowire.ConsumeBytes(b)
		if n < 0 || len(out) >= maxContacts {
			return nil, refusal.Because(refusal.InvalidMessage, "list of contacts: entry %d is cut off, or one too many", len(out)+1)
		}
		b = b[n:]
		var p pb.ContactDetails
		if err := unmarshal("contact", raw, &p); err != nil {
			return nil, err
		}
		c := Contact{Number: p.GetNumber(), Name: p.GetName(), ProfileKey: p.ProfileKey, Blocked: p.GetBlocked(), ExpireTimer: p.GetExpireTimer()}
		if err := exactly("profile key", p.ProfileKey, 32); err != nil {
			return nil, err
		}
		if p.Verified != nil {
			if c.Verified, err = parseVerified(p.Verified); err != nil {
				return nil, err
			}
		}
		skip := int64(p.GetAvatar().GetLength())
		if skip > int64(len(b)) {
			return nil, refusal.Because(refusal.InvalidMessage, "list of contacts: a picture of %d bytes is cut off", skip)
		}
		b = b[skip:]
		out = append(out, c)
	}
	return out, nil
}
