package wire

import (
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire/pb"
)

// Flags of Data (9.2).
const (
	FlagEndSession       = 1
	FlagTimerUpdate      = 2
	FlagProfileKeyUpdate = 4
	FlagForward          = 8
)

// Data is a message for people (9.2).
type Data struct {
	Body               string // up to 2 000 bytes; longer texts go as an attachment (11.3)
	Attachments        []Attachment
	Group              *Group
	Flags              uint32
	ExpireTimer        uint32 // seconds
	ExpireTimerVersion uint32
	ProfileKey         keys.SecretBytes // 32 bytes or nil
	Timestamp          uint64           // must equal the envelope's; the receiver checks
	Quote              *Quote
	RequiredVersion    uint32
	ViewOnce           bool
	Reaction           *Reaction
	Delete             *uint64      // timestamp of the message to delete for all
	Consistency        *Consistency // ours (12.4), as are the next two
	Resend             [][32]byte   // ids of messages that are missing here, at most 64
	Forwarded          *Forwarded
}

// Attachment points to an uploaded blob (9.5).
type Attachment struct {
	ID          uint64
	ContentType string
	Key         keys.SecretBytes // 64 bytes
	Digest      []byte           // 32 bytes; nil from one old client, whose attachments are not to be trusted to be whole
	Size        uint32           // of the plaintext
	Thumbnail   []byte
	FileName    string // as the sender says: never a path
	Flags       uint32
	Width       uint32
	Height      uint32
	Caption     string
	BlurHash    string
}

// Kinds of Group.
const (
	GroupUpdate      = 1
	GroupDeliver     = 2
	GroupQuit        = 3
	GroupRequestInfo = 4
)

// Group says which group a message is for, or changes it (11.1).
type Group struct {
	ID      [16]byte
	Kind    uint32
	Name    string
	Members []string
	Avatar  *Attachment
	State   *GroupState // ours (11.2); nil from other clients
}

// Quote is the message that is answered.
type Quote struct {
	Target       uint64 // its timestamp
	Author       string
	AuthorNumber string // the oldest layout
	Text         string
	Attachments  []QuotedAttachment
}

// QuotedAttachment shows what was attached to a quoted message.
type QuotedAttachment struct {
	ContentType, FileName string
	Thumbnail             *Attachment
}

// Reaction to a message.
type Reaction struct {
	Emoji        string
	Remove       bool
	Author       string // of the message reacted to
	AuthorNumber string // the oldest layout
	Target       uint64 // its timestamp
}

// Consistency is what package transcript needs (12.4).
type Consistency struct {
	Nonce      [16]byte
	Counter    uint64
	Install    uint64
	Parents    [][32]byte // at most 8
	Membership [32]byte
}

// Forwarded is a message of another member, sent on to one who asked for it. Nobody has authenticated it but who sends it on; see
// transcript.AddForwarded.
type Forwarded struct {
	Author string // as in the group's member list
	Device uint32
	Data   *Data // with its group, timestamp and consistency; forwards nothing itself
}

