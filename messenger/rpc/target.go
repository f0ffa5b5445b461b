package rpc

// target says which conversation a request is about.
type target struct {
	Recipient  texts  `json:"recipient"`
	GroupID    string `json:"groupId"`
	NoteToSelf bool   `json:"noteToSelf"`
}

// names tells whether it says any.
func (t target) names() bool { return t.NoteToSelf || t.GroupID != "" || len(t.Recipient) > 0 }

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
