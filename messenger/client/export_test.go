package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/countersign-project/countersign/messenger/attachment"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/introduction"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/signaling"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/transcript"
	"github.com/countersign-project/countersign/messenger/wire"
)

// TakeForTest puts an envelope of a test's making into an account's hands, as its server would.
func TakeForTest(ctx context.Context, a *Account, e wire.Envelope) bool {
	own, err := a.Own(ctx)
	if err != nil {
		panic(err)
	}
	key := signaling.Key(own.SignalingKey)
	blob, err := key.Seal(e.Encode(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return a.takeAll(ctx, [][]byte{blob})[0]
}

// AskForTest asks a member for a message of a group, as a program would that is not ours.
func AskForTest(ctx context.Context, a *Account, conversation, whom, transcriptID string) error {
	id, _ := groupID(conversation)
	b, err := hex.DecodeString(transcriptID)
	if err != nil || len(b) != 32 {
		return err
	}
	return a.change(ctx, func(c *change) error {
		return c.sendOne(&wire.Data{Group: &wire.Group{ID: id, Kind: wire.GroupDeliver}, Resend: [][32]byte{[32]byte(b)}}, whom)
	})
}

// TendForTest has an account look at its timers, which the passing of a test's time alone does not.
func TendForTest(a *Account) { signal(a.tend) }

// ShowGapsForTest shows the gaps that are due, before it returns.
func ShowGapsForTest(ctx context.Context, a *Account) error {
	_, err := a.showGaps(ctx)
	return err
}

// CutForTest finishes every job of the outbox in a transaction that a crash cuts off before its commit.
func CutForTest(ctx context.Context, a *Account) error {
	jobs, err := a.jobs(ctx)
	if err != nil {
		return err
	}
	return a.change(ctx, func(c *change) error {
		for _, j := range jobs {
			if err := c.changeJob(j.ID, func(j *job) error { j.To = nil; return nil }); err != nil {
				return err
			}
		}
		return errors.New("a crash")
	})
}

// MeterForTest makes a meter of total units.
func MeterForTest(now func() time.Time, tell func(Progress), total int64) (add func(int64)) {
	return newMeter(now, tell, Uploading, 0, total).add
}

// PackForTest packs and uploads a history as for a device, and does not send it.
func PackForTest(ctx context.Context, a *Account, device uint32) (*wire.History, error) {
	h := handover{Device: device}
	order := func(c *change) error { return c.orderHistory(device) } // which nobody is woken for
	if err := errors.Join(a.change(ctx, order), a.pack(ctx, &h), a.uploadHistory(ctx, &h)); err != nil {
		return nil, err
	}
	for i := range h.Parts {
		h.Parts[i].ID = h.Files[i].ID
	}
	if err := a.change(ctx, func(c *change) error { return c.dropHandover(device) }); err != nil {
		return nil, err
	}
	return &wire.History{Device: device, Seed: h.Seed, Parts: h.Parts, Messages: uint64(h.Messages)}, nil
}

// PartsForTest has an account cut a history into parts of so many bytes.
func PartsForTest(a *Account, size int64) { a.partSize = size }

// AnnounceForTest tells a number's devices of a history.
func AnnounceForTest(ctx context.Context, a *Account, to string, h wire.History) error {
	return a.change(ctx, func(c *change) error {
		at, err := c.timestamp()
		if err != nil {
			return err
		}
		return c.push(job{Timestamp: at, Content: (&wire.Content{Sync: &wire.Sync{History: &h}}).Encode(), To: []string{to}})
	})
}

// BlobSizeForTest is how long the ciphertext of a file is.
func BlobSizeForTest(size int64) int64 { return attachment.BlobSize(attachment.Padded(size)) }

// SendForTest sends what nobody can decrypt to somebody's first device.
func SendForTest(ctx context.Context, a *Account, to string, timestamp uint64) error {
	who, err := a.login(ctx)
	if err != nil {
		return err
	}
	content := append([]byte{0x44}, make([]byte, 60)...)
	_, err = a.server.Send(ctx, who, to, api.Messages{Timestamp: timestamp, NoReceipt: true, Messages: []api.Message{{Type: uint32(wire.EnvelopeCiphertext), DeviceID: 1, Content: content}}})
	return err
}

// SendBareForTest sends a text as a program of 2014 would: not in a Content, and in a field of its own.
func SendBareForTest(ctx context.Context, a *Account, to, text string, timestamp uint64) error {
	who, err := a.login(ctx)
	if err != nil {
		return err
	}
	bare := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), text)
	for {
		var list []api.Message
		var need *session.Need
		if err := a.change(ctx, func(c *change) error { list, need, err = c.book.Seal(to, wire.Pad(bare)); return err }); err != nil {
			return err
		}
		if need != nil {
			if _, err := a.fetch(ctx, who, to, need); err != nil {
				return err
			}
			continue
		}
		for i := range list {
			list[i].Body, list[i].Content = list[i].Content, nil
		}
		_, err = a.server.Send(ctx, who, to, api.Messages{Timestamp: timestamp, Messages: list})
		return err
	}
}

