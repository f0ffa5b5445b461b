package tui

import (
	"hash/fnv"

	"charm.land/lipgloss/v2"
)

// theme is how things look. Nothing is said by colour alone: NO_COLOR takes the colours, and every line still says what it is.
type theme struct {
	bold, dim, alert, warn, good, chosen lipgloss.Style
	people                               []lipgloss.Style
	you                                  lipgloss.Style
}

// Colours of the 256 that are read well on a dark and on a light ground.
func newTheme(dark bool) theme {
	pick := func(onDark, onLight string) lipgloss.Style {
		if dark {
			return lipgloss.NewStyle().Foreground(lipgloss.Color(onDark))
		}
		return lipgloss.NewStyle().Foreground(lipgloss.Color(onLight))
	}
	t := theme{
		bold: lipgloss.NewStyle().Bold(true), dim: pick("245", "243"),
		alert: pick("203", "160").Bold(true), warn: pick("221", "130"), good: pick("114", "28"),
		chosen: lipgloss.NewStyle().Reverse(true), you: pick("252", "236").Bold(true),
	}
	onLight := []string{"25", "30", "55", "64", "88", "90", "94", "124", "126", "133", "22", "61"}
	for i, c := range []string{"75", "80", "141", "150", "174", "176", "179", "209", "213", "183", "115", "147"} {
		t.people = append(t.people, pick(c, onLight[i]).Bold(true))
	}
	return t
}

// of is a person's colour, the same on every day.
func (t theme) of(number string) lipgloss.Style {
	h := fnv.New32a()
	_, _ = h.Write([]byte(number))
	return t.people[h.Sum32()%uint32(len(t.people))]
}
