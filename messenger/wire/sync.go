package wire

import (
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire/pb"
)

// Sync is a message between a person's own devices (9.4). The receiver accepts it from its own number only.
type Sync struct {
	Sent          *Sent
	Contacts      *ContactsBlob
	Groups        *Attachment
	Request       *uint32 // SyncContacts and so on
	Read          []Read
	Blocked       *Blocked
	Verified      *Verified
	Padding       []byte
	Configuration *Configuration
	Introductions []Introduced
	Moved         *Moved // ours: the account has another number
	History       *History
}

// History points to the first device's history, for one that was linked (10.3): the parts of an archive, in order.
type History struct {
	Device   uint32 // for which one
	Seed     keys.SecretBytes
	Parts    []Attachment
	Messages uint64
}

// MaxHistoryParts bounds the parts of a history.
const MaxHistoryParts = 256

// What a Sync can request.
const (
	SyncContacts      = 1
	SyncGroups        = 2
	SyncBlocked       = 3
	SyncConfiguration = 4
	SyncKeys          = 5
)

// Sent is the transcript of a message sent by another device of ours (10.3).
type Sent struct {
	Destination     string // number; empty for groups
	Timestamp       uint64
	Message         *Data
	ExpirationStart uint64
	Edit            *Edit
}

// ContactsBlob points to a list of contacts.
type ContactsBlob struct {
	Blob     Attachment
	Complete bool
}

// Read says that a message was read on another device.
type Read struct {
	Sender    string
	Timestamp uint64
}

// Blocked lists who is blocked.
type Blocked struct {
	Numbers []string
	Groups  [][]byte
}

// States of Verified.
const (
	VerifiedDefault = 0
	VerifiedYes     = 1
	VerifiedNo      = 2
)

// Verified says what the person knows about a contact's identity key.
type Verified struct {
	Destination string
	Identity    keys.Public
	State       uint32
	NullMessage []byte
}

// Configuration of the person's privacy settings. Nil leaves a setting as it is.
type Configuration struct {
	ReadReceipts, UnidentifiedIndicators, TypingIndicators, LinkPreviews *bool
}

func parseSync(p *pb.SyncMessage) (*Sync, error) {
	if err := atMost("read messages", len(p.Read), maxTimestamps); err != nil {
		return nil, err
	}
	if err := atMost("introductions", len(p.Introductions), maxIntroduced); err != nil {
		return nil, err
	}
	s := &Sync{Padding: p.Padding}
	var err error
	if p.Sent != nil {
		if s.Sent, err = parseSent(p.Sent); err != nil {
			return nil, err
		}
	}
	if c := p.Contacts; c != nil && c.Blob != nil {
		a, err := parseAttachment(c.Blob)
		if err != nil {
			return nil, err
		}
		s.Contacts = &ContactsBlob{*a, c.GetComplete()}
	}
	if p.Groups != nil && p.Groups.Blob != nil {
		if s.Groups, err = parseAttachment(p.Groups.Blob); err != nil {
			return nil, err
		}
	}
	if p.Request != nil {
		request := p.Request.GetType()
		s.Request = &request
	}
	for _, r := range p.Read {
		s.Read = append(s.Read, Read{r.GetSender(), r.GetTimestamp()})
	}
	if b := p.Blocked; b != nil {
		if err := atMost("blocked", len(b.Numbers)+len(b.GroupIds), maxTimestamps); err != nil {
			return nil, err
		}
		s.Blocked = &Blocked{b.Numbers, b.GroupIds}
	}
	if v := p.Verified; v != nil {
		if s.Verified, err = parseVerified(v); err != nil {
			return nil, err
		}
	}
	if p.Moved != nil {
		if s.Moved, err = parseMoved(p.Moved); err != nil {
			return nil, err
		}
	}
	if c := p.Configuration; c != nil {
		s.Configuration = &Configuration{c.ReadReceipts, c.UnidentifiedDeliveryIndicators, c.TypingIndicators, c.LinkPreviews}
	}
	if p.History != nil {
		if s.History, err = parseHistory(p.History); err != nil {
			return nil, err
		}
	}
	for _, i := range p.Introductions {
		one, err := parseIntroduced(i)
		if err != nil {
			return nil, err
		}
		s.Introductions = append(s.Introductions, one)
	}
	return s, nil
}

