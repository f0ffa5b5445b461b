package tui

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// people is what the account knows of everybody, as it was asked last.
type people struct {
	status   rpc.Status
	contacts map[string]rpc.Contact // by number
	groups   map[string]rpc.Group   // by conversation
	list     []rpc.Conversation     // the newest first
	names    map[string]string      // by number: on one line, and no two the same
}

// ask fetches all of it.
func ask(ctx context.Context, c Conn) (p people, err error) {
	var contacts []rpc.Contact
	var groups []rpc.Group
	for _, one := range []struct {
		method string
		out    any
	}{{"status", &p.status}, {"listContacts", &contacts}, {"listGroups", &groups}, {"listConversations", &p.list}} {
		if err := c.Call(ctx, one.method, nil, one.out); err != nil {
			return p, err
		}
	}
	p.contacts, p.groups = map[string]rpc.Contact{}, map[string]rpc.Group{}
	for _, k := range contacts {
		p.contacts[k.Number] = k
	}
	for _, g := range groups {
		p.groups[g.Conversation] = g
	}
	p.names = distinct(contacts)
	return p, nil
}

// distinct are names for everybody. People name themselves: who so is called as another one, or "you", has the end of his number behind the name. A name
// that was given here stays as it is, unless it was given twice.
func distinct(contacts []rpc.Contact) map[string]string {
	given, all := map[string]int{"you": 2}, map[string]int{"you": 2}
	for _, k := range contacts {
		s := strings.ToLower(name(k.Called(), maxName))
		all[s]++
		if k.Name != "" {
			given[s]++
		}
	}
	out := map[string]string{}
	for _, k := range contacts {
		s := name(k.Called(), maxName)
		if low := strings.ToLower(s); given[low] > 1 || k.Name == "" && all[low] > 1 {
			s = name(k.Called(), maxName-6) + " …" + k.Number[max(0, len(k.Number)-4):]
		}
		out[k.Number] = s
	}
	return out
}

// sameNames tells whether everybody is called as before.
func (p people) sameNames(o people) bool {
	return p.status.Number == o.status.Number && maps.Equal(p.names, o.names)
}

// called is what to call somebody, on one line.
func (p people) called(number string) string {
	if number == p.status.Number {
		return "you"
	}
	if s := p.names[number]; s != "" {
		return s
	}
	return name(number, maxName)
}

// maxName is how many columns a name gets.
const maxName = 24

// title is what to call a conversation.
func (p people) title(id string) string {
	if id == p.status.Number {
		return "note to yourself"
	}
	if isGroup(id) {
		if s := name(p.groups[id].Name, 2*maxName); s != "" {
			return s
		}
		if v := p.conversation(id); v != nil {
			return name(v.Name, 2*maxName)
		}
	}
	return p.called(id)
}

func (p people) conversation(id string) *rpc.Conversation {
	for i := range p.list {
		if p.list[i].ID == id {
			return &p.list[i]
		}
	}
	return nil
}

// members are the other members of a group, or the one other of a conversation.
func (p people) members(id string) (out []string) {
	if !isGroup(id) {
		return []string{id}
	}
	for _, m := range p.groups[id].Members {
		if n := m["number"]; n != p.status.Number {
			out = append(out, n)
		}
	}
	return out
}

// Words for how well a key is known.
const (
	unverified = "unverified"
	verified   = "verified"
	changed    = "changed"
)

// trust is how well a contact's key is known. Of a changed one nothing is sent until the person has decided.
func (p people) trust(number string) string {
	switch k := p.contacts[number]; {
	case k.Trust == changed || k.Held:
		return changed
	case k.Trust == verified:
		return verified
	}
	return unverified
}

// trusts says it of a conversation.
func (p people) trusts(id string) string {
	if !isGroup(id) {
		if p.status.Number == "" || id == p.status.Number {
			return "" // not known yet, or oneself
		}
		switch k, trust := p.contacts[id], p.trust(id); {
		case trust == changed && k.Doubt != "":
			return "SAFETY NUMBER IN DOUBT"
		case trust == changed:
			return "SAFETY NUMBER CHANGED"
		case trust == unverified && k.Introduced != nil:
			return "introduced by " + name(k.Introduced.Name, maxName)
		default:
			return trust
		}
	}
	count := map[string]int{}
	for _, n := range p.members(id) {
		count[p.trust(n)]++
	}
	others := len(p.members(id))
	switch {
	case count[changed] > 0:
		return fmt.Sprintf("SAFETY NUMBER CHANGED of %d", count[changed])
	case others > 0 && count[verified] == others:
		return "all verified"
	case count[verified] > 0:
		return fmt.Sprintf("%d of %d verified", count[verified], others)
	}
	return unverified
}

// changedIn are those of a conversation whose key the person has to decide about.
func (p people) changedIn(id string) (out []string) {
	for _, n := range p.members(id) {
		if p.trust(n) == changed {
			out = append(out, n)
		}
	}
	return out
}

func isGroup(id string) bool { return strings.HasPrefix(id, "group:") }

// target is a conversation as calls name it.
func target(id string) map[string]any {
	if isGroup(id) {
		return map[string]any{"groupId": id}
	}
	return map[string]any{"recipient": id}
}