func parseData(p *pb.DataMessage) (*Data, error) {
	if err := exactly("profile key", p.ProfileKey, 32); err != nil {
		return nil, err
	}
	d := &Data{Body: p.GetBody(), Flags: p.GetFlags(), ExpireTimer: p.GetExpireTimer(), ExpireTimerVersion: p.GetExpireTimerVersion(),
		ProfileKey: p.ProfileKey, Timestamp: p.GetTimestamp(), RequiredVersion: p.GetRequiredProtocolVersion(), ViewOnce: p.GetIsViewOnce()}
	if err := atMost("attachments", len(p.Attachments), maxAttachments); err != nil {
		return nil, err
	}
	for _, a := range p.Attachments {
		out, err := parseAttachment(a)
		if err != nil {
			return nil, err
		}
		d.Attachments = append(d.Attachments, *out)
	}
	var err error
	if p.Group != nil {
		if d.Group, err = parseGroup(p.Group); err != nil {
			return nil, err
		}
	}
	if p.Quote != nil {
		if d.Quote, err = parseQuote(p.Quote); err != nil {
			return nil, err
		}
	}
	if r := p.Reaction; r != nil {
		d.Reaction = &Reaction{r.GetEmoji(), r.GetRemove(), r.GetAuthor(), r.GetAuthorNumber(), r.GetTargetTimestamp()}
	}
	if p.Delete != nil {
		target := p.Delete.GetTargetTimestamp()
		d.Delete = &target
	}
	if p.Consistency != nil {
		if d.Consistency, err = parseConsistency(p.Consistency); err != nil {
			return nil, err
		}
	}
	if p.ResendRequest != nil {
		if d.Resend, err = parseIDs("resend request", p.ResendRequest.Ids, maxResend); err != nil {
			return nil, err
		}
	}
	if p.Forwarded != nil {
		if d.Forwarded, err = parseForwarded(p.Forwarded); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *Data) proto() *pb.DataMessage {
	if d == nil {
		return nil
	}
	p := &pb.DataMessage{Body: some(d.Body), Flags: some(d.Flags), ExpireTimer: some(d.ExpireTimer), ExpireTimerVersion: some(d.ExpireTimerVersion),
		ProfileKey: d.ProfileKey, Timestamp: some(d.Timestamp), RequiredProtocolVersion: some(d.RequiredVersion), IsViewOnce: some(d.ViewOnce),
		Group: d.Group.proto(), Quote: d.Quote.proto(), Consistency: d.Consistency.proto(), Forwarded: d.Forwarded.proto()}
	if len(d.Resend) > 0 {
		p.ResendRequest = &pb.ResendRequest{Ids: slices32(d.Resend)}
	}
	for _, a := range d.Attachments {
		p.Attachments = append(p.Attachments, a.proto())
	}
	if r := d.Reaction; r != nil {
		p.Reaction = &pb.Reaction{Emoji: some(r.Emoji), Remove: some(r.Remove), Author: some(r.Author), AuthorNumber: some(r.AuthorNumber), TargetTimestamp: &r.Target}
	}
	if d.Delete != nil {
		p.Delete = &pb.Delete{TargetTimestamp: d.Delete}
	}
	return p
}

func parseAttachment(p *pb.AttachmentPointer) (*Attachment, error) {
	if err := exactly("attachment key", p.Key, 64); err != nil {
		return nil, err
	}
	if err := exactly("attachment digest", p.Digest, 32); err != nil {
		return nil, err
	}
	return &Attachment{p.GetId(), p.GetContentType(), p.Key, p.Digest, p.GetSize(), p.Thumbnail, p.GetFileName(), p.GetFlags(),
		p.GetWidth(), p.GetHeight(), p.GetCaption(), p.GetBlurHash()}, nil
}

func (a *Attachment) proto() *pb.AttachmentPointer {
	if a == nil {
		return nil
	}
	return &pb.AttachmentPointer{Id: &a.ID, ContentType: some(a.ContentType), Key: a.Key, Digest: a.Digest, Size: some(a.Size), Thumbnail: a.Thumbnail,
		FileName: some(a.FileName), Flags: some(a.Flags), Width: some(a.Width), Height: some(a.Height), Caption: some(a.Caption), BlurHash: some(a.BlurHash)}
}

func parseGroup(p *pb.GroupContext) (*Group, error) {
	if len(p.Id) != 16 {
		return nil, refusal.Because(refusal.InvalidMessage, "group id: got %d bytes, want 16", len(p.Id))
	}
	if err := atMost("group members", len(p.Members), maxMembers); err != nil {
		return nil, err
	}
	g := &Group{ID: [16]byte(p.Id), Kind: p.GetType(), Name: p.GetName(), Members: p.Members}
	var err error
	if p.Avatar != nil {
		if g.Avatar, err = parseAttachment(p.Avatar); err != nil {
			return nil, err
		}
	}
	g.State, err = parseGroupState(p.State)
	return g, err
}

func (g *Group) proto() *pb.GroupContext {
	if g == nil {
		return nil
	}
	return &pb.GroupContext{Id: g.ID[:], Type: &g.Kind, Name: some(g.Name), Members: g.Members, Avatar: g.Avatar.proto(), State: g.State.proto()}
}

func parseQuote(p *pb.Quote) (*Quote, error) {
	if err := atMost("quoted attachments", len(p.Attachments), maxAttachments); err != nil {
		return nil, err
	}
	q := &Quote{Target: p.GetId(), Author: p.GetAuthor(), AuthorNumber: p.GetAuthorNumber(), Text: p.GetText()}
	for _, a := range p.Attachments {
		out := QuotedAttachment{ContentType: a.GetContentType(), FileName: a.GetFileName()}
		if a.Thumbnail != nil {
			t, err := parseAttachment(a.Thumbnail)
			if err != nil {
				return nil, err
			}
			out.Thumbnail = t
		}
		q.Attachments = append(q.Attachments, out)
	}
	return q, nil
}

func (q *Quote) proto() *pb.Quote {
	if q == nil {
		return nil
	}
	p := &pb.Quote{Id: &q.Target, Author: some(q.Author), AuthorNumber: some(q.AuthorNumber), Text: some(q.Text)}
	for _, a := range q.Attachments {
		p.Attachments = append(p.Attachments, &pb.QuotedAttachment{ContentType: some(a.ContentType), FileName: some(a.FileName), Thumbnail: a.Thumbnail.proto()})
	}
	return p
}

func parseForwarded(p *pb.Forwarded) (*Forwarded, error) {
	switch {
	case p.GetAuthor() == "" || p.Data == nil || p.Data.Consistency == nil || p.Data.Group == nil:
		return nil, refusal.Because(refusal.InvalidMessage, "forwarded message lacks author, group or consistency")
	case p.Data.Forwarded != nil || p.Data.ResendRequest != nil: // or one could nest ten thousand of them
		return nil, refusal.Because(refusal.InvalidMessage, "forwarded message that forwards or asks itself")
	}
	d, err := parseData(p.Data)
	return &Forwarded{p.GetAuthor(), p.GetDevice(), d}, err
}

func (f *Forwarded) proto() *pb.Forwarded {
	if f == nil {
		return nil
	}
	return &pb.Forwarded{Author: &f.Author, Device: &f.Device, Data: f.Data.proto()}
}

// parseIDs reads a list of hashes.
func parseIDs(what string, in [][]byte, most int) (ids [][32]byte, err error) {
	if err := atMost(what, len(in), most); err != nil {
		return nil, err
	}
	for _, id := range in {
		if len(id) != 32 {
			return nil, refusal.Because(refusal.InvalidMessage, "%s: got an id of %d bytes, want 32", what, len(id))
		}
		ids = append(ids, [32]byte(id))
	}
	return ids, nil
}

func slices32(ids [][32]byte) (out [][]byte) {
	for i := range ids {
		out = append(out, ids[i][:])
	}
	return out
}

func parseConsistency(p *pb.Consistency) (*Consistency, error) {
	if len(p.Nonce) != 16 || len(p.MembershipHash) != 32 || p.GetCounter() == 0 {
		return nil, refusal.Because(refusal.InvalidMessage, "consistency lacks nonce, counter or membership hash")
	}
	parents, err := parseIDs("consistency parents", p.Parents, maxParents)
	if err != nil {
		return nil, err
	}
	c := &Consistency{Nonce: [16]byte(p.Nonce), Counter: p.GetCounter(), Install: p.GetInstallEpoch(), Parents: parents, Membership: [32]byte(p.MembershipHash)}
	return c, nil
}

func (c *Consistency) proto() *pb.Consistency {
	if c == nil {
		return nil
	}
	return &pb.Consistency{Nonce: c.Nonce[:], Counter: &c.Counter, InstallEpoch: &c.Install, Parents: slices32(c.Parents), MembershipHash: c.Membership[:]}
}
