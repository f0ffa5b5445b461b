package client

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// A profile's name is encrypted with a key that only those have whom its owner writes to: AES-256-GCM, nonce 12 ‖ ciphertext of the name padded with
// zeros to 26 bytes ‖ tag 16, in base64: 72 characters (6.7).
const profileNameSize = 26

func profileCipher(key []byte) (cipher.AEAD, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

func sealName(key []byte, name string) (string, error) {
	if len(name) > profileNameSize || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("a name of %d bytes, want at most %d", len(name), profileNameSize)
	}
	g, err := profileCipher(key)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, g.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	padded := make([]byte, profileNameSize)
	copy(padded, name)
	return base64.URLEncoding.EncodeToString(g.Seal(nonce, nonce, padded, nil)), nil
}

func openName(key []byte, sealed string) (string, error) {
	b, err := base64.URLEncoding.DecodeString(strings.NewReplacer("+", "-", "/", "_").Replace(sealed))
	if err != nil || len(b) != 12+profileNameSize+16 {
		return "", refusal.Because(refusal.InvalidMessage, "profile name of %d characters, want 72", len(sealed))
	}
	g, err := profileCipher(key)
	if err != nil {
		return "", err
	}
	padded, err := g.Open(nil, b[:12], b[12:], nil)
	if err != nil {
		return "", refusal.Because(refusal.InvalidMessage, "the profile name does not authenticate")
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return -1
		}
		return r
	}, string(bytes.TrimRight(padded, "\x00"))), nil
}

// SetProfileName sets the name that those see whom the person writes to.
func (a *Account) SetProfileName(ctx context.Context, name string) error {
	own, err := a.Own(ctx)
	if err != nil {
		return err
	}
	sealed, err := sealName(own.ProfileKey, name)
	if err != nil {
		return err
	}
	if err := a.server.SetProfileName(ctx, remote.Login{User: own.Login(), Password: own.Password}, sealed); err != nil {
		return err
	}
	return a.SetPreferences(ctx, func(p *Preferences) { p.Name = name })
}

// profileKey keeps the key with which a contact's profile is read, and has it fetched when it is new or a day has gone by.
func (c *change) profileKey(name string, key []byte) error {
	k, _, err := store.Load[Contact](c.tx, store.Contacts, name)
	if err != nil {
		return err
	}
	const day = 24 * 60 * 60 * 1000
	if bytes.Equal(k.ProfileKey, key) && c.now-k.ProfileAsked < day {
		return nil
	}
	if err := c.changeContact(name, func(k *Contact) { k.ProfileKey, k.ProfileAsked = key, c.now }); err != nil {
		return err
	}
	return c.fetchLater(fetching{Profile: name})
}

// fetchProfile reads a contact's name. The profile also shows his identity key; a change of it is noticed where it counts, with the next message.
func (a *Account) fetchProfile(ctx context.Context, name string) error {
	who, err := a.login(ctx)
	if err != nil {
		return err
	}
	p, err := a.server.Profile(ctx, who, name)
	if err != nil || p.Name == "" {
		return err
	}
	return a.change(ctx, func(c *change) error {
		k, _, err := store.Load[Contact](c.tx, store.Contacts, name)
		if err != nil || len(k.ProfileKey) != 32 {
			return err
		}
		open, err := openName(k.ProfileKey, p.Name)
		if err != nil || open == k.ProfileName {
			return err
		}
		return c.changeContact(name, func(k *Contact) { k.ProfileName = open })
	})
}

// maxContactsBlob bounds a list of contacts, in bytes.
const maxContactsBlob = 8 << 20

// syncContacts sends our contacts to our other devices (9.4).
func (c *change) syncContacts() error {
	var list []wire.Contact
	err := store.All(c.tx, store.Contacts, func(number string, k Contact) error {
		p, err := c.book.Peer(number)
		if err != nil {
			return err
		}
		v, err := history.Open(c.tx, number)
		if err != nil {
			return err
		}
		w := wire.Contact{Number: number, Name: k.Name, ProfileKey: k.ProfileKey, Blocked: v.Blocked, ExpireTimer: v.Expires}
		if key, err := p.Key(); err == nil && p.Trust == session.Verified {
			w.Verified = &wire.Verified{Destination: number, Identity: key, State: wire.VerifiedYes}
		}
		list = append(list, w)
		return nil
	})
	if err != nil || len(list) == 0 {
		return err
	}
	others, err := c.hasOthers()
	if err != nil || !others {
		return err
	}
	raw := wire.EncodeContacts(list)
	u, p, err := c.a.encrypt(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return err
	}
	p.ContentType = "application/octet-stream"
	at, err := c.timestamp()
	if err != nil {
		return err
	}
	content := &wire.Content{Sync: &wire.Sync{Contacts: &wire.ContactsBlob{Blob: p, Complete: true}}}
	return c.push(job{Timestamp: at, Content: content.Encode(), To: []string{c.self()}, Files: []upload{u}})
}

// syncedContacts takes in the contacts that another device of ours knows. Names given here stay.
func (c *change) syncedContacts(raw []byte) error {
	list, err := wire.ParseContacts(raw)
	if err != nil {
		return err
	}
	for _, w := range list {
		if !number(w.Number) || w.Number == c.self() {
			continue
		}
		err := c.changeContact(w.Number, func(k *Contact) {
			if k.Name == "" {
				k.Name = w.Name
			}
			if len(k.ProfileKey) == 0 {
				k.ProfileKey = w.ProfileKey
			}
		})
		if err != nil {
			return err
		}
		off, err := c.timerOff(w.Number) // heard since the list was made
		if err != nil {
			return err
		}
		if err := history.Change(c.tx, w.Number, func(v *history.Conversation) {
			v.Accepted, v.Blocked = true, w.Blocked
			if !off {
				v.Expires = w.ExpireTimer
			}
		}); err != nil {
			return err
		}
		if v := w.Verified; v != nil && v.State == wire.VerifiedYes { // of others nothing is known here anyway
			if err := c.syncedVerified(&wire.Verified{Destination: w.Number, Identity: v.Identity, State: v.State}); err != nil {
				return err
			}
		}
		if len(w.ProfileKey) == 32 {
			if err := c.fetchLater(fetching{Profile: w.Number}); err != nil {
				return err
			}
		}
	}
	return nil
}
