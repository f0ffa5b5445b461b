package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/countersign-project/countersign/messenger/archive"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/devicelist"
	"github.com/countersign-project/countersign/messenger/group"
	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/transcript"
)

// The form of what is inside the archive: one JSON object a line, the first with Version and Own, the last with End. In form 1 messages came the newest
// first, so that all had to be held before one could be stored; from form 2 on the oldest comes first. Form 1 is still read.
const (
	backupVersion = 2
	newestFirst   = 1
)

// line is one entry of a backup: exactly one field is set, besides Name.
type line struct {
	Version     int           `json:"version,omitempty"`
	Own         *ownBackup    `json:"own,omitempty"`
	Name        string        `json:"name,omitempty"`
	Preferences *Preferences  `json:"preferences,omitempty"`
	Peer        *session.Peer `json:"peer,omitempty"`
	// Levels are the best protocols that the devices of Name are known to speak, so that nobody can talk a restored account into an older one.
	Levels map[uint32]handshake.Level `json:"levels,omitempty"`
	// Introductions are what verified contacts have said of Name's key.
	Introductions []session.Introduction `json:"introductions,omitempty"`
	Contact       *Contact               `json:"contact,omitempty"`
	Conversation  *history.Conversation  `json:"conversation,omitempty"`
	Group         *group.State           `json:"group,omitempty"`
	Heads         [][]byte               `json:"heads,omitempty"` // where a group's transcript stands
	Message       *history.Message       `json:"message,omitempty"`
	End           int                    `json:"end,omitempty"` // how many messages there are, and one
}

// ownBackup is what makes the account: with it one writes in the person's name.
type ownBackup struct {
	Server      remote.Options
	Number      string
	Device      uint32
	Password    string
	IdentityKey []byte
	ProfileKey  []byte
	ListSerial  uint64
}

// Backup writes everything into an archive, but for sessions and prekeys, which would break if they came back old. It returns how many messages it
// holds.
func (a *Account) Backup(ctx context.Context, dst io.Writer, seed archive.Seed) (messages int, err error) {
	return a.archive(ctx, dst, seed, nil, (*change).backupAccount)
}

// archive writes what head does, and then all messages.
func (a *Account) archive(ctx context.Context, dst io.Writer, seed archive.Seed, count *meter, head func(*change, *json.Encoder) error) (messages int, err error) {
	w, err := archive.NewWriter(dst, seed, a.World.Rand)
	if err != nil {
		return 0, err
	}
	enc := json.NewEncoder(w)
	if err := a.view(ctx, func(c *change) error {
		if err := head(c, enc); err != nil {
			return err
		}
		messages, err = c.backupMessages(enc, count)
		return err
	}); err != nil {
		return 0, err
	}
	if err := enc.Encode(line{End: messages + 1}); err != nil {
		return 0, err
	}
	return messages, w.Close()
}

func (c *change) backupAccount(enc *json.Encoder) error {
	own := c.book.Own()
	first := line{Version: backupVersion, Own: &ownBackup{c.a.Network(), own.Number, own.Device, own.Password, own.IdentityKey, own.ProfileKey, own.ListSerial}}
	p, err := c.preferences()
	if err != nil {
		return err
	}
	if err := errors.Join(enc.Encode(first), enc.Encode(line{Preferences: &p})); err != nil {
		return err
	}
	if err := c.backupPeople(enc); err != nil {
		return err
	}
	if err := store.All(c.tx, store.Introductions, func(name string, list []session.Introduction) error {
		return enc.Encode(line{Name: name, Introductions: list})
	}); err != nil {
		return err
	}
	return store.All(c.tx, store.Groups, func(name string, g group.State) error {
		l := line{Name: name, Group: &g}
		standing, err := c.standing(&g)
		if err != nil {
			return err
		}
		if standing != nil {
			for _, p := range standing.Parents {
				l.Heads = append(l.Heads, p[:])
			}
		}
		return enc.Encode(l)
	})
}

