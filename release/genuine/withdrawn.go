package genuine

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/attest/statement"
)

// notWithdrawn is reason 7: fewer people than the policy says have withdrawn the release since it was
// published. The publisher's snapshot fixes the file of all withdrawals, so that a mirror cannot hide one
// for longer than the timestamp lives; those that this device has seen before are counted too, so that the
// publisher cannot take one back. Of each person the latest word counts, and of two at the same second the
// withdrawal. It counts whether or not it is logged: it can only stop something.
func (b believed) notWithdrawn(r *Reason, ev Evidence) {
	if b.rule.Withdrawals == 0 {
		r.State, r.Text = NotRequired, NotRequired.String()
		return
	}
	listed, state, text := b.listed(ev)
	words := b.lastWords(append(append(b.open(listed), b.open(ev.Withdrawals)...), b.said...))
	var quotes []string
	for _, p := range distinct(slices.Collect(maps.Keys(words))) {
		if w := words[p]; w.State == statement.StateWithdrawn {
			r.Against = append(r.Against, p)
			quotes = append(quotes, fmt.Sprintf("%s on %s: %q", p, day(w.At), w.Reason))
		}
	}
	switch {
	case len(r.Against) >= b.rule.Withdrawals:
		r.State = Failed
		r.Text = fmt.Sprintf("%d auditors have withdrawn it, %d stop it: %s", len(r.Against), b.rule.Withdrawals, strings.Join(quotes, "; "))
	case state != Held:
		r.State, r.Text = state, text
	case len(quotes) == 0:
		r.State, r.Text = Held, "nobody has withdrawn it"
	default:
		r.State = Held
		r.Text = fmt.Sprintf("%d auditors have withdrawn it, %d would stop it: %s", len(r.Against), b.rule.Withdrawals, strings.Join(quotes, "; "))
	}
}

// listed returns the bundles of withdrawn.json. That it is missing means that nobody can tell.
func (b believed) listed(ev Evidence) ([][]byte, State, string) {
	f, ok := b.set.Withdrawn()
	if !ok {
		return nil, Held, ""
	}
	if len(ev.Withdrawn) == 0 {
		return nil, Open, fmt.Sprintf("the list of withdrawals, version %d, is missing", f.Version)
	}
	if sum := sha256.Sum256(ev.Withdrawn); f.Length != int64(len(ev.Withdrawn)) || f.SHA256 != sum {
		return nil, Failed, fmt.Sprintf("withdrawn.json has sha256 %s; the signed snapshot names %s", Digest(sum), Digest(f.SHA256))
	}
	file, err := ParseFile(ev.Withdrawn)
	if err != nil {
		return nil, Failed, "withdrawn.json: " + err.Error()
	}
	return file.Statements, Held, ""
}

// lastWords returns the latest withdrawal or reinstatement of this release by each person.
func (b believed) lastWords(list []said) map[Person]*statement.Withdrawal {
	words := map[Person]*statement.Withdrawal{}
	for _, s := range list {
		w, ok := s.what.(*statement.Withdrawal)
		if !ok || w.Release != b.sum || w.Channel != b.release.Channel || w.Version != b.release.Version {
			continue
		}
		if had := words[s.by]; had == nil || w.Supersedes(*had) {
			words[s.by] = w
		}
	}
	return words
}
