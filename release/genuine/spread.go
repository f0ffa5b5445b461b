package genuine

import (
	"fmt"
	"slices"
	"strings"
)

// spread is reason 2: one government or one employer must not be able to make the quorum by itself.
// It looks only at the persons whom reason 1 counted.
func (b believed) spread(r *Reason) {
	if b.rule.Jurisdictions == 0 && b.rule.Organisations == 0 {
		r.State, r.Text = NotRequired, NotRequired.String()
		return
	}
	var signers, countries, organisations []string
	for _, k := range b.role.Signers {
		signers = append(signers, k.Holder)
		countries = append(countries, k.Jurisdiction)
		organisations = append(organisations, k.Organisation)
	}
	countries, organisations = unique(countries), unique(organisations)
	r.State = Held
	if len(countries) < b.rule.Jurisdictions || len(organisations) < b.rule.Organisations {
		r.State = Failed
	}
	r.People = people(b.role.Signers)
	r.Text = fmt.Sprintf("the %d signers are of %d jurisdictions (%s), %d needed; %d organisations, %d needed",
		len(unique(signers)), len(countries), strings.Join(countries, ", "), b.rule.Jurisdictions, len(organisations), b.rule.Organisations)
}

// unique sorts strings and drops repetitions.
func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
