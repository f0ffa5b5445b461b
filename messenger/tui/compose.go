package tui

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/countersign-project/countersign/messenger/client/history"
)

// open shows a conversation.
func (m *Model) open(id string) tea.Cmd {
	stop := tea.Batch(m.stopTyping(), m.keepDraft(nil))
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
	m.recall()
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
	if p, ok := msg.(tea.PasteMsg); ok && (utf8.RuneCountInString(now) >= maxTyped || strings.Count(now, "\n") < strings.Count(before+p.Content, "\n")) {
		m.fail(fmt.Errorf("too long for one message: it was cut at %d characters. /file sends a file", utf8.RuneCountInString(now)))
	}
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
