package rpc

import (
	"slices"

	"github.com/countersign-project/countersign/messenger/client"
)

// Contact is somebody, with signal-cli's names for what it has too beside ours.
type Contact struct {
	client.Contact
	IsBlocked bool        `json:"isBlocked"`
	Profile   ProfileName `json:"profile"`
}

// ProfileName is what a contact calls himself.
type ProfileName struct {
	GivenName string `json:"givenName"`
}

func (c *conn) listContacts(nothing) (any, error) {
	list, err := c.Account.Contacts(c.ctx)
	out := []Contact{}
	for _, k := range list {
		k.ProfileKey = nil
		out = append(out, Contact{k, k.Blocked, ProfileName{k.ProfileName}})
	}
	return out, err
}

// UserStatus says whether somebody can be written to.
type UserStatus struct {
	Recipient  string `json:"recipient"` // as it was asked
	Number     string `json:"number,omitempty"`
	Registered bool   `json:"isRegistered"`
}

// getUserStatus asks the server, which thereby learns whom we think of writing to.
func (c *conn) getUserStatus(p struct {
	Recipient  texts `json:"recipient"`
	Recipients texts `json:"recipients"`
	Username   texts `json:"username"`
	Usernames  texts `json:"usernames"`
}) (any, error) {
	out := []UserStatus{}
	for _, name := range slices.Concat(p.Recipient, p.Recipients, p.Username, p.Usernames) {
		number, ok, err := c.Account.Registered(c.ctx, name)
		if err != nil {
			return nil, err
		}
		out = append(out, UserStatus{name, number, ok})
	}
	if len(out) == 0 {
		return nil, userError("want recipient or username")
	}
	return out, nil
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
