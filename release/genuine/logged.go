package genuine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/release/anchor"
)

// logged is reason 6: the release and enough of what people state about it are in the public log, under a
// head that the witnesses of log.policy cosigned and that does not contradict the head this device has seen.
// So nobody can be given a release, or a reason to believe it, that the world cannot see.
//
// A head that is smaller than the one seen is no contradiction: the proof of an old release has an old head.
func (b believed) logged(r *Reason, a anchor.Anchor, ev Evidence, seen Seen) *Logged {
	if !b.rule.Logged {
		r.State, r.Text = NotRequired, NotRequired.String()
		return nil
	}
	pol, err := b.logPolicy(a)
	if err != nil {
		r.State, r.Text = Open, err.Error()
		return nil
	}
	r.State = Failed
	if len(ev.Proof) == 0 {
		r.Text = "there is no proof that this release is in the log " + pol.Origin()
		return nil
	}
	p, err := proof.Parse(ev.Proof)
	if err != nil {
		r.Text = err.Error()
		return nil
	}
	l := &Logged{Checkpoint: string(p.Checkpoint())}
	entries := [][]byte{proof.ReleaseLeaf(b.release.Channel, b.release.Version, b.sum)}
	for _, s := range b.said {
		entries = append(entries, s.entry)
	}
	head, in, err := p.Verify(pol, entries)
	if err != nil {
		r.Text, r.People = err.Error(), b.cosigners(pol, err)
		return l
	}
	l.Head = head
	r.People = b.witnesses(head)
	if old, err := proof.UnverifiedHead(seen.Head); err == nil && old.Conflicts(head) {
		l.Seen = string(seen.Head)
		r.Text = fmt.Sprintf("the log %s was forked: at %d entries this head has root %s, and this device has seen %s; both signed heads together are the evidence",
			head.Origin, head.Size, head.Root, old.Root)
		return l
	}
	if r.Text = b.missing(in); r.Text == "" {
		r.State = Held
		r.Text = fmt.Sprintf("in the log %s under a head of %d entries, cosigned by %s", head.Origin, head.Size, times(b, head))
	}
	return l
}

// logPolicy reads the log policy built into this program. Who the policy knows as one person must count
// once in it.
func (b believed) logPolicy(a anchor.Anchor) (proof.Policy, error) {
	if len(a.LogPolicy) == 0 {
		return proof.Policy{}, errors.New("this program was built without log.policy, so it does not know whose log and which witnesses to believe")
	}
	pol, err := proof.ParsePolicy(a.LogPolicy)
	if err != nil {
		return pol, fmt.Errorf("the log.policy built into this program: %w", err)
	}
	for _, m := range b.policy.People {
		var own []proof.Key
		for _, vkey := range m.Witness {
			k, err := proof.ParseKey(vkey)
			if err != nil {
				return pol, err
			}
			own = append(own, k)
		}
		if err := pol.CountsOnce(own); err != nil {
			return pol, fmt.Errorf("%s: %w", m.Person, err)
		}
	}
	return pol, nil
}

// missing says what the log does not have: the release itself, or so many statements that reasons 4 and 5
// would not hold by those that are logged.
func (b believed) missing(in []bool) string {
	if !in[0] {
		return fmt.Sprintf("the proof does not show %s %s with release.json %s", b.release.Channel, b.release.Version, b.sum)
	}
	var logged []said
	for i, s := range b.said {
		if in[1+i] {
			logged = append(logged, s)
		}
	}
	if got, _ := b.rebuilders(logged); len(got) < b.rule.Rebuilds {
		return fmt.Sprintf("%d rebuilds are in the log, %d needed: %s", len(got), b.rule.Rebuilds, names(got))
	}
	if b.rule.Reviews == 0 {
		return ""
	}
	best, _ := b.reviewers(logged)
	if who := best.people(); len(who) < b.rule.Reviews || len(best.short) > 0 {
		return fmt.Sprintf("the reviews in the log are by %d people and do not suffice, %d must have read each change: %s", len(who), b.rule.Reviews, names(who))
	}
	return ""
}

// witnesses returns who cosigned a head.
func (b believed) witnesses(h proof.Head) []Person {
	var list []Person
	for _, c := range h.Witnesses {
		if k, err := proof.ParseKey(c.Key); err == nil {
			list = append(list, b.policy.byWitness(k))
		}
	}
	return distinct(list)
}

// cosigners returns who did cosign when too few did.
func (b believed) cosigners(pol proof.Policy, err error) []Person {
	var q *proof.QuorumError
	if !errors.As(err, &q) {
		return nil
	}
	var list []Person
	for _, name := range q.Signed {
		for _, w := range pol.Witnesses() {
			if w.Name == name {
				list = append(list, b.policy.byWitness(w.Key))
			}
		}
	}
	return distinct(list)
}

// times names the cosigners with the time each of them saw the head.
func times(b believed, h proof.Head) string {
	var list []string
	seen := map[Person]bool{}
	for _, c := range h.Witnesses {
		k, err := proof.ParseKey(c.Key)
		if err != nil {
			continue
		}
		if p := b.policy.byWitness(k); !seen[p] {
			seen[p] = true
			list = append(list, p.String()+" on "+day(c.Time))
		}
	}
	return strings.Join(list, ", ")
}
