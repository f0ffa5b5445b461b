package wire

import (
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire/pb"
)

// Content is the plaintext of a message, without its padding (9.3). At most one of the pointers is set by honest peers; SenderKey
// may accompany any.
type Content struct {
	Data            *Data
	Sync            *Sync
	Call            *Call
	Null            *Null
	Receipt         *Receipt
	Typing          *Typing
	SenderKey       keys.SecretBytes // ParseDistribution
	DecryptionError []byte           // ParseDecryptionError
	Edit            *Edit
	Introduction    *Introduction
	Moved           *Moved // ours: the sender had another number before
}

// Moved says that an account has another number. A contact is told From, the number before; own devices are told To, the number now.
type Moved struct{ From, To string }

// maxNumber bounds a number in bytes.
const maxNumber = 64

func parseMoved(p *pb.Moved) (*Moved, error) {
	m := &Moved{p.GetFrom(), p.GetTo()}
	if n := max(len(m.From), len(m.To)); n > maxNumber {
		return nil, refusal.Because(refusal.InvalidMessage, "changed number: got %d bytes, want at most %d", n, maxNumber)
	}
	return m, nil
}

func (m *Moved) proto() *pb.Moved {
	if m == nil {
		return nil
	}
	return &pb.Moved{From: some(m.From), To: some(m.To)}
}

// Null carries nothing but padding.
type Null struct{ Padding []byte }

// Kinds of Receipt.
const (
	ReceiptDelivery = 0
	ReceiptRead     = 1
	ReceiptViewed   = 2
)

// Receipt acknowledges messages by their timestamps.
type Receipt struct {
	Kind       uint32
	Timestamps []uint64
}

// Typing says that somebody has started, or stopped, to write.
type Typing struct {
	Timestamp uint64
	Stopped   bool
	Group     []byte // nil in a conversation of two
}

// Edit replaces an earlier message.
type Edit struct {
	Target uint64 // its timestamp
	Data   *Data
}

// Call sets up a call (2017's layout). We relay it, nothing more.
type Call struct {
	Offer, Answer *CallDescription
	Ice           []CallIce
	Hangup, Busy  *uint64 // call id
}

// CallDescription is an offer or an answer.
type CallDescription struct {
	ID          uint64
	Description string
}

// CallIce is a candidate.
type CallIce struct {
	ID    uint64
	Mid   string
	Index uint32
	SDP   string
}

// Most entries of the repeated fields. Honest messages stay far below. The protobuf parser has built what there is by the time we count, some
// 30 MB for a hostile message of MaxMessage; nothing of that outlives the parsing.
const (
	maxAttachments = 64
	maxMembers     = 2_000
	maxTimestamps  = 10_000
	maxIce         = 100
	maxParents     = 8
	maxResend      = 64
	maxIntroduced  = 1_000
)

// ParseContent reads a plaintext that Unpad has returned.
func ParseContent(b []byte) (*Content, error) {
	if err := checkSize("content", b, 0); err != nil {
		return nil, err
	}
	var p pb.Content
	if err := unmarshal("content", b, &p); err != nil {
		return nil, err
	}
	c := &Content{SenderKey: p.SenderKeyDistribution, DecryptionError: p.DecryptionError}
	var err error
	if p.Data != nil {
		if c.Data, err = parseData(p.Data); err != nil {
			return nil, err
		}
	}
	if p.Sync != nil {
		if c.Sync, err = parseSync(p.Sync); err != nil {
			return nil, err
		}
	}
	if p.Edit != nil {
		if c.Edit, err = parseEdit(p.Edit); err != nil {
			return nil, err
		}
	}
	if p.Moved != nil {
		if c.Moved, err = parseMoved(p.Moved); err != nil {
			return nil, err
		}
	}
	if p.Call != nil {
		if c.Call, err = parseCall(p.Call); err != nil {
			return nil, err
		}
	}
	c.Introduction = parseIntroduction(p.Introduction)
	if p.Null != nil {
		c.Null = &Null{p.Null.Padding}
	}
	if r := p.Receipt; r != nil {
		if err := atMost("receipt timestamps", len(r.Timestamps), maxTimestamps); err != nil {
			return nil, err
		}
		c.Receipt = &Receipt{r.GetType(), r.Timestamps}
	}
	if t := p.Typing; t != nil {
		c.Typing = &Typing{t.GetTimestamp(), t.GetAction() == 1, t.GroupId}
	}
	return c, nil
}

