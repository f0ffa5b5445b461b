package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
)

// drafts is what the account is still to be given of what was begun to be written: one after the other, so that the last one stays.
type drafts struct {
	texts map[string]string // by conversation
	busy  bool
	next  tea.Cmd // what is done when it has all of them
}

// keepDraft gives the account what stands in the field, unless it has that. Then next is done.
func (m *Model) keepDraft(next tea.Cmd) tea.Cmd {
	if next != nil && m.drafts.next != nil {
		return next // asked again, it is not waited for
	}
	if next != nil {
		m.drafts.next = next
	}
	t, now := m.talk(), m.input.Value()
	if strings.HasPrefix(now, "/") {
		now = "" // a command
	}
	if t != nil && t.edit == nil && t.looked && now != t.kept {
		t.kept = now
		m.drafts.texts[t.id] = now
	}
	return m.giveDrafts()
}

func (m *Model) giveDrafts() tea.Cmd {
	if m.drafts.busy {
		return nil
	}
	for id, text := range m.drafts.texts {
		delete(m.drafts.texts, id)
		m.drafts.busy = true
		params := target(id)
		params["message"] = text
		return m.call("setDraft", params, nil, func(error) tea.Cmd {
			m.drafts.busy = false
			return m.giveDrafts()
		})
	}
	next := m.drafts.next
	m.drafts.next = nil
	return next
}

// recall puts into the field what the account has kept, once that is known, and unless something else was typed meanwhile.
func (m *Model) recall() {
	t := m.talk()
	if t == nil || t.looked || m.people.status.Number == "" {
		return
	}
	t.looked = true
	if v := m.people.conversation(t.id); v != nil {
		t.kept = v.Draft
	}
	if m.input.Value() == "" {
		m.input.SetValue(Safe(t.kept))
	}
}
