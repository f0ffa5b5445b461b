package rpc

import (
	"crypto/rand"
	"encoding/hex"
	"path/filepath"
	"strings"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/session"
)

// Device is one of the account's, with signal-cli's names for its times beside ours.
type Device struct {
	client.Device
	CreatedTimestamp  int64 `json:"createdTimestamp"`
	LastSeenTimestamp int64 `json:"lastSeenTimestamp"`
}

func (c *conn) listDevices(nothing) (any, error) {
	list, err := c.Account.Devices(c.ctx)
	out := []Device{}
	for _, d := range list {
		out = append(out, Device{d, d.Created, d.LastSeen})
	}
	return out, err
}

// addDevice lets a device in whose code was scanned. Six digits are sent as a notification "confirmDevice" {id, digits}; the call goes on when the
// caller answers with the method confirmDevice {id, accept}. With history the device is told that it gets what is here, and that is on its
// way: sendHistory waits for it.
func (c *conn) addDevice(p struct {
	URI     string `json:"uri"`
	History bool   `json:"history"`
}) (any, error) {
	add := c.Account.AddDevice
	if p.History {
		add = c.Account.AddDeviceWithHistory
	}
	id, err := add(c.ctx, p.URI, func(digits string) (bool, error) { return c.confirm(map[string]string{"digits": digits}) })
	return map[string]uint32{"deviceId": id}, err
}

// sendHistory gives another device of ours what is here, and answers when it is handed over. Who leaves before does not stop it.
func (c *conn) sendHistory(p struct {
	asks
	ID uint32 `json:"deviceId"`
}) (any, error) {
	tell, err := c.progress(p.asks)
	if err != nil {
		return nil, err
	}
	return nil, c.Account.SendHistory(c.ctx, p.ID, tell)
}

// HistorySize is how much there is to be sent.
type HistorySize struct {
	Messages int64 `json:"messages"`
	Bytes    int64 `json:"bytes"` // about
}

func (c *conn) historySize(nothing) (any, error) {
	messages, bytes, err := c.Account.HistorySize(c.ctx)
	return HistorySize{messages, bytes}, err
}

// confirm asks the caller about what both screens show.
func (c *conn) confirm(about map[string]string) (bool, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return false, err
	}
	id, answer := hex.EncodeToString(b[:]), make(chan bool, 1)
	c.mu.Lock()
	c.confirms[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.confirms, id)
		c.mu.Unlock()
	}()
	about["id"] = id
	c.notify("confirmDevice", about)
	select {
	case yes := <-answer:
		return yes, nil
	case <-c.ctx.Done():
		return false, c.ctx.Err()
	}
}

func (c *conn) confirmDevice(p struct {
	ID     string `json:"id"`
	Accept bool   `json:"accept"`
}) (any, error) {
	c.mu.Lock()
	answer, ok := c.confirms[p.ID]
	c.mu.Unlock()
	if !ok {
		return nil, userError("nothing waits for a confirmation %.20q", p.ID)
	}
	select {
	case answer <- p.Accept:
	default: // answered before
	}
	return nil, nil
}

func (c *conn) removeDevice(p struct {
	ID uint32 `json:"deviceId"`
}) (any, error) {
	return nil, c.Account.RemoveDevice(c.ctx, p.ID)
}

func (c *conn) updateProfile(p struct {
	Name       *string `json:"name"`
	GivenName  *string `json:"givenName"`
	FamilyName string  `json:"familyName"`
	About      *string `json:"about"`
	Avatar     *string `json:"avatar"`
}) (any, error) {
	if p.About != nil || p.Avatar != nil {
		return nil, userError("about and avatar are not there: a profile is a name")
	}
	if p.Name == nil && p.GivenName != nil {
		full := strings.TrimSpace(*p.GivenName + " " + p.FamilyName)
		p.Name = &full
	}
	if p.Name == nil {
		return nil, userError("want a name")
	}
	return nil, c.Account.SetProfileName(c.ctx, *p.Name)
}

// getProfile is what others see of the person.
func (c *conn) getProfile(nothing) (any, error) {
	own, err := c.Account.Own(c.ctx)
	if err != nil {
		return nil, err
	}
	p, err := c.Account.Preferences(c.ctx)
	return map[string]string{"number": own.Number, "name": p.Name}, err
}

