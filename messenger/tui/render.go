package tui

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/countersign-project/countersign/messenger/client/history"
)

// line is one of the lines of a conversation, and the message that it is of; 0: none.
type line struct {
	text string
	seq  int64
}

// gutter and clock are the columns before the text of a message.
const (
	gutter = "  "
	clock  = "      "
)

// lines draws a conversation, width columns wide.
func (m *Model) lines(t *talk, width int) (out []line) {
	day := ""
	for _, one := range t.messages {
		if d := m.day(one); d != day {
			day = d
			out = append(out, line{text: m.rule(d, width)})
		}
		if one.Seq == t.fresh {
			out = append(out, line{text: m.rule("new", width)})
		}
		drawn, ok := t.drawn[one.Seq]
		if !ok {
			drawn = m.draw(one, width-len(gutter))
			t.drawn[one.Seq] = drawn
		}
		mark := gutter
		if one.Seq == t.chosen {
			mark = "▌ "
			drawn = append(drawn[:len(drawn):len(drawn)], m.versions(one, width-len(gutter))...)
		}
		for _, l := range drawn {
			out = append(out, line{mark + l, one.Seq})
		}
	}
	return append(out, m.waiting(t.id, width)...)
}

// waiting are messages that the account has not taken yet: without a daemon, or while a file is made ready.
func (m *Model) waiting(id string, width int) (out []line) {
	for _, one := range m.unsent {
		if one.conversation == id && (m.conn == nil || !one.busy) {
			for _, l := range wrapped("you: "+one.typed+"  (not handed to the daemon yet)", width-len(gutter)-len(clock)) {
				out = append(out, line{text: gutter + clock + m.theme.dim.Render(l)})
			}
		}
	}
	return out
}

func (m *Model) day(one *history.Message) string {
	at, now := m.local(when(one)), m.local(m.o.Now().UnixMilli())
	switch {
	case at.Format(time.DateOnly) == now.Format(time.DateOnly):
		return "today, " + at.Format("Monday 2 January")
	case at.Year() == now.Year():
		return at.Format("Monday 2 January")
	}
	return at.Format("Monday 2 January 2006")
}

// when is the time to show: the author's, or of a notice when it came.
func when(one *history.Message) int64 {
	if said(one) {
		return int64(one.Timestamp)
	}
	return one.Received
}

func (m *Model) local(ms int64) time.Time { return time.UnixMilli(ms).In(m.o.Zone) }

func (m *Model) rule(text string, width int) string {
	text = "── " + text + " "
	return m.theme.dim.Render(fit(text+strings.Repeat("─", max(0, width-ansi.StringWidth(text))), width))
}

// draw is a message in lines of at most width columns.
func (m *Model) draw(one *history.Message, width int) []string {
	if !said(one) {
		return m.notice(one, width)
	}
	width -= len(clock)
	who, body := m.people.called(one.Author)+":", one.Body
	if one.Deleted {
		body = "(deleted)"
	}
	var lines []string
	switch q := one.Quote; {
	case q != nil:
		lines = append(lines, m.colour(one).Render(who)+" "+m.theme.dim.Render(ansi.Truncate(m.quoted(q), max(4, width-ansi.StringWidth(who)-1), "…")))
		if body != "" {
			lines = append(lines, wrapped(body, width)...)
		}
	default:
		lines = wrapped(who+" "+body, width)
		if rest, ok := strings.CutPrefix(lines[0], who); ok {
			lines[0] = m.colour(one).Render(who) + rest
		}
	}
	for i, a := range one.Attachments {
		lines = append(lines, ansi.Truncate(fmt.Sprintf("[file %d/%d %s, %s]", one.Seq, i, name(a.FileName, 40), size(a.Size)), width, "…"))
		if a.Caption != "" {
			lines = append(lines, wrapped(a.Caption, width)...)
		}
	}
	if len(one.Reactions) > 0 {
		lines = append(lines, ansi.Truncate(m.reactions(one), width, "…"))
	}
	lines = after(lines, m.marks(one), width, m.theme)
	for i := range lines {
		before := clock
		if i == 0 {
			before = m.theme.dim.Render(m.local(when(one)).Format("15:04")) + " "
		}
		lines[i] = before + lines[i]
	}
	return lines
}

