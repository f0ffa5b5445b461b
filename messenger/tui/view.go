package tui

import (
	tea "charm.land/bubbletea/v2"

	"github.com/countersign-project/countersign/messenger/client/history"
)

// keepPlace lets f change a conversation; what is read further up stays where it is on the screen.
func (m *Model) keepPlace(t *talk, f func()) {
	if t != m.talk() || t.up == 0 {
		f()
		return
	}
	width := m.talkWidth()
	seq, below := place(m.lines(t, width), t.up)
	f()
	lines := m.lines(t, width)
	for i := len(lines) - 1; i >= 0 && seq != 0; i-- {
		if lines[i].seq == seq {
			t.up = max(0, len(lines)-1-i+below)
			return
		}
	}
}

// place is the message at the bottom of the view when it is up lines from the end, and how far its last line is above that bottom (or, negative, below).
func place(lines []line, up int) (seq int64, below int) {
	bottom := len(lines) - 1 - up
	for i := min(bottom, len(lines)-1); i >= 0; i-- {
		if lines[i].seq == 0 {
			continue
		}
		last := i
		for last+1 < len(lines) && lines[last+1].seq == lines[i].seq {
			last++
		}
		return lines[i].seq, last - bottom
	}
	return 0, 0
}

// scroll moves the view up, or down where n is negative.
func (m *Model) scroll(n int) {
	if m.panel != nil {
		m.panel.up = max(0, m.panel.up-n)
		return
	}
	if t := m.talk(); t != nil {
		t.up = max(0, t.up+n)
	}
}

// settle comes after each message: the view is where there is something to see, what it lacks is read, and what is seen is marked as read.
func (m *Model) settle() tea.Cmd {
	m.input.SetWidth(m.talkWidth())
	if found := m.found(); m.pane.focused && len(found) > 0 && m.pane.chosen == "" {
		m.pane.chosen = found[0].ID
	}
	t := m.talk()
	if t == nil || t.stuck {
		return nil
	}
	if !t.loaded {
		return m.load(t, 0, pageSize)
	}
	if t.want != 0 {
		return m.readBack(t)
	}
	if t.up == 0 && t.chosen == 0 && !t.loading {
		t.trim()
	}
	lines, height := m.lines(t, m.talkWidth()), m.talkHeight()
	t.up = max(0, min(t.up, len(lines)-height))
	var cmds []tea.Cmd
	if !t.whole && len(t.messages) > 0 && len(lines)-t.up < 2*height {
		cmds = append(cmds, m.load(t, t.messages[0].Seq, pageSize))
	}
	return tea.Batch(append(cmds, m.markRead(t))...)
}

// show brings the chosen message into view.
func (m *Model) show(t *talk) {
	if t.chosen == 0 {
		t.up = 0
		return
	}
	lines := m.lines(t, m.talkWidth())
	first, last := -1, -1
	for i, l := range lines {
		if l.seq == t.chosen {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	for range 2 { // away from the end there is a line less
		height := m.talkHeight()
		switch bottom := len(lines) - 1 - t.up; {
		case first < 0:
		case last > bottom:
			t.up = len(lines) - 1 - last
		case first <= bottom-height:
			t.up = max(0, len(lines)-height-first)
		}
	}
}

// markRead says that the person has read what is in view, if he looks at it.
func (m *Model) markRead(t *talk) tea.Cmd {
	if !m.focused || t.up > 0 || m.panel != nil || m.pane.focused || m.conn == nil {
		return nil
	}
	one := t.unseen()
	if one == nil {
		return nil
	}
	t.readTo = one.Seq
	params := target(t.id)
	params["upTo"] = one.Seq
	return m.call("markRead", params, nil, func(err error) tea.Cmd {
		if err != nil {
			return nil // next time, if not now
		}
		return m.refresh()
	})
}

// about is the message a command is about: the chosen one, or else the newest for which usual holds.
func (m *Model) about(usual func(*history.Message) bool) *history.Message {
	t := m.talk()
	if t == nil {
		return nil
	}
	if one := t.find(t.chosen); one != nil {
		return one
	}
	return t.newest(usual)
}