// ParseBareData reads a plaintext that Unpad has returned and that is no Content but a DataMessage alone: what Envelope.Legacy holds (7.3).
func ParseBareData(b []byte) (*Data, error) {
	if err := checkSize("message", b, 0); err != nil {
		return nil, err
	}
	var p pb.DataMessage
	if err := unmarshal("message", b, &p); err != nil {
		return nil, err
	}
	return parseData(&p)
}

// Encode serialises c.
func (c *Content) Encode() []byte {
	p := &pb.Content{Data: c.Data.proto(), Sync: c.Sync.proto(), Call: c.Call.proto(), SenderKeyDistribution: c.SenderKey, DecryptionError: c.DecryptionError, Edit: c.Edit.proto(),
		Introduction: c.Introduction.proto(), Moved: c.Moved.proto()}
	if c.Null != nil {
		p.Null = &pb.NullMessage{Padding: c.Null.Padding}
	}
	if r := c.Receipt; r != nil {
		p.Receipt = &pb.ReceiptMessage{Type: &r.Kind, Timestamps: r.Timestamps}
	}
	if t := c.Typing; t != nil {
		action := uint32(0)
		if t.Stopped {
			action = 1
		}
		p.Typing = &pb.TypingMessage{Timestamp: &t.Timestamp, Action: &action, GroupId: t.Group}
	}
	return marshal(nil, p)
}

func parseEdit(p *pb.EditMessage) (*Edit, error) {
	if p.TargetTimestamp == nil || p.Data == nil {
		return nil, refusal.Because(refusal.InvalidMessage, "edit lacks target or message")
	}
	d, err := parseData(p.Data)
	return &Edit{p.GetTargetTimestamp(), d}, err
}

func (e *Edit) proto() *pb.EditMessage {
	if e == nil {
		return nil
	}
	return &pb.EditMessage{TargetTimestamp: &e.Target, Data: e.Data.proto()}
}

func parseCall(p *pb.CallMessage) (*Call, error) {
	if err := atMost("call candidates", len(p.Ice), maxIce); err != nil {
		return nil, err
	}
	c := new(Call)
	if o := p.Offer; o != nil {
		c.Offer = &CallDescription{o.GetId(), o.GetDescription()}
	}
	if a := p.Answer; a != nil {
		c.Answer = &CallDescription{a.GetId(), a.GetDescription()}
	}
	for _, i := range p.Ice {
		c.Ice = append(c.Ice, CallIce{i.GetId(), i.GetMid(), i.GetIndex(), i.GetSdp()})
	}
	if p.Hangup != nil {
		id := p.Hangup.GetId()
		c.Hangup = &id
	}
	if p.Busy != nil {
		id := p.Busy.GetId()
		c.Busy = &id
	}
	return c, nil
}

func (c *Call) proto() *pb.CallMessage {
	if c == nil {
		return nil
	}
	p := new(pb.CallMessage)
	if o := c.Offer; o != nil {
		p.Offer = &pb.CallDescription{Id: &o.ID, Description: &o.Description}
	}
	if a := c.Answer; a != nil {
		p.Answer = &pb.CallDescription{Id: &a.ID, Description: &a.Description}
	}
	for _, i := range c.Ice {
		p.Ice = append(p.Ice, &pb.CallIce{Id: &i.ID, Mid: &i.Mid, Index: &i.Index, Sdp: &i.SDP})
	}
	if c.Hangup != nil {
		p.Hangup = &pb.CallEnd{Id: c.Hangup}
	}
	if c.Busy != nil {
		p.Busy = &pb.CallEnd{Id: c.Busy}
	}
	return p
}

// atMost refuses more than most entries.
func atMost(what string, n, most int) error {
	if n > most {
		return refusal.Because(refusal.InvalidMessage, "%s: got %d, want at most %d", what, n, most)
	}
	return nil
}

// exactly refuses bytes of another length; absent ones pass.
func exactly(what string, b []byte, n int) error {
	if b != nil && len(b) != n {
		return refusal.Because(refusal.InvalidMessage, "%s: got %d bytes, want %d", what, len(b), n)
	}
	return nil
}

// some returns a pointer to v, or nil if v is the zero value: absent fields stay absent.
func some[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