// backupPeople writes whom we know, by which keys, and what was agreed in each conversation.
func (c *change) backupPeople(enc *json.Encoder) error {
	own := c.book.Own()
	if err := session.Peers(c.tx, func(name string, p session.Peer) error {
		levels, err := c.book.Levels(name)
		if err != nil {
			return err
		}
		p.Devices, p.Able = nil, nil
		if name == own.Number {
			return enc.Encode(line{Name: name, Levels: levels})
		}
		return enc.Encode(line{Name: name, Peer: &p, Levels: levels})
	}); err != nil {
		return err
	}
	if err := store.All(c.tx, store.Contacts, func(_ string, k Contact) error { return enc.Encode(line{Contact: &k}) }); err != nil {
		return err
	}
	if err := store.All(c.tx, store.Conversations, func(_ string, v history.Conversation) error {
		v.Draft = "" // stays on this device
		return enc.Encode(line{Conversation: &v})
	}); err != nil {
		return err
	}
	return nil
}

// backupMessages writes the messages, the oldest first, as they lie in the store. Count counts them.
func (c *change) backupMessages(enc *json.Encoder, count *meter) (n int, err error) {
	err = c.tx.Forth(0, func(row store.Row) (bool, error) {
		m := new(history.Message)
		if err := json.Unmarshal(row.Body, m); err != nil {
			return false, err
		}
		n++
		count.add(1)
		return true, enc.Encode(line{Message: m})
	})
	return n, err
}

// Restore makes an account of a backup. The device is installed anew: sessions begin again, and the server is told. It must not be used at two places, so the
// device that the backup is of should be gone. It is read twice.
func Restore(ctx context.Context, o Options, passphrase []byte, src io.ReadSeeker, seed archive.Seed) (a *Account, messages int, err error) {
	if err := complete(src, seed); err != nil { // nothing is made of half a backup
		return nil, 0, err
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return nil, 0, err
	}
	dec, first, err := begin(src, seed)
	if err != nil {
		return nil, 0, err
	}
	if first.Own.Device != session.Master {
		return nil, 0, fmt.Errorf("this is a backup of device %d: link a new device instead, and take the history over from the file", first.Own.Device)
	}
	o.Server = first.Own.Server
	server, err := remote.New(o.Server)
	if err != nil {
		return nil, 0, err
	}
	defer server.Close()
	own, err := restoredOwn(first.Own, o)
	if err != nil {
		return nil, 0, err
	}
	done, err := halfMade(o.Dir)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = done(err) }()
	var list *devicelist.List
	var without string
	a, err = create(ctx, o, passphrase, func() (session.Own, error) {
		who := remote.Login{User: own.Login(), Password: own.Password}
		if list, without, err = signedBefore(ctx, server, who, own); err != nil {
			return own, err
		}
		if list != nil {
			own.ListSerial = list.Serial
		}
		return own, server.SetAttributes(ctx, who, attributes(own))
	}, func(tx *store.Tx) error {
		if list == nil {
			return nil
		}
		return session.SaveList(tx, own, list)
	})
	if err != nil {
		return nil, 0, err
	}
	messages, err = a.takeIn(ctx, dec, first.Version, true)
	if err == nil && without != "" {
		err = a.change(ctx, func(c *change) error { return c.notice(c.self(), NoticeOldList, c.self(), without) })
	}
	if err != nil {
		return nil, 0, errors.Join(err, a.Close())
	}
	return a, messages, nil
}

// restoring is a file beside the store while a backup is being taken in: what lies there is half an account.
const restoring = "restoring"

// ErrHalf says that a restore was cut off. The remedy is to do it again.
var ErrHalf = errors.New("restoring a backup was cut off here: restore it again")

