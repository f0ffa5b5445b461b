package tui_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/countersign-project/countersign/messenger/tui"
)

// patience ends a test that would otherwise wait for ever.
const patience = 2 * time.Minute

// screen is a model without a terminal: its messages come from here, its commands are run here.
type screen struct {
	*testing.T
	m    *tui.Model
	msgs chan tea.Msg
	quit bool
	size tea.WindowSizeMsg
	// beside is another screen that lives on while something is waited for on this one.
	beside *screen
}

// options are those of a test; the clock is the real one, for the real server's sake, unless a test sets another.
func options(c tui.Conn) tui.Options {
	return tui.Options{Conn: c, Now: time.Now, Zone: time.UTC, Rand: rand.Reader, Env: []string{"TERM=xterm-256color"}, Path: func(s string) (string, error) {
		if !strings.HasPrefix(s, "/") {
			return "", errors.New("want an absolute path in a test")
		}
		return s, nil
	}}
}

func newScreen(t *testing.T, o tui.Options, width, height int) *screen {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	s := &screen{T: t, m: tui.New(ctx, o), msgs: make(chan tea.Msg, 1000)}
	s.run(s.m.Init())
	s.give(tea.WindowSizeMsg{Width: width, Height: height})
	return s
}

// run runs a command beside the test.
func (s *screen) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() {
		msg := cmd()
		select {
		case s.msgs <- msg:
		case <-s.Context().Done():
		}
	}()
}

// give gives the model a message.
func (s *screen) give(msg tea.Msg) {
	switch msg := msg.(type) {
	case nil:
	case tea.BatchMsg:
		for _, c := range msg {
			s.run(c)
		}
	case tea.QuitMsg:
		s.quit = true
	default:
		if size, ok := msg.(tea.WindowSizeMsg); ok {
			s.size = size
		}
		_, cmd := s.m.Update(msg)
		s.run(cmd)
	}
}

// view is what is on the screen, without colours.
func (s *screen) view() string { return ansi.Strip(s.m.View().Content) }

// until lets things happen until something holds.
func (s *screen) until(what string, f func() bool) {
	s.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	for !f() {
		for more := s.beside != nil; more; {
			select {
			case msg := <-s.beside.msgs:
				s.beside.give(msg)
			default:
				more = false
			}
		}
		select {
		case msg := <-s.msgs:
			s.give(msg)
		case <-time.After(5 * time.Millisecond): // f may do something, too
		case <-end.C:
			s.Fatalf("waited for %s\n%s", what, s.view())
		}
	}
}

// shows waits until all texts are on the screen.
func (s *screen) shows(texts ...string) {
	s.Helper()
	for _, text := range texts {
		s.until(text, func() bool { return strings.Contains(s.view(), text) })
	}
}

// hides waits until none is.
func (s *screen) hides(texts ...string) {
	s.Helper()
	for _, text := range texts {
		s.until("no more "+text, func() bool { return !strings.Contains(s.view(), text) })
	}
}

// types types a text.
func (s *screen) types(text string) {
	for _, r := range text {
		s.give(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
}

// press presses keys by name.
func (s *screen) press(names ...string) {
	s.Helper()
	keys := map[string]tea.KeyPressMsg{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown}, "tab": {Code: tea.KeyTab},
		"pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown}, "left": {Code: tea.KeyLeft}, "backspace": {Code: tea.KeyBackspace},
		"alt+enter": {Code: tea.KeyEnter, Mod: tea.ModAlt}, "alt+up": {Code: tea.KeyUp, Mod: tea.ModAlt}, "ctrl+end": {Code: tea.KeyEnd, Mod: tea.ModCtrl},
		"ctrl+n": {Code: 'n', Mod: tea.ModCtrl}, "ctrl+p": {Code: 'p', Mod: tea.ModCtrl}, "ctrl+g": {Code: 'g', Mod: tea.ModCtrl}, "ctrl+c": {Code: 'c', Mod: tea.ModCtrl},
		"ctrl+y": {Code: 'y', Mod: tea.ModCtrl}, "alt+1": {Code: '1', Mod: tea.ModAlt}, "alt+2": {Code: '2', Mod: tea.ModAlt},
	}
	for _, n := range names {
		k, ok := keys[n]
		if !ok {
			s.Fatalf("no key %q", n)
		}
		s.give(k)
	}
}

// enters types a line and sends it.
func (s *screen) enters(text string) {
	s.Helper()
	s.types(text)
	s.press("enter")
}

// golden compares the screen with a file; UPDATE=1 writes it.
func (s *screen) golden(file string) {
	s.Helper()
	lines := strings.Split(s.view(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	got := strings.Join(lines, "\n") + "\n"
	path := "testdata/" + file
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			s.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.Fatal(err)
	}
	if got != string(want) {
		s.Errorf("%s (UPDATE=1 writes it)\n got\n%s\nwant\n%s", path, got, want)
	}
}

// colours are the only sequences that a view has.
var colours = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

// tame wants nothing on the screen that a terminal would obey but our colours.
func (s *screen) tame() {
	s.Helper()
	v := s.m.View()
	for _, r := range colours.ReplaceAllString(v.Content, "") + v.WindowTitle {
		if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069) {
			s.Fatalf("%U on the screen:\n%q", r, v.Content)
		}
	}
}
