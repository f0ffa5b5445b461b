package tui

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/countersign-project/countersign/messenger/client/history"
)

func theirs(one *history.Message) bool { return said(one) && !one.Outgoing && !one.Deleted }
func ours(one *history.Message) bool   { return said(one) && one.Outgoing && !one.Deleted }

// chosen is the message that a command is about, if it can be; else it says why not.
func (m *Model) chosen(can func(*history.Message) bool, want string) *history.Message {
	one := m.about(can)
	if one == nil || !can(one) {
		m.fail(errors.New(want))
		return nil
	}
	return one
}

func (m *Model) reply(text string) tea.Cmd {
	one := m.about(theirs)
	if one == nil || !said(one) || one.Deleted {
		m.fail(errors.New("there is no message to answer: mark one with Up"))
		return nil
	}
	m.setReply(one)
	if text == "" {
		return nil
	}
	return m.unlessChanged(func() tea.Cmd { return m.send(text, nil) })
}

func (m *Model) react(word string) tea.Cmd {
	one := m.about(theirs)
	if one == nil || !said(one) || one.Deleted {
		m.fail(errors.New("there is no message to react to: mark one with Up"))
		return nil
	}
	params := target(m.at)
	params["targetAuthor"], params["targetTimestamp"], params["emoji"] = one.Author, one.Timestamp, emoji(word)
	params["remove"] = slices.ContainsFunc(one.Reactions, func(r history.Reaction) bool { return r.Author == m.people.status.Number && r.Emoji == emoji(word) })
	return m.do("sendReaction", params, "")
}

func (m *Model) edit(text string) tea.Cmd {
	one := m.chosen(ours, "only what you wrote yourself can be changed: mark it with Up")
	if one == nil {
		return nil
	}
	m.setEdit(one)
	if text == "" {
		return nil
	}
	return m.unlessChanged(func() tea.Cmd { return m.send(text, nil) })
}

func (m *Model) remove(string) tea.Cmd {
	one := m.about(ours)
	if one == nil {
		m.fail(errors.New("there is no message of yours: mark one with Up"))
		return nil
	}
	here := answer{"h", "remove it here only", func() tea.Cmd { return m.do("deleteMessage", map[string]int64{"seq": one.Seq}, "removed here") }}
	q := &question{text: "Delete “" + name(one.Body, 60) + "”?", answers: []answer{here}}
	if ours(one) {
		params := target(m.at)
		params["targetTimestamp"] = one.Timestamp
		q.answers = append([]answer{{"e", "take it back from everybody", func() tea.Cmd { return m.do("remoteDelete", params, "taken back") }}}, here)
	}
	m.question = q
	return nil
}

func (m *Model) retry(string) tea.Cmd {
	one := m.chosen(func(one *history.Message) bool { return ours(one) && one.State().State == history.Failed }, "nothing of yours has failed here")
	if one == nil {
		return nil
	}
	return m.unlessChanged(func() tea.Cmd { return m.do("retryMessage", map[string]int64{"seq": one.Seq}, "tried again") })
}

func (m *Model) file(path string) tea.Cmd {
	full, err := m.o.Path(strings.Trim(path, `"'`))
	if err != nil {
		m.fail(err)
		return nil
	}
	return m.unlessChanged(func() tea.Cmd { return m.send("", []string{full}) })
}

func (m *Model) save(dir string) tea.Cmd {
	one := m.chosen(func(one *history.Message) bool { return len(one.Attachments) > 0 }, "there is no file here to save")
	if one == nil {
		return nil
	}
	if dir == "" {
		dir = "."
	}
	full, err := m.o.Path(strings.Trim(dir, `"'`))
	if err != nil {
		m.fail(err)
		return nil
	}
	m.say("fetching…")
	var cmds []tea.Cmd
	for i := range one.Attachments {
		var saved struct{ Path string }
		params := map[string]string{"id": fmt.Sprintf("%d/%d", one.Seq, i), "directory": full, "progress": m.transfer(one.Attachments[i].FileName)}
		cmds = append(cmds, m.call("saveAttachment", params, &saved, func(err error) tea.Cmd {
			if err != nil {
				m.fail(err)
			} else {
				m.say("saved as " + saved.Path)
			}
			return nil
		}))
	}
	return tea.Batch(cmds...)
}

func (m *Model) timer(text string) tea.Cmd {
	seconds, err := timerOf(text)
	if err != nil {
		m.fail(err)
		return nil
	}
	params := target(m.at)
	params["expiration"] = seconds
	method := "updateContact"
	if isGroup(m.at) {
		method = "updateGroup"
	}
	return m.do(method, params, "")
}

// timerOf reads 30s, 5m, 8h, 1d, 4w or off, of up to a year, in seconds.
func timerOf(text string) (uint32, error) {
	if text == "off" || text == "0" {
		return 0, nil
	}
	unit, ok := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if !ok || err != nil || n == 0 || n > uint64(366*24*time.Hour/unit) {
		return 0, fmt.Errorf("%q, want a time of up to a year such as 30s, 5m, 8h, 1d or 4w, or off", name(text, 20))
	}
	return uint32(time.Duration(n) * unit / time.Second), nil
}