// Configuration is what the person here has chosen.
type Configuration struct {
	Read   bool `json:"readReceipts"`
	Typing bool `json:"typingIndicators"`
	// Expiration is ours: how many seconds messages stay in conversations that begin from now on; 0: for good.
	Expiration uint32 `json:"defaultExpiration"`
}

// updateConfiguration changes what is given, and answers what holds; with nothing given it only answers.
func (c *conn) updateConfiguration(p struct {
	Read       *bool   `json:"readReceipts"`
	Typing     *bool   `json:"typingIndicators"`
	Expiration *uint32 `json:"defaultExpiration"`
}) (any, error) {
	if p.Expiration != nil && *p.Expiration > client.MaxExpires {
		return nil, userError("defaultExpiration %d, want at most %d seconds", *p.Expiration, client.MaxExpires)
	}
	if p.Read != nil || p.Typing != nil || p.Expiration != nil {
		err := c.Account.SetPreferences(c.ctx, func(have *client.Preferences) {
			if p.Read != nil {
				have.NoReadReceipts = !*p.Read
			}
			if p.Typing != nil {
				have.NoTyping = !*p.Typing
			}
			if p.Expiration != nil {
				have.Expires = *p.Expiration
			}
		})
		if err != nil {
			return nil, err
		}
	}
	now, err := c.Account.Preferences(c.ctx)
	return Configuration{!now.NoReadReceipts, !now.NoTyping, now.Expires}, err
}

func (c *conn) setUsername(p struct {
	Username string `json:"username"`
}) (any, error) {
	return nil, c.Account.SetUsername(c.ctx, p.Username)
}

// Status is what a program wants to know first.
type Status struct {
	State     string `json:"state"` // open; none or locked as long as only the door answers
	Number    string `json:"number"`
	Device    uint32 `json:"device"`
	Server    string `json:"server"`
	Proxy     string `json:"proxy,omitempty"`
	Connected bool   `json:"connected"`
	CaughtUp  bool   `json:"caughtUp"` // and what waited at the server has been received
	Queued    int    `json:"queued"`   // messages and receipts that are not sent yet
	// Since is the number of the newest message when this connection's notifications began: what came after it they have told.
	Since int64 `json:"since"`
	// Index is how far the search's index is; what it lacks is searched all the same, slower.
	Index history.Progress `json:"index"`
	// TakingOver is how far the history is that comes from the account's first device; nil if none does.
	TakingOver *client.Progress `json:"takingOver,omitempty"`
	Version    string           `json:"version"`
	// Unlinked says, if the server does not know this device any more, what has probably happened and what to do.
	Unlinked string `json:"unlinked,omitempty"`
}

func (c *conn) status(nothing) (any, error) {
	own, err := c.Account.Own(c.ctx)
	if err != nil {
		return nil, err
	}
	queued, err := c.Account.Queued(c.ctx)
	if err != nil {
		return nil, err
	}
	index, err := c.Account.Indexed(c.ctx)
	if err != nil {
		return nil, err
	}
	var taking *client.Progress
	if p, there, err := c.Account.TakingOver(c.ctx); err != nil {
		return nil, err
	} else if there {
		taking = &p
	}
	c.mu.Lock()
	since := c.since
	c.mu.Unlock()
	unlinked := ""
	if lost := c.Account.Unlinked(); lost != nil {
		unlinked = lost.Error()
	}
	return Status{"open", own.Number, own.Device, own.Server, c.Account.Network().ShownProxy(), c.Account.Connected(), c.Account.CaughtUp(), queued, since, index, taking, c.Version, unlinked}, nil
}

// flush sends what is queued and can be sent, and answers when that is done.
func (c *conn) flush(nothing) (any, error) { return nil, c.Account.Flush(c.ctx) }

func (c *conn) resolve(p struct {
	Name string `json:"name"`
}) (any, error) {
	to, err := c.Account.Resolve(c.ctx, p.Name)
	return map[string]string{"conversation": to}, err
}

// defaultLimit and maxLimit are how many messages an answer has.
const (
	defaultLimit = 50
	maxLimit     = 1000
)