func (m *Model) colour(one *history.Message) lipgloss.Style {
	if one.Outgoing {
		return m.theme.you
	}
	return m.theme.of(one.Author)
}

func (m *Model) quoted(q *history.Quote) string {
	return fmt.Sprintf("↳ to %s: “%s”", m.people.called(q.Author), name(q.Text, 200))
}

// reactions are the emoji of a message with who gave them.
func (m *Model) reactions(one *history.Message) string {
	var order []string
	who := map[string][]string{}
	for _, r := range one.Reactions {
		e := name(r.Emoji, 8)
		if who[e] == nil {
			order = append(order, e)
		}
		who[e] = append(who[e], m.people.called(r.Author))
	}
	var parts []string
	for _, e := range order {
		parts = append(parts, e+" "+m.theme.dim.Render(strings.Join(who[e], ", ")))
	}
	return strings.Join(parts, "  ")
}

// mark is something to say about a message, after it.
type mark struct {
	text string
	loud bool
}

// marks are what there is to say about a message: that it was edited, disappears, was sent on by others, and how far it has come.
func (m *Model) marks(one *history.Message) (out []mark) {
	if one.Edited != 0 && !one.Deleted {
		out = append(out, mark{text: "edited"})
	}
	switch {
	case one.ExpiresAt != 0:
		left := time.UnixMilli(one.ExpiresAt).Sub(m.o.Now())
		out = append(out, mark{text: "disappears in " + span(uint32(max(1, left.Seconds())))})
	case one.Expires != 0:
		out = append(out, mark{text: "disappears " + span(one.Expires) + " after reading"})
	}
	if len(one.Vouchers) > 0 {
		var names []string
		for _, v := range one.Vouchers {
			names = append(names, m.people.called(v))
		}
		out = append(out, mark{"sent on by " + strings.Join(names, ", "), true})
	}
	if one.Outgoing && !one.Deleted {
		d := one.State()
		text := string(d.State)
		if d.State == history.Failed {
			text = "NOT SENT"
		}
		if d.Why != "" {
			text += ": " + name(d.Why, 300)
		}
		out = append(out, mark{text, d.State == history.Failed})
	}
	return out
}

// after puts marks behind the last line, or below it where there is no room.
func after(lines []string, marks []mark, width int, t theme) []string {
	for _, k := range marks {
		text, style := "("+k.text+")", t.dim
		if k.loud {
			style = t.alert
		}
		last := len(lines) - 1
		if ansi.StringWidth(lines[last])+2+ansi.StringWidth(text) <= width {
			lines[last] += "  " + style.Render(text)
			continue
		}
		for _, l := range wrapped(text, width) {
			lines = append(lines, style.Render(l))
		}
	}
	return lines
}

// loud tells whether somebody should not overlook a notice of this kind.
func loud(kind string) bool {
	switch kind {
	case "group", "timer", "introduced", "introduction-kept", "introduction-made":
		return false
	}
	return true
}

// notice is something this device has to say, plainly.
func (m *Model) notice(one *history.Message, width int) (out []string) {
	style, before := m.theme.dim, "-- "
	if loud(one.Notice) {
		style, before = m.theme.warn, "!! "
	}
	switch one.Notice {
	case "key-changed-verified", "equivocation", "introduction-differs":
		style = m.theme.alert
	}
	at := m.theme.dim.Render(m.local(when(one)).Format("15:04")) + " "
	for _, l := range wrapped(one.Body, width-len(clock)-len(before)) {
		out = append(out, at+style.Render(before+l))
		at, before = clock, "   "
	}
	return out
}

// versions are what a message said before it was edited, shown while it is chosen.
func (m *Model) versions(one *history.Message, width int) (out []string) {
	for _, v := range one.Edits {
		at := m.local(int64(v.Timestamp)).Format("15:04")
		for _, l := range wrapped("before, at "+at+": "+v.Body, width-len(clock)) {
			out = append(out, clock+m.theme.dim.Render(l))
		}
	}
	return out
}

func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}

// span is a time in its biggest unit that leaves nothing over, or nearly.
func span(seconds uint32) string {
	for _, u := range []struct {
		n    uint32
		name string
	}{{7 * 86400, "week"}, {86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}} {
		if n := seconds / u.n; n > 1 || n == 1 && seconds%u.n == 0 {
			if n == 1 {
				return "1 " + u.name
			}
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return "no time"
}
