package tui

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// pane is the list of conversations. With the focus, what is typed finds one of them.
type pane struct {
	focused bool
	filter  string
	chosen  string // conversation; whatever comes in meanwhile, Enter opens this one
}

// found are the conversations that the filter leaves, the best first; without a filter the newest.
func (m *Model) found() (out []rpc.Conversation) {
	if m.pane.filter == "" {
		return m.people.list
	}
	scores := map[string]int{}
	for _, v := range m.people.list {
		if number := strings.HasPrefix(m.pane.filter, "+"); number && !strings.Contains(v.ID, m.pane.filter) {
			continue // some of its digits are another number
		}
		if s := fuzzy(m.pane.filter, m.people.title(v.ID)+" "+v.ID); s > 0 {
			scores[v.ID] = s
			out = append(out, v)
		}
	}
	slices.SortStableFunc(out, func(a, b rpc.Conversation) int { return scores[b.ID] - scores[a.ID] })
	return out
}

// fuzzy says how well a text has all the characters of a pattern, in order and whatever their case; 0: it has not. Characters at the beginning of a
// word and behind one another count more.
func fuzzy(pattern, text string) (score int) {
	runes := []rune(strings.ToLower(text))
	i, score, row := 0, 1, 0
	for _, want := range strings.ToLower(pattern) {
		for ; i < len(runes) && runes[i] != want; i++ {
			row = 0
		}
		if i == len(runes) {
			return 0
		}
		row++
		score += row
		if i == 0 || !unicode.IsLetter(runes[i-1]) && !unicode.IsDigit(runes[i-1]) {
			score += 3
		}
		i++
	}
	return score
}

// paneKey takes a key while the list has the focus.
func (m *Model) paneKey(msg tea.KeyPressMsg) tea.Cmd {
	found := m.found()
	switch msg.String() {
	case "esc":
		if m.pane.filter != "" {
			m.filter("")
		} else if m.at != "" {
			m.pane = pane{}
		}
	case "up", "ctrl+p":
		m.choose(found, -1)
	case "down", "ctrl+n":
		m.choose(found, 1)
	case "enter":
		if m.pane.chosen != "" {
			return m.open(m.pane.chosen)
		}
		if m.pane.filter != "" {
			return m.meet(m.pane.filter)
		}
	case "backspace":
		if r := []rune(m.pane.filter); len(r) > 0 {
			m.filter(string(r[:len(r)-1]))
		}
	default:
		m.filter(m.pane.filter + Safe(msg.Text))
	}
	return nil
}

// filter sets what is looked for. The best is chosen.
func (m *Model) filter(text string) {
	if text != m.pane.filter {
		m.pane.filter, m.pane.chosen = text, ""
	}
}

// rowOf is where the chosen conversation stands.
func (m *Model) rowOf(found []rpc.Conversation) int {
	return max(0, slices.IndexFunc(found, func(v rpc.Conversation) bool { return v.ID == m.pane.chosen }))
}

// choose moves the choice.
func (m *Model) choose(found []rpc.Conversation, step int) {
	if i := m.rowOf(found) + step; i >= 0 && i < len(found) {
		m.pane.chosen = found[i].ID
	}
}

// meet opens a conversation with somebody who is not in the list: a number, a username, a group.
func (m *Model) meet(who string) tea.Cmd {
	var found struct{ Conversation string }
	return m.call("resolve", map[string]string{"name": strings.TrimSpace(who)}, &found, func(err error) tea.Cmd {
		if err != nil {
			m.fail(err)
			return nil
		}
		return m.open(found.Conversation)
	})
}

// switchBy opens the conversation that is so many further down the list.
func (m *Model) switchBy(step int) tea.Cmd {
	list := m.people.list
	if len(list) == 0 {
		return nil
	}
	i := slices.IndexFunc(list, func(v rpc.Conversation) bool { return v.ID == m.at })
	if i < 0 && step < 0 {
		i = 0
	}
	return m.open(list[(i+step+len(list))%len(list)].ID)
}

// paneLines draws the list.
func (m *Model) paneLines(width, height int) (out []string) {
	head := "conversations"
	if m.pane.focused {
		head = "go to: " + m.pane.filter + "▏"
	}
	out = append(out, m.theme.bold.Render(fit(head, width)))
	found := m.found()
	if len(found) == 0 && m.pane.filter != "" {
		out = append(out, fit("Enter writes to "+name(m.pane.filter, maxName), width))
	}
	from, rows := m.paneRows(height)
	for i, v := range found {
		if i < from || i >= from+rows {
			continue
		}
		out = append(out, m.row(v, width)...)
	}
	for len(out) < height {
		out = append(out, fit("", width))
	}
	return out[:height]
}

// paneRows is which conversations of the list are in view. Each has two lines, and what is chosen stays in view.
func (m *Model) paneRows(height int) (from, rows int) {
	rows = max(1, (height-1)/2)
	return max(0, m.rowOf(m.found())-rows+1), rows
}

// click opens the conversation that stands there.
func (m *Model) click(x, y int) tea.Cmd {
	shown := m.wide() && x < paneWidth || !m.wide() && (m.pane.focused || m.talk() == nil)
	if !shown || y < 1 || y >= m.height-1 || m.question != nil {
		return nil
	}
	from, _ := m.paneRows(m.height - 1)
	if i := from + (y-1)/2; i < len(m.found()) {
		return m.open(m.found()[i].ID)
	}
	return nil
}

// row is a conversation of the list: its name, how much is unread, and how its newest message begins.
func (m *Model) row(v rpc.Conversation, width int) []string {
	count := ""
	switch {
	case v.Blocked:
		count = " blocked"
	case !v.Accepted:
		count = " request"
	case v.Muted:
		count = " muted"
	}
	if v.Unread > 0 && v.ID != m.at {
		count += fmt.Sprintf(" (%d)", v.Unread)
	}
	mark := "  "
	if v.ID == m.at {
		mark = "▸ "
	}
	title := fit(mark+m.people.title(v.ID), width-len(count)) + count
	switch {
	case m.pane.focused && v.ID == m.pane.chosen:
		title = m.theme.chosen.Render(title)
	case v.Unread > 0 && v.ID != m.at:
		title = m.theme.bold.Render(title)
	}
	last := ""
	if one := v.Last; one != nil {
		switch last = name(one.Body, width); {
		case one.Deleted:
			last = "(deleted)"
		case last == "" && len(one.Attachments) > 0:
			last = "[file] " + name(one.Attachments[0].FileName, width)
		}
		if said(one) && (one.Outgoing || isGroup(v.ID)) {
			last = m.people.called(one.Author) + ": " + last
		}
	}
	return []string{title, m.theme.dim.Render(fit("  "+last, width))}
}
