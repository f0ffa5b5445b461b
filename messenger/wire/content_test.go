package wire_test

import (
	"fmt"
	"reflect"
	"runtime"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// contents is one of everything.
func contents(t testing.TB) map[string]*wire.Content {
	yes, target, request := true, uint64(7), uint32(wire.SyncContacts)
	a := wire.Attachment{ID: 1 << 63, ContentType: "image/png", Key: make([]byte, 64), Digest: make([]byte, 32), Size: 3, Thumbnail: []byte{1},
		FileName: "a.png", Flags: 1, Width: 2, Height: 3, Caption: "c", BlurHash: "b"}
	full := &wire.Data{Body: "text", Attachments: []wire.Attachment{a, {ID: 2}}, Flags: wire.FlagTimerUpdate, ExpireTimer: 60, ExpireTimerVersion: 2,
		ProfileKey: make([]byte, 32), Timestamp: 9, RequiredVersion: 1, ViewOnce: true, Delete: &target,
		Group:       &wire.Group{ID: [16]byte{1}, Kind: wire.GroupUpdate, Name: "g", Members: []string{"+1", "+2"}, Avatar: &a, State: &wire.GroupState{Members: []wire.GroupMember{{Name: "+1", Admin: true, Clock: 1, By: "+1"}, {Name: "+2", Removed: true, Clock: 3, By: "+1"}}, NameClock: 2, NameBy: "+1", ExpireTimer: 60, ExpireClock: 4, ExpireBy: "+1"}},
		Quote:       &wire.Quote{Target: 5, Author: "u", AuthorNumber: "+1", Text: "q", Attachments: []wire.QuotedAttachment{{"x", "y", &a}, {}}},
		Reaction:    &wire.Reaction{Emoji: "👍", Remove: true, Author: "u", AuthorNumber: "+1", Target: 6},
		Consistency: &wire.Consistency{Nonce: [16]byte{1}, Counter: 2, Install: 3, Parents: [][32]byte{{4}, {5}}, Membership: [32]byte{6}}}
	return map[string]*wire.Content{
		"empty":   {},
		"text":    {Data: &wire.Data{Body: "text", Timestamp: 1}},
		"full":    {Data: full, SenderKey: []byte{1}},
		"moved":   {Moved: &wire.Moved{From: "+14155550100", To: "+14155550101"}},
		"edit":    {Edit: &wire.Edit{Target: 1, Data: full}},
		"null":    {Null: &wire.Null{Padding: []byte{0, 0}}},
		"resend":  {Data: &wire.Data{Timestamp: 1, Resend: [][32]byte{{1}, {2}}}},
		"forward": {Data: &wire.Data{Timestamp: 1, Forwarded: &wire.Forwarded{Author: "+1", Device: 2, Data: full}}},
		"receipt": {Receipt: &wire.Receipt{Kind: wire.ReceiptRead, Timestamps: []uint64{1, 1 << 60}}},
		"typing":  {Typing: &wire.Typing{Timestamp: 1, Stopped: true, Group: []byte{1}}},
		"call": {Call: &wire.Call{Offer: &wire.CallDescription{ID: 1, Description: "o"}, Answer: &wire.CallDescription{ID: 2, Description: "a"},
			Ice: []wire.CallIce{{1, "m", 2, "s"}}, Hangup: &target, Busy: &target}},
		"introduction": {Introduction: &wire.Introduction{Statement: []byte{1}, Signature: make([]byte, 64)}},
		"sync": {Sync: &wire.Sync{Moved: &wire.Moved{To: "+1"}, Sent: &wire.Sent{Destination: "+1", Timestamp: 2, Message: full, ExpirationStart: 3, Edit: &wire.Edit{Target: 4, Data: full}},
			Contacts: &wire.ContactsBlob{Blob: a, Complete: true}, Groups: &a, Request: &request, Read: []wire.Read{{"+1", 2}},
			Blocked: &wire.Blocked{Numbers: []string{"+1"}, Groups: [][]byte{{1}}}, Padding: []byte{0},
			Verified:      &wire.Verified{Destination: "+1", Identity: key(t), State: wire.VerifiedYes, NullMessage: []byte{1}},
			Configuration: &wire.Configuration{ReadReceipts: &yes, LinkPreviews: &yes},
			Introductions: []wire.Introduced{{"+1", key(t), wire.Introduction{Statement: []byte{1}, Signature: []byte{2}}}},
			History:       &wire.History{Device: 2, Seed: make([]byte, 16), Parts: []wire.Attachment{a, a}, Messages: 3}}},
	}
}

func TestContentRoundTrip(t *testing.T) {
	for name, c := range contents(t) {
		got, err := wire.ParseContent(c.Encode())
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%s: %+v became %+v, %v", name, c, got, err)
		}
	}
}

