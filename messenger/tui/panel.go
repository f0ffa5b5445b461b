package tui

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// panel is something to read in place of the conversation, until Escape.
type panel struct {
	title string
	lines []string // wrapped where they are drawn
	drawn []string // below the lines, drawn already
	up    int      // lines above the view
	about string   // the number whose safety number it is
	// What can be chosen of it, if anything: one line each, from the first on.
	picks []func() tea.Cmd
	row   int
}

// panelKey takes a key while there is a panel; false: the key is for somebody else.
func (m *Model) panelKey(key string) (tea.Cmd, bool) {
	p := m.panel
	switch {
	case key == "esc":
		m.panel = nil
	case key == "pgup":
		p.up = max(0, p.up-m.talkHeight())
	case key == "pgdown":
		p.up += m.talkHeight()
	case len(p.picks) == 0 || m.input.Value() != "":
		return nil, false
	case key == "up":
		p.row = max(0, p.row-1)
	case key == "down":
		p.row = min(p.row+1, len(p.picks)-1)
	case key == "enter":
		m.panel = nil
		return p.picks[p.row](), true
	default:
		return nil, false
	}
	return nil, true
}

func (m *Model) panelLines(width, height int) (out []string) {
	p := m.panel
	if len(p.drawn) != height { // a code that just fits has all the room
		out = append(out, m.theme.bold.Render(fit(p.title+"  (Esc closes)", width)))
	}
	height -= len(out)
	var body []string
	at := 0
	for i, l := range p.lines {
		drawn := hanging(l, width-2)
		mark := "  "
		if len(p.picks) > 0 && i == p.row {
			mark, at = "▌ ", len(body)
		}
		for _, d := range drawn {
			body = append(body, fit(mark+d, width))
		}
	}
	for _, l := range p.drawn {
		body = append(body, fit("  "+l, width))
	}
	p.up = max(0, min(p.up, len(body)-height))
	if len(p.picks) > 0 {
		p.up = max(min(p.up, at), at-height+2, 0)
	}
	p.up = min(p.up, len(body))
	body = body[p.up:min(len(body), p.up+height)]
	for len(body) < height {
		body = append(body, fit("", width))
	}
	return append(out, body...)
}

// hanging is wrapped; what stands behind a command and a gap keeps to a column of its own.
func hanging(l string, width int) []string {
	l = Safe(l)
	head, text, ok := strings.Cut(l, "  ")
	at := len(l) - len(strings.TrimLeft(text, " "))
	if !ok || !strings.HasPrefix(head, "/") || at > width/2 {
		return wrapped(l, width)
	}
	out := wrapped(l[at:], width-at)
	for i := range out {
		out[i] = strings.Repeat(" ", at) + out[i]
	}
	out[0] = head + out[0][len(head):]
	return out
}

// safety shows the number to compare with somebody.
func (m *Model) safety(who string) tea.Cmd {
	var list []rpc.Identity
	return m.call("listIdentities", map[string]any{"recipient": who}, &list, func(err error) tea.Cmd {
		if err != nil || len(list) == 0 {
			if err != nil {
				m.fail(err)
			}
			return nil
		}
		id := list[0]
		state := map[string]string{"TRUSTED_VERIFIED": "Verified", "TRUSTED_UNVERIFIED": "Not verified", "UNTRUSTED": "CHANGED: nothing is sent until you verify or accept it"}[id.TrustLevel]
		switch by := id.Introduced; {
		case by != nil:
			state = fmt.Sprintf("Not verified by you; introduced by %s on %s", name(by.Name, maxName), m.local(by.When).Format("2 January 2006"))
		case id.Doubt != "":
			state = fmt.Sprintf("IN DOUBT: nothing is sent until you verify or accept it, for %s has introduced this contact by another key", name(m.people.called(id.Doubt), maxName))
		}
		lines := []string{"", fmt.Sprintf("%s, since %s", state, m.local(id.Added).Format("2 January 2006 15:04")), ""}
		groups := strings.Fields(id.SafetyNumber)
		for part := range slices.Chunk(groups, 4) {
			lines = append(lines, "    "+strings.Join(part, " "))
		}
		lines = append(lines, "", "If the other's screen shows the same number, nobody is in between. Compare in person or by telephone, then give what the other reads to you:",
			"    /verify DIGITS", "", "Or, in a shell, a picture of the QR code on the other's screen:", "    messenger verify NAME --scan FILE", "", "/verify qr shows yours.")
		if id.TrustLevel == "UNTRUSTED" {
			lines = append(lines, "", "If you cannot compare: write something, and press Ctrl+Y when you are asked.")
		}
		m.panel = &panel{title: "safety number with " + m.people.called(id.Number), lines: lines, about: id.Number}
		return nil
	})
}

// code shows the safety number as a QR code, for the other's camera.
func (m *Model) code(who string) tea.Cmd {
	var list []rpc.Identity
	return m.call("listIdentities", map[string]any{"recipient": who}, &list, func(err error) tea.Cmd {
		if err == nil && len(list) == 0 {
			err = errors.New("there is no key of " + m.people.called(who) + " yet")
		}
		picture := ""
		if err == nil {
			picture, err = m.o.QR(string(list[0].Scannable))
		}
		if err != nil {
			m.fail(err)
			return nil
		}
		p := &panel{title: "safety number with " + m.people.called(list[0].Number), about: list[0].Number}
		for l := range strings.Lines(picture) {
			l = strings.TrimRight(l, "\n")
			if !m.dark { // what is drawn has to be the light of the two
				l = m.theme.chosen.Render(l)
			}
			p.drawn = append(p.drawn, l)
		}
		m.panel = p
		if wide, high := ansi.StringWidth(p.drawn[0])+2, len(p.drawn); wide > m.talkWidth() || high > m.talkHeight() {
			m.fail(fmt.Errorf("the window is too small for the code: it needs %d columns and %d lines more", max(0, wide-m.talkWidth()), max(0, high-m.talkHeight())))
		}
		return nil
	})
}

// results shows what a search has found; choosing one goes there.
func (m *Model) results(words string, list []*history.Message) {
	t := m.talk()
	p := &panel{title: fmt.Sprintf("%d found for “%s”: Enter goes there", len(list), name(words, 40))}
	for _, one := range list {
		p.lines = append(p.lines, m.local(when(one)).Format("2006-01-02 15:04")+"  "+m.people.called(one.Author)+": "+name(one.Body, 200))
		p.picks = append(p.picks, func() tea.Cmd { t.want = one.Seq; return nil })
	}
	m.panel = p
}

// readBack reads up to the message that is wanted, and brings it into view.
func (m *Model) readBack(t *talk) tea.Cmd {
	switch {
	case t.find(t.want) != nil:
		t.chosen, t.want, m.says = t.want, 0, told{}
		m.show(t)
	case t.whole || len(t.messages) == 0 || t.messages[0].Seq < t.want:
		t.want = 0
		m.fail(errors.New("that message is not here any more"))
	default:
		m.say("reading back…")
		return m.load(t, t.messages[0].Seq, farSize)
	}
	return nil
}

// farSize is how many messages are read at a time on the way to an old one.
const farSize = 1000
