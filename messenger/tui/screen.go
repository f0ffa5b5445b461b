package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// The layout. From wideFrom columns on the list stands beside the conversation.
const (
	wideFrom  = 80
	paneWidth = 28
	between   = " │ "
	headLines = 2
)

func (m *Model) wide() bool { return m.width >= wideFrom }

// talkWidth is how many columns a conversation has.
func (m *Model) talkWidth() int {
	if m.wide() {
		return m.width - paneWidth - 3
	}
	return max(m.width, 10)
}

// talkHeight is how many lines a conversation has.
func (m *Model) talkHeight() int {
	return max(1, m.height-headLines-len(m.footer(m.talkWidth()))-m.input.Height()-1)
}

// View draws what there is.
func (m *Model) View() tea.View {
	v := tea.NewView("")
	v.AltScreen, v.MouseMode, v.ReportFocus = true, tea.MouseModeCellMotion, true
	v.WindowTitle = m.windowTitle()
	height := max(1, m.height-1)
	var lines []string
	switch {
	case m.wide():
		left, right := m.paneLines(paneWidth, height), m.talkLines(m.talkWidth(), height)
		for i := range left {
			lines = append(lines, left[i]+m.theme.dim.Render(between)+right[i])
		}
	case m.pane.focused || m.talk() == nil:
		lines = m.paneLines(m.width, height)
	default:
		lines = m.talkLines(m.width, height)
	}
	v.SetContent(strings.Join(append(lines, m.bottom()), "\n"))
	v.Cursor = m.cursor()
	return v
}

func (m *Model) windowTitle() string {
	unread := 0
	for _, c := range m.people.list {
		if c.ID != m.at && !c.Muted {
			unread += c.Unread
		}
	}
	if unread > 0 {
		return fmt.Sprintf("messenger (%d)", unread)
	}
	return "messenger"
}

// talkLines draws the open conversation: its head, what was said, what is being done, the field.
func (m *Model) talkLines(width, height int) (out []string) {
	t := m.talk()
	if t == nil {
		out = append(out, fit("", width), fit("  Enter opens a conversation; a name or number that is typed finds one, or begins one.", width))
		for len(out) < height {
			out = append(out, fit("", width))
		}
		return out[:height]
	}
	out = append(out, m.head(t, width)...)
	room := m.talkHeight()
	if m.panel != nil {
		out = append(out, m.panelLines(width, room)...)
	} else {
		out = append(out, m.window(t, width, room)...)
	}
	out = append(out, m.footer(width)...)
	for l := range strings.SplitSeq(m.input.View(), "\n") {
		out = append(out, fit(l, width))
	}
	for len(out) < height {
		out = append(out, fit("", width))
	}
	return out[:height]
}

// window is the part of a conversation that is in view.
func (m *Model) window(t *talk, width, height int) []string {
	lines := m.lines(t, width)
	end := max(0, len(lines)-t.up)
	out := make([]string, 0, height)
	for _, l := range lines[max(0, end-height):end] {
		out = append(out, fit(l.text, width))
	}
	for len(out) < height {
		if len(lines) == 0 && t.loaded && len(out) == 1 {
			out = append(out, m.theme.dim.Render(fit("  Nothing was said yet.", width)))
			continue
		}
		if len(lines) == 0 {
			out = append(out, fit("", width))
		} else {
			out = slices.Insert(out, 0, fit("", width))
		}
	}
	return out
}

