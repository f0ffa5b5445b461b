package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/review"
	"github.com/countersign-project/countersign/tuf/durable"
)

// Words are what a reviewer says at the end. What was read is not among them: it is computed.
type Words struct {
	Verdict      string   // pass, partial, fail or inconclusive; "" for pass or partial, by the coverage
	Criteria     []string // ids
	Notes        string
	PublishNotes bool // add the notes made on pages to Notes
	Minutes      int
	Tools        string
	Independence string
}

// Draft is a review as it will be signed.
type Draft struct {
	Statement statement.Review `json:"-"`
	Payload   []byte           `json:"-"` // exactly what is signed
	Person    genuine.Person   `json:"person"`
	Coverage  review.Coverage  `json:"coverage"`

	signer signer.Signer
}

// maxNotes is the longest note a statement takes, in bytes.
const maxNotes = 4096

// Draft makes the statement: the coverage from the marks, all else from the words. One of the keys must
// be a statement key of the policy.
func (r *Reviewing) Draft(w Words) (*Draft, error) {
	d := &Draft{Coverage: r.Changes.Cover(r.Journal.Mark)}
	var err error
	if d.signer, d.Person, err = r.a.statementSigner(r.Proposal); err != nil {
		return nil, err
	}
	if w.Verdict == "" {
		w.Verdict = statement.VerdictPass
		if len(d.Coverage.Unread) > 0 {
			w.Verdict = statement.VerdictPartial
		}
	}
	if err := r.mayVouch(w, d.Coverage); err != nil {
		return nil, err
	}
	started, now := r.a.Now(), r.a.Now()
	first, _, _, err := r.Journal.Span(r.Changes)
	if err != nil {
		return nil, err
	}
	if !first.IsZero() && first.Before(now) {
		started = first
	}
	p := r.Proposal
	files, modules, lines := r.Changes.Counts()
	d.Statement = statement.Review{
		Release: p.ReleaseSHA256(), Event: p.ID.String(), HeadCommit: p.Manifest.Source.Commit, HeadTree: p.Manifest.Source.Tree,
		Changes: r.Changes.SHA256(), Files: files, Modules: modules, Lines: lines,
		Unread: d.Coverage.Unread, Generated: d.Coverage.Generated, Mechanical: d.Coverage.Mechanical,
		Criteria: slices.Compact(slices.Sorted(slices.Values(w.Criteria))), Verdict: w.Verdict,
		Notes: r.notes(w), MinutesSpent: w.Minutes, Tools: oneLine(w.Tools, maxNotes), Independence: oneLine(w.Independence, maxNotes),
		Started: started.UTC().Truncate(time.Second), Finished: now.UTC().Truncate(time.Second),
	}
	if r.Base.Version != "" {
		d.Statement.Base = statement.ReviewBase{Version: r.Base.Version, Release: r.Base.Release, Tree: r.Base.Tree}
	}
	d.Payload, err = d.Statement.Encode()
	return d, err
}

// mayVouch refuses words that the marks do not bear out.
func (r *Reviewing) mayVouch(w Words, v review.Coverage) error {
	var known []string
	for _, c := range statement.Criteria() {
		known = append(known, c.ID)
	}
	for _, c := range w.Criteria {
		if !contains(known, c) && !contains(r.asked(), c) {
			return refusef("criterion %q is neither one of %s, nor asked for by the policy", c, strings.Join(known, ", "))
		}
	}
	switch {
	case w.Verdict == statement.VerdictPass && len(v.Unread) > 0:
		return refusef("verdict pass, and %d of %d items are unread: %s", len(v.Unread), v.Items, some(v.Unread))
	case w.Verdict == statement.VerdictPartial && v.ItemsDone == 0 && v.Items > 0:
		return refusef("verdict partial, and none of the %d items was read", v.Items)
	}
	return nil
}

// some lists the first few of many.
func some(list []string) string {
	const few = 5
	if len(list) <= few {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:few], ", "), len(list)-few)
}

// notes is one line: the reviewer's words, then those on pages if they are to be published.
func (r *Reviewing) notes(w Words) string {
	parts := []string{w.Notes}
	if w.PublishNotes {
		for _, i := range r.Changes.Items {
			for n := range i.Pages() {
				if note := r.Journal.Get(i.Key(n)).Note; note != "" {
					parts = append(parts, i.Title(n)+": "+note)
				}
			}
		}
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return strings.TrimSpace(s) == "" })
	return oneLine(strings.Join(parts, "; "), maxNotes)
}

