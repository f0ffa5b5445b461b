package event

import (
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/attest/proof"
)

// LogPolicy returns log.policy as it follows from the file: nil without a [log]. With policy it is that text;
// with quorum it asks for so many countries, and in each for most of its witnesses. A person's two keys count
// once. Both are majorities, so that any two quorums have somebody in common: otherwise whoever holds the log's
// key could show one half of the witnesses a log for one victim, and none of them would lie. It becomes part of the trust anchor (release/anchor), and is what the publisher's own log works by.
func (d Distribution) LogPolicy() ([]byte, error) {
	if d.Log == nil {
		return nil, nil
	}
	text := d.Log.Policy
	if text == "" {
		var countries int
		text, countries = d.derivedLogPolicy()
		if d.Log.Quorum > 0 && 2*d.Log.Quorum <= countries {
			return nil, fmt.Errorf("quorum = %d of %d countries with witnesses, want more than half: at least %d; or two quorums need have nobody in common, and the log could be forked though no witness lies",
				d.Log.Quorum, countries, countries/2+1)
		}
	}
	p, err := proof.ParsePolicy([]byte(text))
	if err != nil {
		return nil, err
	}
	if got := p.Log().Key.String(); got != d.Log.Key {
		return nil, fmt.Errorf("log.policy is of the log %s, and key is %s", got, d.Log.Key)
	}
	return []byte(text), nil
}

// derivedLogPolicy prints the witnesses person by person, then the countries, then the quorum; and counts the
// countries.
func (d Distribution) derivedLogPolicy() (string, int) {
	var b strings.Builder
	names := policyNames{}
	fmt.Fprintf(&b, "# made from the distribution file by countersign init\nlog %s\n", strings.TrimSpace(d.Log.Key+" "+d.Log.URL))
	var countries []string
	people := map[string][]string{} // by country
	for _, p := range d.People {
		if len(p.Witness) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n# %s (%s, %s)\n", p.Name, p.Organisation, p.Jurisdiction)
		name := names.free(p.Name)
		if people[p.Jurisdiction] == nil {
			countries = append(countries, p.Jurisdiction)
		}
		people[p.Jurisdiction] = append(people[p.Jurisdiction], name)
		if len(p.Witness) == 1 {
			fmt.Fprintf(&b, "witness %s %s\n", name, strings.TrimSpace(p.Witness[0]+" "+p.WitnessURL))
			continue
		}
		var keys []string
		for i, vkey := range p.Witness {
			keys = append(keys, names.free(fmt.Sprintf("%s %d", p.Name, i+1)))
			fmt.Fprintf(&b, "witness %s %s\n", keys[i], strings.TrimSpace(vkey+" "+p.WitnessURL))
		}
		fmt.Fprintf(&b, "group %s any %s\n", name, strings.Join(keys, " "))
	}
	b.WriteByte('\n')
	var groups []string
	for _, c := range countries {
		groups = append(groups, names.free("in "+c))
		fmt.Fprintf(&b, "group %s %d %s\n", groups[len(groups)-1], len(people[c])/2+1, strings.Join(people[c], " "))
	}
	all := names.free("countries")
	fmt.Fprintf(&b, "group %s %d %s\nquorum %s\n", all, d.Log.Quorum, strings.Join(groups, " "), all)
	return b.String(), len(countries)
}

// policyNames are the names that are taken in a log policy.
type policyNames map[string]bool

// free turns a person's or country's name into one of the policy that nobody has: "ana-sousa", "ana-sousa-b".
func (n policyNames) free(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	name := strings.Join(words, "-")
	name = name[:min(len(name), 50)]
	if name == "" || name == "none" || name == "all" || name == "any" {
		name = "person"
	}
	out := name
	for i := 0; n[out]; i++ {
		out = fmt.Sprintf("%s-%c%d", name, 'b'+i%25, i/25)
	}
	n[out] = true
	return out
}