// field is a protobuf field of bytes.
func field(n protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), b)
}

func TestContentRefusals(t *testing.T) {
	many := func(n int, b []byte) (all []byte) {
		for range n {
			all = append(all, b...)
		}
		return all
	}
	for _, test := range []struct {
		in   []byte
		want string
	}{
		{make([]byte, wire.MaxMessage+1), "invalid message: content: got 262145 bytes, want at most 262144"},
		{[]byte{0x0a}, "invalid message: content is not a protobuf of that kind"},
		{field(1, field(6, []byte{1})), "invalid message: profile key: got 1 bytes, want 32"},
		{field(1, many(65, field(2, nil))), "invalid message: attachments: got 65, want at most 64"},
		{field(1, field(2, field(3, []byte{1}))), "invalid message: attachment key: got 1 bytes, want 64"},
		{field(1, field(2, field(6, []byte{1}))), "invalid message: attachment digest: got 1 bytes, want 32"},
		{field(1, field(3, nil)), "invalid message: group id: got 0 bytes, want 16"},
		{field(1, field(3, append(field(1, make([]byte, 16)), many(2001, field(4, nil))...))), "invalid message: group members: got 2001, want at most 2000"},
		{field(1, field(1001, nil)), "invalid message: consistency lacks nonce, counter or membership hash"},
		{field(1, field(1002, many(65, field(1, make([]byte, 32))))), "invalid message: resend request: got 65, want at most 64"},
		{field(1, field(1002, field(1, []byte{1}))), "invalid message: resend request: got an id of 1 bytes, want 32"},
		{field(1, field(1003, field(3, nil))), "invalid message: forwarded message lacks author, group or consistency"},
		{field(1, field(1003, append(field(1, []byte("+1")), field(3, append(append(field(3, nil), field(1001, nil)...), field(1003, nil)...))...))), "invalid message: forwarded message that forwards or asks itself"},
		{field(11, nil), "invalid message: edit lacks target or message"},
		{field(3, many(101, field(3, nil))), "invalid message: call candidates: got 101, want at most 100"},
		{field(2, field(1, nil)), "invalid message: sent transcript without a message"},
		{field(2, field(7, nil)), "invalid key: public key: got 0 bytes, want 33"},
		{field(2, field(1000, nil)), "invalid message: own device's introduction: there is none in it"},
		{field(2, field(1000, field(3, nil))), "invalid key: public key: got 0 bytes, want 33"},
		{field(2, many(1_001, field(1000, nil))), "invalid message: introductions: got 1001, want at most 1000"},
		{field(2, many(10_001, field(5, nil))), "invalid message: read messages: got 10001, want at most 10000"},
	} {
		if _, err := wire.ParseContent(test.in); fmt.Sprint(err) != test.want {
			t.Errorf("%.20x: got %v, want %q", test.in, err, test.want)
		}
	}
}

// However a content of the largest size is filled, reading it costs a bounded amount of memory.
func TestHostileContentCostsABoundedAmount(t *testing.T) {
	many := func(f []byte) (all []byte) {
		for len(all) < wire.MaxMessage-4<<10 {
			all = append(all, f...)
		}
		return all
	}
	for name, in := range map[string][]byte{
		"attachments": field(1, many(field(2, nil))), "read": field(2, many(field(5, nil))), "candidates": field(3, many(field(3, nil))),
		"quoted": field(1, field(8, many(field(4, field(3, nil))))), "members": field(1, field(3, many(field(4, nil)))),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := wire.ParseContent(in); refusal.Of(err) != refusal.InvalidMessage {
			t.Errorf("%s: %v", name, err)
		}
		runtime.ReadMemStats(&after)
		if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 40 {
			t.Errorf("%s: %d MiB for a message of %d KiB", name, n, len(in)>>10)
		}
	}
}