type listParams struct {
	target
	Query  string `json:"query"`
	Before int64  `json:"before"`
	After  *int64 `json:"after"` // of listMessages, instead of before; 0: the oldest of all
	Limit  int    `json:"limit"`
}

func (p listParams) limit() int {
	if p.Limit <= 0 {
		return defaultLimit
	}
	return min(p.Limit, maxLimit)
}

func (c *conn) listMessages(p listParams) (any, error) {
	conversation, err := c.conversation(p.target)
	if err != nil {
		return nil, err
	}
	if p.After == nil {
		list, err := c.Account.Messages(c.ctx, conversation, p.Before, p.limit())
		return shownAll(list), err
	}
	if p.Before != 0 {
		return nil, userError("before and after: give one of them")
	}
	list, err := c.Account.Later(c.ctx, conversation, *p.After, p.limit())
	return shownAll(list), err
}

func (c *conn) searchMessages(p listParams) (any, error) {
	conversation := ""
	if p.names() {
		var err error
		if conversation, err = c.conversation(p.target); err != nil {
			return nil, err
		}
	}
	list, err := c.Account.Search(c.ctx, p.Query, conversation, p.Before, p.limit())
	return shownAll(list), err
}

func shownAll(list []*history.Message) []*history.Message {
	out := []*history.Message{}
	for _, m := range list {
		out = append(out, shown(m))
	}
	return out
}

func (c *conn) markRead(p struct {
	target
	UpTo int64 `json:"upTo"`
}) (any, error) {
	conversation, err := c.conversation(p.target)
	if err != nil {
		return nil, err
	}
	return nil, c.Account.MarkRead(c.ctx, conversation, p.UpTo)
}

type bySeq struct {
	Seq int64 `json:"seq"`
}

func (c *conn) retryMessage(p bySeq) (any, error)  { return nil, c.Account.Try(c.ctx, p.Seq) }
func (c *conn) deleteMessage(p bySeq) (any, error) { return nil, c.Account.Remove(c.ctx, p.Seq) }

// saveAttachment fetches a file into a directory of this computer. Id is what receive has called it.
func (c *conn) saveAttachment(p struct {
	asks
	ID        string `json:"id"`
	Directory string `json:"directory"`
}) (any, error) {
	if !filepath.IsAbs(p.Directory) {
		return nil, userError("directory %q, want an absolute path", p.Directory)
	}
	f, err := c.Attachment(c.ctx, p.ID)
	if err != nil {
		return nil, err
	}
	tell, err := c.progress(p.asks)
	if err != nil {
		return nil, err
	}
	path, err := c.Account.SaveAttachment(c.ctx, f, p.Directory, tell)
	return map[string]string{"path": path}, err
}

func (c *conn) setRule(p struct {
	target
	Rule string `json:"rule"`
}) (any, error) {
	who, err := c.conversation(p.target)
	if err != nil {
		return nil, err
	}
	rules := map[string]session.Rule{"notify": session.RuleNotify, "ask": session.RuleAsk, "verified-only": session.RuleVerified}
	r, ok := rules[p.Rule]
	if !ok {
		return nil, userError("rule %.20q, want notify, ask or verified-only", p.Rule)
	}
	return nil, c.Account.SetRule(c.ctx, who, r)
}

func (c *conn) allowDowngrade(p struct {
	target
	Allow bool `json:"allow"`
}) (any, error) {
	who, err := c.conversation(p.target)
	if err != nil {
		return nil, err
	}
	return nil, c.Account.AllowDowngrade(c.ctx, who, p.Allow)
}

func (c *conn) endSession(p target) (any, error) {
	who, err := c.conversation(p)
	if err != nil {
		return nil, err
	}
	return nil, c.Account.EndSession(c.ctx, who)
}

func (c *conn) groupConsistency(p target) (any, error) {
	conversation, err := c.conversation(p)
	if err != nil {
		return nil, err
	}
	return c.Account.Consistency(c.ctx, conversation)
}

func (c *conn) askForMissing(p target) (any, error) {
	conversation, err := c.conversation(p)
	if err != nil {
		return nil, err
	}
	return nil, c.Account.AskForMissing(c.ctx, conversation)
}