// Text shows exactly what will be signed: in words, then as it is.
func (d *Draft) Text() string {
	var b strings.Builder
	s := d.Statement
	fmt.Fprintf(&b, "you sign, as %s:\n", plain(d.Person.String()))
	base := "the whole source"
	if s.Base.Version != "" {
		base = fmt.Sprintf("the change since %s (tree %s)", s.Base.Version, s.Base.Tree)
	}
	fmt.Fprintf(&b, "  I read %s of the release with sha256 %x, tree %s\n", base, s.Release, s.HeadTree)
	fmt.Fprintf(&b, "  change list %x: %d files, %d modules, %d lines; %d of %d items read\n", s.Changes, s.Files, s.Modules, s.Lines, d.Coverage.ItemsDone, d.Coverage.Items)
	for _, l := range []struct {
		what  string
		items []string
	}{{"not read", s.Unread}, {"generated, taken on the word of the command that checks it", s.Generated}, {"mechanical, the edit was read elsewhere", s.Mechanical}} {
		for _, item := range l.items {
			fmt.Fprintf(&b, "    %s: %s\n", l.what, plain(item))
		}
	}
	for _, id := range s.Criteria {
		fmt.Fprintf(&b, "  %s: %s\n", id, criterionText(id))
	}
	fmt.Fprintf(&b, "  verdict %s after %d minutes\n", s.Verdict, s.MinutesSpent)
	for _, f := range []struct{ name, text string }{{"notes", s.Notes}, {"tools", s.Tools}, {"independence", s.Independence}} {
		if f.text != "" {
			fmt.Fprintf(&b, "  %s: %s\n", f.name, plain(f.text))
		}
	}
	fmt.Fprintf(&b, "as these bytes:\n%s\n", d.Payload)
	return b.String()
}

func criterionText(id string) string {
	for _, c := range statement.Criteria() {
		if c.ID == id {
			return c.Text
		}
	}
	return "(a criterion of the policy)"
}

// Sign signs a draft, remembers it, and puts it into the room. What could not be handed in is kept, and
// SendReview tries again.
func (r *Reviewing) Sign(ctx context.Context, d *Draft) error {
	b, err := bundle.Sign(d.Payload, d.signer)
	if err != nil {
		return err
	}
	dir := r.a.Dir(r.Proposal.ID)
	if err := durable.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(dir, event.FileRelease), r.Proposal.Release, 0o600); err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(dir, reviewFile), b, 0o600); err != nil {
		return err
	}
	done, err := r.a.Reviewed()
	if err != nil {
		return err
	}
	m := r.Proposal.Manifest
	done = append(done, Done{r.Proposal.ID.String(), m.Channel, m.Version, r.Proposal.ReleaseSHA256(), d.Statement.Verdict, d.Statement.Finished})
	if err := writeJSON(filepath.Join(r.a.reviewDir(), "done.json"), doneFile{doneFormat, done}); err != nil {
		return err
	}
	return r.a.SendReview(ctx, r.Proposal.ID)
}

// reviewFile is the signed review in the event's directory below Home.
const reviewFile = "review.json"

// SendReview puts the review that was signed last for an event into the room, perhaps again.
func (a *Auditor) SendReview(ctx context.Context, id event.ID) error {
	path := filepath.Join(a.Dir(id), reviewFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return refusef("there is no signed review of event %s in %s", id.Short(), a.Home)
	}
	if err != nil {
		return err
	}
	if err := a.Store.PutStatement(ctx, id, b); err != nil {
		return fmt.Errorf("the review is signed and kept in %s, but could not be stored in %s: %w", path, a.Store, err)
	}
	return nil
}

// asked are the criteria the policy wants a review of this channel to state.
func (r *Reviewing) asked() []string {
	policy, err := r.Proposal.Base.ParsedPolicy()
	if err != nil {
		return nil // Draft has read it
	}
	rule, _ := policy.Rule(r.Proposal.Manifest.Channel)
	return rule.Criteria
}