func TestRetryRequests(t *testing.T) {
	for _, e := range []wire.DecryptionError{{RatchetKey: key(t), HasKey: true, Timestamp: 5, Device: 2}, {Timestamp: 5}} {
		if got, err := wire.ParsePlaintext(e.EncodePlaintext()); err != nil || got != e {
			t.Errorf("%+v became %+v, %v", e, got, err)
		}
	}
	text := (&wire.Content{Data: &wire.Data{Body: "in the clear"}}).Encode()
	for _, test := range []struct {
		in   []byte
		want string
	}{
		{nil, "invalid message: plaintext content: got 0 bytes, want at least 1"},
		{[]byte{0x33}, "unknown version: plaintext content byte 0x33"},
		{append([]byte{0xc0}, text...), "invalid message: padding of the plaintext"},
		{append([]byte{0xc0}, wire.Pad(text)...), "invalid message: plaintext content that is no decryption error"},
		{append([]byte{0xc0}, wire.Pad(field(8, nil))...), "invalid message: decryption error lacks the timestamp"},
	} {
		if _, err := wire.ParsePlaintext(test.in); fmt.Sprint(err) != test.want {
			t.Errorf("%.10x: got %v, want %q", test.in, err, test.want)
		}
	}
}

// A bare message is what a content has in its field 1, refusals included (7.3).
func TestBareMessages(t *testing.T) {
	for name, c := range contents(t) {
		if c.Data == nil {
			continue
		}
		n, kind, size := protowire.ConsumeTag((&wire.Content{Data: c.Data}).Encode())
		bare, _ := protowire.ConsumeBytes((&wire.Content{Data: c.Data}).Encode()[size:])
		if got, err := wire.ParseBareData(bare); n != 1 || kind != protowire.BytesType || err != nil || !reflect.DeepEqual(got, c.Data) {
			t.Errorf("%s: %+v became %+v, %v", name, c.Data, got, err)
		}
	}
	for _, test := range []struct {
		in   []byte
		want string
	}{
		{make([]byte, wire.MaxMessage+1), "invalid message: message: got 262145 bytes, want at most 262144"},
		{[]byte{0x0a}, "invalid message: message is not a protobuf of that kind"},
		{field(6, []byte{1}), "invalid message: profile key: got 1 bytes, want 32"},
	} {
		if _, err := wire.ParseBareData(test.in); fmt.Sprint(err) != test.want {
			t.Errorf("%.20x: got %v, want %q", test.in, err, test.want)
		}
	}
}

func FuzzBareData(f *testing.F) {
	for _, c := range contents(f) {
		f.Add(c.Encode())
		f.Add((&wire.Content{Data: c.Data}).Encode())
	}
	f.Add([]byte("\x0a\x0ehello from 2014"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := wire.ParseBareData(b)
		if err != nil {
			if refusal.Of(err) == "" {
				t.Fatal(err)
			}
			return
		}
		if c, err := wire.ParseContent(field(1, b)); err == nil && !reflect.DeepEqual(c.Data, d) { // a content is longer, and may be too long
			t.Fatalf("alone %+v, in a content %+v", d, c.Data)
		}
	})
}

func FuzzContent(f *testing.F) {
	for _, c := range contents(f) {
		f.Add(c.Encode())
	}
	f.Add(wire.DecryptionError{Timestamp: 5}.EncodePlaintext())
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := wire.ParseContent(b); err != nil {
			if refusal.Of(err) == "" {
				t.Fatal(err)
			}
		} else if again, err := wire.ParseContent(c.Encode()); err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%+v became %+v, %v", c, again, err)
		}
		if e, err := wire.ParsePlaintext(b); err != nil {
			if refusal.Of(err) == "" {
				t.Fatal(err)
			}
		} else if again, err := wire.ParsePlaintext(e.EncodePlaintext()); err != nil || again != e {
			t.Fatalf("%+v became %+v, %v", e, again, err)
		}
	})
}
