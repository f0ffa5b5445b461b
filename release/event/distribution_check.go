package event

import (
	"crypto"
	"crypto/ecdsa"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/tuf/repo"
)

// check holds the rules of a distribution file, in the order of the file.
func (d Distribution) check(at places) error {
	if d.Name == "" || utf8.RuneCountInString(d.Name) > 100 || !printable(d.Name) {
		return fmt.Errorf("name %q, want 1 to 100 printable characters", clip(d.Name))
	}
	if _, err := anchor.FormatMirrors(d.Name, d.Mirrors); err != nil {
		return fmt.Errorf("mirrors: %s, want at least one URL such as \"https://updates.example.org\"", strings.TrimPrefix(err.Error(), "mirrors.json: "))
	}
	seen := map[string]bool{}
	for _, m := range d.Mirrors {
		if u, err := url.Parse(m); err != nil || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return fmt.Errorf("mirrors: %q, want a plain URL without user, query or fragment", m)
		}
		if seen[strings.TrimRight(m, "/")] {
			return fmt.Errorf("mirrors: %q is there twice", m)
		}
		seen[strings.TrimRight(m, "/")] = true
	}
	for _, step := range []func(places) error{d.checkExpiry, d.checkPublisher, d.checkPeople, d.checkKeys, d.checkQuorums, d.checkChannels, d.checkLog} {
		if err := step(at); err != nil {
			return err
		}
	}
	_, err := d.Layout()
	return err
}

func (d Distribution) checkExpiry(at places) error {
	for _, e := range []struct {
		name     string
		got, max int
	}{
		{"root_days", d.Expiry.RootDays, 3650}, {"targets_days", d.Expiry.TargetsDays, 3650}, {"channel_days", d.Expiry.ChannelDays, 3650},
		{"snapshot_days", d.Expiry.SnapshotDays, 365}, {"timestamp_hours", d.Expiry.TimestampHours, 24 * 31},
	} {
		if e.got < 1 || e.got > e.max {
			return fmt.Errorf("%s: %s = %d, want 1 to %d", at.table("[expiry]", 0), e.name, e.got, e.max)
		}
	}
	return nil
}

func (d Distribution) checkPublisher(at places) error {
	place := at.table("[publisher]", 0)
	if err := checkPerson(d.Publisher.Person); err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	for name, k := range map[string]crypto.PublicKey{"snapshot": d.Publisher.Snapshot, "timestamp": d.Publisher.Timestamp} {
		if k == nil {
			return fmt.Errorf("%s: %s is missing, want a public key line", place, name)
		}
	}
	return nil
}

func (d Distribution) checkPeople(at places) error {
	if len(d.People) == 0 {
		return fmt.Errorf("no [[person]], want the root holders and auditors")
	}
	names := map[string]int{}
	for i, p := range d.People {
		place := at.person(i, p.Name)
		if err := checkPerson(p.Person); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
		if first, ok := names[strings.ToLower(p.Name)]; ok {
			return fmt.Errorf("%s: name %q is already that of %s; one person, one entry", place, p.Name, at.table("[[person]]", first))
		}
		names[strings.ToLower(p.Name)] = i
		if p.Auditor == nil && p.Statement == nil && p.Root == nil && len(p.Witness) == 0 {
			return fmt.Errorf("%s: has no key, want auditor, statement, root or witness", place)
		}
		if err := checkURL(p.WitnessURL); err != nil {
			return fmt.Errorf("%s: witness_url %w", place, err)
		}
		if p.WitnessURL != "" && len(p.Witness) == 0 {
			return fmt.Errorf("%s: has a witness_url and no witness key", place)
		}
		if _, ok := p.Statement.(*ecdsa.PublicKey); p.Statement != nil && !ok {
			return fmt.Errorf("%s: statement is a key of type %T, want a P-256 key (ecdsa-sha2-nistp256 …), which stock tools can check", place, p.Statement)
		}
		if p.Statement != nil && p.Auditor == nil {
			return fmt.Errorf("%s: has a statement key and no auditor key", place)
		}
	}
	return nil
}

