package rpc

import "github.com/countersign-project/countersign/messenger/client/history"

// lookedAt is how many messages listMedia looks at before it answers.
const lookedAt = 5000

// Media is an answer of listMedia.
type Media struct {
	Messages []*history.Message `json:"messages"` // the newest first
	// Next is "before" of the next request; 0 if there is nothing older. In a long conversation there may be a Next, and no messages.
	Next int64 `json:"next"`
}

// listMedia lists the messages of a conversation that carry files.
func (c *conn) listMedia(p listParams) (any, error) {
	conversation, err := c.conversation(p.target)
	if err != nil {
		return nil, err
	}
	list, next, err := c.Account.WithFiles(c.ctx, conversation, p.Before, p.limit(), lookedAt)
	return Media{shownAll(list), next}, err
}
