package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Interactive reports whether a person sits at both ends: keys come from a terminal and results go to one.
func (a *App) Interactive() bool { return fdOf(a.In) >= 0 && fdOf(a.Out) >= 0 }

// Colours reports whether results may have colours: Out is a terminal and NO_COLOR is not set.
func (a *App) Colours() bool { return fdOf(a.Out) >= 0 && a.Getenv("NO_COLOR") == "" }

// fdOf returns the descriptor of a terminal, -1 for everything else.
func fdOf(v any) int {
	if f, ok := v.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return int(f.Fd())
	}
	return -1
}

// Screen is a whole terminal, whose lines are drawn and whose keys are read one by one.
type Screen struct {
	in     *bufio.Reader
	out    io.Writer
	fd     int
	before *term.State
}

// Screen takes the terminal over; Close gives it back.
func (a *App) Screen() (*Screen, error) {
	in, out := fdOf(a.In), fdOf(a.Out)
	if in < 0 || out < 0 {
		return nil, Usagef("this needs a terminal")
	}
	before, err := term.MakeRaw(in)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(a.Out, "\x1b[?1049h\x1b[?25l") // the other screen, no cursor
	return &Screen{bufio.NewReader(a.In), a.Out, in, before}, nil
}

// Close puts everything back.
func (s *Screen) Close() error {
	fmt.Fprint(s.out, "\x1b[?25h\x1b[?1049l")
	return term.Restore(s.fd, s.before)
}

// Size is the number of columns and rows.
func (s *Screen) Size() (width, height int) {
	w, h, err := term.GetSize(s.fd)
	if err != nil || w < 20 || h < 5 {
		return 80, 24
	}
	return w, h
}

// Draw shows lines from the top, each already as short as the screen is wide.
func (s *Screen) Draw(lines []string) error {
	_, err := io.WriteString(s.out, "\x1b[H"+strings.Join(lines, "\x1b[0m\x1b[K\r\n")+"\x1b[0m\x1b[K\x1b[J")
	return err
}

// Key waits for a key: its character, or one of enter, backspace, escape, up, down, left, right, pgup,
// pgdown, home, end, interrupt.
func (s *Screen) Key() (string, error) { return readKey(s.in) }

var sequences = map[string]string{"[A": "up", "[B": "down", "[C": "right", "[D": "left", "[5~": "pgup", "[6~": "pgdown", "[H": "home", "[F": "end", "OA": "up", "OB": "down", "OH": "home", "OF": "end", "[1~": "home", "[4~": "end"}

func readKey(in *bufio.Reader) (string, error) {
	r, _, err := in.ReadRune()
	if err != nil {
		return "", err
	}
	switch r {
	case '\r', '\n':
		return "enter", nil
	case 0x7f, 8:
		return "backspace", nil
	case 3, 4:
		return "interrupt", nil
	case 0x1b:
		seq := ""
		for in.Buffered() > 0 && len(seq) < 8 { // a terminal sends a sequence at once; alone it is the key itself
			b, err := in.ReadByte()
			if err != nil {
				return "", err
			}
			seq += string(rune(b))
			if len(seq) > 1 && b >= '@' && b <= '~' { // what ends a sequence
				break
			}
		}
		if name := sequences[seq]; name != "" {
			return name, nil
		}
		return "escape", nil
	}
	return string(r), nil
}
