package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/safety"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Contact is somebody, as the person here knows him.
type Contact struct {
	Number       string        `json:"number"`
	Name         string        `json:"name,omitempty"`        // given here
	Username     string        `json:"username,omitempty"`    // by which he was found
	ProfileName  string        `json:"profileName,omitempty"` // his own
	ProfileKey   []byte        `json:"profileKey,omitempty"`
	ProfileAsked int64         `json:"profileAsked,omitempty"` // milliseconds
	Trust        session.Trust `json:"trust,omitempty"`        // filled in by Contacts
	Rule         session.Rule  `json:"rule,omitempty"`
	Held         bool          `json:"held,omitempty"`
	Introduced   *IntroducedBy `json:"introduced,omitempty"` // on whose word the key is believed; never together with Trust
	Doubt        string        `json:"doubt,omitempty"`      // who has named another key; nothing is sent until the person decides
	Devices      int           `json:"devices,omitempty"`
	Blocked      bool          `json:"blocked,omitempty"`
	Accepted     bool          `json:"accepted,omitempty"`
}

// Called is what to call a contact: the name given here, his own, or his number.
func (k Contact) Called() string {
	for _, name := range []string{k.Name, k.ProfileName, k.Username, k.Number} {
		if name != "" {
			return name
		}
	}
	return ""
}

// called is what to call somebody.
func (c *change) called(number string) string {
	if number == c.self() {
		return "You"
	}
	k, _, err := store.Load[Contact](c.tx, store.Contacts, number)
	if err != nil || k.Called() == "" {
		return number
	}
	return k.Called()
}

func (c *change) changeContact(number string, f func(*Contact)) error {
	k, _, err := store.Load[Contact](c.tx, store.Contacts, number)
	if err != nil {
		return err
	}
	k.Number = number
	f(&k)
	c.tell(Event{Type: EventConversation, Conversation: number})
	return store.Save(c.tx, store.Contacts, number, k)
}

// Contacts lists everybody this device knows something of: whom the person has named, written to or heard from.
func (a *Account) Contacts(ctx context.Context) (out []Contact, err error) {
	err = a.view(ctx, func(c *change) error {
		seen := map[string]bool{c.self(): true}
		add := func(n string) error {
			if seen[n] || !number(n) {
				return nil
			}
			seen[n] = true
			k, err := c.contact(n)
			out = append(out, k)
			return err
		}
		if err := store.All(c.tx, store.Contacts, func(n string, _ Contact) error { return add(n) }); err != nil {
			return err
		}
		list, err := history.Conversations(c.tx)
		if err != nil {
			return err
		}
		for _, v := range list {
			if err := add(v.ID); err != nil {
				return err
			}
		}
		return session.Peers(c.tx, func(name string, _ session.Peer) error { return add(name) })
	})
	return out, err
}

// Contact returns one.
func (a *Account) Contact(ctx context.Context, number string) (k Contact, err error) {
	err = a.view(ctx, func(c *change) error { k, err = c.contact(number); return err })
	return k, err
}

func (c *change) contact(number string) (Contact, error) {
	k, _, err := store.Load[Contact](c.tx, store.Contacts, number)
	if err != nil {
		return k, err
	}
	p, err := c.book.Peer(number)
	if err != nil {
		return k, err
	}
	v, err := history.Open(c.tx, number)
	k.Number, k.Trust, k.Rule, k.Held, k.Devices, k.Blocked, k.Accepted = number, p.Trust, p.Rule, p.Held, len(p.Devices), v.Blocked, v.Accepted
	k.Doubt = p.Doubt
	if err != nil {
		return k, err
	}
	k.Introduced, err = c.introducedBy(number, p)
	return k, err
}

