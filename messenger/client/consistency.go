package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/group"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/transcript"
	"github.com/countersign-project/countersign/messenger/wire"
)

// heldTranscript is one that a transaction has read. It is as long as transcript.Window, so it is read and written once, however many messages come together.
type heldTranscript struct {
	*transcript.Transcript
	changed bool
}

// transcript returns our view of a group's conversation; nil if there is none yet.
func (c *change) transcript(conversation string) (*transcript.Transcript, error) {
	if h := c.transcripts[conversation]; h != nil {
		return h.Transcript, nil
	}
	raw, ok, err := c.tx.Get(store.Transcripts, conversation)
	if err != nil || !ok {
		return nil, err
	}
	t, err := transcript.Unmarshal(raw)
	if err != nil {
		return c.anew(conversation, err)
	}
	t.Archive = cuts{c, conversation}
	put(&c.transcripts, conversation, &heldTranscript{Transcript: t})
	if t.HasCut() && !c.reading { // it was stored when nothing was cut
		return t, c.keepTranscript(conversation, t)
	}
	return t, nil
}

// anew begins a transcript in place of one that does not read: what comes must be taken in all the same, and be acknowledged. We are another author in
// it, as after a new installation, since nobody knows any more which numbers we have given. Messages that are here are known by the store, and not missed.
func (c *change) anew(conversation string, why error) (*transcript.Transcript, error) {
	if c.reading {
		return nil, nil // the next message does
	}
	c.a.Log.Error("a group's transcript begins anew", "conversation", conversation, "error", why)
	var install [8]byte
	if _, err := rand.Read(install[:]); err != nil {
		return nil, err
	}
	own := c.book.Own()
	t := transcript.New(transcript.Author{Member: own.Number, Device: own.Device, Install: binary.BigEndian.Uint64(install[:])})
	return t, c.keepTranscript(conversation, t)
}

// keepTranscript has a transcript written at the end of the transaction. What was cut from it is written now, for it is looked up.
func (c *change) keepTranscript(conversation string, t *transcript.Transcript) error {
	put(&c.transcripts, conversation, &heldTranscript{t, true})
	old := cuts{c, conversation}
	t.Archive = old
	return old.put(t.TakeCut())
}

func (c *change) writeTranscripts() error {
	for _, name := range slices.Sorted(maps.Keys(c.transcripts)) {
		if h := c.transcripts[name]; h.changed {
			if err := c.tx.Put(store.Transcripts, name, h.Marshal()); err != nil {
				return err
			}
		}
	}
	return nil
}

// newTranscript starts a view. Before are the heads of when we joined.
func (c *change) newTranscript(before ...transcript.ID) *transcript.Transcript {
	own := c.book.Own()
	return transcript.New(transcript.Author{Member: own.Number, Device: own.Device, Install: own.Install}, before...)
}

// standing tells a newcomer which messages he has missed on purpose: the heads of now.
func (c *change) standing(g *group.State) (*wire.Consistency, error) {
	t, err := c.transcript(groupName(g.ID))
	if err != nil || t == nil {
		return nil, err
	}
	var next transcript.Message
	t.Next(&next)
	return next.Consistency(), nil
}

func (c *change) beginTranscript(g *group.State, standing *wire.Consistency) error {
	if t, err := c.transcript(groupName(g.ID)); err != nil || t != nil {
		return err
	}
	if standing == nil {
		return c.keepTranscript(groupName(g.ID), c.newTranscript())
	}
	var before []transcript.ID
	for _, p := range standing.Parents {
		before = append(before, p)
	}
	return c.keepTranscript(groupName(g.ID), c.newTranscript(before...))
}

// say puts a message of ours into its group's transcript, and its place there into the message.
func (c *change) say(m *history.Message, d *wire.Data) error {
	own := c.book.Own()
	g, err := c.group(d.Group.ID)
	if err != nil {
		return err
	}
	t, err := c.transcript(m.Conversation)
	if err != nil {
		return err
	}
	if t == nil {
		t = c.newTranscript()
	}
	var next transcript.Message
	if _, err := rand.Read(next.Nonce[:]); err != nil {
		return err
	}
	t.Next(&next)
	next.Membership = transcript.MembershipHash(bareAll(g.List()))
	d.Consistency = next.Consistency()
	full, err := transcript.Of(own.Number, own.Device, d)
	if err != nil {
		return err
	}
	if _, err := t.Add(full, time.UnixMilli(c.now)); err != nil {
		return err
	}
	id := full.ID()
	m.Transcript = hex.EncodeToString(id[:])
	return c.keepTranscript(m.Conversation, t)
}

// indexTranscript makes a message findable by its place in the transcript.
func (c *change) indexTranscript(m *history.Message) error {
	return store.Save(c.tx, store.TranscriptRefs, m.Conversation+" "+m.Transcript, m.Seq)
}

// byTranscript finds it.
func (c *change) byTranscript(conversation string, id transcript.ID) (*history.Message, error) {
	seq, ok, err := store.Load[int64](c.tx, store.TranscriptRefs, conversation+" "+hex.EncodeToString(id[:]))
	if err != nil || !ok {
		return nil, err
	}
	return history.Get(c.tx, seq)
}

