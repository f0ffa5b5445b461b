package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
)

// The picture is drawn from top to bottom at the width of a phone; boxes in boxes are who is where, and
// which group counts whom. Nothing in it comes from outside, and it has no script. All lengths are in
// CSS pixels.
const (
	pictureWidth = 390
	margin       = 16
	inset        = 10 // of a box in a box
	rowHeight    = 34 // of a person or witness
	rowGap       = 6
	titleHeight  = 28 // of a box
	charWidth    = 6.9
)

// pictureStyle has two sets of colours; the reader's system chooses.
const pictureStyle = `
svg { color-scheme: light dark; font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.page { fill: #fbfaf8; } .ink { fill: #22262b; } .soft { fill: #5c6570; }
.outer { fill: #f1eee8; stroke: #d9d3c8; } .inner { fill: #ffffff; stroke: #d9d3c8; }
.row { fill: #f6f8fa; stroke: #dde2e8; }
.signs { fill: #2f6fb3; } .states { fill: #2e7d4f; } .cosigns { fill: #8a5a00; } .off { fill: none; stroke: #c5cbd3; }
.need { fill: #8a5a00; } .onneed { fill: #ffffff; }
.title { font-size: 19px; font-weight: 650; } .head { font-size: 15px; font-weight: 650; }
.label { font-size: 13px; font-weight: 600; } .text { font-size: 13px; } .small { font-size: 12px; }
.mark { font-size: 11px; font-weight: 700; fill: #ffffff; text-anchor: middle; } .end { text-anchor: end; } .mid { text-anchor: middle; }
@media (prefers-color-scheme: dark) {
.page { fill: #14171b; } .ink { fill: #e8eaed; } .soft { fill: #a3acb8; }
.outer { fill: #1b1f25; stroke: #343b45; } .inner { fill: #22272f; stroke: #3a424d; }
.row { fill: #2a3039; stroke: #3d4652; }
.signs { fill: #3c82cc; } .states { fill: #32885a; } .cosigns { fill: #a06c0c; } .off { fill: none; stroke: #4a5462; }
.need { fill: #a06c0c; } .onneed { fill: #ffffff; }
}`

// drawing is an SVG that grows downwards.
type drawing struct {
	buf bytes.Buffer
	y   float64
}

func (d *drawing) finish() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"Who must countersign a release\">\n<title>Who must countersign a release</title>\n<style>%s\n</style>\n",
		pictureWidth, d.y, pictureWidth, d.y, pictureStyle)
	fmt.Fprintf(&out, "<rect class=\"page\" width=\"%d\" height=\"%.0f\"/>\n", pictureWidth, d.y)
	out.Write(d.buf.Bytes())
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// box draws a titled box around whatever content draws within the inner width.
func (d *drawing) box(x, w float64, class, title string, content func(x, w float64)) {
	top := d.y
	outside := d.buf
	d.buf = bytes.Buffer{}
	d.text(x+inset, d.y+19, "label soft", title, w-80)
	d.y += titleHeight + 2
	content(x+inset, w-2*inset)
	d.y += inset - rowGap
	inside := d.buf
	d.buf = outside
	d.rect(x, top, w, d.y-top, 10, class)
	d.buf.Write(inside.Bytes())
	d.y += rowGap
}

func (d *drawing) section(title string) {
	d.y += 8
	d.text(margin, d.y+12, "head ink", title, pictureWidth-2*margin)
	d.y += 26
}

// line draws one line of text and goes below it, or several where it is too long.
func (d *drawing) line(class, s string) { d.wrapped(margin, class, s) }

// wrapped breaks a text at spaces into lines that fit.
func (d *drawing) wrapped(x float64, class, s string) {
	fits := int((pictureWidth - margin - x) / charWidth)
	for _, l := range wrap(s, fits) {
		d.text(x, d.y+12, class, l, pictureWidth-margin-x)
		d.y += 17
	}
}

// wrap breaks a text into lines of at most so many characters, words longer than that included.
func wrap(s string, fits int) []string {
	var lines []string
	var line []rune
	for _, word := range bytes.Fields([]byte(s)) {
		w := []rune(string(word))
		for len(w) > fits {
			lines = append(lines, string(w[:fits]))
			w = w[fits:]
		}
		if len(line) > 0 && len(line)+1+len(w) > fits {
			lines, line = append(lines, string(line)), nil
		}
		if len(line) > 0 {
			line = append(line, ' ')
		}
		line = append(line, w...)
	}
	return append(lines, string(line))
}

func (d *drawing) rect(x, y, w, h, r float64, class string) {
	fmt.Fprintf(&d.buf, "<rect class=%q x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%.0f\"/>\n", class, x, y, w, h, r)
}

func (d *drawing) circle(x, y, r float64, class string) {
	fmt.Fprintf(&d.buf, "<circle class=%q cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n", class, x, y, r)
}

// text draws one line, shortened to the width; the whole of it is then shown where the mouse rests.
func (d *drawing) text(x, y float64, class, s string, width float64) {
	short, whole := []rune(s), ""
	if fits := int(width / charWidth); len(short) > fits && fits > 1 {
		short, whole = append(short[:fits-1:fits-1], '…'), s
	}
	fmt.Fprintf(&d.buf, "<text class=%q x=\"%.1f\" y=\"%.1f\">", class, x, y)
	if whole != "" {
		d.buf.WriteString("<title>")
		d.escape(whole)
		d.buf.WriteString("</title>")
	}
	d.escape(string(short))
	d.buf.WriteString("</text>\n")
}

// escape writes text that cannot become markup. Writing into a buffer does not fail.
func (d *drawing) escape(s string) { _ = xml.EscapeText(&d.buf, []byte(s)) }
