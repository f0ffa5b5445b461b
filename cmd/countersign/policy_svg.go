package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/attest/proof"
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

// picture draws people, organisations and countries, what each channel asks, and the log's groups.
func (p policies) picture() []byte {
	var d drawing
	d.y = margin + 8
	d.text(margin, d.y+12, "title ink", "Who must countersign", pictureWidth-2*margin)
	d.y += 34
	for _, demand := range p.demands() {
		d.demand(demand)
	}
	if p.Rules != nil {
		d.people(p.units())
	}
	if p.Log != nil {
		d.section("The log and its witnesses")
		d.line("soft small", p.Log.Origin())
		d.y += 2
		d.node(p, p.Log.Quorum(), margin, pictureWidth-2*margin, 0)
		d.y += rowGap
	}
	d.y += margin - rowGap
	return d.finish()
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

// demand draws a channel: its reasons with their numbers, and how many people could ship or stop.
func (d *drawing) demand(m Demand) {
	if m.Channel != "" {
		d.section("Channel " + m.Channel)
	} else {
		d.section("A head of the log")
	}
	for _, r := range m.Reasons {
		if r.Asks == "" {
			continue
		}
		d.circle(margin+9, d.y+8, 9, "signs")
		d.text(margin+9, d.y+12, "mark", fmt.Sprint(r.Number), 18)
		if r.Number == 6 {
			r.Asks = "it and what was stated are in the public log, under a head that enough witnesses cosigned"
		}
		d.wrapped(margin+26, "text ink", r.Asks)
		d.y += 6
	}
	if s, b := m.Ship[0], m.Block[0]; !s.Many && s.Size > 0 {
		d.y += 2
		one, more := "person", "people"
		if m.Channel == "" {
			one, more = "witness", "witnesses"
		}
		d.line("soft small", fmt.Sprintf("%s can meet all of it together;", quantity(s.Size, one, more)))
		d.line("soft small", fmt.Sprintf("%s can stop it by silence.", quantity(b.Size, one, more)))
	}
	d.y += 8
}

// people draws each country around its organisations around their people.
func (d *drawing) people(list []unit) {
	d.section("People")
	x := float64(margin)
	for _, l := range []struct{ class, letter, word string }{{"signs", "S", "signs"}, {"states", "R", "rebuilds, reviews"}, {"cosigns", "W", "witnesses"}} {
		d.circle(x+8, d.y+6, 8, l.class)
		d.text(x+8, d.y+10, "mark", l.letter, 16)
		d.text(x+21, d.y+10.5, "small soft", l.word, 120)
		x += 40 + charWidth*float64(len(l.word))
	}
	d.y += 26
	for _, country := range distinct(list, func(u unit) string { return u.Jurisdiction }) {
		here := slices.DeleteFunc(slices.Clone(list), func(u unit) bool { return u.Jurisdiction != country })
		d.box(margin, pictureWidth-2*margin, "outer", country, func(x, w float64) {
			for _, organisation := range distinct(here, func(u unit) string { return u.Organisation }) {
				d.box(x, w, "inner", organisation, func(x, w float64) {
					for _, u := range here {
						if u.Organisation == organisation {
							d.person(u, x, w)
						}
					}
				})
			}
		})
	}
	d.y += 8
}

// distinct lists the values in order of first appearance; strangers have none.
func distinct(list []unit, of func(unit) string) []string {
	var values []string
	for _, u := range list {
		if v := of(u); !u.Stranger && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values
}

func (d *drawing) person(u unit, x, w float64) {
	d.rect(x, d.y, w, rowHeight, 8, "row")
	d.text(x+10, d.y+21.5, "label ink", u.Name, w-90)
	for i, m := range []struct {
		does          bool
		class, letter string
	}{{u.Signs, "signs", "S"}, {u.States, "states", "R"}, {u.Cosigns, "cosigns", "W"}} {
		cx := x + w - 62 + float64(i)*23
		if !m.does {
			d.circle(cx, d.y+rowHeight/2, 7.5, "off")
			continue
		}
		d.circle(cx, d.y+rowHeight/2, 8, m.class)
		d.text(cx, d.y+rowHeight/2+4, "mark", m.letter, 16)
	}
	d.y += rowHeight + rowGap
}

// node draws a witness, or a group around its members with the number it needs. The keys of one person,
// of which any will do, are one row.
func (d *drawing) node(p policies, n proof.Node, x, w float64, depth int) {
	name := p.onePerson(n)
	switch {
	case n.Witness != nil && p.owner(*n.Witness) != "":
		d.witness(p.owner(*n.Witness), []proof.Node{n}, x, w)
	case n.Witness != nil:
		d.witness(n.Name, []proof.Node{n}, x, w)
	case name != "":
		d.witness(name, n.Members, x, w)
	default:
		top := d.y
		d.box(x, w, []string{"outer", "inner"}[depth%2], n.Name, func(x, w float64) {
			for _, m := range n.Members {
				d.node(p, m, x, w, depth+1)
			}
		})
		d.rect(x+w-60, top+5, 52, 20, 10, "need")
		d.text(x+w-34, top+19.5, "small onneed mid", fmt.Sprintf("%d of %d", n.Need, len(n.Members)), 52)
	}
}

// witness draws the row of one party and the kinds of its keys.
func (d *drawing) witness(name string, keys []proof.Node, x, w float64) {
	var kinds []string
	for _, k := range keys {
		kind := "Ed25519"
		if k.Witness.Key.Algorithm == proof.MLDSA44 {
			kind = "ML-DSA-44"
		}
		kinds = append(kinds, kind)
	}
	text := strings.Join(kinds, " or ")
	space := charWidth * float64(len(text)+1)
	d.rect(x, d.y, w, rowHeight, 8, "row")
	d.text(x+10, d.y+21.5, "label ink", name, w-20-space)
	d.text(x+w-10, d.y+21.5, "small soft end", text, space)
	d.y += rowHeight + rowGap
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
