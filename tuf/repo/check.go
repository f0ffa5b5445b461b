package repo

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a layout. TUF clients stop after 32 delegations.
const (
	maxHolders  = 64
	maxChannels = 16
	maxName     = 100 // bytes of a person's or an organisation's name
)

var (
	channelName  = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	jurisdiction = regexp.MustCompile(`^[A-Z]{2}$`)
)

// LayoutError says which rule a layout breaks.
type LayoutError struct {
	Role   string
	Reason string
}

func (e *LayoutError) Error() string { return fmt.Sprintf("role %s: %s", e.Role, e.Reason) }

// Refused is true: the layout was checked and found wrong.
func (e *LayoutError) Refused() bool { return true }

// Check refuses a layout that would let fewer people decide than it says: a key or a person counted
// twice, a quorum below one or above the number of keys, a root quorum that is no majority, one key in
// two purposes. Other real clients count key ids and not keys, so this is the place to refuse it.
//
// The purposes are root, auditing (targets and all channels), snapshot and timestamp.
func (l Layout) Check() error {
	c := checker{purpose: map[string]string{}, person: map[string]Person{}}
	if err := l.checkChannels(); err != nil {
		return err
	}
	for _, r := range l.roles() {
		if err := c.role(r); err != nil {
			return err
		}
	}
	if n := len(l.Root.Holders); 2*l.Root.Quorum <= n {
		return &LayoutError{"root", fmt.Sprintf("quorum %d of %d is no majority", l.Root.Quorum, n)}
	}
	return nil
}

func (l Layout) checkChannels() error {
	if len(l.Channels) == 0 || len(l.Channels) > maxChannels {
		return &LayoutError{"targets", fmt.Sprintf("%d channels, want 1 to %d", len(l.Channels), maxChannels)}
	}
	seen := map[string]bool{}
	for _, ch := range l.Channels {
		switch ch.Name {
		case "root", "targets", "snapshot", "timestamp", withdrawn:
			return &LayoutError{ch.Name, "is a reserved name, no channel can have it"}
		}
		if !channelName.MatchString(ch.Name) {
			return &LayoutError{fmt.Sprintf("%q", ch.Name), "a channel's name is lower-case letters, digits and hyphens, at most 32, a letter first"}
		}
		if seen[ch.Name] {
			return &LayoutError{ch.Name, "is listed twice"}
		}
		seen[ch.Name] = true
	}
	return nil
}

// role is a RoleKeys with its name and what its keys are for.
type role struct {
	name, purpose string
	RoleKeys
}

// roles lists all roles of a layout, the order in which they are checked.
func (l Layout) roles() []role {
	all := []role{{"root", "root", l.Root}, {"targets", "auditing", l.Targets}}
	for _, ch := range l.Channels {
		all = append(all, role{ch.Name, "auditing", ch.RoleKeys})
	}
	return append(all, role{"snapshot", "snapshot", l.Snapshot}, role{"timestamp", "timestamp", l.Timestamp})
}

// checker remembers across roles what each key is for and who each person is.
type checker struct {
	purpose map[string]string // by raw key
	person  map[string]Person // by folded name
}

func (c checker) role(r role) error {
	refuse := func(format string, args ...any) error { return &LayoutError{r.name, fmt.Sprintf(format, args...)} }
	if n := len(r.Holders); n == 0 || n > maxHolders {
		return refuse("%d keys, want 1 to %d", n, maxHolders)
	}
	if r.Quorum < 1 || r.Quorum > len(r.Holders) {
		return refuse("quorum %d, want 1 to %d, the number of keys", r.Quorum, len(r.Holders))
	}
	keys, people := map[string]string{}, map[string]bool{}
	for _, h := range r.Holders {
		if reason := h.Person.check(r.purpose == "snapshot" || r.purpose == "timestamp"); reason != "" {
			return refuse("%s", reason)
		}
		raw, err := rawKey(h.Public)
		if err != nil {
			return refuse("key of %s: %v", h.Name, err)
		}
		if other, twice := keys[raw]; twice {
			return refuse("%s and %s have the same key", other, h.Name)
		}
		name := foldName(h.Name)
		if people[name] {
			return refuse("%s is listed twice", h.Name)
		}
		keys[raw], people[name] = h.Name, true
		if was, used := c.purpose[raw]; used && was != r.purpose {
			return refuse("the key of %s is also used for %s; one key, one purpose", h.Name, was)
		}
		c.purpose[raw] = r.purpose
		if was, known := c.person[name]; known && was != h.Person {
			return refuse("%s is %s here and %s elsewhere", h.Name, h.Person.where(), was.where())
		}
		c.person[name] = h.Person
	}
	return nil
}

// where tells two entries for one name apart.
func (p Person) where() string {
	return fmt.Sprintf("%q of %q in %q", p.Name, p.Organisation, p.Jurisdiction)
}

// check returns what is wrong with a person's fields, or "".
func (p Person) check(online bool) string {
	for _, f := range []struct{ what, text string }{{"name", p.Name}, {"organisation", p.Organisation}} {
		if reason := checkName(f.text); reason != "" && !(f.text == "" && online && f.what == "organisation") {
			return fmt.Sprintf("%s %q %s", f.what, f.text, reason)
		}
	}
	if !jurisdiction.MatchString(p.Jurisdiction) && !(p.Jurisdiction == "" && online) {
		return fmt.Sprintf("jurisdiction %q of %s, want two capital letters (ISO 3166)", p.Jurisdiction, p.Name)
	}
	return ""
}

// checkName refuses text that could look like another name on a screen, or print differently in two
// readers.
func checkName(s string) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > maxName:
		return fmt.Sprintf("is longer than %d bytes", maxName)
	case !utf8.ValidString(s):
		return "is not UTF-8"
	case strings.ContainsFunc(s, isLatin) && strings.ContainsFunc(s, unicode.IsMark):
		return "has letters made of two characters (write é as one)"
	case strings.Join(strings.Fields(s), " ") != s:
		return "has spaces at an end, or two in a row"
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "has characters that do not print"
	}
	return ""
}

func isLatin(r rune) bool { return unicode.Is(unicode.Latin, r) }

// foldName makes names equal that people read as equal.
func foldName(s string) string { return strings.ToLower(strings.ToUpper(s)) }