// halfMade clears away what a restore left that was cut off, and marks the directory. done unmarks it; after an error nothing is left that
// could be taken for the whole.
func halfMade(dir string) (done func(why error) error, err error) {
	switch {
	case isHalf(dir):
		if err := store.Remove(dir); err != nil {
			return nil, err
		}
	case store.Exists(dir):
		return nil, fmt.Errorf("%s: %w", dir, store.ErrExists)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	mark := filepath.Join(dir, restoring)
	if err := os.WriteFile(mark, nil, 0o600); err != nil { // on the disk before the store has its name: store.Create syncs the directory
		return nil, err
	}
	return func(why error) error {
		if errors.Is(why, store.ErrInUse) { // somebody else is restoring
			return why
		}
		if why != nil {
			why = errors.Join(why, store.Remove(dir))
		}
		why = errors.Join(why, os.Remove(mark))
		_ = os.Remove(dir) // if nothing is in it
		return why
	}, nil
}

func isHalf(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, restoring))
	return err == nil
}

// restoredOwn draws anew what belongs to an installation.
func restoredOwn(b *ownBackup, o Options) (own session.Own, err error) {
	identity, err := (session.Own{IdentityKey: b.IdentityKey}).Identity()
	if err != nil {
		return own, err
	}
	if own, err = session.NewOwn(identity, b.ProfileKey, o.World.Rand); err != nil {
		return own, err
	}
	own.Server, own.Number, own.Device, own.Password, own.ListSerial = b.Server.URL, b.Number, b.Device, b.Password, b.ListSerial
	return own, nil
}

