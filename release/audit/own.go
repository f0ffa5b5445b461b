package audit

import (
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
)

// ownRebuild holds the rule of this package: a release is signed with an auditor key only when the same
// person, with their statement key, has stated a rebuild of exactly this event and manifest whose digests
// are those of the release; has never stated other bytes for it; and this machine remembers that rebuild.
//
// What other auditors state does not matter here, however many they are: a quorum of people who each
// relied on the others is a quorum of none.
func (a *Auditor) ownRebuild(p *event.Proposal, auditorKey string) (genuine.Person, error) {
	pub, who, err := statementKeyOf(p, auditorKey)
	if err != nil {
		return who, err
	}
	no := func(format string, args ...any) (genuine.Person, error) {
		return who, &NotRebuilt{plain(p.Event.Label), p.ID.String(), fmt.Sprintf(format, args...)}
	}
	matching, differs := ownStatements(p, pub)
	if len(differs) > 0 {
		return no("you, %s, stated that you got other bytes: %s", who.Name, strings.Join(differs, ", "))
	}
	record, have, err := a.hasRecord(p.ID)
	if err != nil {
		return who, err
	}
	if len(matching) == 0 {
		if have && record.Result != event.Matched {
			return no("your rebuild of %s ended as %q", record.Finished.UTC().Format(time.DateOnly), record.Result)
		}
		return no("there is no statement of a rebuild by %s", who)
	}
	if !have {
		return no("there is a statement by %s, but no record of that rebuild in %s: it was made on another machine, or by somebody else with your statement key", who.Name, a.Home)
	}
	if err := record.matches(p); err != nil {
		return no("the record of your rebuild does not agree: %v", err)
	}
	if record.Key != keySum(pub) || !contains(matching, record.Statement) {
		return no("the record of your rebuild is about another statement than the one by %s in the event", who.Name)
	}
	return who, nil
}

// ownStatements opens the event's statements with one key alone and sorts its rebuilds into those whose
// digests are the release's, by the sha256 of the statement, and what differs in the others. Statements
// that say nothing about bytes are left out.
func ownStatements(p *event.Proposal, pub crypto.PublicKey) (matching, differs []string) {
	for _, s := range p.Statements {
		payload, _, err := bundle.Open(s.Bundle, []crypto.PublicKey{pub})
		if err != nil {
			continue // by somebody else: Load has checked that it is by somebody
		}
		parsed, err := statement.Parse(payload)
		if err != nil {
			continue
		}
		r, ok := parsed.(*statement.Rebuild)
		if !ok || r.Event != p.ID.String() || r.Release != p.ReleaseSHA256() {
			continue
		}
		if d := p.Differences(r); len(d) > 0 {
			differs = append(differs, d...)
			continue
		}
		sum := sha256.Sum256(payload)
		matching = append(matching, hex.EncodeToString(sum[:]))
	}
	return matching, differs
}
