package rpc

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
