package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func TestCompareTable(t *testing.T) {
	rows := []row{
		{Work: workIdle, System: "ours", Connections: 1000, Values: map[string]float64{perIdle: 7.249}},
		{Work: workIdle, System: "theirs", Connections: 1000, Values: map[string]float64{perIdle: 13}},
		{Work: workIdle, System: "ours", Connections: 10_000, Values: map[string]float64{perIdle: 6}},
		{Work: workGroups, System: "ours", Connections: 400, Round: 1, Values: map[string]float64{cpuMicros: 1000, "not shown": 3}},
		{Work: workGroups, System: "ours", Connections: 400, Round: 2, Values: map[string]float64{cpuMicros: 10}},
		{Work: workGroups, System: "ours", Connections: 400, Round: 3, Values: map[string]float64{cpuMicros: 20}},
		{Work: workIdle, System: "ours, TLS", Connections: 1000, Values: map[string]float64{perIdle: 9}},
	}
	got := compareTable(rows)
	want := `| work, connections | measure | ours | theirs |
|---|---|---|---|
| groups of 20, by delivery, 400 | messages/CPU-second | | |
| groups of 20, by delivery, 400 | server CPU µs/message | 20.0 (10.0) | |
| groups of 20, by delivery, 400 | messages/s | | |
| idle, 1000 | KiB/idle connection | 7.25 | 13.0 |
| idle, 10000 | KiB/idle connection | 6.00 | |

| work, connections | measure | ours, TLS |
|---|---|---|
| idle, 1000 | KiB/idle connection | 9.00 |
`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// The plot is well-formed, and its points lie where their values say.
func TestPlot(t *testing.T) {
	p := panel{title: "a < b", x: "size", series: []series{{"line", []point{{0, 0}, {10, 50}, {100, 100}}}}}
	svg := string(plot([]panel{p, {}, {series: []series{{"one", []point{{7, 3}}}}}}))
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
	for _, want := range []string{
		`<circle cx="52.0" cy="188.0"`,  // 0 stands at 1, at the left and the bottom
		`<circle cx="170.0" cy="120.0"`, // 10 is half way to 100, and 50 half way up
		`<circle cx="288.0" cy="52.0"`, "a &lt; b", `d="M52.0 188.0L170.0 120.0L288.0 52.0"`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s in\n%s", want, svg)
		}
	}
	if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Errorf("a point without a place:\n%s", svg)
	}
}

func TestNice(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, 0.3: 0.5, 1: 1, 1.2: 2, 37: 50, 51: 100, 1e6: 1e6} {
		if got := nice(v); math.Abs(got-want) > want*1e-9 {
			t.Errorf("nice(%v) = %v, want %v", v, got, want)
		}
	}
}