// Resolve finds whom a text means: a number, a group, a name given to a contact, a username (asked of the server), or one with the server's name
// behind an @.
func (a *Account) Resolve(ctx context.Context, text string) (string, error) {
	if _, ok := groupID(text); ok || number(text) {
		return text, nil
	}
	var found []string
	err := a.view(ctx, func(c *change) error {
		err := store.All(c.tx, store.Contacts, func(_ string, k Contact) error {
			if strings.EqualFold(k.Name, text) || strings.EqualFold(k.Username, text) {
				found = append(found, k.Number)
			}
			return nil
		})
		if err != nil {
			return err
		}
		return store.All(c.tx, store.Groups, func(name string, g groupState) error {
			if strings.EqualFold(g.Name, text) && g.In(c.self()) {
				found = append(found, name)
			}
			return nil
		})
	})
	switch {
	case err != nil:
		return "", err
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", fmt.Errorf("%q is the name of %d contacts and groups: use the number", text, len(found))
	}
	name, server, at := strings.Cut(strings.ToLower(text), "@")
	if at && !strings.HasSuffix(a.server.URL(), "//"+server) {
		name += "@" + server
	} else {
		server = ""
	}
	who, err := a.login(ctx)
	if err != nil {
		return "", err
	}
	to, err := a.server.Username(ctx, who, name)
	if status := remote.Status(err); status == http.StatusNotFound || status == http.StatusBadRequest {
		return "", &unknownError{text, err}
	}
	if err != nil {
		return "", fmt.Errorf("%q: %w", text, err)
	}
	if !number(to) {
		return "", fmt.Errorf("%q: the server answers with %.40q, which is no number", text, to)
	}
	if server != "" && serverOf(to) == "" {
		to += "@" + server
	}
	if serverOf(to) != server {
		return "", fmt.Errorf("%q: the server answers with %.60q, which is somewhere else", text, to)
	}
	return to, a.change(ctx, func(c *change) error { return c.changeContact(to, func(k *Contact) { k.Username = name }) })
}

// unknownError says that nobody is called so.
type unknownError struct {
	text string
	said error // by the server
}

func (e *unknownError) Error() string {
	return fmt.Sprintf("%q is no number, no contact or group of yours, and no username the server knows", e.text)
}

// Unwrap makes it a refusal of the server's.
func (e *unknownError) Unwrap() error { return e.said }

// SetName names a contact.
func (a *Account) SetName(ctx context.Context, whom, name string) error {
	if !number(whom) {
		return fmt.Errorf("%q is no number", whom)
	}
	return a.change(ctx, func(c *change) error {
		if err := c.accept(whom); err != nil { // nobody names a stranger
			return err
		}
		return c.changeContact(whom, func(k *Contact) { k.Name = strings.TrimSpace(name) })
	})
}

// Accept says yes to a conversation somebody else has begun: receipts, for what he has written already too, and profile go out from now on.
func (a *Account) Accept(ctx context.Context, conversation string) error {
	return a.change(ctx, func(c *change) error {
		c.tell(Event{Type: EventConversation, Conversation: conversation})
		if err := history.Change(c.tx, conversation, func(v *history.Conversation) { v.Blocked = false }); err != nil {
			return err
		}
		return c.accept(conversation)
	})
}

// Block keeps everything from a contact or group away, or lets it in again. He is not told.
func (a *Account) Block(ctx context.Context, conversation string, block bool) error {
	return a.change(ctx, func(c *change) error {
		if conversation == c.self() {
			return errors.New("you cannot block yourself")
		}
		if err := history.Change(c.tx, conversation, func(v *history.Conversation) { v.Blocked = block }); err != nil {
			return err
		}
		c.tell(Event{Type: EventConversation, Conversation: conversation})
		return c.syncBlocked()
	})
}

// Safety is what two people compare (5).
type Safety struct {
	Name   string        `json:"name"`
	Trust  session.Trust `json:"trust"`
	Held   bool          `json:"held,omitempty"`
	Digits string        `json:"digits"`
	Code   []byte        `json:"code"` // of the QR code
	Key    []byte        `json:"identityKey"`
	Since  int64         `json:"since"`
	// Introduced and Doubt are as in Contact.
	Introduced *IntroducedBy `json:"introduced,omitempty"`
	Doubt      string        `json:"doubt,omitempty"`
	number     safety.Number
}

// Compare checks what the person typed or scanned against the safety number: 60 digits, or a QR code's bytes.
func (s Safety) Compare(typed string) error {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, typed)
	if len(digits) != 60 {
		return fmt.Errorf("%d digits, want the 60 of a safety number", len(digits))
	}
	if !s.number.CompareDigits(digits) {
		return &safety.MismatchError{Theirs: true}
	}
	return nil
}

