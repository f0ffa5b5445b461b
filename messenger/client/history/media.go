package history

import "github.com/countersign-project/countersign/messenger/store"

// WithFiles returns the newest messages of a conversation below number before (0: the newest of all) that carry files, the newest first, at most limit.
// It looks at atMost messages and then stops, however few it has found; next is where to go on, as before, and 0 if it has come to the conversation's first
// message.
func WithFiles(tx *store.Tx, conversation string, before int64, limit, atMost int) (out []*Message, next int64, err error) {
	looked := 0
	err = tx.Messages(conversation, before, func(row store.Row) (bool, error) {
		if len(out) == limit || looked == atMost {
			return false, nil
		}
		m, err := parse(row, true, nil)
		if err != nil {
			return false, err
		}
		looked++
		next = row.Seq
		if len(m.Attachments) > 0 {
			out = append(out, m)
		}
		return true, nil
	})
	if looked < atMost && len(out) < limit {
		next = 0 // there was no more
	}
	return out, next, err
}
