package tui_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/countersign-project/countersign/messenger/client"
)

// Whatever is pressed, in windows of whatever size, while whatever happens: it goes on, every line fits, and nothing is drawn that a terminal obeys.
func TestAnythingAtAll(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 0))
		f := newFake()
		f.set("listMessages", everything())
		f.set("searchMessages", everything())
		f.set("resolve", map[string]string{"conversation": carol})
		f.set("listIdentities", []map[string]any{{"number": bob, "safetyNumber": strings.Repeat("12345 ", 12)}})
		o := options(f)
		o.List = func(string) ([]string, error) { return []string{"a", "b/"}, nil }
		s := newScreen(t, o, 100, 30)
		s.shows("Choir")
		keys := []string{"enter", "esc", "up", "down", "tab", "pgup", "pgdown", "left", "backspace", "alt+enter", "alt+up", "ctrl+end", "ctrl+n", "ctrl+p", "ctrl+g", "ctrl+c", "ctrl+y", "alt+1", "alt+2"}
		words := []string{"/help", "/reply", "/react +1", "/edit", "/delete", "/file /x", "/save", "/timer 1d", "/verify", "/search x", "/members", "/block", "/mute", "/go x", "//", "word", "日本語👍🏽", "e\u0301", "y", "v", "h", "a"}
		for range 400 {
			switch r.IntN(8) {
			case 0, 1, 2:
				s.press(keys[r.IntN(len(keys))])
			case 3, 4:
				s.types(words[r.IntN(len(words))])
			case 5:
				s.give(tea.WindowSizeMsg{Width: r.IntN(130), Height: r.IntN(40)})
			case 6:
				s.happens(f, r)
			case 7:
				if m, err := mouse(r); err == nil {
					s.give(m)
				}
			}
			for range r.IntN(4) {
				select {
				case msg := <-s.msgs:
					s.give(msg)
				default:
				}
			}
			s.fits()
		}
	}
}

// happens is something in the account.
func (s *screen) happens(f *fake, r *rand.Rand) {
	all := everything()
	one := all[r.IntN(len(all))]
	types := []client.EventType{client.EventMessage, client.EventUpdate, client.EventGone, client.EventTyping, client.EventConversation, client.EventConnection, client.EventCaughtUp}
	who := []string{bob, carol, choir}[r.IntN(3)]
	if r.IntN(3) == 0 {
		one = wrote(int64(100+r.IntN(300)), who, bob, strings.Repeat("more ", r.IntN(60)), 1)
	}
	if r.IntN(10) == 0 {
		f.set("send", errors.New("no answer"))
	}
	select {
	case f.notices <- notice(client.Event{Type: types[r.IntN(len(types))], Conversation: who, Message: one, Author: bob}):
	default:
	}
}

func mouse(r *rand.Rand) (tea.Msg, error) {
	switch r.IntN(4) {
	case 0:
		return tea.MouseWheelMsg{Button: tea.MouseWheelUp}, nil
	case 1:
		return tea.MouseWheelMsg{Button: tea.MouseWheelDown}, nil
	case 2:
		return tea.MouseClickMsg{Button: tea.MouseLeft, X: r.IntN(130), Y: r.IntN(40)}, nil
	}
	return nil, errors.New("nothing")
}

// fits wants every line to be as long as the window is wide, and no more lines than it is high.
func (s *screen) fits() {
	s.Helper()
	s.tame()
	size := s.size
	if size.Width < 12 || size.Height < 4 { // too small for anything to be right
		return
	}
	lines := strings.Split(s.m.View().Content, "\n")
	if len(lines) > size.Height {
		s.Fatalf("%d lines in a window of %d\n%s", len(lines), size.Height, s.view())
	}
	for _, l := range lines {
		if w := ansi.StringWidth(l); w > size.Width {
			s.Fatalf("%d columns in a window of %d: %q", w, size.Width, l)
		}
	}
}