// TakeHistory takes over messages, contacts and conversations from a backup of the same account: what a device lacks that was linked later.
func (a *Account) TakeHistory(ctx context.Context, src io.ReadSeeker, seed archive.Seed) (messages int, err error) {
	if err := complete(src, seed); err != nil {
		return 0, err
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	dec, first, err := begin(src, seed)
	if err != nil {
		return 0, err
	}
	own, err := a.Own(ctx)
	if err != nil {
		return 0, err
	}
	if first.Own.Number != own.Number {
		return 0, fmt.Errorf("the backup is of %s, and this account is %s", first.Own.Number, own.Number)
	}
	return a.takeIn(ctx, dec, first.Version, false)
}

// complete reads a backup to its end, so that nothing is done with one that is damaged or cut off.
func complete(src io.Reader, seed archive.Seed) error {
	dec, _, err := begin(src, seed)
	for n := 1; err == nil; {
		var l line
		if err = dec.Decode(&l); err != nil {
			break
		}
		if l.Message != nil {
			n++
		}
		if l.End != 0 {
			if l.End != n {
				return fmt.Errorf("the backup says it has %d messages, and has %d", l.End-1, n-1)
			}
			if _, err := dec.Token(); !errors.Is(err, io.EOF) {
				return errors.Join(archive.ErrDamaged, err)
			}
			return nil
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return archive.ErrDamaged
	}
	return err
}

func begin(src io.Reader, seed archive.Seed) (*json.Decoder, *line, error) {
	r, err := archive.NewReader(src, seed)
	if err != nil {
		return nil, nil, err
	}
	dec, first := json.NewDecoder(&bounded{r: r}), new(line)
	if err := dec.Decode(first); err != nil {
		return nil, nil, err
	}
	if first.Version < newestFirst || first.Version > backupVersion || first.Own == nil {
		return nil, nil, fmt.Errorf("a backup of form %d, this program knows %d to %d", first.Version, newestFirst, backupVersion)
	}
	return dec, first, nil
}

// maxEntry bounds an entry of a backup in bytes: it has to be held.
const maxEntry = 64 << 20

// bounded is a reader of lines, none of which is longer than an entry may be.
type bounded struct {
	r io.Reader
	n int // since the last end of a line
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p[:min(len(p), 64<<10)])
	if end := bytes.LastIndexByte(p[:n], '\n'); end >= 0 {
		b.n = n - end - 1
	} else {
		b.n += n
	}
	if b.n > maxEntry {
		return 0, fmt.Errorf("an entry of more than %d bytes: this is no backup of ours", maxEntry)
	}
	return n, err
}

// batch is how many entries are taken in with one transaction.
const batch = 1000

// takeIn stores the entries of a backup, with one transaction for a batch of them. Whole says that the account is new.
func (a *Account) takeIn(ctx context.Context, dec *json.Decoder, form int, whole bool) (n int, err error) {
	var held []*history.Message // of form 1
	for end := false; !end; {
		var messages []*history.Message
		err := a.change(ctx, func(c *change) error {
			for range batch {
				var l line
				if err := dec.Decode(&l); err != nil {
					return err
				}
				switch {
				case l.Message != nil && form == newestFirst:
					held = append(held, l.Message)
				case l.Message != nil:
					messages = append(messages, l.Message)
				case l.End != 0:
					end = true
					return c.takeMessages(messages, &n)
				default:
					if err := c.takeLine(l, whole); err != nil {
						return err
					}
				}
			}
			return c.takeMessages(messages, &n)
		})
		if err != nil {
			return n, err
		}
	}
	slices.Reverse(held)
	for part := range slices.Chunk(held, batch) {
		if err := a.change(ctx, func(c *change) error { return c.takeMessages(part, &n) }); err != nil {
			return n, err
		}
	}
	return n, nil
}

// takeMessages stores messages, and adds to n how many this account had not.
func (c *change) takeMessages(list []*history.Message, n *int) error {
	for _, m := range list {
		added, err := c.takeMessage(m)
		if err != nil {
			return err
		}
		if added {
			*n++
		}
	}
	return nil
}

// takeLine stores one entry that is no message. What this device knows by itself stays.
func (c *change) takeLine(l line, whole bool) error {
	switch {
	case l.Contact != nil && number(l.Contact.Number):
		if _, have, err := store.Load[Contact](c.tx, store.Contacts, l.Contact.Number); err != nil || have {
			return err
		}
		return c.changeContact(l.Contact.Number, func(k *Contact) { *k = *l.Contact })
	case l.Conversation != nil:
		return history.Change(c.tx, l.Conversation.ID, func(v *history.Conversation) {
			if whole {
				v.Accepted, v.Blocked, v.Muted, v.Expires = l.Conversation.Accepted, l.Conversation.Blocked, l.Conversation.Muted, l.Conversation.Expires
			}
		})
	case !whole:
		return nil
	case l.Preferences != nil:
		return store.Save(c.tx, store.Settings, settingPreferences, *l.Preferences)
	case l.Peer != nil || l.Levels != nil:
		return c.takePeer(l)
	case len(l.Introductions) > 0:
		return session.SaveIntroductions(c.tx, l.Name, l.Introductions)
	case l.Group != nil:
		var before []transcript.ID
		for _, h := range l.Heads {
			if len(h) == 32 {
				before = append(before, transcript.ID(h))
			}
		}
		if err := c.keepTranscript(l.Name, c.newTranscript(before...)); err != nil { // a new author: this installation's
			return err
		}
		return c.keepGroup(l.Group)
	}
	return nil
}

func (c *change) takePeer(l line) error {
	if l.Peer != nil {
		if err := store.Save(c.tx, store.Peers, l.Name, *l.Peer); err != nil {
			return err
		}
	}
	for device, best := range l.Levels {
		if err := c.book.KnowLevel(l.Name, device, best); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) takeMessage(m *history.Message) (bool, error) {
	if m.ExpiresAt > 0 && m.ExpiresAt <= c.now {
		return false, nil
	}
	for name, d := range m.Delivery { // its outbox is not here
		if d.State == history.Queued {
			m.Delivery[name] = history.Delivery{State: history.Failed, Why: "it was still waiting when the backup was made", When: c.now}
		}
	}
	m.Seen = true
	added, err := history.Add(c.tx, m)
	if err != nil || !added {
		return false, err
	}
	if m.Transcript != "" {
		if err := c.indexTranscript(m); err != nil {
			return false, err
		}
	}
	if m.ExpiresAt > 0 {
		return true, c.setTimer(m)
	}
	return true, nil
}
