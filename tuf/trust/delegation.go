package trust

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
)

// delegation is one role as its delegator describes it: who may sign, how many
// must, and for delegated targets which paths it may speak for.
type delegation struct {
	name        string
	quorum      int
	keys        []verifyKey // distinct by raw key, in the order of the delegator
	unknown     []string    // Standard: key ids listed without a usable key
	terminating bool
	paths       []string
	prefixes    []string // of the hexadecimal sha256 of the path
}

// bins are the succinct roles of TAP 15, Standard mode only.
type bins struct {
	delegation
	prefix string
	bits   int
}

// readQuorum reads keyids and threshold of a role. The number that matters is
// that of distinct keys: Strict mode refuses a key listed twice in any
// spelling and two keys of one holder; Standard mode counts them once.
func (p *parser) readQuorum(name string, a at, keys map[string]verifyKey) delegation {
	d := delegation{name: name}
	if !a.object("name", "keyids", "threshold", "terminating", "paths", "path_hash_prefixes") {
		return d
	}
	d.quorum = int(a.field("threshold").integer(1))
	raws, holders := map[string]string{}, map[string]string{}
	seen := map[string]bool{}
	a.field("keyids").elements(func(e at) {
		id := e.text()
		if e.failed() {
			return
		}
		if seen[id] && p.mode == Strict {
			e.refuse("key id %.16q twice", id)
			return
		}
		k, ok := keys[id]
		switch {
		case seen[id]:
			return
		case !ok && p.mode == Strict:
			e.refuse("no key has the id %.16q", id)
			return
		}
		seen[id] = true
		if !ok || k.Public == nil {
			d.unknown = append(d.unknown, id)
			return
		}
		p.addKey(&d, e, k, raws, holders)
	})
	if !a.failed() && p.mode == Strict && d.quorum > len(d.keys) {
		a.child("threshold", value{}).refuse("%d, but the role has %d keys", d.quorum, len(d.keys))
	}
	return d
}

func (p *parser) addKey(d *delegation, e at, k verifyKey, raws, holders map[string]string) {
	if other, twice := raws[string(k.Raw)]; twice {
		if p.mode == Strict {
			e.refuse("the same key as %.16q under another id", other)
		}
		return
	}
	raws[string(k.Raw)] = k.ID
	if person := strings.ToLower(strings.Join(strings.Fields(k.Holder), " ")); person != "" {
		if other, twice := holders[person]; twice {
			e.refuse("holder %.60q has key %.16q in this role already", k.Holder, other)
			return
		}
		holders[person] = k.ID
	}
	d.keys = append(d.keys, k)
}

// readDelegations reads the delegations of a targets role (4.5).
func (p *parser) readDelegations(d *document, a at) {
	if !a.object("keys", "roles", "succinct_roles") {
		return
	}
	keys := p.readKeys(a.field("keys"))
	succinct, hasBins := a.maybe("succinct_roles")
	if hasBins {
		if _, both := a.maybe("roles"); both || p.mode == Strict {
			succinct.refuse("not allowed here")
			return
		}
		d.bins = p.readBins(succinct, keys)
		return
	}
	names := map[string]bool{}
	a.field("roles").elements(func(e at) {
		role := p.readDelegation(e, keys)
		if !e.failed() && names[role.name] {
			e.refuse("role %.40q twice", role.name)
		}
		names[role.name] = true
		d.delegated = append(d.delegated, role)
	})
}

func (p *parser) readDelegation(a at, keys map[string]verifyKey) delegation {
	if !a.object("name") {
		return delegation{}
	}
	name := a.field("name").text()
	switch {
	case a.failed():
		return delegation{}
	case name == Root || name == Timestamp || name == Snapshot || name == Targets || name == "":
		a.field("name").refuse("%q cannot be delegated", name)
	case p.mode == Strict && name == Withdrawn:
		a.field("name").refuse("%q is the list of withdrawals, no role", name)
	case p.mode == Strict && !roleForm.MatchString(name):
		a.field("name").refuse("%.40q, want small letters, digits and dashes", name)
	}
	role := p.readQuorum(name, a, keys)
	role.terminating = a.field("terminating").yes()
	if m, ok := a.maybe("paths"); ok {
		m.elements(func(e at) {
			if _, err := path.Match(e.text(), ""); err != nil {
				e.refuse("%.80q is no pattern", e.v.text)
			}
			role.paths = append(role.paths, e.v.text)
		})
	}
	if m, ok := a.maybe("path_hash_prefixes"); ok {
		if p.mode == Strict || role.paths != nil {
			m.refuse("not allowed here")
			return role
		}
		m.elements(func(e at) { role.prefixes = append(role.prefixes, strings.ToLower(e.text())) })
	}
	if !a.failed() && p.mode == Strict && len(role.paths) == 0 {
		a.refuse("no paths")
	}
	return role
}

func (p *parser) readBins(a at, keys map[string]verifyKey) *bins {
	if !a.object("keyids", "threshold", "bit_length", "name_prefix") {
		return nil
	}
	b := &bins{delegation: p.readQuorum("", a, keys), prefix: a.field("name_prefix").text()}
	if b.bits = int(a.field("bit_length").integer(1)); b.bits > 32 {
		a.refuse("bit_length %d, want at most 32", b.bits)
	}
	b.terminating = true
	return b
}

// covers reports whether the delegation speaks for a target path. Patterns
// match segment by segment: "*" never crosses a slash.
func (d delegation) covers(target string) bool {
	sum := sha256.Sum256([]byte(target))
	for _, prefix := range d.prefixes {
		if strings.HasPrefix(hex.EncodeToString(sum[:]), prefix) {
			return true
		}
	}
	for _, pattern := range d.paths {
		// path.Match gives "*" no slash, on every operating system.
		if ok, err := path.Match(pattern, target); ok && err == nil {
			return true
		}
	}
	return false
}

// bin is the one role of the succinct roles that speaks for a target path.
func (b bins) bin(target string) delegation {
	sum := sha256.Sum256([]byte(target))
	number := binary.BigEndian.Uint32(sum[:4]) >> (32 - b.bits)
	width := len(fmt.Sprintf("%x", uint64(1)<<b.bits-1))
	d := b.delegation
	d.name = fmt.Sprintf("%s-%0*x", b.prefix, width, number)
	return d
}

// delegations for a target path, in the order they are asked.
func (d *document) delegationsFor(target string) []delegation {
	if d.bins != nil {
		return []delegation{d.bins.bin(target)}
	}
	var list []delegation
	for _, role := range d.delegated {
		if role.covers(target) {
			list = append(list, role)
		}
	}
	return list
}

// delegation finds a role by name.
func (d *document) delegation(name string) (delegation, bool) {
	if d.role == Root {
		role, ok := d.roles[name]
		return role, ok
	}
	if d.bins != nil && strings.HasPrefix(name, d.bins.prefix+"-") {
		role := d.bins.delegation
		role.name = name
		return role, true
	}
	for _, role := range d.delegated {
		if role.name == name {
			return role, true
		}
	}
	return delegation{}, false
}
