package launch

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestNotesAreOnlyForWhomTheyWereMeant(t *testing.T) {
	w := World{Pid: 100, Ppid: 50}
	for _, c := range []struct {
		value string
		want  []string
	}{
		{note(100, "1.0.0", "/usr/local/bin/messenger"), []string{"1.0.0", "/usr/local/bin/messenger"}}, // before our exec
		{note(50, "1.0.0", "/home/ana/my programs/messenger"), []string{"1.0.0", "/home/ana/my programs/messenger"}},
		{note(51, "1.0.0", "/usr/local/bin/messenger"), nil}, // inherited from somebody further up
		{"2 100 1.0.0 /usr/local/bin/messenger", nil},        // of a later protocol
		{"1 100 1.0.0", nil},
		{"1 x 1.0.0 /usr", nil},
		{"", nil},
	} {
		w.Environ = []string{"MESSENGER_LAUNCHED=1 100 overridden by-the-next", "MESSENGER_LAUNCHED=" + c.value}
		got, ok := w.readNote("MESSENGER_LAUNCHED", 2)
		if !slices.Equal(got, c.want) || ok != (c.want != nil) {
			t.Errorf("%q: %q, want %q", c.value, got, c.want)
		}
	}
}

func TestProgramsInheritNoNotes(t *testing.T) {
	p := Program{Name: "messenger"}
	environ := []string{"A=1", "MESSENGER_LAUNCHED=x", "MESSENGER_HOME=/h", "MESSENGER_SUPERVISED=y", "MESSENGER_ADOPT=z", "MESSENGERD_LAUNCHED=other"}
	if got, want := p.clean(environ), []string{"A=1", "MESSENGER_HOME=/h", "MESSENGERD_LAUNCHED=other"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestHomeFlag(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"about"}, ""},
		{[]string{"--home", "/a", "about"}, "/a"},
		{[]string{"about", "--home=/a b"}, "/a b"},
		{[]string{"--home=/a", "about", "--home", "/b"}, "/b"},
		{[]string{"about", "--home"}, ""},
		{[]string{"send", "--", "--home", "/a"}, ""},
	} {
		if got := homeFlag(c.args); got != c.want {
			t.Errorf("%q: %q, want %q", c.args, got, c.want)
		}
	}
}

// What a child hands up reaches the versions to come as it was; nothing else changes, whatever the word.
func TestAChildHandsUpAVariable(t *testing.T) {
	for _, c := range []struct{ word, want string }{
		{handWord("MESSENGER_PASSPHRASE", "correct horse \"=\n battery"), "correct horse \"=\n battery"},
		{handWord("MESSENGER_PASSPHRASE", ""), ""},
		{handWord("PATH", "/tmp"), "before"},
		{handWord("MESSENGERD_X", "x"), "before"},
		{`hand "MESSENGER_PASSPHRASE`, "before"},
		{`hand "MESSENGER_PASSPHRASE"`, "before"},
		{"hand", "before"},
	} {
		s := &Started{Program: Program{Name: "messenger"}}
		s.world.Environ = []string{"PATH=/usr/bin", "MESSENGER_PASSPHRASE=before"}
		s.handed(c.word)
		if got := get(s.world.Environ, "MESSENGER_PASSPHRASE"); got != c.want || get(s.world.Environ, "PATH") != "/usr/bin" || get(s.world.Environ, "MESSENGERD_X") != "" {
			t.Errorf("%s: %q", c.word, s.world.Environ)
		}
	}
	var said strings.Builder
	p := &Parent{health: unclosed{&said}}
	p.Hand("MESSENGER_PASSPHRASE", strings.Repeat("x", maxWord)) // or the parent would hear nothing any more
	p.Hand("MESSENGER_PASSPHRASE", "x")
	(*Parent)(nil).Hand("MESSENGER_PASSPHRASE", "x")
	if said.String() != handWord("MESSENGER_PASSPHRASE", "x")+"\n" {
		t.Errorf("%q", said.String())
	}
}

type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }
