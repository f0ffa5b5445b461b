package rpc

import (
	"fmt"
	"slices"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/group"
)

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
	HasAvatar    bool                `json:"hasAvatar"` // and it is here: see getAvatar
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
	pictured, err := c.Account.Pictured(c.ctx, list)
	if err != nil {
		return nil, err
	}
	out := []Group{}
	for _, g := range list {
		one := groupOf(g, own.Number, conversations)
		one.HasAvatar = pictured[one.Conversation]
		out = append(out, one)
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
	Avatar        string  `json:"avatar"` // a path, or data:TYPE;base64,DATA
	RemoveAvatar  bool    `json:"removeAvatar"`
}

// updateGroup makes a group (without groupId), or changes one.
func (c *conn) updateGroup(p groupParams) (any, error) {
	picture, err := c.uploadAvatar(p)
	if err != nil {
		return nil, err
	}
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
	if err == nil && (picture != nil || p.RemoveAvatar) {
		err = c.Account.SetPicture(c.ctx, id, picture)
	}
	return map[string]string{"groupId": groupID(id)}, err
}

func (c *conn) quitGroup(p target) (any, error) {
	conversation, err := c.conversation(p)
	if err != nil {
		return nil, err
	}
	return nil, c.Account.Leave(c.ctx, conversation)
}
