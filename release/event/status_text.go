package event

import (
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/release/genuine"
)

// Next is one line for people: what has to happen now.
func (s Status) Next() string {
	switch {
	case s.Published:
		return "published"
	case s.Superseded != "":
		return "superseded by " + s.Superseded[:min(12, len(s.Superseded))]
	case s.Stale != "":
		return "stale: " + s.Stale
	case s.Ready:
		return "ready to publish"
	}
	var parts []string
	for _, q := range s.Quorums {
		if !q.Met() {
			parts = append(parts, fmt.Sprintf("%s needs %d more of %s", q.Name, q.Need-len(q.Signed), names(q.Missing)))
		}
	}
	return "waiting: " + strings.Join(append(parts, s.Spread...), "; ")
}

// Text is the status for people, several lines.
func (s Status) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s (%s)\n", s.Event, s.Label, s.Kind)
	for _, q := range s.Quorums {
		fmt.Fprintf(&b, "  %s: signed by %d", q.Name, len(q.Signed))
		if len(q.Signed) > 0 {
			fmt.Fprintf(&b, " (%s)", names(q.Signed))
		}
		fmt.Fprintf(&b, ", %d needed", q.Need)
		if !q.Met() {
			fmt.Fprintf(&b, "; not yet: %s", names(q.Missing))
		}
		b.WriteByte('\n')
	}
	for _, r := range s.Rebuilds {
		fmt.Fprintf(&b, "  rebuild by %s: %s", r.Person, r.Result)
		if len(r.Differs) > 0 {
			fmt.Fprintf(&b, " in %s", strings.Join(r.Differs, ", "))
		}
		if r.Text != "" {
			fmt.Fprintf(&b, " (%s)", r.Text)
		}
		b.WriteByte('\n')
	}
	for _, r := range s.Reviews {
		fmt.Fprintf(&b, "  review by %s: %s\n", r.Person, r.words())
	}
	for _, w := range s.Withdrawn {
		fmt.Fprintf(&b, "  %s by %s on %s: %q\n", w.State, w.Person, w.At.UTC().Format("2006-01-02 15:04 UTC"), w.Reason)
	}
	for _, bad := range s.Bad {
		fmt.Fprintf(&b, "  not counted: %s\n", bad)
	}
	fmt.Fprintf(&b, "  → %s\n", s.Next())
	return b.String()
}

// words tells a review in short.
func (r Reviewed) words() string {
	if r.Result == NotYet {
		return r.Result
	}
	since := "since " + r.Base
	if r.Base == "" {
		since = "the whole source"
	}
	text := fmt.Sprintf("%s, %s", r.Result, since)
	if r.Unread > 0 {
		text += fmt.Sprintf(", %d items unread", r.Unread)
	}
	if len(r.Criteria) > 0 {
		text += ", " + strings.Join(r.Criteria, " ")
	}
	if r.Text != "" {
		text += fmt.Sprintf(" (%q)", r.Text)
	}
	return text
}

func names(people []genuine.Person) string {
	var out []string
	for _, p := range people {
		out = append(out, p.Name)
	}
	return strings.Join(out, ", ")
}