func parseHistory(p *pb.SyncMessage_History) (*History, error) {
	if err := exactly("seed of a history", p.Seed, 16); err != nil {
		return nil, err
	}
	if err := atMost("parts of a history", len(p.Parts), MaxHistoryParts); err != nil {
		return nil, err
	}
	h := &History{Device: p.GetDevice(), Seed: p.Seed, Messages: p.GetMessages()}
	for _, part := range p.Parts {
		a, err := parseAttachment(part)
		if err != nil {
			return nil, err
		}
		h.Parts = append(h.Parts, *a)
	}
	return h, nil
}

func (h *History) proto() *pb.SyncMessage_History {
	if h == nil {
		return nil
	}
	p := &pb.SyncMessage_History{Device: &h.Device, Seed: h.Seed, Messages: &h.Messages}
	for i := range h.Parts {
		p.Parts = append(p.Parts, h.Parts[i].proto())
	}
	return p
}

func parseSent(p *pb.SyncMessage_Sent) (*Sent, error) {
	s := &Sent{Destination: p.GetDestination(), Timestamp: p.GetTimestamp(), ExpirationStart: p.GetExpirationStart()}
	var err error
	if p.Message != nil {
		if s.Message, err = parseData(p.Message); err != nil {
			return nil, err
		}
	}
	if p.Edit != nil {
		if s.Edit, err = parseEdit(p.Edit); err != nil {
			return nil, err
		}
	}
	if s.Message == nil && s.Edit == nil {
		return nil, refusal.Because(refusal.InvalidMessage, "sent transcript without a message")
	}
	return s, nil
}

func parseVerified(p *pb.Verified) (*Verified, error) {
	k, err := keys.ParsePublic(p.IdentityKey)
	if err != nil {
		return nil, err
	}
	if p.GetState() > VerifiedNo {
		return nil, refusal.Because(refusal.InvalidMessage, "verified state %d", p.GetState())
	}
	return &Verified{p.GetDestination(), k, p.GetState(), p.NullMessage}, nil
}

func (v *Verified) proto() *pb.Verified {
	return &pb.Verified{Destination: &v.Destination, IdentityKey: v.Identity.Bytes(), State: &v.State, NullMessage: v.NullMessage}
}

func (s *Sync) proto() *pb.SyncMessage {
	if s == nil {
		return nil
	}
	p := &pb.SyncMessage{Padding: s.Padding, Moved: s.Moved.proto(), History: s.History.proto()}
	if t := s.Sent; t != nil {
		p.Sent = &pb.SyncMessage_Sent{Destination: some(t.Destination), Timestamp: &t.Timestamp, Message: t.Message.proto(),
			ExpirationStart: some(t.ExpirationStart), Edit: t.Edit.proto()}
	}
	if c := s.Contacts; c != nil {
		p.Contacts = &pb.SyncMessage_Contacts{Blob: c.Blob.proto(), Complete: &c.Complete}
	}
	if s.Groups != nil {
		p.Groups = &pb.SyncMessage_Groups{Blob: s.Groups.proto()}
	}
	if s.Request != nil {
		p.Request = &pb.SyncMessage_Request{Type: s.Request}
	}
	for _, r := range s.Read {
		p.Read = append(p.Read, &pb.SyncMessage_Read{Sender: &r.Sender, Timestamp: &r.Timestamp})
	}
	if b := s.Blocked; b != nil {
		p.Blocked = &pb.SyncMessage_Blocked{Numbers: b.Numbers, GroupIds: b.Groups}
	}
	if s.Verified != nil {
		p.Verified = s.Verified.proto()
	}
	if c := s.Configuration; c != nil {
		p.Configuration = &pb.SyncMessage_Configuration{ReadReceipts: c.ReadReceipts, UnidentifiedDeliveryIndicators: c.UnidentifiedIndicators,
			TypingIndicators: c.TypingIndicators, LinkPreviews: c.LinkPreviews}
	}
	for _, i := range s.Introductions {
		p.Introductions = append(p.Introductions, i.proto())
	}
	return p
}
