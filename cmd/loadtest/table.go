package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// machine says where figures come from.
type machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"`
	Load  string `json:"load"` // average over 1, 5 and 15 minutes when the tool began: other work disturbs
}

func thisMachine() machine {
	m := machine{CPU: "unknown", Cores: runtime.NumCPU(), Load: "unknown"}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		_, rest, _ := strings.Cut(string(b), "model name")
		if line, _, ok := strings.Cut(rest, "\n"); ok {
			m.CPU = strings.Trim(line, " \t:")
		}
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.Join(strings.Fields(string(b))[:3], " ")
	}
	return m
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, load average %s", m.CPU, m.Cores, m.Load)
}

// valuesText prints measures in one line.
func valuesText(v map[string]float64) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(v)) {
		parts = append(parts, k+" "+short(v[k]))
	}
	return strings.Join(parts, ", ")
}

// short prints three significant digits, or all of a whole number.
func short(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// String gives the median, and the least if it is another.
func (s spread) String() string {
	if s.Min == s.Max {
		return short(s.Median)
	}
	return short(s.Median) + " (" + short(s.Min) + ")"
}

// line is one line of the table: a measure of a work.
type line struct {
	work        string
	connections int
	measure     string
}

// shown are the measures of a work that the table has; the JSON has all.
func shown(work string) []string {
	switch work {
	case workPairs:
		return []string{perCPUSecond, cpuMicros, perSecond, p50, p99, writtenBytes}
	case workRate:
		return []string{p50, p99, cpuMicros}
	case workGroups:
		return []string{perCPUSecond, cpuMicros, perSecond}
	case workAbsent:
		return []string{perCPUSecond, cpuMicros, perSecond, writtenBytes}
	case workBacklog:
		return []string{storeMicros, deliverMicros, backlogWall}
	case workIdle:
		return []string{perIdle}
	}
	return nil
}

// title is what the table calls a work.
func title(work string) string {
	switch work {
	case workPairs:
		return "1:1, as fast as it goes"
	case workRate:
		return "1:1, at a fixed rate"
	case workGroups:
		return "groups of 20, by delivery"
	case workAbsent:
		return "to absent devices"
	case workBacklog:
		return "backlogs of 1,000"
	}
	return work
}

// compareTable is two tables in Markdown: the systems, and their variants, whose names have a comma, where any was measured.
func compareTable(rows []row) string {
	variant := func(r row) bool { return strings.Contains(r.System, ",") }
	text := sheetOf(slices.DeleteFunc(slices.Clone(rows), variant)).String()
	if others := slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return !variant(r) }); len(others) > 0 {
		text += "\n" + sheetOf(others).String()
	}
	return text
}

// sheet is a table: a line for each measure, a column for each system.
type sheet struct {
	lines   []line
	systems []string
	cells   map[line]map[string][]float64 // of all rounds
}

func sheetOf(rows []row) *sheet {
	s := &sheet{cells: map[line]map[string][]float64{}}
	for _, r := range rows {
		if !slices.Contains(s.systems, r.System) {
			s.systems = append(s.systems, r.System)
		}
		for _, m := range shown(r.Work) {
			l := line{r.Work, r.Connections, m}
			if s.cells[l] == nil {
				s.cells[l] = map[string][]float64{}
				s.lines = append(s.lines, l)
			}
			if v, ok := r.Values[m]; ok {
				s.cells[l][r.System] = append(s.cells[l][r.System], v)
			}
		}
	}
	slices.SortStableFunc(s.lines, func(a, b line) int {
		return cmp.Or(slices.Index(workNames(), a.work)-slices.Index(workNames(), b.work), a.connections-b.connections)
	})
	return s
}

// String gives the medians of the rounds, and in brackets the least.
func (s *sheet) String() string {
	t := &strings.Builder{}
	fmt.Fprintf(t, "| work, connections | measure | %s |\n|---|---|%s\n", strings.Join(s.systems, " | "), strings.Repeat("---|", len(s.systems)))
	for _, l := range s.lines {
		fmt.Fprintf(t, "| %s, %d | %s |", title(l.work), l.connections, l.measure)
		for _, name := range s.systems {
			text := " "
			if v := s.cells[l][name]; len(v) > 0 {
				text = " " + spreadOf(v).String() + " "
			}
			fmt.Fprintf(t, "%s|", text)
		}
		fmt.Fprintln(t)
	}
	return t.String()
}