// CompareScanned is Compare for the bytes of the QR code that the other one shows.
func (s Safety) CompareScanned(code []byte) error { return s.number.Compare(code) }

// Safety returns the safety number with a contact. If no key of his is known yet it is fetched; and once more if it has changed, he is not written to,
// and the server names another now, for it may have lied then and not now: what is compared is what would be used. Looking again and again asks for his
// profile only: of prekeys a server gives few to one who asks, and what was held wants them when it goes out.
func (a *Account) Safety(ctx context.Context, name string) (s Safety, err error) {
	var known []byte
	var doubtful bool
	err = a.view(ctx, func(c *change) error {
		p, err := c.book.Peer(name)
		known, doubtful = p.Identity, p.Held || p.Trust == session.Changed
		return err
	})
	if err != nil {
		return s, err
	}
	if len(known) == 0 || doubtful {
		who, err := a.login(ctx)
		if err != nil {
			return s, err
		}
		if doubtful {
			shown, err := a.server.Profile(ctx, who, name)
			doubtful = err == nil && !bytes.Equal(shown.IdentityKey, known) // else what is known is compared
		}
		if len(known) == 0 || doubtful {
			var held *session.HeldError // by an introduction, say: then there is a key to compare
			if _, err := a.fetch(ctx, who, name, &session.Need{All: true}); err != nil && len(known) == 0 && !errors.As(err, &held) {
				return s, err
			}
		}
	}
	err = a.view(ctx, func(c *change) error {
		p, err := c.book.Peer(name)
		if err != nil {
			return err
		}
		theirs, err := p.Key()
		if err != nil {
			return fmt.Errorf("no key of %s is known", name)
		}
		identity, err := c.book.Own().Identity()
		if err != nil {
			return err
		}
		s = Safety{Name: name, Trust: p.Trust, Held: p.Held, Key: p.Identity, Since: p.Since, Doubt: p.Doubt}
		if s.Introduced, err = c.introducedBy(name, p); err != nil {
			return err
		}
		s.number = safety.New(1, safety.Person{ID: []byte(c.self()), Key: identity.Public()}, safety.Person{ID: []byte(bare(name)), Key: theirs})
		s.Digits, s.Code = strings.Join(s.number.Groups(), " "), s.number.Scannable()
		return nil
	})
	return s, err
}

// SetVerified says that the person has compared this safety number, or does not vouch for it any more. What was held goes out.
func (a *Account) SetVerified(ctx context.Context, s Safety, verified bool) error {
	return a.change(ctx, func(c *change) error {
		key, err := (session.Peer{Identity: s.Key}).Key()
		if err != nil {
			return err
		}
		if err := c.book.SetVerified(s.Name, key, verified); err != nil {
			return err
		}
		c.tell(Event{Type: EventConversation, Conversation: s.Name})
		if err := c.syncVerified(s.Name, key, verified); err != nil {
			return err
		}
		if err := c.vouched(s.Name); err != nil {
			return err
		}
		return c.release(s.Name)
	})
}

// AcceptKey says that the person takes a contact's changed key without comparing. What was held goes out.
func (a *Account) AcceptKey(ctx context.Context, name string) error {
	return a.change(ctx, func(c *change) error {
		if err := c.book.Accept(name); err != nil {
			return err
		}
		c.tell(Event{Type: EventConversation, Conversation: name})
		return c.release(name)
	})
}

// SetRule says what happens when a contact's key changes.
func (a *Account) SetRule(ctx context.Context, name string, r session.Rule) error {
	return a.change(ctx, func(c *change) error {
		if err := c.book.SetRule(name, r); err != nil {
			return err
		}
		return c.release(name)
	})
}

// AllowDowngrade agrees that a contact speaks an older protocol than he was known to (1). What was held goes out.
func (a *Account) AllowDowngrade(ctx context.Context, name string, allow bool) error {
	return a.change(ctx, func(c *change) error {
		if err := c.book.AllowDowngrade(name, allow); err != nil {
			return err
		}
		return c.release(name)
	})
}

// toldName is the setting that says that something was told.
func toldName(conversation, kind, about string) string {
	return "told " + kind + " " + conversation + " " + about
}

