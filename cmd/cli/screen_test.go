package cli

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	in := bufio.NewReader(strings.NewReader("nü\r\x7f\x03\x1b[A\x1b[6~\x1b[HOq\x1b[99zx\x1b"))
	var got []string
	for {
		k, err := readKey(in)
		if err == io.EOF {
			break
		}
		got = append(got, k)
	}
	if want := []string{"n", "ü", "enter", "backspace", "interrupt", "up", "pgdown", "home", "O", "q", "escape", "x", "escape"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWithoutATerminal(t *testing.T) {
	app := &App{In: strings.NewReader(""), Out: &bytes.Buffer{}, Getenv: func(string) string { return "" }}
	if app.Interactive() || app.Colours() {
		t.Error("a buffer is taken for a terminal")
	}
	if _, err := app.Screen(); Code(err) != ExitUsage {
		t.Error(err)
	}
}
