package rpc

import (
	"github.com/countersign-project/countersign/messenger/client"
)

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