// heard is a message's place in its group's transcript, and what that shows. Of one that was there before it shows nothing.
type heard struct {
	t *transcript.Transcript
	n transcript.Notice
}

// hear puts a message into its group's transcript. What that shows about others is told by transcriptNotice, once the message itself is stored.
func (c *change) hear(m *history.Message, s said) (heard, error) {
	full, err := transcript.Of(bare(s.author), s.device, s.data)
	if err != nil {
		return heard{}, err
	}
	t, err := c.transcript(s.conversation)
	if err != nil {
		return heard{}, err
	}
	if t == nil { // nobody has told us where it stands: it begins here
		t = c.newTranscript(full.Parents...)
	}
	n, err := t.Add(full, time.UnixMilli(c.now))
	if refusal.Of(err) == refusal.Duplicate {
		id := full.ID()
		m.Transcript = hex.EncodeToString(id[:])
		return heard{t: t}, nil
	}
	if err != nil {
		return heard{}, err
	}
	m.Transcript = hex.EncodeToString(n.ID[:])
	return heard{t, n}, c.keepTranscript(s.conversation, t)
}

// transcriptNotice tells what a message has shown: something is missing, something is there now, or its author told different things.
func (c *change) transcriptNotice(conversation, author string, m *history.Message, h heard) error {
	t, n := h.t, h.n
	if len(n.Missing) > 0 {
		if err := c.noteGap(conversation, author, n.Missing); err != nil {
			return err
		}
	}
	if err := c.closeGap(conversation, n.ID, t); err != nil {
		return err
	}
	if len(n.Equivocation) == 0 {
		return nil
	}
	return c.equivocation(conversation, author, m, t, n)
}

func gapName(conversation string, id transcript.ID) string {
	return "gap " + conversation + " " + hex.EncodeToString(id[:])
}

// closeGap says of the gap that a message has filled that it is filled, once nothing of it is missing any more.
func (c *change) closeGap(conversation string, id transcript.ID, t *transcript.Transcript) error {
	seq, ok, err := store.Load[int64](c.tx, store.TranscriptRefs, gapName(conversation, id))
	if err != nil || !ok {
		return err
	}
	if err := c.tx.Delete(store.TranscriptRefs, gapName(conversation, id)); err != nil {
		return err
	}
	for _, other := range t.Missing() {
		if open, ok, err := store.Load[int64](c.tx, store.TranscriptRefs, gapName(conversation, other)); err != nil || ok && open == seq {
			return err
		}
	}
	gap, err := history.Get(c.tx, seq)
	if err != nil || gap == nil {
		return err
	}
	gap.Notice, gap.Body = "gap-filled", fmt.Sprintf("%s answered something you received only later.", c.called(gap.Author))
	return c.changed(gap)
}

// equivocation shows both versions, and on whose word we have them.
func (c *change) equivocation(conversation, author string, m *history.Message, t *transcript.Transcript, n transcript.Notice) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s told members of this group different things under one number: here %q", c.called(author), m.Body)
	old, hearsay, told := cuts{c, conversation}, t.Vouchers(n.ID), []string{hex.EncodeToString(n.ID[:])}
	for _, id := range n.Equivocation {
		other, err := c.byTranscript(conversation, id)
		if err != nil {
			return err
		}
		if other != nil {
			fmt.Fprintf(&text, ", and %q", other.Body)
		}
		by, err := old.vouchers(t, id)
		if err != nil {
			return err
		}
		hearsay, told = append(hearsay, by...), append(told, hex.EncodeToString(id[:]))
	}
	text.WriteString(".")
	if len(hearsay) > 0 {
		var names []string
		for _, n := range hearsay {
			name, err := c.named(conversation, author, n)
			if err != nil {
				return err
			}
			names = append(names, c.called(name))
		}
		fmt.Fprintf(&text, " One of them came from %s only, who could have made it up.", strings.Join(names, ", "))
	}
	return c.noticeOf(conversation, "equivocation", author, text.String(), told)
}

// heardResend answers a member who asks for messages he has not received.
func (c *change) heardResend(s said) error {
	if s.data.Group == nil || s.author == c.self() {
		return nil
	}
	joined, err := c.joined(s.data.Group.ID)
	if err != nil {
		return err
	}
	for _, id := range s.data.Resend {
		m, err := c.byTranscript(s.conversation, id)
		if err != nil {
			return err
		}
		if m == nil || joined[s.author] == 0 || m.Received < joined[s.author] { // it was not for him: newcomers get no history
			continue
		}
		if len(m.Raw) == 0 || m.Resent >= maxResent*group.MaxMembers {
			continue
		}
		content, err := wire.ParseContent(m.Raw)
		if err != nil || content.Data == nil {
			return err
		}
		m.Resent++
		if err := history.Set(c.tx, m); err != nil {
			return err
		}
		if m.Author == c.self() && m.Delivery[s.author].State != "" { // it was for him in the first place: our word, not hearsay
			if err := c.push(job{Timestamp: m.Timestamp, Content: m.Raw, To: []string{s.author}}); err != nil {
				return err
			}
			continue
		}
		d := &wire.Data{Group: &wire.Group{ID: s.data.Group.ID, Kind: wire.GroupDeliver}, Forwarded: &wire.Forwarded{Author: bare(cmp.Or(m.Was, m.Author)), Device: m.Device, Data: content.Data}}
		if err := c.sendOne(d, s.author); err != nil {
			return err
		}
	}
	return nil
}

