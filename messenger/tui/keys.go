package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// key takes a key: first what is most in the foreground may have it.
func (m *Model) key(msg tea.KeyPressMsg) tea.Cmd {
	k := msg.String()
	if m.question != nil {
		return m.answer(k)
	}
	switch k {
	case "ctrl+l":
		return tea.ClearScreen
	case "ctrl+z":
		return tea.Suspend
	}
	if k == "ctrl+c" || k == "ctrl+d" && m.input.Value() == "" {
		return m.leave(k)
	}
	if m.pane.focused {
		return m.paneKey(msg)
	}
	if m.panel != nil {
		if cmd, taken := m.panelKey(k); taken {
			return cmd
		}
	}
	if cmd, taken := m.goKey(k); taken {
		return cmd
	}
	return m.talkKey(msg, k)
}

// leave ends the program; what is being typed is not thrown away at the first time.
func (m *Model) leave(k string) tea.Cmd {
	if k == "ctrl+c" && m.input.Value() != "" && !m.pane.focused {
		m.input.Reset()
		m.say("Ctrl+C again leaves")
		return m.stopTyping()
	}
	return tea.Batch(m.stopTyping(), m.quit())
}

// quit ends the program once everything that was sent has been handed over. Asked again, or where nobody takes it, the person decides.
func (m *Model) quit() tea.Cmd {
	if len(m.unsent) == 0 {
		return m.keepDraft(tea.Quit)
	}
	if m.conn == nil || m.leaving {
		m.leaving = false
		return m.confirm(fmt.Sprintf("Not handed to the daemon yet, and lost if you leave: %d of what you sent.", len(m.unsent)), "leave", func() tea.Cmd { return m.keepDraft(tea.Quit) })
	}
	m.leaving = true
	m.say("leaves as soon as everything is handed over…")
	return nil
}

// goKey takes the keys that lead to another conversation.
func (m *Model) goKey(k string) (tea.Cmd, bool) {
	switch n := strings.TrimPrefix(k, "alt+"); {
	case k == "ctrl+n":
		return m.switchBy(1), true
	case k == "ctrl+p":
		return m.switchBy(-1), true
	case k == "ctrl+g":
		m.pane = pane{focused: true}
		return nil, true
	case n != k && len(n) == 1 && n >= "1" && n <= "9":
		if i := int(n[0] - '1'); i < len(m.people.list) {
			return m.open(m.people.list[i].ID), true
		}
		return nil, true
	}
	return nil, false
}

// talkKey takes the keys of the open conversation.
func (m *Model) talkKey(msg tea.KeyPressMsg, k string) tea.Cmd {
	t := m.talk()
	if t == nil {
		return nil
	}
	switch k {
	case "pgup":
		m.scroll(max(1, m.talkHeight()-2))
	case "pgdown":
		m.scroll(-max(1, m.talkHeight()-2))
	case "ctrl+end":
		t.up, t.chosen = 0, 0
	case "enter":
		return m.submit()
	case "tab":
		m.complete()
	case "esc":
		m.escape(t)
	case "alt+up", "alt+down":
		m.mark(t, k == "alt+up")
	case "up", "down":
		if m.input.Value() == "" && (k == "up" || t.chosen != 0) {
			m.mark(t, k == "up")
			return nil
		}
		return m.typing(msg)
	default:
		return m.typing(msg)
	}
	return nil
}

// mark moves the mark to the message above or below.
func (m *Model) mark(t *talk, up bool) {
	if up {
		t.choose(-1)
	} else {
		t.choose(1)
	}
	m.show(t)
}

// escape takes one thing back: the answer or change that is being written, the mark, the place further up; on a narrow screen it goes to the list.
func (m *Model) escape(t *talk) {
	switch {
	case t.reply != nil:
		t.reply = nil
	case t.edit != nil:
		t.edit = nil
		m.input.Reset()
	case t.chosen != 0 || t.up > 0:
		t.chosen, t.up = 0, 0
	default:
		m.pane = pane{focused: true}
	}
}
