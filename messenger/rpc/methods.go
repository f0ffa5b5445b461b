package rpc

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/group"
	"github.com/countersign-project/countersign/messenger/session"
)

// method answers one request.
type method func(*conn, json.RawMessage) (any, error)

// call makes a method of a function with typed parameters.
func call[P any](f func(*conn, P) (any, error)) method {
	return func(c *conn, raw json.RawMessage) (any, error) {
		p, err := decode[P](raw)
		if err != nil {
			return nil, err
		}
		return f(c, p)
	}
}

// methods is the table of all there is.
func methods() map[string]method {
	return map[string]method{
		// signal-cli's
		"version":                    call((*conn).version),
		"listAccounts":               call((*conn).listAccounts),
		"subscribeReceive":           call((*conn).subscribeReceive),
		"unsubscribeReceive":         call((*conn).unsubscribeReceive),
		"send":                       call((*conn).sendMessage),
		"sendReaction":               call((*conn).sendReaction),
		"remoteDelete":               call((*conn).remoteDelete),
		"sendTyping":                 call((*conn).sendTyping),
		"sendReceipt":                call((*conn).sendReceipt),
		"sendMessageRequestResponse": call((*conn).requestResponse),
		"listContacts":               call((*conn).listContacts),
		"updateContact":              call((*conn).updateContact),
		"block":                      call((*conn).block),
		"unblock":                    call((*conn).unblock),
		"listGroups":                 call((*conn).listGroups),
		"updateGroup":                call((*conn).updateGroup),
		"quitGroup":                  call((*conn).quitGroup),
		"listIdentities":             call((*conn).listIdentities),
		"trust":                      call((*conn).trust),
		"listDevices":                call((*conn).listDevices),
		"addDevice":                  call((*conn).addDevice),
		"removeDevice":               call((*conn).removeDevice),
		"updateProfile":              call((*conn).updateProfile),
		"updateConfiguration":        call((*conn).updateConfiguration),
		"setUsername":                call((*conn).setUsername),
		// ours
		"methods":           call((*conn).listMethods),
		"status":            call((*conn).status),
		"flush":             call((*conn).flush),
		"resolve":           call((*conn).resolve),
		"listConversations": call((*conn).listConversations),
		"listMessages":      call((*conn).listMessages),
		"searchMessages":    call((*conn).searchMessages),
		"markRead":          call((*conn).markRead),
		"retryMessage":      call((*conn).retryMessage),
		"deleteMessage":     call((*conn).deleteMessage),
		"saveAttachment":    call((*conn).saveAttachment),
		"confirmDevice":     call((*conn).confirmDevice),
		"setRule":           call((*conn).setRule),
		"allowDowngrade":    call((*conn).allowDowngrade),
		"endSession":        call((*conn).endSession),
		"groupConsistency":  call((*conn).groupConsistency),
		"askForMissing":     call((*conn).askForMissing),
		"backup":            call((*conn).backup),
		"takeHistory":       call((*conn).takeHistory),
	}
}

type nothing struct{}

func (c *conn) listMethods(nothing) (any, error) {
	return slices.Sorted(maps.Keys(methods())), nil
}

func (c *conn) version(nothing) (any, error) {
	return map[string]string{"version": c.Version}, nil
}

func (c *conn) listAccounts(nothing) (any, error) {
	own, err := c.Account.Own(c.ctx)
	return []map[string]string{{"number": own.Number}}, err
}

func (c *conn) subscribeReceive(nothing) (any, error) {
	c.subscribe()
	return 0, nil
}

func (c *conn) unsubscribeReceive(nothing) (any, error) {
	c.unsubscribe()
	return nil, nil
}

// target says which conversation a request is about.
type target struct {
	Recipient  texts  `json:"recipient"`
	GroupID    string `json:"groupId"`
	NoteToSelf bool   `json:"noteToSelf"`
}

// conversations finds them.
func (c *conn) conversations(t target) (out []string, err error) {
	if t.NoteToSelf {
		own, err := c.Account.Own(c.ctx)
		return []string{own.Number}, err
	}
	if t.GroupID != "" {
		id, err := groupConversation(t.GroupID)
		return []string{id}, err
	}
	for _, r := range t.Recipient {
		to, err := c.Account.Resolve(c.ctx, r)
		if err != nil {
			return nil, err
		}
		out = append(out, to)
	}
	if len(out) == 0 {
		return nil, userError("want recipient, groupId or noteToSelf")
	}
	return out, nil
}

// conversation finds exactly one.
func (c *conn) conversation(t target) (string, error) {
	list, err := c.conversations(t)
	if err == nil && len(list) != 1 {
		err = userError("%d recipients, want one", len(list))
	}
	if err != nil {
		return "", err
	}
	return list[0], nil
}

// Sent is the answer to what was sent.
type Sent struct {
	Timestamp uint64   `json:"timestamp"`
	Results   []Result `json:"results"`
}

// Result is how it went with one recipient.
type Result struct {
	Address map[string]string `json:"recipientAddress"`
	GroupID string            `json:"groupId,omitempty"`
	// Type is SUCCESS, QUEUED (not yet; it goes out when it can), IDENTITY_FAILURE (the person must decide about a key), or FAILURE.
	Type string `json:"type"`
	Why  string `json:"why,omitempty"`
}

type sendParams struct {
	target
	Message        string `json:"message"`
	Attachments    texts  `json:"attachments"`
	Attachment     texts  `json:"attachment"`
	QuoteTimestamp uint64 `json:"quoteTimestamp"`
	QuoteAuthor    string `json:"quoteAuthor"`
	EditTimestamp  uint64 `json:"editTimestamp"`
	EndSession     bool   `json:"endSession"`
	// NoWait is ours: answer when it is queued. Otherwise the answer waits a while for the server to have it.
	NoWait bool `json:"noWait"`
}

// sendPatience is how long send waits for a message to be sent before it answers QUEUED.
const sendPatience = 10 * time.Second

func (c *conn) sendMessage(p sendParams) (any, error) {
	to, err := c.conversations(p.target)
	if err != nil {
		return nil, err
	}
	var out Sent
	for _, conversation := range to {
		if p.EditTimestamp != 0 {
			if err := c.Account.Edit(c.ctx, conversation, p.EditTimestamp, p.Message); err != nil {
				return nil, err
			}
			out.Timestamp = p.EditTimestamp
			out.Results = append(out.Results, Result{Address: address(conversation), GroupID: groupID(conversation), Type: "QUEUED"})
			continue
		}
		d := client.Draft{To: conversation, Text: p.Message}
		for _, path := range slices.Concat(p.Attachments, p.Attachment) {
			d.Files = append(d.Files, client.File{Path: path})
		}
		if p.QuoteTimestamp != 0 {
			author, err := c.Account.Resolve(c.ctx, p.QuoteAuthor)
			if err != nil {
				return nil, err
			}
			d.Quote = &history.Quote{Author: author, Timestamp: p.QuoteTimestamp}
		}
		sub := c.Account.Subscribe()
		m, err := c.Account.Send(c.ctx, d)
		if err == nil && !p.NoWait {
			m, err = c.awaitSent(sub, m)
		}
		sub.Close()
		if err != nil {
			return nil, err
		}
		out.Timestamp = m.Timestamp
		out.Results = append(out.Results, results(m)...)
	}
	return out, nil
}

// awaitSent waits until a message has left, failed, or patience has ended.
func (c *conn) awaitSent(sub *client.Subscription, m *history.Message) (*history.Message, error) {
	deadline := time.NewTimer(sendPatience)
	defer deadline.Stop()
	done := make(chan struct{})
	go func() {
		select {
		case <-deadline.C:
			sub.Close()
		case <-done:
		}
	}()
	defer close(done)
	for m.State().State == history.Queued {
		if m.State().Why != "" {
			break // it will take longer
		}
		e, ok := sub.Next(c.ctx)
		if !ok {
			break
		}
		if e.Message != nil && e.Message.Seq == m.Seq && e.Type == client.EventUpdate {
			m = e.Message
		}
	}
	now, err := c.Account.Message(c.ctx, m.Seq)
	if err != nil || now == nil {
		return m, err
	}
	return now, nil
}

func results(m *history.Message) (out []Result) {
	for _, name := range slices.Sorted(maps.Keys(m.Delivery)) {
		d := m.Delivery[name]
		r := Result{Address: address(name), GroupID: groupID(m.Conversation), Type: "SUCCESS", Why: d.Why}
		switch {
		case d.State == history.Queued:
			r.Type = "QUEUED"
		case d.State == history.Failed && strings.Contains(d.Why, "not registered"):
			r.Type = "UNREGISTERED_FAILURE"
		case d.State == history.Failed && (strings.Contains(d.Why, "safety number") || strings.Contains(d.Why, "verified")):
			r.Type = "IDENTITY_FAILURE"
		case d.State == history.Failed:
			r.Type = "FAILURE"
		}
		out = append(out, r)
	}
	return out
}

func address(name string) map[string]string {
	if groupID(name) != "" {
		return map[string]string{}
	}
	return map[string]string{"number": name}
}

type aboutMessage struct {
	target
	Emoji           string  `json:"emoji"`
	Remove          bool    `json:"remove"`
	Author          string  `json:"targetAuthor"`
	TargetTimestamp numbers `json:"targetTimestamp"`
	Type            string  `json:"type"`
	Stop            bool    `json:"stop"`
}

func (p aboutMessage) timestamp() (uint64, error) {
	if len(p.TargetTimestamp) != 1 {
		return 0, userError("%d values of targetTimestamp, want one", len(p.TargetTimestamp))
	}
	return p.TargetTimestamp[0], nil
}

func (c *conn) sendReaction(p aboutMessage) (any, error) {
	conversation, err := c.conversation(p.target)
	if err != nil {
		return nil, err
	}
	at, err := p.timestamp()
	if err != nil {
		return nil, err
	}
	author, err := c.Account.Resolve(c.ctx, p.Author)
	if err != nil {
		return nil, err
	}
	return nil, c.Account.React(c.ctx, conversation, author, at, p.Emoji, p.Remove)
}

func (c *conn) remoteDelete(p aboutMessage) (any, error) {
	conversation, err := c.conversation(p.target)
	if err != nil {
		return nil, err
	}
	at, err := p.timestamp()
	if err != nil {
		return nil, err
	}
	return nil, c.Account.DeleteForAll(c.ctx, conversation, at)
}

func (c *conn) sendTyping(p aboutMessage) (any, error) {
	conversation, err := c.conversation(p.target)
	if err != nil {
		return nil, err
	}
	return nil, c.Account.Typing(c.ctx, conversation, p.Stop)
}

// sendReceipt marks messages as read, which tells their author, unless the person does not want that.
func (c *conn) sendReceipt(p aboutMessage) (any, error) {
	author, err := c.conversation(p.target)
	if err != nil {
		return nil, err
	}
	for _, at := range p.TargetTimestamp {
		m, err := c.Account.Find(c.ctx, author, at)
		if err != nil {
			return nil, err
		}
		if m == nil {
			return nil, userError("no message of %s with timestamp %d", author, at)
		}
		if err := c.Account.MarkRead(c.ctx, m.Conversation, m.Seq); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (c *conn) requestResponse(p aboutMessage) (any, error) {
	conversation, err := c.conversation(p.target)
	if err != nil {
		return nil, err
	}
	switch p.Type {
	case "accept":
		return nil, c.Account.Accept(c.ctx, conversation)
	case "block", "delete":
		return nil, c.Account.Block(c.ctx, conversation, true)
	}
	return nil, userError("type %.20q, want accept or block", p.Type)
}

func (c *conn) listContacts(nothing) (any, error) {
	list, err := c.Account.Contacts(c.ctx)
	if list == nil {
		list = []client.Contact{}
	}
	for i := range list {
		list[i].ProfileKey = nil
	}
	return list, err
}

func (c *conn) updateContact(p struct {
	target
	Name       *string `json:"name"`
	Expiration *uint32 `json:"expiration"`
}) (any, error) {
	who, err := c.conversation(p.target)
	if err != nil {
		return nil, err
	}
	if p.Name != nil {
		if err := c.Account.SetName(c.ctx, who, *p.Name); err != nil {
			return nil, err
		}
	}
	if p.Expiration != nil {
		return nil, c.Account.SetExpires(c.ctx, who, *p.Expiration)
	}
	return nil, nil
}

type blocking struct {
	Recipient texts `json:"recipient"`
	GroupID   texts `json:"groupId"`
}

func (c *conn) block(p blocking) (any, error)   { return nil, c.setBlocked(p, true) }
func (c *conn) unblock(p blocking) (any, error) { return nil, c.setBlocked(p, false) }

func (c *conn) setBlocked(p blocking, block bool) error {
	var list []target
	for _, r := range p.Recipient {
		list = append(list, target{Recipient: texts{r}})
	}
	for _, g := range p.GroupID {
		list = append(list, target{GroupID: g})
	}
	if len(list) == 0 {
		return userError("want recipient or groupId")
	}
	for _, t := range list {
		conversation, err := c.conversation(t)
		if err != nil {
			return err
		}
		if err := c.Account.Block(c.ctx, conversation, block); err != nil {
			return err
		}
	}
	return nil
}

// Group is a group, in signal-cli's shape.
type Group struct {
	ID           string              `json:"id"`
	Name         string              `json:"name"`
	IsMember     bool                `json:"isMember"`
	IsBlocked    bool                `json:"isBlocked"`
	Expires      uint32              `json:"messageExpirationTime"`
	Members      []map[string]string `json:"members"`
	Admins       []map[string]string `json:"admins"`
	Conversation string              `json:"conversation"`
}

func (c *conn) listGroups(nothing) (any, error) {
	own, err := c.Account.Own(c.ctx)
	if err != nil {
		return nil, err
	}
	list, err := c.Account.Groups(c.ctx)
	if err != nil {
		return nil, err
	}
	conversations, err := c.Account.Conversations(c.ctx)
	if err != nil {
		return nil, err
	}
	out := []Group{}
	for _, g := range list {
		out = append(out, groupOf(g, own.Number, conversations))
	}
	return out, nil
}

func groupOf(g *group.State, self string, conversations []history.Conversation) Group {
	name := fmt.Sprintf("group:%x", g.ID)
	out := Group{ID: groupID(name), Name: g.Name, IsMember: g.In(self), Expires: g.Expires, Members: []map[string]string{}, Admins: []map[string]string{}, Conversation: name}
	for _, m := range g.List() {
		out.Members = append(out.Members, map[string]string{"number": m})
		if g.Members[m].Admin {
			out.Admins = append(out.Admins, map[string]string{"number": m})
		}
	}
	for _, v := range conversations {
		if v.ID == name {
			out.IsBlocked = v.Blocked
		}
	}
	return out
}

type groupParams struct {
	GroupID       string  `json:"groupId"`
	Name          *string `json:"name"`
	Members       texts   `json:"members"`
	Member        texts   `json:"member"`
	RemoveMembers texts   `json:"removeMembers"`
	RemoveMember  texts   `json:"removeMember"`
	Admins        texts   `json:"admins"`
	Admin         texts   `json:"admin"`
	RemoveAdmins  texts   `json:"removeAdmins"`
	RemoveAdmin   texts   `json:"removeAdmin"`
	Expiration    *uint32 `json:"expiration"`
}

// updateGroup makes a group (without groupId), or changes one.
func (c *conn) updateGroup(p groupParams) (any, error) {
	resolve := func(lists ...texts) (out []string, err error) {
		for _, r := range slices.Concat(lists...) {
			to, err := c.Account.Resolve(c.ctx, r)
			if err != nil {
				return nil, err
			}
			out = append(out, to)
		}
		return out, nil
	}
	add, err := resolve(p.Members, p.Member)
	if err != nil {
		return nil, err
	}
	remove, err := resolve(p.RemoveMembers, p.RemoveMember)
	if err != nil {
		return nil, err
	}
	admins, err := resolve(p.Admins, p.Admin)
	if err != nil {
		return nil, err
	}
	noAdmins, err := resolve(p.RemoveAdmins, p.RemoveAdmin)
	if err != nil {
		return nil, err
	}
	id := ""
	if p.GroupID == "" {
		if p.Name == nil || *p.Name == "" {
			return nil, userError("a new group needs a name")
		}
		if id, err = c.Account.CreateGroup(c.ctx, *p.Name, add); err != nil {
			return nil, err
		}
		add, p.Name = nil, nil
	} else if id, err = groupConversation(p.GroupID); err != nil {
		return nil, err
	}
	err = c.Account.ChangeGroup(c.ctx, id, func(g *group.State, self string) error {
		for _, step := range []struct {
			list []string
			do   func(string) error
		}{
			{add, func(m string) error { return g.Add(self, m) }},
			{remove, func(m string) error { return g.Remove(self, m) }},
			{admins, func(m string) error { return g.Appoint(self, m, true) }},
			{noAdmins, func(m string) error { return g.Appoint(self, m, false) }},
		} {
			for _, m := range step.list {
				if err := step.do(m); err != nil {
					return err
				}
			}
		}
		if p.Name != nil {
			g.Rename(self, *p.Name)
		}
		if p.Expiration != nil {
			g.SetExpires(self, *p.Expiration)
		}
		return nil
	})
	return map[string]string{"groupId": groupID(id)}, err
}

func (c *conn) quitGroup(p target) (any, error) {
	conversation, err := c.conversation(p)
	if err != nil {
		return nil, err
	}
	return nil, c.Account.Leave(c.ctx, conversation)
}

// Identity is a contact's key, in signal-cli's shape.
type Identity struct {
	Number string `json:"number"`
	// TrustLevel is TRUSTED_UNVERIFIED, TRUSTED_VERIFIED, or UNTRUSTED while nothing is sent.
	TrustLevel   string `json:"trustLevel"`
	SafetyNumber string `json:"safetyNumber"`
	Fingerprint  string `json:"fingerprint"`
	Added        int64  `json:"addedTimestamp"`
	Scannable    []byte `json:"scannableSafetyNumber"`
}

func (c *conn) listIdentities(p struct {
	Number    string `json:"number"`
	Recipient texts  `json:"recipient"`
}) (any, error) {
	names := p.Recipient
	if p.Number != "" {
		names = append(names, p.Number)
	}
	if len(names) == 0 {
		list, err := c.Account.Contacts(c.ctx)
		if err != nil {
			return nil, err
		}
		for _, k := range list {
			if k.Devices > 0 {
				names = append(names, k.Number)
			}
		}
	}
	out := []Identity{}
	for _, n := range names {
		to, err := c.Account.Resolve(c.ctx, n)
		if err != nil {
			return nil, err
		}
		s, err := c.Account.Safety(c.ctx, to)
		if err != nil {
			return nil, err
		}
		level := "TRUSTED_UNVERIFIED"
		switch {
		case s.Trust == session.Changed || s.Held:
			level = "UNTRUSTED"
		case s.Trust == session.Verified:
			level = "TRUSTED_VERIFIED"
		}
		out = append(out, Identity{to, level, s.Digits, fmt.Sprintf("%x", s.Key), s.Since, s.Code})
	}
	return out, nil
}

// trust verifies a contact by the safety number the caller has compared, or accepts the present key without (trustAllKnownKeys).
func (c *conn) trust(p struct {
	target
	Number    string `json:"verifiedSafetyNumber"`
	All       bool   `json:"trustAllKnownKeys"`
	NoVouch   bool   `json:"unverify"` // ours
	SafetyOld string `json:"verifiedFingerprint"`
}) (any, error) {
	who, err := c.conversation(p.target)
	if err != nil {
		return nil, err
	}
	if p.All {
		return nil, c.Account.AcceptKey(c.ctx, who)
	}
	s, err := c.Account.Safety(c.ctx, who)
	if err != nil {
		return nil, err
	}
	if p.NoVouch {
		return nil, c.Account.SetVerified(c.ctx, s, false)
	}
	if p.Number == "" {
		p.Number = p.SafetyOld
	}
	if err := s.Compare(p.Number); err != nil {
		return nil, err
	}
	return nil, c.Account.SetVerified(c.ctx, s, true)
}
