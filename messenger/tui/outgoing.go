package tui

import (
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// outgoing is a message that the account has not taken yet. It has a name of its own under which it goes out once, however often it is handed over.
// In a conversation one is handed over after the other, so that they keep their order.
type outgoing struct {
	conversation string
	typed        string // what is back in the field if the account refuses it, with what that answers or changes
	reply, edit  *history.Message
	params       map[string]any
	tries        int  // how often it was handed over
	busy         bool // an answer is awaited
}

// send hands a message over, with what the field was set to: an answer, or another text for an earlier message.
func (m *Model) send(text string, files []string) tea.Cmd {
	t := m.talk()
	one := &outgoing{conversation: t.id, typed: text, reply: t.reply, edit: t.edit, params: target(t.id)}
	one.params["message"], one.params["noWait"] = text, true
	if len(files) > 0 {
		one.typed, one.params["attachments"], one.params["progress"] = "/file "+files[0], files, m.transfer(files[0])
	}
	switch {
	case t.edit != nil:
		one.params["editTimestamp"] = t.edit.Timestamp
	case t.reply != nil:
		one.params["quoteTimestamp"], one.params["quoteAuthor"] = t.reply.Timestamp, t.reply.Author
	}
	if t.edit == nil {
		var b [16]byte
		if _, err := io.ReadFull(m.o.Rand, b[:]); err != nil {
			m.fail(err)
			return nil
		}
		one.params["once"] = hex.EncodeToString(b[:])
	}
	t.reply, t.edit, t.draft, t.chosen, t.up, t.fresh = nil, nil, "", 0, 0, 0
	m.input.Reset()
	m.typed = time.Time{} // a message says it
	m.unsent = append(m.unsent, one)
	return tea.Batch(m.keepDraft(nil), m.hand())
}

// hand gives the account the first message of each conversation that waits.
func (m *Model) hand() tea.Cmd {
	if m.conn == nil {
		return nil
	}
	var cmds []tea.Cmd
	first := map[string]bool{}
	for _, one := range m.unsent {
		if !first[one.conversation] && !one.busy {
			cmds = append(cmds, m.handOne(one))
		}
		first[one.conversation] = true
	}
	return tea.Batch(cmds...)
}

func (m *Model) handOne(one *outgoing) tea.Cmd {
	one.busy = true
	one.tries++
	try := one.tries
	return m.call("send", one.params, nil, func(err error) tea.Cmd {
		if one.tries != try {
			return nil // it was handed to another daemon since
		}
		one.busy = false
		var refused *rpc.Error
		if err != nil && !errors.As(err, &refused) && one.edit == nil {
			return nil // it is handed over again when the daemon is back
		}
		m.unsent = slices.DeleteFunc(m.unsent, func(o *outgoing) bool { return o == one })
		if err != nil {
			m.leaving = false
			m.fail(err)
			m.giveBack(one)
		} else if m.leaving && len(m.unsent) == 0 {
			return m.keepDraft(tea.Quit)
		}
		return m.hand()
	})
}

// giveBack puts what was not taken into the field again, or, if something else stands there, nowhere.
func (m *Model) giveBack(one *outgoing) {
	t := m.talks[one.conversation]
	switch {
	case t == nil:
	case t.id == m.at && m.input.Value() == "":
		m.input.SetValue(Safe(one.typed))
		t.reply, t.edit = one.reply, one.edit
	case t.id != m.at && t.draft == "":
		t.draft, t.reply, t.edit = Safe(one.typed), one.reply, one.edit
	}
}