// heardForwarded takes in a message of another member that somebody sends on.
func (c *change) heardForwarded(s said) error {
	f := s.data.Forwarded
	if s.data.Group == nil || f.Data.Group.ID != s.data.Group.ID {
		return refusal.Because(refusal.InvalidMessage, "forwarded message of another group")
	}
	full, err := transcript.Of(f.Author, f.Device, f.Data)
	if err != nil {
		return err
	}
	t, err := c.transcript(s.conversation)
	if err != nil || t == nil {
		return err
	}
	n, err := t.AddForwarded(full, time.UnixMilli(c.now))
	if err != nil {
		return err
	}
	if err := c.keepTranscript(s.conversation, t); err != nil {
		return err
	}
	author, err := c.named(s.conversation, s.author, f.Author)
	if err != nil {
		return err
	}
	g, err := c.group(s.data.Group.ID)
	if err != nil || g == nil {
		return err
	}
	m, err := c.messageOf(said{author: author, device: f.Device, conversation: s.conversation, timestamp: f.Data.Timestamp, data: f.Data})
	if err != nil {
		return err
	}
	v, err := history.Open(c.tx, author)
	if err != nil {
		return err
	}
	if v.Blocked {
		return c.closeGap(s.conversation, n.ID, t)
	}
	m.Transcript, m.Vouchers = hex.EncodeToString(n.ID[:]), members(g, t.Vouchers(n.ID))
	added, err := history.Add(c.tx, m)
	if err != nil {
		return err
	}
	if added {
		if err := c.indexTranscript(m); err != nil {
			return err
		}
		c.tell(Event{Type: EventMessage, Conversation: m.Conversation, Message: m})
	}
	return c.transcriptNotice(s.conversation, author, m, heard{t, n})
}

// askForMissing asks members for what others have answered and we have not received (12.4).
func (a *Account) askForMissing(ctx context.Context) error { return a.lookForGaps(ctx, false) }

// reconnected makes all that is missing due again.
func (a *Account) reconnected(ctx context.Context) error { return a.lookForGaps(ctx, true) }

func (a *Account) lookForGaps(ctx context.Context, again bool) error {
	var open []string
	err := a.store.View(ctx, func(tx *store.Tx) error {
		return tx.Each(store.Transcripts, func(name string, raw []byte) error {
			t, err := transcript.Unmarshal(raw)
			if err != nil || len(t.Missing()) > 0 || t.HasCut() { // or it has to be written anew
				open = append(open, name)
			}
			return nil
		})
	})
	for _, conversation := range open {
		if err == nil {
			err = a.change(ctx, func(c *change) error { return c.askGaps(conversation, again) })
		}
	}
	return err
}

// AskForMissing asks again for everything that is missing in a group, now.
func (a *Account) AskForMissing(ctx context.Context, conversation string) error {
	return a.change(ctx, func(c *change) error { return c.askGaps(conversation, true) })
}

func (c *change) askGaps(conversation string, again bool) error {
	id, ok := groupID(conversation)
	g, err := c.group(id)
	if err != nil || !ok || g == nil || !g.In(c.self()) {
		return err
	}
	t, err := c.transcript(conversation)
	if err != nil || t == nil {
		return err
	}
	if again {
		t.Reconnected()
	}
	due := t.Due(time.UnixMilli(c.now))
	if len(due) == 0 {
		return nil
	}
	if err := c.keepTranscript(conversation, t); err != nil {
		return err
	}
	ask := map[string][][32]byte{}
	for _, r := range due {
		for _, whom := range r.Ask {
			whom = member(g, whom)
			if whom != c.self() && g.In(whom) && len(ask[whom]) < 64 {
				ask[whom] = append(ask[whom], r.ID)
			}
		}
	}
	for whom, ids := range ask {
		if err := c.sendOne(&wire.Data{Group: &wire.Group{ID: id, Kind: wire.GroupDeliver}, Resend: ids}, whom); err != nil {
			return err
		}
	}
	return nil
}

// Consistency is what a group's page shows: up to when everybody has seen everything, and how much is missing here.
type Consistency struct {
	SeenByAll uint64 `json:"seenByAll"` // milliseconds; 0: nothing yet
	Missing   int    `json:"missing"`
}

// Consistency returns it for a group.
func (a *Account) Consistency(ctx context.Context, conversation string) (out Consistency, err error) {
	err = a.view(ctx, func(c *change) error {
		id, _ := groupID(conversation)
		g, err := c.group(id)
		if err != nil || g == nil {
			return err
		}
		t, err := c.transcript(conversation)
		if err == nil && t != nil {
			out = Consistency{t.Watermark(bareAll(g.List())), len(t.Missing())}
		}
		return err
	})
	return out, err
}