// head says who is there and how well they are known.
func (m *Model) head(t *talk, width int) []string {
	parts := []string{m.theme.bold.Render(m.people.title(t.id))}
	switch trust := m.people.trusts(t.id); trust {
	case "":
	case verified, "all verified":
		parts = append(parts, m.theme.good.Render(trust))
	case unverified:
		parts = append(parts, m.theme.dim.Render(trust))
	default:
		style := m.theme.warn
		if len(m.people.changedIn(t.id)) > 0 {
			style = m.theme.alert
		}
		parts = append(parts, style.Render(trust))
	}
	if v := m.people.conversation(t.id); v != nil {
		if v.Expires > 0 {
			parts = append(parts, "disappears after "+span(v.Expires))
		}
		switch {
		case v.Blocked:
			parts = append(parts, "BLOCKED")
		case !v.Accepted && v.LastSeq > 0:
			parts = append(parts, m.theme.warn.Render("REQUEST: /accept or /block"))
		case v.Muted:
			parts = append(parts, "muted")
		}
	}
	if isGroup(t.id) {
		g := m.people.groups[t.id]
		if !g.IsMember && g.ID != "" {
			parts = append(parts, "you are not a member any more")
		}
		var names []string
		for _, one := range g.Members {
			names = append(names, m.people.called(one["number"]))
		}
		parts = append(parts, m.theme.dim.Render(fmt.Sprintf("%d: %s", len(names), strings.Join(names, ", "))))
	}
	if title := m.people.title(t.id); !isGroup(t.id) && title != t.id {
		parts = append(parts, m.theme.dim.Render(name(t.id, width)))
	}
	return []string{fit(strings.Join(parts, m.theme.dim.Render(" · ")), width), m.theme.dim.Render(strings.Repeat("─", width))}
}

// footer is above the field: a question, what is answered or changed, commands that fit, who writes, what is further down.
func (m *Model) footer(width int) (out []string) {
	t := m.talk()
	if m.question != nil {
		for _, l := range append(wrapped(m.question.text, width), wrapped(m.question.options(), width)...) {
			out = append(out, m.theme.alert.Render(fit(l, width)))
		}
		return out
	}
	if t == nil {
		return nil
	}
	switch {
	case t.reply != nil:
		out = append(out, m.theme.dim.Render(fit("↳ answering "+m.people.called(t.reply.Author)+": “"+name(t.reply.Body, width)+"”  (Esc: not)", width)))
	case t.edit != nil:
		out = append(out, m.theme.dim.Render(fit("changing what you wrote at "+m.local(when(t.edit)).Format("15:04")+"  (Esc: not)", width)))
	}
	if hint := m.hint(); hint != "" {
		out = append(out, m.theme.dim.Render(fit(hint, width)))
	}
	for _, l := range m.transferLines() {
		out = append(out, m.theme.dim.Render(fit(l, width)))
	}
	var names []string
	for who := range t.writing {
		names = append(names, m.people.called(who))
	}
	slices.Sort(names)
	switch {
	case len(names) == 1:
		out = append(out, m.theme.dim.Render(fit(names[0]+" is writing…", width)))
	case len(names) > 1:
		out = append(out, m.theme.dim.Render(fit(strings.Join(names, ", ")+" are writing…", width)))
	}
	if t.up > 0 && m.panel == nil {
		out = append(out, m.theme.dim.Render(fit(fmt.Sprintf("↓ %d more lines (Ctrl+End)", t.up), width)))
	}
	return out
}

// bottom is the last line: what was said last, or how the account is.
func (m *Model) bottom() string {
	var left string
	style := m.theme.dim
	switch s := m.people.status; {
	case m.conn == nil && m.says.text != "":
		left, style = "waiting for the daemon · "+name(m.says.text, m.width), m.theme.warn
	case m.conn == nil:
		left, style = "the daemon has ended the connection; waiting for it to come back", m.theme.warn
	case m.says.text != "":
		left = name(m.says.text, m.width)
		if m.says.bad {
			style = m.theme.alert
		}
	case s.Number == "":
		left = "…"
	case !s.Connected:
		left, style = "no connection to the server; what you write is queued", m.theme.warn
		if m.offline != "" {
			left += ": " + name(m.offline, m.width)
		}
	default:
		left = s.Number + " · Ctrl+G go to · Ctrl+N/P next, previous · /help"
	}
	return style.Render(fit(" "+left, m.width))
}

// cursor is where the person writes.
func (m *Model) cursor() *tea.Cursor {
	if m.pane.focused || m.talk() == nil || m.question != nil {
		return nil
	}
	c := m.input.Cursor()
	if c == nil {
		return nil
	}
	c.Position.Y += headLines + m.talkHeight() + len(m.footer(m.talkWidth()))
	if m.wide() {
		c.Position.X += paneWidth + 3
	}
	if c.Position.Y >= m.height-1 || c.Position.X >= m.width {
		return nil // no room for it
	}
	return c
}
