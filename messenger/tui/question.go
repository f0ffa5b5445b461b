package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/countersign-project/countersign/messenger/client/history"
)

// question is one the person has to answer before anything else. Escape answers that nothing is done.
type question struct {
	text    string
	answers []answer
	typed   string // what is back in the field if nothing is done
}

type answer struct {
	key, label string
	do         func() tea.Cmd
}

// answer takes a key; other keys than those that are offered do nothing.
func (m *Model) answer(key string) tea.Cmd {
	for _, a := range m.question.answers {
		if a.key == key {
			m.question = nil
			return a.do()
		}
	}
	if key == "esc" || key == "ctrl+c" {
		if m.input.Value() == "" {
			m.input.SetValue(m.question.typed)
		}
		m.question = nil
	}
	return nil
}

func nothing() tea.Cmd { return nil }

func (q *question) options() string {
	var parts []string
	for _, a := range q.answers {
		parts = append(parts, "["+a.key+"] "+a.label)
	}
	return strings.Join(append(parts, "[esc] do nothing"), "   ")
}

// takeKey takes a changed key. It is no letter: who writes on, and did not see that he is asked, must not have answered.
const takeKey = "ctrl+y"

// confirm asks before something that cannot be undone.
func (m *Model) confirm(text, label string, do func() tea.Cmd) tea.Cmd {
	m.question = &question{text: text, answers: []answer{{"y", label, do}}}
	return nil
}

// unlessChanged goes on, unless the key of somebody who reads here has changed: then the person decides first. To a changed key nothing goes by itself.
func (m *Model) unlessChanged(send func() tea.Cmd) tea.Cmd {
	who := m.people.changedIn(m.at)
	if len(who) == 0 {
		m.talk().holds = false
		return send()
	}
	m.question = m.changedQuestion(who, "", answer{takeKey, "accept it without comparing, and send", func() tea.Cmd {
		return m.accept(who, send)
	}}, answer{"h", "hold the message until I have decided", func() tea.Cmd {
		m.talk().holds = true
		return send()
	}})
	return nil
}

// changedQuestion says whose number has changed, and offers to show it before the other answers.
func (m *Model) changedQuestion(who []string, why string, more ...answer) *question {
	var names []string
	for _, n := range who {
		names = append(names, m.people.called(n))
	}
	if by := m.people.contacts[who[0]].Doubt; why == "" && by != "" {
		why = fmt.Sprintf("%s has introduced %s by another key than the one here: one of the two is not right. Nothing is sent there until you decide.", m.people.called(by), names[0])
	} else if why == "" {
		why = fmt.Sprintf("The safety number of %s has changed: a new device, or somebody in between. Nothing is sent there until you decide.", strings.Join(names, ", "))
	}
	return &question{text: why, answers: append([]answer{{"v", "show the new number", func() tea.Cmd { return m.safety(who[0]) }}}, more...)}
}

// accept takes present keys without comparing, one after the other, and then goes on. What was held goes out.
func (m *Model) accept(who []string, next func() tea.Cmd) tea.Cmd {
	if len(who) == 0 {
		return tea.Batch(m.refresh(), next())
	}
	params := target(who[0])
	params["trustAllKnownKeys"] = true
	return m.call("trust", params, nil, func(err error) tea.Cmd {
		if err != nil {
			m.fail(err)
			return nil
		}
		m.say("accepted: what was held for " + m.people.called(who[0]) + " goes out")
		return m.accept(who[1:], next)
	})
}

// held asks about a message that was not sent because of somebody's key, unless something is asked already.
func (m *Model) held(one *history.Message) {
	t := m.talk()
	if t == nil || !one.Outgoing || m.question != nil || t.holds || t.asked[one.Seq] {
		return
	}
	for who, d := range one.Delivery {
		if d.Held {
			t.asked[one.Seq] = true
			list := []string{who}
			m.question = m.changedQuestion(list, "NOT SENT: "+Safe(d.Why))
			if m.people.contacts[who].Rule != "verified-only" { // or else only comparing helps
				m.question.answers = append(m.question.answers, answer{takeKey, "accept it without comparing, and send", func() tea.Cmd { return m.accept(list, nothing) }})
			}
			return
		}
	}
}