// QueueReceiptsForTest makes messages of the receipts that are owed, without the moment's wait.
func QueueReceiptsForTest(ctx context.Context, a *Account) error { return a.queueReceipts(ctx) }

// WaitsForTest tells whether somebody has to wait for something.
func WaitsForTest(a *Account, name string) bool { return a.waits(name) }

// OweForTest notes that a receipt is owed, and no more, as a crash would have it.
func OweForTest(ctx context.Context, a *Account, to string, timestamp uint64) error {
	return a.store.Update(ctx, func(tx *store.Tx) error { return store.Save(tx, store.Receipts, "delivery "+to, []uint64{timestamp}) })
}

// SyncedForTest takes in what another device of the person's says.
func SyncedForTest(ctx context.Context, a *Account, s *wire.Sync) error {
	return a.change(ctx, func(c *change) error {
		return c.synced(session.Opened{From: c.self(), Device: 2, Content: &wire.Content{Sync: s}})
	})
}

// FillForTest stores so many messages of somebody, as if they had come long ago and were read.
func FillForTest(ctx context.Context, a *Account, from string, n int) error {
	for at := 0; at < n; at += 1000 {
		err := a.change(ctx, func(c *change) error {
			for i := at; i < min(n, at+1000); i++ {
				m := &history.Message{Conversation: from, Kind: history.Text, Author: from, Timestamp: uint64(i + 1), Received: int64(i + 1), Seen: true,
					Body: fmt.Sprintf("message %d, of some words as people write them, so that it is not shorter than usual", i)}
				if added, err := history.Add(c.tx, m); err != nil || !added {
					return fmt.Errorf("message %d: %v, %v", i, added, err)
				}
			}
			return history.Change(c.tx, from, func(v *history.Conversation) { v.Unread = 0 })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// SayIntroductionForTest sends somebody an introduction of a test's making; raw spoils what is signed.
func SayIntroductionForTest(ctx context.Context, a *Account, to string, alter func(*introduction.Statement), raw ...func(statement, sig []byte) ([]byte, []byte)) {
	var i wire.Introduction
	err := a.change(ctx, func(c *change) error {
		p, err := c.book.Peer(to)
		if err != nil {
			return err
		}
		identity, err := c.book.Own().Identity()
		if err != nil {
			return err
		}
		s := introduction.Statement{}
		if s.Time, err = c.timestamp(); err != nil {
			return err
		}
		s.Recipient.Address = to
		if s.Recipient.Key, err = p.Key(); err != nil {
			return err
		}
		alter(&s)
		statement, sig, err := s.Sign(identity, rand.Reader)
		i = wire.Introduction{Statement: statement, Signature: sig[:]}
		return err
	})
	if err != nil {
		panic(err)
	}
	for _, f := range raw {
		i.Statement, i.Signature = f(i.Statement, i.Signature)
	}
	PassIntroductionForTest(ctx, a, to, &i)
}

// MadeIntroductionForTest makes an introduction and sends it to nobody.
func MadeIntroductionForTest(ctx context.Context, a *Account, recipient, other string) (i *wire.Introduction) {
	err := a.change(ctx, func(c *change) error {
		at, err := c.timestamp()
		if err != nil {
			return err
		}
		i, err = c.book.Introduce(recipient, other, at)
		return err
	})
	if err != nil {
		panic(err)
	}
	return i
}

// PassIntroductionForTest sends an introduction, whoever has made it for whom.
func PassIntroductionForTest(ctx context.Context, a *Account, to string, i *wire.Introduction) {
	err := a.change(ctx, func(c *change) error {
		at, err := c.timestamp()
		if err != nil {
			return err
		}
		return c.push(job{Timestamp: at, Content: (&wire.Content{Introduction: i}).Encode(), To: []string{to}})
	})
	if err != nil {
		panic(err)
	}
}

// ToldUnlinkedForTest tells whether the person was told that the server does not know this device.
func ToldUnlinkedForTest(ctx context.Context, a *Account) (told bool) {
	if err := a.view(ctx, func(c *change) (err error) {
		_, told, err = c.tx.Get(store.Settings, toldName(c.self(), noticeUnlinked, ""))
		return err
	}); err != nil {
		panic(err)
	}
	return told
}

// ClaimForTest tells somebody that our number was another before, whether it was or not.
func ClaimForTest(ctx context.Context, a *Account, to, old string) error {
	return a.change(ctx, func(c *change) error {
		at, err := c.timestamp()
		if err != nil {
			return err
		}
		return c.push(job{Timestamp: at, Content: (&wire.Content{Moved: &wire.Moved{From: old}}).Encode(), To: []string{to}})
	})
}

// ForgetVerifiedForTest takes back that somebody is verified, and tells no other device.
func ForgetVerifiedForTest(ctx context.Context, a *Account, name string) {
	err := a.change(ctx, func(c *change) error {
		p, err := c.book.Peer(name)
		if err != nil {
			return err
		}
		key, err := p.Key()
		if err != nil {
			return err
		}
		return c.book.SetVerified(name, key, false)
	})
	if err != nil {
		panic(err)
	}
}

// HearForTest puts n messages of a member's into a group's transcript, each the answer to the one before, and each in a transaction of its own if it says so. It
// returns the last, and how long the stored form is.
func HearForTest(ctx context.Context, a *Account, conversation string, last *transcript.Message, n int, each bool) (_ *transcript.Message, size int, err error) {
	step := 1000
	if each {
		step = 1
	}
	for at := 0; at < n; at += step {
		if err := a.change(ctx, func(c *change) error {
			for range min(n-at, step) {
				t, err := c.transcript(conversation)
				if err != nil {
					return err
				}
				last = &transcript.Message{Author: last.Author, Counter: last.Counter + 1, Timestamp: uint64(c.now), Parents: []transcript.ID{last.ID()}}
				if _, err = t.Add(last, time.UnixMilli(c.now)); err != nil {
					return err
				}
				if err := c.keepTranscript(conversation, t); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return nil, 0, err
		}
	}
	return last, size, a.store.View(ctx, func(tx *store.Tx) error {
		raw, _, err := tx.Get(store.Transcripts, conversation)
		size = len(raw)
		return err
	})
}

// StoreTranscriptForTest puts something in place of a group's transcript.
func StoreTranscriptForTest(ctx context.Context, a *Account, conversation string, raw []byte) error {
	return a.store.Update(ctx, func(tx *store.Tx) error { return tx.Put(store.Transcripts, conversation, raw) })
}

// CutsForTest is how many messages were cut from the transcripts of all groups, and how long that of one is.
func CutsForTest(ctx context.Context, a *Account, conversation string) (n, size int, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error {
		if err := tx.Each(store.TranscriptCuts, func(name string, _ []byte) error {
			if strings.HasPrefix(name, "id ") {
				n++
			}
			return nil
		}); err != nil {
			return err
		}
		raw, _, err := tx.Get(store.Transcripts, conversation)
		size = len(raw)
		return err
	})
	return n, size, err
}

// EarlyForTest lists what is kept about messages that are not here: each with what it is about.
func EarlyForTest(ctx context.Context, a *Account) (all []string, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error {
		return tx.Each(store.Early, func(name string, raw []byte) error {
			if !strings.HasPrefix(name, "about ") {
				all = append(all, name)
				return nil
			}
			var list []early
			if err := json.Unmarshal(raw, &list); err != nil {
				return err
			}
			for _, e := range list {
				what := "read here"
				if e.State != "" {
					what = string(e.State)
				} else if content, err := wire.ParseContent(e.Content); err == nil && !e.Read {
					what = map[bool]string{true: "edited", false: "reacted to or deleted"}[content.Edit != nil]
				}
				all = append(all, name+" "+what)
			}
			return nil
		})
	})
	return all, err
}
