package statement

import (
	"errors"
	"fmt"
	"regexp"
)

// Limits of a review's parts.
const (
	maxItems    = 100_000 // files and modules of a change list, each
	maxNamed    = 5000    // items in one list of the coverage
	maxItemName = 1000    // bytes of an item's name
	maxLines    = 1 << 40 // lines of a change
	maxMinutes  = 100_000 // ten weeks, day and night
	maxCriteria = 50      // ids
)

var (
	criterionID = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	versionName = regexp.MustCompile(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z]+([.-][0-9A-Za-z]+)*)?$`)
)

func (r Review) check() error {
	switch {
	case r.Release == [32]byte{}:
		return errors.New("release has no sha256")
	case !hex64.MatchString(r.Event):
		return fmt.Errorf("event %q, want 64 hex digits", r.Event)
	case !gitID.MatchString(r.HeadCommit):
		return fmt.Errorf("head commit %q, want a git object id", r.HeadCommit)
	case !gitID.MatchString(r.HeadTree):
		return fmt.Errorf("head tree %q, want a git object id", r.HeadTree)
	}
	for _, check := range []func() error{r.checkBase, r.checkChanges, r.checkCoverage, r.checkCriteria, r.checkVerdict, r.checkWords} {
		if err := check(); err != nil {
			return err
		}
	}
	return checkSpan(r.Started, r.Finished)
}

func (r Review) checkBase() error {
	b := r.Base
	switch {
	case b == ReviewBase{}:
		return nil
	case !versionName.MatchString(b.Version) || len(b.Version) > maxLine:
		return fmt.Errorf("base version %q, want three numbers such as 1.4.0", b.Version)
	case b.Release == [32]byte{}:
		return errors.New("base release has no sha256")
	case b.Release == r.Release:
		return errors.New("base is the release itself")
	case !gitID.MatchString(b.Tree):
		return fmt.Errorf("base tree %q, want a git object id", b.Tree)
	}
	return nil
}

func (r Review) checkChanges() error {
	if r.Changes == [32]byte{} {
		return errors.New("changes have no sha256")
	}
	for _, n := range []struct {
		name       string
		value, max int
	}{
		{"files", r.Files, maxItems}, {"modules", r.Modules, maxItems}, {"lines", r.Lines, maxLines}, {"minutes spent", r.MinutesSpent, maxMinutes},
	} {
		if n.value < 0 || n.value > n.max {
			return fmt.Errorf("%s %d, want 0 to %d", n.name, n.value, n.max)
		}
	}
	return nil
}

// checkCoverage keeps the three lists sorted, apart from each other, and no longer than the change.
func (r Review) checkCoverage() error {
	in := map[string]string{}
	for _, l := range []struct {
		name  string
		items []string
	}{{"unread", r.Unread}, {"generated", r.Generated}, {"mechanical", r.Mechanical}} {
		if len(l.items) > maxNamed {
			return fmt.Errorf("%d %s items, at most %d", len(l.items), l.name, maxNamed)
		}
		for i, item := range l.items {
			if item == "" {
				return fmt.Errorf("%s item without a name", l.name)
			}
			if err := checkText(l.name+" item", item, maxItemName); err != nil {
				return err
			}
			if i > 0 && l.items[i-1] >= item {
				return fmt.Errorf("%s item %q after %q, want them sorted, each once", l.name, item, l.items[i-1])
			}
			if other, twice := in[item]; twice {
				return fmt.Errorf("item %q is both %s and %s", item, other, l.name)
			}
			in[item] = l.name
		}
	}
	if len(in) > r.Files+r.Modules {
		return fmt.Errorf("%d items in the coverage, the change has %d", len(in), r.Files+r.Modules)
	}
	return nil
}

func (r Review) checkCriteria() error {
	if len(r.Criteria) > maxCriteria {
		return fmt.Errorf("%d criteria, at most %d", len(r.Criteria), maxCriteria)
	}
	for i, c := range r.Criteria {
		if !ValidCriterion(c) {
			return fmt.Errorf("criterion %q, want small letters, digits and hyphens", c)
		}
		if i > 0 && r.Criteria[i-1] >= c {
			return fmt.Errorf("criterion %q after %q, want them sorted, each once", c, r.Criteria[i-1])
		}
	}
	return nil
}

// checkVerdict keeps the verdict from saying more than the rest.
func (r Review) checkVerdict() error {
	switch r.Verdict {
	case VerdictPass:
		if len(r.Unread) > 0 {
			return fmt.Errorf("verdict pass with %d unread items, want partial", len(r.Unread))
		}
	case VerdictPartial:
		if len(r.Unread) == 0 {
			return errors.New("verdict partial with nothing unread, want pass")
		}
	case VerdictFail, VerdictInconclusive:
		if r.Notes == "" {
			return fmt.Errorf("verdict %s without notes that say why", r.Verdict)
		}
		return nil
	default:
		return fmt.Errorf("verdict %q, want pass, partial, fail or inconclusive", r.Verdict)
	}
	switch {
	case len(r.Criteria) == 0:
		return fmt.Errorf("verdict %s without a criterion", r.Verdict)
	case r.MinutesSpent == 0:
		return fmt.Errorf("verdict %s after 0 minutes", r.Verdict)
	}
	return nil
}

func (r Review) checkWords() error {
	for _, f := range []struct {
		name, text string
		limit      int
		must       bool
	}{
		{"notes", r.Notes, maxText, false}, {"tools", r.Tools, maxText, true}, {"independence", r.Independence, maxText, true},
	} {
		if f.must && f.text == "" {
			return fmt.Errorf("%s: nothing said; if there is nothing to say, say \"none\"", f.name)
		}
		if err := checkText(f.name, f.text, f.limit); err != nil {
			return err
		}
	}
	return nil
}
