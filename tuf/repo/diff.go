package repo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Change is one difference between two versions of a role, as a person must see it before signing.
type Change struct {
	What string `json:"what"` // "version", "made", "expires", "event", "role", "quorum", "key", "target", "pinned" or "other"
	Name string `json:"name"` // which one: a role, "Ana Sousa (Tejo Labs, PT) in stable", a path, a field; or ""
	Old  string `json:"old"`  // "" when it is new
	New  string `json:"new"`  // "" when it goes away
}

// String is one line for people: "quorum stable: 3 → 2".
func (c Change) String() string {
	head := strings.TrimSpace(c.What + " " + c.Name)
	switch {
	case c.Old == "":
		return head + ": new: " + c.New
	case c.New == "":
		return head + ": removed: " + c.Old
	}
	return head + ": " + c.Old + " → " + c.New
}

// Diff says everything that changes from old metadata (nil: there was none) to new metadata of the same
// role. What it has no words for is told field by field as "other", so that nothing can hide: metadata
// without changes is the only kind that gives none.
func Diff(old, new []byte) ([]Change, error) {
	var a Info
	b, err := Inspect(new)
	if err != nil {
		return nil, err
	}
	before := map[string]string{}
	if old != nil {
		if a, err = Inspect(old); err != nil {
			return nil, err
		}
		if a.Role != b.Role {
			return nil, refusef(b.Role, "cannot be compared with %s", a.Role)
		}
		if before, err = leaves(old); err != nil {
			return nil, err
		}
	}
	after, err := leaves(new)
	if err != nil {
		return nil, err
	}
	d := differ{}
	d.compare("version", "", number(a.Version), number(b.Version))
	d.compare("made", "", moment(a.Made), moment(b.Made))
	d.compare("expires", "", moment(a.Expires), moment(b.Expires))
	d.compare("event", "", a.Event, b.Event)
	d.roles(a.Roles, b.Roles)
	d.each("target", fileTexts(a.Files), fileTexts(b.Files))
	d.each("pinned", metaTexts(a.Meta), metaTexts(b.Meta))
	told := map[string]bool{}
	for _, info := range []Info{a, b} {
		told = info.told(told)
	}
	d.each("other", without(before, told), without(withoutStandard(after, before, b), told))
	return d, nil
}

type differ []Change

// compare adds a change if there is one.
func (d *differ) compare(what, name, old, new string) {
	if old != new {
		*d = append(*d, Change{what, name, old, new})
	}
}

// each compares two maps by key, in order.
func (d *differ) each(what string, old, new map[string]string) {
	all := maps.Clone(old)
	maps.Copy(all, new)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d.compare(what, name, old[name], new[name])
	}
}

// roles compares quorums and keys. A person whose key changes is one line, not two.
func (d *differ) roles(old, new []RoleInfo) {
	type state struct{ role, quorum, keys map[string]string }
	read := func(list []RoleInfo) state {
		s := state{map[string]string{}, map[string]string{}, map[string]string{}}
		for _, r := range list {
			s.role[r.Name] = fmt.Sprintf("%d of %d keys", r.Quorum, len(r.Holders))
			s.quorum[r.Name] = number(int64(r.Quorum))
			for _, h := range r.Holders {
				who := fmt.Sprintf("%s (%s, %s) in %s", h.Name, h.Organisation, h.Jurisdiction, r.Name)
				s.keys[who] = strings.TrimPrefix(s.keys[who]+", "+Fingerprint(h.Public), ", ")
			}
		}
		return s
	}
	a, b := read(old), read(new)
	for _, name := range slices.Sorted(maps.Keys(b.quorum)) {
		if _, had := a.quorum[name]; had {
			d.compare("quorum", name, a.quorum[name], b.quorum[name])
		} else {
			d.compare("role", name, "", b.role[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.role)) {
		if _, has := b.role[name]; !has {
			d.compare("role", name, a.role[name], "")
		}
	}
	d.each("key", a.keys, b.keys)
}

func quote(s string) string { return `"` + s + `"` }

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return timeText(t)
}

func fileTexts(files []File) map[string]string {
	m := map[string]string{}
	for _, f := range files {
		m[f.Path] = fmt.Sprintf("%d bytes, sha256 %x", f.Length, f.SHA256)
		for _, k := range slices.Sorted(maps.Keys(f.Custom)) {
			m[f.Path] += fmt.Sprintf(", %s %q", k, f.Custom[k])
		}
	}
	return m
}

func metaTexts(files []MetaInfo) map[string]string {
	m := map[string]string{}
	for _, f := range files {
		m[f.Name] = fmt.Sprintf("version %d, %d bytes, sha256 %x", f.Version, f.Length, f.SHA256)
	}
	return m
}

// told adds the leaves that the other kinds of change already tell about this metadata.
func (i Info) told(m map[string]bool) map[string]bool {
	say := func(path ...string) { m[strings.Join(path, leafSep)] = true }
	for _, f := range []string{"version", "expires", fieldMade, fieldEvent} {
		say(f)
	}
	for _, f := range i.Files {
		say("targets", f.Path, "length")
		say("targets", f.Path, "hashes", "sha256")
		for k := range f.Custom {
			say("targets", f.Path, "custom", k)
		}
	}
	for _, f := range i.Meta {
		say("meta", f.Name, "version")
		say("meta", f.Name, "length")
		say("meta", f.Name, "hashes", "sha256")
	}
	for _, r := range i.Roles {
		in := []string{"roles", r.Name}
		keys := []string{"keys"}
		if i.Role == metadata.TARGETS {
			in, keys = []string{"delegations", "roles", r.Name}, []string{"delegations", "keys"}
			say(append(in, "name")...)
		}
		say(append(in, "threshold")...)
		for n, id := range r.KeyIDs {
			say(append(in, "keyids", fmt.Sprint(n))...)
			for _, field := range [][]string{{"keytype"}, {"scheme"}, {"keyval", "public"}, {fieldHolder}, {fieldOrganisation}, {fieldJurisdiction}} {
				say(append(append(slices.Clone(keys), id), field...)...)
			}
		}
	}
	return m
}

// withoutStandard drops leaves that are new and just as this package always writes them.
func withoutStandard(after, before map[string]string, i Info) map[string]string {
	standard := map[string]string{"_type": quote(i.Role), "spec_version": quote(metadata.SPECIFICATION_VERSION), "consistent_snapshot": "true"}
	for _, r := range i.Roles {
		in := strings.Join([]string{"delegations", "roles", r.Name, ""}, leafSep)
		standard[in+"terminating"] = "true"
		standard[in+"paths"+leafSep+"0"], standard[in+"paths"+leafSep+"1"] = quote(r.Name+"/*/*"), quote(r.Name+"/*/*/*")
	}
	out := map[string]string{}
	for k, v := range after {
		if _, had := before[k]; had || standard[k] != v {
			out[k] = v
		}
	}
	return out
}

func without(m map[string]string, told map[string]bool) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		if !told[k] {
			out[strings.ReplaceAll(k, leafSep, ".")] = v
		}
	}
	return out
}
