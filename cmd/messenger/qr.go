package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet zone around the code, in modules: readers want some light around it.
const margin = 2

// qrCode draws a QR code for a dark terminal: two modules to a character, light ones drawn.
func qrCode(text string) (string, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return "", err
	}
	light := func(x, y int) bool { return !code.Black(x-margin, y-margin) }
	size := code.Size + 2*margin
	var b strings.Builder
	for y := 0; y < size; y += 2 {
		for x := range size {
			switch top, bottom := light(x, y), y+1 < size && light(x, y+1); {
			case top && bottom:
				b.WriteString("█")
			case top:
				b.WriteString("▀")
			case bottom:
				b.WriteString("▄")
			default:
				b.WriteString(" ")
			}
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}

// drawing is a QR code as the path of an SVG: Size modules wide and high, quiet zone included, one unit each, dark ones drawn.
type drawing struct {
	Size int    `json:"size"`
	Path string `json:"path"`
}

// drawCode draws a QR code for a page: of "text", or of the bytes "data".
func drawCode(_ context.Context, params json.RawMessage) (any, error) {
	var in struct {
		Text string `json:"text"`
		Data []byte `json:"data"`
	}
	if err := json.Unmarshal(params, &in); err != nil {
		return nil, err
	}
	if (in.Text == "") == (len(in.Data) == 0) {
		return nil, errors.New("want text or data, one of them")
	}
	code, err := qr.Encode(in.Text+string(in.Data), qr.L)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			run := 0
			for code.Black(x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+wide, y+wide, run, run)
				x += run
			}
		}
	}
	return drawing{code.Size + 2*wide, b.String()}, nil
}

// wide is the quiet zone that the standard asks for.
const wide = 4