// checkKeys refuses any key that is there twice, whoever holds it: one key, one role, one person.
func (d Distribution) checkKeys(at places) error {
	type holder struct{ place, name string }
	keys := map[string]holder{}
	add := func(place, name string, k crypto.PublicKey) error {
		if k == nil {
			return nil
		}
		if other, ok := keys[string(pkix(k))]; ok {
			return fmt.Errorf("%s: %s is the same key as %s of %s; one key, one role, one person", place, name, other.name, other.place)
		}
		keys[string(pkix(k))] = holder{place, name}
		return nil
	}
	pub := at.table("[publisher]", 0)
	if err := add(pub, "snapshot", d.Publisher.Snapshot); err != nil {
		return err
	}
	if err := add(pub, "timestamp", d.Publisher.Timestamp); err != nil {
		return err
	}
	for i, p := range d.People {
		place := at.person(i, p.Name)
		for _, k := range []struct {
			name string
			key  crypto.PublicKey
		}{{"auditor", p.Auditor}, {"statement", p.Statement}, {"root", p.Root}} {
			if err := add(place, k.name, k.key); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d Distribution) checkQuorums(at places) error {
	place := at.table("[quorum]", 0)
	roots, auditors := d.count(func(p Person) bool { return p.Root != nil }), d.auditors()
	if d.Quorum.Root < 1 || d.Quorum.Root > roots {
		return fmt.Errorf("%s: root = %d, want 1 to %d, the number of people with a root key", place, d.Quorum.Root, roots)
	}
	if 2*d.Quorum.Root <= roots {
		return fmt.Errorf("%s: root = %d of %d root holders, want a majority: at least %d", place, d.Quorum.Root, roots, roots/2+1)
	}
	if d.Quorum.Targets < 1 || d.Quorum.Targets > auditors {
		return fmt.Errorf("%s: targets = %d, want 1 to %d, the number of people with an auditor key", place, d.Quorum.Targets, auditors)
	}
	return nil
}

func (d Distribution) checkChannels(at places) error {
	if len(d.Channels) == 0 {
		return fmt.Errorf("no [[channel]], want at least \"stable\"")
	}
	auditors := d.auditors()
	countries, organisations := map[string]bool{}, map[string]bool{}
	for _, p := range d.People {
		if p.Auditor != nil {
			countries[p.Jurisdiction], organisations[strings.ToLower(p.Organisation)] = true, true
		}
	}
	speakers := d.count(func(p Person) bool { return p.Statement != nil })
	names := map[string]bool{}
	for _, c := range d.Channels {
		place := fmt.Sprintf("channel %q", c.Name)
		if !roleName.MatchString(c.Name) || reserved(c.Name) {
			return fmt.Errorf("%s: want a name of lower case letters, digits and dashes that is not a TUF role's", place)
		}
		if names[c.Name] {
			return fmt.Errorf("%s is there twice", place)
		}
		names[c.Name] = true
		for _, n := range []struct {
			name          string
			got, min, max int
			what          string
		}{
			{"quorum", c.Quorum, 1, auditors, "the number of people with an auditor key"},
			{"jurisdictions", c.Jurisdictions, 0, len(countries), "the number of countries the auditors come from"},
			{"organisations", c.Organisations, 0, len(organisations), "the number of organisations the auditors come from"},
			{"jurisdictions", c.Jurisdictions, 0, c.Quorum, "the quorum"},
			{"organisations", c.Organisations, 0, c.Quorum, "the quorum"},
		} {
			if n.got < n.min || n.got > n.max {
				return fmt.Errorf("%s: %s = %d, want %d to %d, %s", place, n.name, n.got, n.min, n.max, n.what)
			}
		}
		for _, n := range []struct {
			name string
			got  int
		}{{"rebuilds", c.Rebuilds}, {"reviews", c.Reviews}, {"withdrawals", c.Withdrawals}} {
			if n.got < 0 || n.got > speakers {
				return fmt.Errorf("%s: %s = %d, want 0 to %d, the number of people with a statement key%s", place, n.name, n.got, speakers, d.withoutStatement())
			}
		}
		if c.Logged && d.Log == nil {
			return fmt.Errorf("%s: logged = true and there is no table [log], want one with key and quorum", place)
		}
	}
	_, err := d.Policy().Encode() // what is left, such as the form of criteria and witness keys
	return err
}

// withoutStatement names the auditors who have no statement key, since that is the usual cause.
func (d Distribution) withoutStatement() string {
	var names []string
	for _, p := range d.People {
		if p.Auditor != nil && p.Statement == nil {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (without one: " + strings.Join(names, ", ") + ")"
}

func (d Distribution) auditors() int { return d.count(func(p Person) bool { return p.Auditor != nil }) }

func (d Distribution) count(has func(Person) bool) int {
	n := 0
	for _, p := range d.People {
		if has(p) {
			n++
		}
	}
	return n
}

// reserved reports whether a channel may not have this name: those of the top-level roles, and that of the
// file of withdrawals, which the snapshot lists beside the roles.
func reserved(name string) bool { return isTopRole(name) || name == "withdrawn" }

// checkURL takes a plain http or https URL, or none.
func checkURL(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("%q, want a plain http or https URL without user, query or fragment", clip(s))
	}
	return nil
}

func isTopRole(name string) bool {
	return name == "root" || name == "targets" || name == "snapshot" || name == "timestamp"
}

func checkPerson(p repo.Person) error {
	for _, f := range []struct{ name, value string }{{"name", p.Name}, {"organisation", p.Organisation}} {
		if f.value == "" {
			return fmt.Errorf("%s is missing", f.name)
		}
		if utf8.RuneCountInString(f.value) > 100 || !printable(f.value) || strings.TrimSpace(f.value) != f.value {
			return fmt.Errorf("%s = %q, want at most 100 printable characters without spaces around", f.name, clip(f.value))
		}
	}
	return checkCountry(p.Jurisdiction)
}

// checkCountry takes the two-letter codes of ISO 3166 and suggests one where the code is a common slip.
func checkCountry(code string) error {
	const want = "want an ISO 3166 country code of two capital letters, such as \"PT\""
	if code == "" {
		return fmt.Errorf("jurisdiction is missing, %s", want)
	}
	region, err := language.ParseRegion(code)
	if err != nil || len(code) != 2 && len(code) != 3 {
		return fmt.Errorf("jurisdiction = %q, %s", clip(code), want)
	}
	proper := region.Canonicalize()
	if !proper.IsCountry() || len(proper.String()) != 2 {
		return fmt.Errorf("jurisdiction = %q is not a country, %s", code, want)
	}
	if proper.String() != code {
		return fmt.Errorf("jurisdiction = %q, %s; did you mean %q?", code, want, proper)
	}
	return nil
}
