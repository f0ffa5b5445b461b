package audit

import (
	"fmt"
	"strings"
	"time"

	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/tuf/repo"
)

// Text is the change for people. Whatever a publisher wrote is shown without control characters.
func (c *Change) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "event %s\n%s (%s), opened %s\n", c.Event, plain(c.Label), c.Kind, c.Made.Format(time.DateTime)+" UTC")
	for _, r := range c.Roles {
		r.text(&b)
	}
	if c.Release != nil {
		c.releaseText(&b)
	}
	for _, line := range c.People {
		fmt.Fprintf(&b, "%s\n", plain(line))
	}
	for _, w := range c.Warnings {
		fmt.Fprintf(&b, "WARNING: %s\n", plain(w))
	}
	return b.String()
}

func (r RoleChange) text(b *strings.Builder) {
	from := "new"
	if r.From > 0 {
		from = fmt.Sprintf("version %d", r.From)
	}
	fmt.Fprintf(b, "\n%s: %s → version %d, expires %s\n", plain(r.Role), from, r.To, r.Expires.Format(time.DateOnly))
	for _, c := range r.Changes {
		switch c.What {
		case "version", "expires", "made", "event":
			continue // said above; the event is what is being signed
		}
		fmt.Fprintf(b, "  %s\n", changeText(c))
	}
	for _, q := range r.Quorums {
		fmt.Fprintf(b, "  %s: signed by %d of %d needed%s", plain(q.Name), len(q.Signed), q.Need, peopleText(" (", q.Signed, ")"))
		if !q.Met() {
			fmt.Fprintf(b, "; not yet:%s", peopleText(" ", q.Missing, ""))
		}
		b.WriteByte('\n')
	}
}

func changeText(c repo.Change) string {
	name := strings.TrimSpace(plain(c.What) + " " + plain(c.Name))
	switch {
	case c.Old == "":
		return fmt.Sprintf("+ %s: %s", name, plain(c.New))
	case c.New == "":
		return fmt.Sprintf("- %s: %s", name, plain(c.Old))
	}
	return fmt.Sprintf("~ %s: %s → %s", name, plain(c.Old), plain(c.New))
}

func (c *Change) releaseText(b *strings.Builder) {
	m := c.Release
	fmt.Fprintf(b, "\nrelease %s in %s, after %s", m.Version, plain(m.Channel), orNone(m.Previous))
	if m.Minimum != "" {
		fmt.Fprintf(b, "; nobody may go below %s any more", m.Minimum)
	}
	fmt.Fprintf(b, "\n  source commit %s\n         tree   %s\n         %s\n", m.Source.Commit, m.Source.Tree, m.Source.H1)
	fmt.Fprintf(b, "  recipe %s, %s, go.sum %s\n", m.Recipe, m.Toolchain.Go, m.Modules)
	total := int64(0)
	for _, a := range m.Artifacts {
		total += a.Length
		fmt.Fprintf(b, "  %s  %10d  %s\n", a.SHA256, a.Length, plain(a.Path))
	}
	fmt.Fprintf(b, "  %d artifacts, %d bytes\n", len(m.Artifacts), total)
	for _, r := range c.Rebuilds {
		fmt.Fprintf(b, "  rebuild by %s: %s%s\n", plain(r.Person.String()), r.Result, because(r))
	}
	for _, w := range c.Withdrawn {
		fmt.Fprintf(b, "  %s by %s on %s UTC: %s\n", w.State, plain(w.Person.String()), w.At.UTC().Format(time.DateTime), plain(w.Reason))
	}
	if c.Source != nil {
		b.WriteString(c.Source.Text())
	} else {
		b.WriteString("  source change: shown after your rebuild\n")
	}
	fmt.Fprintf(b, "  notes:\n    %s\n", strings.ReplaceAll(plainLines(strings.TrimSpace(m.Notes)), "\n", "\n    "))
}

func because(r event.Rebuilt) string {
	switch {
	case len(r.Differs) > 0:
		return ": " + plain(strings.Join(r.Differs, ", "))
	case r.Text != "":
		return ": " + plain(r.Text)
	}
	return ""
}

func orNone(s string) string {
	if s == "" {
		return "nothing"
	}
	return plain(s)
}
