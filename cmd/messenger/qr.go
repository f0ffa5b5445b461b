package main

import (
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
