package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/attest/proof"
)

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