// once tells the person something about a name, unless that was told before.
func (c *change) once(conversation, kind, about, text string) error {
	name := toldName(conversation, kind, about)
	if _, told, err := c.tx.Get(store.Settings, name); err != nil || told {
		return err
	}
	if err := c.tx.Put(store.Settings, name, nil); err != nil {
		return err
	}
	return c.notice(conversation, kind, conversation, text)
}

// Conversations lists all, the one with the newest message first. Groups of which only messages have come, but no word of what they are, are left out.
func (a *Account) Conversations(ctx context.Context) (out []history.Conversation, err error) {
	err = a.view(ctx, func(c *change) error {
		list, err := history.Conversations(c.tx)
		if err != nil {
			return err
		}
		for _, v := range list {
			if id, ok := groupID(v.ID); ok {
				if g, err := c.group(id); err != nil {
					return err
				} else if g == nil {
					continue
				}
			}
			out = append(out, v)
		}
		return nil
	})
	return out, err
}

// Messages returns the newest messages of a conversation below number before (0: the newest), oldest first.
func (a *Account) Messages(ctx context.Context, conversation string, before int64, limit int) (out []*history.Message, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error {
		out, err = history.List(tx, conversation, before, limit)
		return err
	})
	return out, err
}

// Later returns the oldest messages of a conversation above number after, oldest first.
func (a *Account) Later(ctx context.Context, conversation string, after int64, limit int) (out []*history.Message, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error {
		out, err = history.Later(tx, conversation, after, limit)
		return err
	})
	return out, err
}

// WithFiles returns messages that carry files; see history.WithFiles.
func (a *Account) WithFiles(ctx context.Context, conversation string, before int64, limit, atMost int) (out []*history.Message, next int64, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error {
		out, next, err = history.WithFiles(tx, conversation, before, limit, atMost)
		return err
	})
	return out, next, err
}

// Since returns the oldest messages of all conversations above a number, oldest first.
func (a *Account) Since(ctx context.Context, after int64, limit int) (out []*history.Message, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error { out, err = history.Since(tx, after, limit); return err })
	return out, err
}

// Newest is the number of the newest message of all conversations; 0 if there is none.
func (a *Account) Newest(ctx context.Context) (seq int64, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error {
		return tx.Scan(0, func(row store.Row) (bool, error) { seq = row.Seq; return false, nil })
	})
	return seq, err
}

// Message returns one; nil if there is none.
func (a *Account) Message(ctx context.Context, seq int64) (m *history.Message, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error { m, err = history.Get(tx, seq); return err })
	return m, err
}

// Find returns a message by its author and time; nil if there is none.
func (a *Account) Find(ctx context.Context, author string, timestamp uint64) (m *history.Message, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error { m, err = history.Find(tx, author, timestamp); return err })
	return m, err
}

// Search finds messages by words; see history.Search.
func (a *Account) Search(ctx context.Context, query, conversation string, before int64, limit int) (out []*history.Message, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error {
		out, err = history.Search(tx, query, conversation, before, limit)
		return err
	})
	return out, err
}

// SetUsername takes a name by which others find this account; an empty one gives it back.
func (a *Account) SetUsername(ctx context.Context, name string) error {
	who, err := a.login(ctx)
	if err != nil {
		return err
	}
	return a.server.SetUsername(ctx, who, name)
}

// syncRequest answers a device of ours that asks for what we know (9.4).
func (c *change) syncRequest(kind uint32) error {
	switch kind {
	case wire.SyncBlocked:
		return c.syncBlocked()
	case wire.SyncConfiguration:
		p, err := c.preferences()
		if err != nil {
			return err
		}
		return c.syncPreferences(p)
	case wire.SyncGroups:
		return store.All(c.tx, store.Groups, func(_ string, g groupState) error {
			if !g.In(c.self()) {
				return nil
			}
			at, err := c.timestamp()
			if err != nil {
				return err
			}
			// A group's state reaches the new device as an update we have sent: with clocks and tombstones, which the list of 9.4 has no place for.
			return c.syncOwn(&wire.Sync{Sent: &wire.Sent{Timestamp: at, Message: &wire.Data{Timestamp: at, Group: g.Update(), ExpireTimer: g.Expires}}})
		})
	case wire.SyncContacts:
		if err := c.syncIntroductions(); err != nil {
			return err
		}
		return c.syncContacts()
	}
	return nil
}
