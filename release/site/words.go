package site

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/countersign-project/countersign/release/genuine"
)

// ruleWords says what a channel asks of a release, a sentence for each reason.
func ruleWords(r genuine.Rule, auditors int) []string {
	list := []string{fmt.Sprintf("At least %d of the %d auditors must sign exactly these bytes.", r.Quorum, auditors)}
	switch {
	case r.Jurisdictions > 1 && r.Organisations > 1:
		list = append(list, fmt.Sprintf("They must be from at least %d countries and %d organisations.", r.Jurisdictions, r.Organisations))
	case r.Jurisdictions > 1:
		list = append(list, fmt.Sprintf("They must be from at least %d countries.", r.Jurisdictions))
	case r.Organisations > 1:
		list = append(list, fmt.Sprintf("They must be from at least %d organisations.", r.Organisations))
	}
	list = append(list, "Nothing may be expired, or older than what a device has seen before.")
	if r.Rebuilds > 0 {
		list = append(list, fmt.Sprintf("At least %s must have rebuilt every file from its source and got the same bytes.", count(r.Rebuilds, "auditor")))
	}
	return append(list, laterWords(r)...)
}

// laterWords are reasons 5 to 7.
func laterWords(r genuine.Rule) []string {
	var list []string
	if r.Reviews > 0 {
		text := fmt.Sprintf("At least %s must have read every change since a release that was read before", count(r.Reviews, "auditor"))
		if len(r.Criteria) > 0 {
			text += ", by the criteria " + strings.Join(r.Criteria, ", ")
		}
		list = append(list, text+".")
	}
	if r.Logged {
		list = append(list, "The release, the rebuilds and the reviews must be in the public log, under a head that a quorum of witnesses cosigned.")
	}
	if r.Withdrawals > 0 {
		list = append(list, fmt.Sprintf("If %s take it back, no program installs it any more, and those that run it return to the last good one.", count(r.Withdrawals, "auditor")))
	}
	return list
}

// count prints a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// plain makes other people's text safe to show: no character that does not print, and so none that
// turns text around or hides it. Lines are kept.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		if r == '\t' {
			return ' '
		}
		return '\uFFFD'
	}, strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n"))
}

// size prints a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}
