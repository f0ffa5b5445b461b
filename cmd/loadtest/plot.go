package main

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// panel is one diagram: a logarithmic axis to the right, a linear one upwards that begins at 0.
type panel struct {
	title  string
	x      string
	series []series
}

// series is one line of a diagram.
type series struct {
	name   string
	points []point
}

type point struct{ x, y float64 }

// named is the same line with something added to its name.
func (s series) named(more string) series {
	s.name += ", " + more
	return s
}

// Sizes of the picture, in pixels.
const (
	panelWidth  = 340
	panelHeight = 240
	margin      = 52
)

// plot draws panels side by side.
func plot(panels []panel) []byte {
	s := &strings.Builder{}
	fmt.Fprintf(s, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", panelWidth*len(panels), panelHeight+margin/2)
	fmt.Fprintf(s, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	for i, p := range panels {
		fmt.Fprintf(s, `<g transform="translate(%d 0)">`+"\n", i*panelWidth)
		p.draw(s)
		fmt.Fprintln(s, "</g>")
	}
	fmt.Fprintln(s, "</svg>")
	return []byte(s.String())
}

// bounds of the points. A point at 0 cannot stand on a logarithmic axis; it stands at 1.
func (p panel) bounds() (left, right, top float64) {
	left, right, top = math.Inf(1), math.Inf(-1), 0
	for _, s := range p.series {
		for _, q := range s.points {
			left, right, top = min(left, max(q.x, 1)), max(right, max(q.x, 1)), max(top, q.y)
		}
	}
	if left >= right {
		left, right = left/2, right*2
	}
	return left, right, nice(top)
}

// nice is the next 1, 2 or 5 times a power of ten.
func nice(v float64) float64 {
	if v <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5, 10} {
		if v <= f*unit*(1+1e-9) {
			return f * unit
		}
	}
	return 10 * unit
}

func (p panel) draw(s *strings.Builder) {
	if len(p.series) == 0 {
		return
	}
	colours := []string{"#1b6ca8", "#c8553d", "#3c8d5a"}
	left, right, top := p.bounds()
	at := func(q point) (x, y float64) {
		x = margin + (math.Log(max(q.x, 1))-math.Log(left))/(math.Log(right)-math.Log(left))*(panelWidth-2*margin)
		return x, panelHeight - margin - q.y/top*(panelHeight-2*margin)
	}
	fmt.Fprintf(s, `<text x="%d" y="20" font-weight="bold">%s</text>`+"\n", margin, html.EscapeString(p.title))
	for i := range 5 {
		v := top * float64(i) / 4
		_, y := at(point{left, v})
		fmt.Fprintf(s, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", margin, y, panelWidth-margin, margin-4, y+4, tick(v))
	}
	for v := math.Pow(10, math.Ceil(math.Log10(left)-1e-9)); v <= right*(1+1e-9); v *= 10 {
		x, y := at(point{v, 0})
		fmt.Fprintf(s, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n", x, y+16, tick(v))
	}
	fmt.Fprintf(s, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", panelWidth/2, panelHeight-16, html.EscapeString(p.x))
	for i, line := range p.series {
		colour, path := colours[i%len(colours)], ""
		for n, q := range line.points {
			x, y := at(q)
			path += fmt.Sprintf("%c%.1f %.1f", "ML"[min(n, 1)], x, y)
			fmt.Fprintf(s, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"><title>%s: %s</title></circle>`+"\n", x, y, colour, tick(q.x), tick(q.y))
		}
		fmt.Fprintf(s, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", path, colour)
		fmt.Fprintf(s, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", margin+4, 36+14*i, colour, html.EscapeString(line.name))
	}
}

// tick writes a number as shortly as an axis wants it.
func tick(v float64) string {
	for _, u := range []struct {
		unit float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= u.unit {
			return strconv.FormatFloat(v/u.unit, 'g', 3, 64) + u.name
		}
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
