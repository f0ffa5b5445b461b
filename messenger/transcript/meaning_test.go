package transcript_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/transcript"
	"github.com/countersign-project/countersign/messenger/wire"
)

// onTheWire is a message as it is sent and read again.
func onTheWire(t *testing.T, d *wire.Data) *wire.Data {
	t.Helper()
	c, err := wire.ParseContent((&wire.Content{Data: d}).Encode())
	if err != nil {
		t.Fatal(err)
	}
	return c.Data
}

// speaker is a member who keeps what it sends and receives, as a client's store does.
type speaker struct {
	t    *testing.T
	name string
	view *transcript.Transcript
	kept map[transcript.ID]wire.Forwarded
	n    byte
}

func newSpeaker(t *testing.T, name string) *speaker {
	return &speaker{t: t, name: name, view: transcript.New(transcript.Author{Member: name, Device: 1, Install: 7}), kept: map[transcript.ID]wire.Forwarded{}}
}

func (s *speaker) keep(m *transcript.Message, d *wire.Data) {
	s.kept[m.ID()] = wire.Forwarded{Author: m.Author.Member, Device: m.Author.Device, Data: d}
}

func (s *speaker) says(d *wire.Data, at time.Time) *wire.Data {
	s.t.Helper()
	s.n++
	m := transcript.Message{Nonce: [16]byte{s.n}, Membership: transcript.MembershipHash([]string{"alice", "bob", "carol"})}
	s.view.Next(&m)
	d.Group, d.Consistency = &wire.Group{ID: [16]byte{1}, Kind: wire.GroupDeliver}, m.Consistency()
	d.Timestamp = uint64(at.UnixMilli())
	full, err := transcript.Of(s.name, 1, d)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.view.Add(full, at); err != nil {
		s.t.Fatal(err)
	}
	s.keep(full, d)
	return onTheWire(s.t, d)
}

func (s *speaker) hears(from string, d *wire.Data, at time.Time) transcript.Notice {
	s.t.Helper()
	m, err := transcript.Of(from, 1, d)
	if err != nil {
		s.t.Fatal(err)
	}
	n, err := s.view.Add(m, at)
	if err != nil {
		s.t.Fatal(err)
	}
	s.keep(m, d)
	return n
}

// A dropped message is asked for and sent on, all of it through the bytes on the wire.
func TestAskingAndSendingOn(t *testing.T) {
	now := time.Date(2026, 11, 21, 14, 0, 0, 0, time.UTC)
	alice, bob, carol := newSpeaker(t, "alice"), newSpeaker(t, "bob"), newSpeaker(t, "carol")
	lost := alice.says(&wire.Data{Body: "lost", Attachments: []wire.Attachment{{ID: 5, Key: make([]byte, 64), Digest: make([]byte, 32), Size: 3}}}, now)
	bob.hears("alice", lost, now)
	answer := bob.says(&wire.Data{Body: "answer"}, now)
	n := carol.hears("bob", answer, now)
	if len(n.Missing) != 1 {
		t.Fatal("carol does not notice:", n)
	}
	due := carol.view.Due(now.Add(2 * time.Minute))
	if len(due) != 1 || strings.Join(due[0].Ask, " ") != "bob" {
		t.Fatal("carol asks", due)
	}
	asked := onTheWire(t, &wire.Data{Resend: [][32]byte{due[0].ID}})
	f := bob.kept[transcript.ID(asked.Resend[0])]
	sent := onTheWire(t, &wire.Data{Forwarded: &f})
	m, err := transcript.Of(sent.Forwarded.Author, sent.Forwarded.Device, sent.Forwarded.Data)
	if err != nil {
		t.Fatal(err)
	}
	n, err = carol.view.AddForwarded(m, now)
	if err != nil || len(n.Filled) != 1 || m.ID() != due[0].ID || m.Body != "lost" {
		t.Errorf("%+v, %v", n, err)
	}
	if got := carol.view.Vouchers(m.ID()); strings.Join(got, " ") != "bob" {
		t.Error("vouched for by", got)
	}
	sent.Forwarded.Data.Body = "changed on the way"
	if m, err = transcript.Of("alice", 1, sent.Forwarded.Data); err != nil {
		t.Fatal(err)
	}
	if _, err := carol.view.AddForwarded(m, now); fmt.Sprint(err) != "invalid message: transcript: forwarded message "+m.ID().String()+" was cited by nobody" {
		t.Error(err)
	}
}

// One blob and two keys: the pointers' digests agree, the messages' hashes do not (11.3).
func TestAttachmentsAreBoundWithTheirKeys(t *testing.T) {
	now := time.Unix(1, 0)
	mallory := newSpeaker(t, "mallory")
	toAlice := mallory.says(&wire.Data{Attachments: []wire.Attachment{{ID: 5, Key: bytes.Repeat([]byte{1}, 64), Digest: make([]byte, 32), Size: 3}}}, now)
	a, err := transcript.Of("mallory", 1, toAlice)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(a *wire.Attachment){
		"cipher key": func(a *wire.Attachment) { a.Key[0] ^= 1 }, "size": func(a *wire.Attachment) { a.Size-- }, "digest": func(a *wire.Attachment) { a.Digest[9] ^= 1 },
	} {
		toBob := onTheWire(t, toAlice)
		change(&toBob.Attachments[0])
		b, err := transcript.Of("mallory", 1, toBob)
		if err != nil || a.ID() == b.ID() {
			t.Errorf("%s is not bound, %v", name, err)
		}
	}
	for _, bad := range []wire.Attachment{{Key: make([]byte, 64)}, {Digest: make([]byte, 32)}} {
		toAlice.Attachments[0] = bad
		if _, err := transcript.Of("mallory", 1, toAlice); fmt.Sprint(err) != "invalid message: transcript: attachment 1 without key or digest" {
			t.Error(err)
		}
	}
	if _, err := transcript.Of("mallory", 1, &wire.Data{}); fmt.Sprint(err) != "invalid message: transcript: message without group or consistency" {
		t.Error(err)
	}
}
