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
	return p, nil
}

// sameNames tells whether everybody is called as before.
func (p people) sameNames(o people) bool {
	return p.status.Number == o.status.Number && maps.EqualFunc(p.contacts, o.contacts, func(a, b rpc.Contact) bool { return a.Called() == b.Called() })
}

// called is what to call somebody, on one line.
func (p people) called(number string) string {
	if number == p.status.Number {
		return "you"
	}
	if s := name(p.contacts[number].Called(), maxName); s != "" {
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
		if id == p.status.Number {
			return ""
		}
		return map[string]string{changed: "SAFETY NUMBER CHANGED", verified: verified, unverified: unverified}[p.trust(id)]
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