// verify shows a safety number, or compares it with the digits that the other has read.
func (m *Model) verify(text string) tea.Cmd {
	who := m.at
	if m.panel != nil && m.panel.about != "" {
		who = m.panel.about
	}
	if d := digits(text); len(d) > 20 {
		return m.compare(who, d)
	}
	if text == "qr" && !isGroup(who) {
		return m.code(who)
	}
	if text != "" && isGroup(m.at) {
		members := m.people.members(m.at)
		i := slices.IndexFunc(members, func(n string) bool { return strings.EqualFold(m.people.called(n), text) || n == text })
		if i < 0 {
			m.fail(fmt.Errorf("%q is not here: /members says who is", name(text, maxName)))
			return nil
		}
		return m.safety(members[i])
	}
	if isGroup(who) {
		m.fail(errors.New("/verify NAME: whom of the group?"))
		return nil
	}
	return m.safety(who)
}

func (m *Model) compare(who, digits string) tea.Cmd {
	if len(digits) != 60 || isGroup(who) {
		m.fail(fmt.Errorf("%d digits, want the 60 of a safety number, and /verify before to say whose", len(digits)))
		return nil
	}
	params := target(who)
	params["verifiedSafetyNumber"] = digits
	return m.call("trust", params, nil, func(err error) tea.Cmd {
		if err != nil {
			m.fail(err)
			return nil
		}
		m.panel = nil
		m.say(m.people.called(who) + " is verified; what was held goes out")
		return m.refresh()
	})
}

// introduce tells the one here and another each other's keys; both have to be verified.
func (m *Model) introduce(other string) tea.Cmd {
	if isGroup(m.at) {
		m.fail(errors.New("/introduce is for one contact: open the conversation with one of the two"))
		return nil
	}
	return m.do("introduce", map[string]any{"recipient": []string{m.at, other}}, "each is told which key the other has, with your signature")
}

func (m *Model) search(words string) tea.Cmd {
	params := target(m.at)
	params["query"], params["limit"] = words, 100
	var list []*history.Message
	at := m.at
	return m.call("searchMessages", params, &list, func(err error) tea.Cmd {
		switch {
		case err != nil:
			m.fail(err)
		case at != m.at:
		case len(list) == 0:
			m.say("nothing found")
		default:
			m.results(words, list)
		}
		return nil
	})
}

func (m *Model) showMembers(string) tea.Cmd {
	g := m.people.groups[m.at]
	admins := map[string]bool{}
	for _, a := range g.Admins {
		admins[a["number"]] = true
	}
	lines := []string{}
	for _, n := range append(m.people.members(m.at), m.people.status.Number) {
		words := []string{n}
		if n != m.people.status.Number {
			words = append(words, m.people.trust(n))
		}
		if admins[n] {
			words = append(words, "admin")
		}
		lines = append(lines, fmt.Sprintf("%s  %s", fit(m.people.called(n), maxName), strings.Join(words, ", ")))
	}
	slices.Sort(lines)
	m.panel = &panel{title: m.people.title(m.at), lines: slices.Compact(lines)}
	return nil
}

func (m *Model) askMissing(string) tea.Cmd {
	if !isGroup(m.at) {
		m.fail(errors.New("/ask is for groups"))
		return nil
	}
	return m.do("askForMissing", target(m.at), "asked")
}

func (m *Model) acceptRequest(string) tea.Cmd {
	params := target(m.at)
	params["type"] = "accept"
	return m.do("sendMessageRequestResponse", params, "accepted")
}

// blocking are the parameters of block and unblock, which take lists.
func (m *Model) blocking() map[string]any {
	params := target(m.at)
	for k := range maps.Keys(params) {
		params[k] = []any{params[k]}
	}
	return params
}

func (m *Model) block(string) tea.Cmd {
	params := m.blocking()
	return m.confirm("Block "+m.people.title(m.at)+"? Nothing comes from there any more, and nobody is told.", "block",
		func() tea.Cmd { return m.do("block", params, "blocked; /unblock lets it in again") })
}

func (m *Model) unblock(string) tea.Cmd { return m.do("unblock", m.blocking(), "unblocked") }

func (m *Model) mute(string) tea.Cmd {
	v := m.people.conversation(m.at)
	params := target(m.at)
	params["muted"] = v == nil || !v.Muted
	return m.do("mute", params, "")
}

func (m *Model) rename(called string) tea.Cmd {
	params := target(m.at)
	params["name"] = called
	method := "updateContact"
	if isGroup(m.at) {
		method = "updateGroup"
	}
	return m.do(method, params, "")
}

func (m *Model) goBy(who string) tea.Cmd {
	for _, v := range m.people.list {
		if strings.EqualFold(m.people.title(v.ID), who) {
			return m.open(v.ID)
		}
	}
	return m.meet(who)
}
