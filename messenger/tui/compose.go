package tui

import (
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// outgoing is something that was handed to the account and has no answer yet. It has a name of its own under which it goes out once, however often it is
// handed over.
type outgoing struct {
	conversation, text string
	params             map[string]any
}

// open shows a conversation.
func (m *Model) open(id string) tea.Cmd {
	stop := m.stopTyping()
	if t := m.talk(); t != nil {
		t.draft, t.fresh, t.chosen = m.input.Value(), 0, 0
	}
	if m.talks[id] == nil {
		m.talks[id] = newTalk(id)
	}
	m.at, m.panel, m.question, m.pane = id, nil, nil, pane{}
	t := m.talks[id]
	t.stuck = false
	m.input.SetValue(t.draft)
	if t.loaded {
		t.fresh = 0
		for _, one := range t.messages {
			if said(one) && !one.Outgoing && !one.Seen && one.Seq > t.readTo {
				t.fresh = one.Seq
				break
			}
		}
	}
	return stop
}

// typing gives the field a key or what was pasted, and tells the others that the person writes.
func (m *Model) typing(msg tea.Msg) tea.Cmd {
	switch one := msg.(type) { // what is pasted others may have written; without bracketed paste it comes as keys
	case tea.PasteMsg:
		one.Content = Safe(one.Content)
		msg = one
	case tea.KeyPressMsg:
		one.Text = Safe(one.Text)
		msg = one
	}
	before := m.input.Value()
	var cmd tea.Cmd
	m.input, cmd = m.input.Update(msg)
	now := m.input.Value()
	switch {
	case now == before:
		return cmd
	case now == "":
		return tea.Batch(cmd, m.stopTyping())
	case strings.HasPrefix(now, "/") || m.at == "" || m.at == m.people.status.Number || m.o.Now().Sub(m.typed) < typingAgain:
		return cmd
	}
	m.typed = m.o.Now()
	return tea.Batch(cmd, m.call("sendTyping", target(m.at), nil, func(error) tea.Cmd { return nil }))
}

// typingAgain is how often the account is told that the person still writes; it tells others more rarely.
const typingAgain = 5 * time.Second

// stopTyping takes it back, if something was said.
func (m *Model) stopTyping() tea.Cmd {
	if m.typed.IsZero() || m.at == "" {
		return nil
	}
	m.typed = time.Time{}
	params := target(m.at)
	params["stop"] = true
	return m.call("sendTyping", params, nil, func(error) tea.Cmd { return nil })
}

// submit does what was typed: a command, or a message.
func (m *Model) submit() tea.Cmd {
	text := strings.TrimRight(m.input.Value(), " \n")
	if rest, ok := strings.CutPrefix(text, "/"); ok && !strings.HasPrefix(rest, "/") {
		return m.command(rest)
	} else if ok {
		text = rest
	}
	if strings.TrimSpace(text) == "" || m.talk() == nil {
		return nil
	}
	return m.unlessChanged(func() tea.Cmd { return m.send(text, nil) })
}

// send hands a message over, with what the field was set to: an answer, or another text for an earlier message.
func (m *Model) send(text string, files []string) tea.Cmd {
	t := m.talk()
	params := target(t.id)
	params["message"], params["noWait"] = text, true
	if len(files) > 0 {
		params["attachments"] = files
		params["progress"] = m.transfer(files[0])
	}
	switch {
	case t.edit != nil:
		params["editTimestamp"] = t.edit.Timestamp
	case t.reply != nil:
		params["quoteTimestamp"], params["quoteAuthor"] = t.reply.Timestamp, t.reply.Author
	}
	if t.edit == nil {
		var b [16]byte
		if _, err := io.ReadFull(m.o.Rand, b[:]); err != nil {
			m.fail(err)
			return nil
		}
		params["once"] = hex.EncodeToString(b[:])
	}
	t.reply, t.edit, t.draft, t.chosen, t.up, t.fresh = nil, nil, "", 0, 0, 0
	m.input.Reset()
	m.typed = time.Time{} // a message says it
	one := &outgoing{t.id, text, params}
	m.unsent = append(m.unsent, one)
	return m.hand(one)
}

// hand gives the account a message. Without an answer it is given again when the daemon is back.
func (m *Model) hand(one *outgoing) tea.Cmd {
	return m.call("send", one.params, nil, func(err error) tea.Cmd {
		var answer *rpc.Error
		if err != nil && !errors.As(err, &answer) && one.params["once"] != nil {
			m.say("not handed to the daemon yet: it is as soon as it is back")
			return nil
		}
		m.unsent = slices.DeleteFunc(m.unsent, func(o *outgoing) bool { return o == one })
		if err == nil {
			if m.leaving && len(m.unsent) == 0 {
				return tea.Quit
			}
			return nil
		}
		m.leaving = false
		m.fail(err)
		if t := m.talks[one.conversation]; t != nil && t.id == m.at && m.input.Value() == "" {
			m.input.SetValue(one.text) // nothing that was typed is lost
		} else if t != nil && t.draft == "" {
			t.draft = one.text
		}
		return nil
	})
}

// setReply makes the field answer a message.
func (m *Model) setReply(one *history.Message) {
	t := m.talk()
	t.reply, t.edit = one, nil
}

// setEdit puts an earlier message of the person's into the field.
func (m *Model) setEdit(one *history.Message) {
	t := m.talk()
	t.edit, t.reply = one, nil
	m.input.SetValue(Safe(one.Body))
}
